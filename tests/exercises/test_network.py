"""Exercises that build a network: every right one is accepted, however it is written, and no wrong one."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations

from course_utils.exercises.building import BROKEN, Network, _partners
from course_utils.exercises.checks.ex09 import lenet
from course_utils.exercises.exercise import TODO, Either, find, review, trials
from course_utils.exercises.learner import case, feedback, reply_of
from course_utils.exercises.network import respond, run, tensors


def said(exercise, function, seed=1):
    """What is said of a function, None if it is right."""
    for inputs in trials(exercise, seed):
        sentence = review(exercise, inputs, reply_of(exercise, function, inputs, exercise.seconds)[0])
        if sentence:
            return sentence
    return None


@pytest.fixture(autouse=True)
def torch_as_it_was():
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)
    torch.set_default_dtype(torch.float32)
    torch.set_grad_enabled(True)


# LeNet, 09-6


class Tutorial(nn.Module):
    """Layers without states are functions; pooling comes before ReLU."""

    def __init__(self, channels, classes, size):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(channels, 6, 5), nn.Conv2d(6, 16, 5)
        self.flat = 16 * (((size - 4) // 2 - 4) // 2) ** 2
        self.fc1, self.fc2, self.fc3 = nn.Linear(self.flat, 120), nn.Linear(120, 84), nn.Linear(84, classes)

    def forward(self, x):
        x = F.relu(F.max_pool2d(self.conv1(x), (2, 2)))
        x = F.max_pool2d(self.conv2(x), 2).clamp(min=0).view(-1, self.flat)
        return self.fc3(torch.relu(self.fc2(self.fc1(x).relu())))


class Affine(nn.Module):
    """A layer of one's own, whose names are those of nobody else, and one of them that of the images."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.x, self.running = nn.Parameter(torch.zeros(outputs, inputs)), nn.Parameter(torch.zeros(outputs))
        self.register_buffer("ones", torch.ones(outputs))

    def forward(self, u):
        return u @ self.x.T + self.running * self.ones


class OfParameters(nn.Module):
    def __init__(self, channels, classes, size):
        super().__init__()
        for name, tensor in reversed(list(lenet(channels, classes, size).named_parameters())):
            setattr(self, "x" if name == "0.weight" else f"p{name.replace('.', '_')}", nn.Parameter(tensor.detach()))

    def forward(self, x):
        x = F.max_pool2d(F.relu(F.conv2d(x, self.x, self.p0_bias)), 2)
        x = F.max_pool2d(F.relu(F.conv2d(x, self.p3_weight, self.p3_bias)), 2).flatten(1)
        x = F.relu(F.linear(x, self.p7_weight, self.p7_bias))
        return F.linear(F.relu(F.linear(x, self.p9_weight, self.p9_bias)), self.p11_weight, self.p11_bias)


def lazy(channels, classes, size, called=True):
    net = nn.Sequential(*lenet(channels, classes, size)[:7], nn.LazyLinear(120), *lenet(channels, classes, size)[8:])
    return (net, net(torch.zeros(1, channels, size, size)))[0] if called else net


def with_affine(*numbers):
    layers = list(lenet(*numbers))
    return nn.Sequential(*(Affine(a.in_features, a.out_features) if isinstance(a, nn.Linear) else a for a in layers))


def registered_twice(*numbers):
    net = nn.ModuleDict({"all": lenet(*numbers)})
    net["again"], net.forward = net["all"][3], net["all"].forward
    return net


def in_double(*numbers):
    torch.set_default_dtype(torch.float64)
    return lenet(*numbers)


def without_gradients(*numbers):
    torch.set_grad_enabled(False)
    return lenet(*numbers)


def trained(channels, classes, size):
    net = lenet(channels, classes, size)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    F.cross_entropy(net(torch.randn(4, channels, size, size)), torch.zeros(4, dtype=torch.int64)).backward()
    optimizer.step()
    return net.eval()


class Changed(nn.Module):
    """A LeNet with something else around it: `before` the images, `after` the scores."""

    def __init__(self, numbers, before=lambda x: x, after=lambda y: y):
        super().__init__()
        self.net, self.before, self.after = lenet(*numbers), before, after

    def forward(self, x):
        return self.after(self.net(self.before(x)))


def changed(**how):
    return lambda *numbers: Changed(numbers, **how)


KEPT = {}


@pytest.mark.parametrize(
    "function",
    [
        lambda *numbers: Tutorial(*numbers),
        lambda *numbers: OfParameters(*numbers),
        lambda *numbers: KEPT.setdefault(numbers, lenet(*numbers)),
        lambda *numbers: lenet(*numbers).double(),
        lambda *numbers: lenet(*numbers).half(),
        changed(before=lambda x: x.mul_(1)),
        changed(after=lambda y: y.double()),
        changed(before=lambda x: x.float() + torch.zeros(1)),
        *(lazy, with_affine, registered_twice, in_double, without_gradients, trained),
    ],
)
def test_a_right_network_may_be_written_in_any_way(function):
    assert feedback("09-6", function) == "09-6: right, on 6 different inputs"
    assert said(find("09-6"), function, seed=5) is None


def layers(*places, of=lambda layer: nn.Sequential(layer, nn.Dropout(0.2))):
    return lambda *numbers: nn.Sequential(
        *(of(layer) if place in places else layer for place, layer in enumerate(lenet(*numbers)))
    )


class NoForward(Changed):
    forward = nn.Module.forward


class Decays(Changed):
    def forward(self, x):
        y = super().forward(x)
        with torch.no_grad():
            self.net[11].bias.mul_(0.9)
        return y


def frozen(*numbers):
    net = lenet(*numbers)
    net[0].bias.requires_grad_(False)
    return net


def fixed_batch(*numbers):
    net = Tutorial(*numbers)
    net.flat = 400
    return net


def normed(*numbers):
    net = lenet(*numbers)
    parametrizations.weight_norm(net[7])
    return net


def no_images(channels, classes, size):
    return Changed((channels, classes, size), after=lambda y: torch.zeros(len(y), classes))


class Hidden(nn.Module):
    """Layers in a list that no module knows of."""

    def __init__(self, *numbers):
        super().__init__()
        self.layers = list(lenet(*numbers))

    def forward(self, x):
        return nn.Sequential(*self.layers)(x)


class Many(nn.Module):
    def __init__(self):
        super().__init__()
        for number in range(3000):
            setattr(self, f"p{number}", nn.Parameter(torch.zeros(1)))


class Odd(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_parameter("\ud800 '\"\n</b>running_var", nn.Parameter(torch.zeros(0, 3)))

    def forward(self, x):
        return x


class NoGuard(nn.Module):
    def named_parameters(self, *args, **kwargs):
        return [("a", torch.zeros(2)), (3, None)]


def raising(error):
    def forward(x):
        raise error

    return changed(before=forward)


@pytest.mark.parametrize(
    ("function", "says"),
    [
        (layers(7, 9), "right in one of its two modes"),
        (lambda *n: nn.Sequential(*lenet(*n), nn.Flatten(0)), "output of the wrong shape"),
        (lambda *n: nn.Sequential(*lenet(*n), nn.Unflatten(1, (1, -1))), "output of the wrong shape"),
        (layers(*(1, 4, 8, 10), of=lambda layer: nn.LeakyReLU()), "another output"),
        (layers(*(1, 4, 8, 10), of=lambda layer: nn.ReLU6()), "another output"),
        (layers(8, of=lambda layer: nn.Hardtanh(0, 4)), "another output"),
        (changed(after=lambda y: 1.001 * y), "another output"),
        (changed(before=lambda x: x.flip(3)), "another output"),
        (changed(before=lambda x: x.transpose(2, 3)), "another output"),
        (changed(before=lambda x: x.detach()), "not the right gradients"),
        (changed(after=lambda y: y.detach()), "not the right gradients"),
        (layers(0, of=lambda conv: nn.Sequential(conv, nn.BatchNorm2d(6))), "too many parameters"),
        (lambda *n: nn.Sequential(lenet(*n), nn.Linear(n[1], n[1])), "too many parameters"),
        (layers(3, of=lambda conv: nn.Conv2d(6, 16, 5, groups=2)), "too few parameters"),
        (layers(9, of=lambda linear: nn.Linear(60, 168)), "RuntimeError"),
        (lambda *n: Hidden(*n), "too few parameters"),
        (frozen, "not the right gradients"),
        (fixed_batch, "RuntimeError"),
        (normed, "too many parameters"),
        (no_images, "another output"),
        (lambda *n: lazy(*n, called=False), BROKEN["a lazy layer"]),
        (lambda *n: NoForward(n), BROKEN["no forward"]),
        (lambda *n: Decays(n), BROKEN["changed weights"]),
        (changed(after=lambda y: None), BROKEN["no tensor"]),
        (changed(after=lambda y: (y, y)), BROKEN["no tensor"]),
        (changed(after=lambda y: y * 1j), "output of the wrong shape"),
        (changed(after=lambda y: y * float("nan")), "another output"),
        (raising(ValueError("no")), "stops with an error"),
        (raising(SystemExit()), "ends the whole program"),
        (raising(NotImplementedError()), BROKEN["no forward"]),
        (lambda *n: lenet(*n).to("meta"), BROKEN["no forward"]),
        (lambda *n: nn.Module(), BROKEN["no forward"]),
        (lambda *n: nn.Flatten(), "too few parameters"),
        (lambda *n: nn.Linear(3000, 3000), "too many parameters"),
        (lambda *n: Many(), "too few parameters"),
        (lambda *n: Odd(), "too few parameters"),
        (lambda *n: NoGuard(), "stops with"),
        (lambda *n: Tutorial, "returns something else than a network"),
        (lambda *n: [lenet(*n)], "returns something else than a network"),
        (lambda *n: lenet(*n)(torch.zeros(1, n[0], n[2], n[2])), "returns something else than a network"),
        (lambda *n: 1 / 0, "stops with an error"),
        (lambda channels, classes: lenet(channels, classes, 28), "does not take the inputs"),
    ],
)
@pytest.mark.filterwarnings("ignore:Casting complex", "ignore:for .* copying from a non-meta", "ignore:Lazy modules")
def test_a_wrong_or_hostile_network_gets_a_sentence(function, says):
    assert says in feedback("09-6", function)
    assert said(find("09-6"), function, seed=5) not in (None, TODO)


def test_what_a_learner_reads():
    text = feedback("09-6", changed(after=lambda y: y * 2))
    assert "another output" in text and "With channels=" in text and 'case("09-6") gives these inputs back' in text
    *numbers, x = case("09-6")
    assert lenet(*numbers)(torch.tensor(x)).shape == (len(x), numbers[1]), "as the task says"
    assert "It takes (a); it is called with (channels, classes, size)." in feedback("09-6", lambda a: a)


# Batch norm, whose modes differ


def wide(channels, classes, momentum=0.1, **how):
    return nn.Sequential(
        *(nn.Conv2d(channels, 4, 3, padding=1), nn.BatchNorm2d(4, momentum=momentum, **how), nn.ReLU()),
        *(nn.Conv2d(4, 4, 3), nn.BatchNorm2d(4, **how), nn.ReLU()),
        *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, classes)),
    )


def draw(rng):
    channels, classes = (int(n) for n in rng.integers((1, 2), (4, 6)))
    return channels, classes, rng.normal(size=(5, channels, 8, 8)).astype(np.float32)


def mistakes(channels, classes):
    no_norm = wide(channels, classes)
    no_norm[1], no_norm[4] = nn.Identity(), nn.Identity()
    rough = [wide(channels, classes, eps=eps) for eps in (1e-2, 0.1)]
    return {"lacks batch norm.": no_norm, "has a large epsilon.": Either(*rough)}


WIDE = Network(points=1, draw=draw, expected=wide, mistakes=mistakes, otherwise="differs.", hints=("", "", ""))


class ConvsFirst(nn.Module):
    def __init__(self, channels, classes, norm=nn.BatchNorm2d):
        super().__init__()
        self.one, self.two = nn.Conv2d(channels, 4, 3, padding=1), nn.Conv2d(4, 4, 3)
        self.norm_one, self.norm_two, self.last = norm(4), norm(4), nn.Linear(4, classes)

    def forward(self, x):
        x = F.relu(self.norm_two(self.two(F.relu(self.norm_one(self.one(x))))))
        return self.last(x.mean((2, 3)))


class Shared(ConvsFirst):
    def __init__(self, *numbers):
        super().__init__(*numbers)
        self.norm_two = self.norm_one


class Tied(ConvsFirst):
    def __init__(self, *numbers):
        super().__init__(*numbers)
        self.norm_two.weight = self.norm_one.weight


def eval_only(*numbers):
    net = wide(*numbers)
    net.train = lambda mode=True: nn.Module.train(net, False)
    return net


@pytest.mark.parametrize("function", [wide, ConvsFirst])
def test_both_modes_of_batch_norm_are_right(function):
    assert all(said(WIDE, function, seed) is None for seed in range(3))


@pytest.mark.parametrize(
    ("function", "says"),
    [
        (lambda *n: mistakes(*n)["lacks batch norm."], "lacks batch norm."),
        (lambda *n: wide(*n, eps=0.1), "has a large epsilon."),
        (lambda *n: wide(*n, eps=1e-3), "differs."),
        (lambda *n: wide(*n, affine=False), "too few parameters"),
        (lambda *n: wide(*n, track_running_stats=False), "other running averages"),
        (lambda *n: ConvsFirst(*n, norm=lambda maps: nn.GroupNorm(1, maps)), "other running averages"),
        (Shared, "too few parameters"),
        (Tied, "too few parameters"),
        (eval_only, "right in one of its two modes"),
    ],
)
def test_mistakes_in_batch_norm(function, says):
    assert {says in str(said(WIDE, function, seed)) for seed in range(3)} == {True}


# Rounding: sums in another order


class Bottleneck(nn.Module):
    """A right answer to 13-4 whose memory is laid out otherwise; `other` is done to what the shortcut adds."""

    def __init__(self, before, channels, stride, other=lambda x: x):
        super().__init__()
        width, self.other = channels // 4, other
        self.conv1, self.norm1 = nn.Conv2d(before, width, 1, stride, bias=False), nn.BatchNorm2d(width)
        self.conv2, self.norm2 = nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width)
        self.conv3, self.norm3 = nn.Conv2d(width, channels, 1, bias=False), nn.BatchNorm2d(channels)
        self.shortcut = nn.Sequential()
        if stride > 1 or before != channels:
            self.shortcut = nn.Sequential(nn.Conv2d(before, channels, 1, stride, bias=False), nn.BatchNorm2d(channels))

    def forward(self, x):
        x = x.contiguous(memory_format=torch.channels_last)
        y = self.norm1(self.conv1(x)).clamp(min=0)
        y = self.norm3(self.conv3(self.norm2(self.conv2(y)).clamp(min=0)))
        return (self.other(self.shortcut(x)) + y).clamp(min=0)


def test_a_right_block_is_accepted_whose_sums_have_another_order():
    function = lambda *numbers: Bottleneck(*numbers)  # noqa: E731
    assert feedback("13-4", function).startswith("13-4: right, on ")
    assert {seed: said(find("13-4"), function, seed) for seed in ROUNDS} == dict.fromkeys(ROUNDS)


@pytest.mark.parametrize("share", [0.1, 1])
def test_a_detached_shortcut_is_not_taken_for_rounding(share):
    def function(*numbers):
        return Bottleneck(*numbers, other=lambda x: x * (1 - share) + (x * share).detach())

    assert all("not the right gradients" in str(said(find("13-4"), function, seed)) for seed in ROUNDS)


ROUNDS = (7, 18, 223645705064013)  # with these, float32 gives other gradients to one or the other


@pytest.mark.parametrize("exercise_id", ["11-5", "13-4"])
def test_it_does_not_matter_how_many_threads_the_sandbox_and_the_grader_have(exercise_id):
    exercise = find(exercise_id)

    def ask(request, data):
        torch.set_num_threads(2)
        reply, _ = respond(exercise.expected, request, data)
        torch.set_num_threads(1)
        return reply

    for seed in ROUNDS:
        replies = [(inputs, exercise.converse(inputs, ask)) for inputs in trials(exercise, seed)]
        assert [review(exercise, *both) for both in replies] == [None] * len(replies), seed


def test_a_network_is_left_in_float32_and_so_is_the_default():
    net = lenet(1, 10, 28)
    run(net, {}, np.zeros((1, 1, 28, 28), np.float32), None, training=False)
    assert torch.get_default_dtype() == torch.float32 == next(net.parameters()).dtype


def straight(channels, classes, *, flat=True):
    """One convolution, and an affine layer that needs `flat` maps."""
    steps = [nn.Conv2d(channels, 4, 8), nn.Flatten(), nn.Linear(4, classes)]
    return nn.Sequential(*(step for step in steps if flat or not isinstance(step, nn.Flatten)))


def test_a_network_with_the_right_tensors_that_cannot_run_gets_the_row_that_cannot_either():
    def rows(channels, classes):
        return {"does not flatten.": straight(channels, classes, flat=False)}

    flat = Network(points=1, draw=draw, expected=straight, mistakes=rows, otherwise="differs.", hints=("", "", ""))
    assert said(flat, straight) is None
    assert said(flat, lambda *n: straight(*n, flat=False)) == "does not flatten."
    rowless = Network(**(vars(flat) | {"mistakes": lambda *numbers: {}}))
    assert "RuntimeError" in str(said(rowless, lambda *n: straight(*n, flat=False)))


def test_with_modes_of_test_alone_dropout_is_no_mistake():
    calm = Network(**(vars(WIDE) | {"modes": (False,)}))
    assert said(calm, lambda *n: nn.Sequential(nn.Dropout(), *wide(*n))) is None
    assert said(WIDE, lambda *n: nn.Sequential(nn.Dropout(), *wide(*n))) is not None


# What may come out of a sandbox


TENSORS = tensors(wide(2, 3))
RESULTS = (np.zeros((5, 3), np.float32), np.zeros((5, 2, 8, 8), np.float32), [])


@pytest.mark.parametrize(
    "built",
    [
        *(
            None,
            3,
            "no key",
            [],
            {},
            [()],
            [3],
            [("a", (3,), "Linear", 1)],
            [("a", 3, "Linear")],
            [(1, (3,), "Linear")],
        ),
        *([("a", shape, "Linear")] for shape in ((-1,), ("3",), (True,), (2.0,), (0, 10**400), (10**18,), (1,) * 70)),
        *([("a", (3,), "Linear")] * 2, TENSORS * 2, [[name, list(shape), layer] for name, shape, layer in TENSORS]),
        [(f"p{n}", (1,), "Linear") for n in range(5000)],
    ],
)
def test_a_forged_list_of_tensors_is_refused(built):
    check_forged(built, RESULTS)


@pytest.mark.parametrize(
    "ran",
    [
        *(None, 3, "no key", (), [], (1, 2, 3), RESULTS[:2], (*RESULTS, 1), (None, None, [])),
        *(
            (y, *RESULTS[1:])
            for y in ([[1], [1, 2]], "y", np.zeros(0), np.zeros((5, 3), bool), np.full((5, 3), np.nan))
        ),
        (*RESULTS[:2], [None] * 99),
        (*RESULTS[:2], [{}, "a", [[]], np.zeros(3)]),
    ],
)
def test_forged_results_are_refused(ran):
    check_forged(TENSORS, ran)


def check_forged(built, ran):
    replies = {"build": {"value": built, "changed": False}, "apply": {"value": ran, "changed": True}}
    inputs = 2, 3, np.ones((5, 2, 8, 8), np.float32)
    reply = WIDE.converse(inputs, lambda request, data: replies[request])
    assert isinstance(review(WIDE, inputs, reply), str)


def test_errors_in_either_request_are_handed_on():
    inputs = trials(WIDE, 0)[0]
    assert WIDE.converse(inputs, lambda request, data: {"error": "TimeUp"}) == {"error": "TimeUp"}
    build = {"build": {"value": TENSORS}, "apply": {"error": "MemoryError"}}
    assert WIDE.converse(inputs, lambda request, data: build[request]) == {"error": "MemoryError"}


def test_a_reference_too_large_to_be_sent_accepts_nothing():
    large = Network(1, lambda rng: (2000, np.ones((1, 2000), np.float32)), lambda n: nn.Linear(n, n), "differs.", ())
    assert said(large, lambda n: nn.Linear(n, n)) == "differs."


def test_partners_are_found_by_kind_then_by_shape():
    own = [("0.weight", (4,), "BatchNorm2d"), ("0.bias", (4,), "BatchNorm2d"), ("1.bias", (4,), "Conv2d")]
    assert _partners(
        own, [("c.bias", (4,), "Conv2d"), ("n.bias", (4,), "BatchNorm2d"), ("n.weight", (4,), "BatchNorm2d")]
    ) == {
        "0.weight": "n.weight",
        "0.bias": "n.bias",
        "1.bias": "c.bias",
    }
    assert list(_partners(own, [(name, (4,), "Mine") for name in "abc"]).values()) == ["a", "b", "c"]
    assert _partners(own, own[:2]) is None and _partners(own, [(name, (3,), "Mine") for name in "abc"]) is None
    assert _partners([], []) == {}
