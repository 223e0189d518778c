"""The checks of chapter 09: right answers pass, plausible wrong ones get a sentence that helps."""

import numpy as np
import pytest
from checks import accepts, check_is_sound, refuses

from course_utils.exercises.checks import ex09
from course_utils.exercises.checks.ex09 import backward, compare, count, evaluate, mean_of_means, prediction
from course_utils.exercises.masters import master
from course_utils.scratch import gradient_check


@pytest.mark.parametrize("exercise_id", ex09.EXERCISES)
def test_sound(exercise_id):
    check_is_sound(exercise_id)


@pytest.fixture(scope="module")
def given():
    """What the locked cells of the notebook define."""
    nbformat = pytest.importorskip("nbformat")
    names = {"np": np}
    for cell in nbformat.read(master("09"), as_version=4).cells:
        if cell.id.endswith("-given"):
            exec(cell.source, names)
    return names


# 09-1


def test_count_is_the_paper_s_and_the_model_s(given):
    lenet = pytest.importorskip("course_utils.models.lenet")
    table = given["TABLE_I"]
    assert tuple(map(tuple, table)) == lenet.C3_TABLE
    assert count(6, table, 120, 84, 10) == (60_000, 340_908)
    parameters = sum(parameter.numel() for parameter in lenet.lenet5().parameters())
    assert count(6, table, 120, 84, 10)[0] == parameters
    assert count(1, [[0]], 1, 1, 1)[0] == 26 + 2 + 26 + 2 + 26 + 2


def changed(parameters=None, connections=None):
    """`count` with an error in one of its numbers: a function of maps, table, c5, f6, classes."""

    def wrong(*inputs):
        right = count(*inputs)
        return right[0] + (parameters(*inputs) if parameters else 0), right[1] + (
            connections(*inputs) if connections else 0
        )

    return wrong


def left_out(maps, table):
    return maps * len(table) - sum(map(len, table))


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (changed(lambda m, t, c5, f6, k: k * f6), "that training never changes"),
        (changed(lambda m, t, c5, f6, k: k * (f6 + 1)), "ordinary linear layer"),
        (lambda m, t, *rest: count(m, [range(m)] * len(t), *rest), "whatever the table says"),
        (changed(lambda m, t, c5, f6, k: sum(map(len, t)) - len(t)), "a bias for each map that it reads"),
        (changed(lambda m, t, c5, f6, k: -(m + len(t) + c5 + f6)), "leaves out the biases"),
        (changed(lambda m, t, c5, f6, k: -2 * (m + len(t))), "not max pooling"),
        (changed(lambda m, t, c5, f6, k: -2 * m), "leaves out S2"),
        (changed(lambda m, t, c5, f6, k: -2 * len(t)), "leaves out S4"),
        (changed(lambda m, t, c5, f6, k: 25 * c5 * (16 - len(t))), "a C5 that reads 16 maps"),
        (changed(lambda m, t, c5, f6, k: -(m + len(t))), "too few parameters"),
        (changed(lambda m, t, c5, f6, k: 3 * (m + len(t))), "a coefficient of its own"),
        (changed(None, lambda m, t, c5, f6, k: -k * f6), "whose weights are fixed"),
        (changed(None, lambda m, t, c5, f6, k: k), "a bias"),
        (changed(None, lambda m, t, c5, f6, k: -3 * (196 * m + 25 * len(t))), "more lines than parameters"),
        (changed(None, lambda m, t, c5, f6, k: -(196 * m + 25 * len(t))), "from the constant 1"),
        (changed(None, lambda m, t, c5, f6, k: -784 * m - 100 * len(t) - c5 - f6), "in the other layers"),
        (changed(None, lambda m, t, c5, f6, k: -980 * m - 125 * len(t) - c5 - f6), "no line from the constant 1.\n"),
        (changed(None, lambda m, t, c5, f6, k: 2500 * left_out(m, t)), "that the table leaves out"),
        (changed(None, lambda m, t, c5, f6, k: 26 * m * (32**2 - 28**2)), "lines into one unit, times its units"),
        (lambda m, t, c5, f6, k: count(m, t, f6, c5, k), "not right yet"),
        (lambda *inputs: count(*inputs)[::-1], "wrong order"),
        (lambda *inputs: count(*inputs)[0], "a whole number where a tuple"),
    ],
)
def test_count(wrong, says):
    refuses("09-1", wrong, says)


# 09-2


def test_backward_is_the_derivative(given):
    rng = np.random.default_rng(5)
    dy, x, weight, bias = ex09.draw_backward(rng)
    gradients = backward(dy, x, weight, bias)
    forward = given["subsampling"]
    assert gradient_check(lambda v: forward(v, weight, bias), x, dy, gradients[0]) < 1e-7
    assert gradient_check(lambda v: forward(x, v, bias), weight, dy, gradients[1]) < 1e-7
    assert gradient_check(lambda v: forward(x, weight, v), bias, dy, gradients[2]) < 1e-7


def spoiled(part, how):
    """`backward` with one of its three results put through `how(value, dy, x, weight)`."""

    def wrong(dy, x, weight, bias):
        results = list(backward(dy, x, weight, bias))
        results[part] = how(results[part], dy, x, weight)
        return tuple(results)

    return wrong


def tiled(dx, dy, x, weight):
    return np.tile(dy * weight[:, None, None], (1, 1, 2, 2))


def first_only(dx, dy, x, weight):
    dx[..., 1::2, :] = dx[..., 1::2] = 0
    return dx


def largest(x):
    n, c, h, w = x.shape
    return x.reshape(n, c, h // 2, 2, w // 2, 2).max(axis=(3, 5))


def as_max_pooling(dy, x, weight, bias):
    chosen = x == largest(x).repeat(2, axis=2).repeat(2, axis=3)
    dx = (dy * weight[:, None, None]).repeat(2, axis=2).repeat(2, axis=3) * chosen
    return dx, (dy * largest(x)).sum(axis=(0, 2, 3)), dy.sum(axis=(0, 2, 3))


def in_place(dy, x, weight, bias):
    results = backward(dy, x, weight, bias)
    dy *= 2
    return results


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (spoiled(0, lambda dx, dy, x, w: dx / 4), "took the mean of a block"),
        (spoiled(0, lambda dx, dy, x, w: dy.repeat(2, axis=2).repeat(2, axis=3)), "leaves out the coefficient"),
        (spoiled(0, tiled), "in wrong places"),
        (spoiled(0, first_only), "the first input of a block only"),
        (as_max_pooling, "given to the largest input of a block only, as in max pooling"),
        (
            spoiled(1, lambda dw, dy, x, w: (dy * largest(x)).sum(axis=(0, 2, 3))),
            "the largest input of a block, not the sum",
        ),
        (spoiled(0, lambda dx, dy, x, w: dx[..., ::2, ::2]), "wrong shape"),
        (spoiled(0, lambda dx, dy, x, w: dx * x), "not right yet"),
        (spoiled(1, lambda dw, dy, x, w: dw / dy[:, 0].size), "averaged over the units"),
        (spoiled(1, lambda dw, dy, x, w: dw / len(dy)), "averaged over the images"),
        (spoiled(1, lambda dw, dy, x, w: dw / 4), "took the mean of a block"),
        (spoiled(1, lambda dw, dy, x, w: dw * w), "not right yet"),
        (spoiled(1, lambda dw, dy, x, w: ex09._blocks(x).sum(axis=(0, 2, 3))), "does not depend on dy"),
        (spoiled(1, lambda dw, dy, x, w: dy * ex09._blocks(x)), "wrong number of axes"),
        (spoiled(2, lambda db, dy, x, w: dy.mean(axis=(0, 2, 3))), "averaged over the units"),
        (spoiled(2, lambda db, dy, x, w: 4 * db), "once for each input of a block"),
        (spoiled(2, lambda db, dy, x, w: np.full(len(db), dy[:, 0].size)), "does not depend on dy"),
        (lambda *inputs: backward(*inputs)[:2], "wrong length"),
        (lambda dy, x, weight, bias: backward(dy, x, weight, bias)[::-1], "does not fit"),
        (lambda *inputs: (backward(*inputs)[0], *backward(*inputs)[:0:-1]), "in each other's place"),
        (in_place, "changes its inputs"),
    ],
)
def test_backward(wrong, says):
    refuses("09-2", wrong, says)


# 09-3


def test_evaluate_is_what_torch_computes():
    torch = pytest.importorskip("torch")
    distances, labels, batch_size = ex09.draw_evaluate(np.random.default_rng(3))
    scores, right = torch.tensor(-distances), torch.tensor(labels)
    loss = torch.nn.functional.cross_entropy(scores, right).item()
    accuracy = (scores.argmax(1) == right).double().mean().item()
    assert np.allclose(evaluate(distances, labels, batch_size), (loss, accuracy))


def hits(distances, labels):
    return distances.argmin(axis=1) == labels


def as_loss(how):
    """`evaluate` with another loss: `how(distances, labels, batch_size)`."""
    return lambda *inputs: (how(*inputs), evaluate(*inputs)[1])


def as_accuracy(how):
    return lambda *inputs: (evaluate(*inputs)[0], how(*inputs))


def whole_batches(distances, labels, batch_size):
    kept = max(len(labels) // batch_size, 1) * batch_size
    return evaluate(distances[:kept], labels[:kept], batch_size)


def other_rest(distances, labels, batch_size):
    return float(ex09._losses(distances, labels, lambda s, axis: np.log(np.exp(s).sum(axis=axis) + 1e-300)).mean())


def only_stable(distances, labels, batch_size):
    losses = ex09._losses(distances, labels)
    return mean_of_means(losses, batch_size), mean_of_means(hits(distances, labels), batch_size)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (only_stable, "depends on the batches"),
        (as_loss(lambda d, t, b: mean_of_means(ex09._losses(d, t), b)), "its loss depends on the batches"),
        (as_loss(lambda d, t, b: float(ex09._losses(d, t, ex09._with_a_rest).mean())), "grow by the same number"),
        (as_loss(other_rest), "near a code and far from all"),
        (as_loss(lambda d, t, b: float((ex09._losses(d, t) + d.min(axis=1)).mean())), "has to come back"),
        (as_loss(lambda d, t, b: float(ex09._losses(d, t).sum())), "adds the losses up"),
        (as_loss(lambda d, t, b: float(ex09._losses(-d, t).mean())), "a large distance makes a class likely"),
        (as_loss(lambda d, t, b: float(d[range(len(t)), t].mean())), "not the loss"),
        (as_accuracy(lambda d, t, b: mean_of_means(hits(d, t), b)), "in the last batch"),
        (as_accuracy(lambda d, t, b: float((d.argmax(axis=1) == t).mean())), "farthest away"),
        (as_accuracy(lambda d, t, b: int(hits(d, t).sum())), "above one"),
        (as_accuracy(lambda d, t, b: 100 * hits(d, t).mean()), "above one"),
        (as_accuracy(lambda d, t, b: 1 - hits(d, t).mean()), "the images that are wrong"),
        (as_accuracy(lambda d, t, b: hits(d, t)[:-1].mean()), "accuracy that is not right"),
        (whole_batches, "incomplete batch"),
        (lambda d, t, b: evaluate(d, t, b)[1], "a float where a tuple"),
        (lambda d, t, b: evaluate(d, t, b)[::-1], "accuracy"),
    ],
)
def test_evaluate(wrong, says):
    refuses("09-3", wrong, says)


@pytest.mark.filterwarnings("ignore:divide by zero")
def test_evaluate_refuses_the_given_function_and_the_one_without_a_rest(given):
    refuses("09-3", given["evaluate_of_a_colleague"], "depends on the batches")
    bare = as_loss(lambda d, t, b: float(ex09._losses(d, t, lambda s, axis: np.log(np.exp(s).sum(axis=axis))).mean()))
    refuses("09-3", bare, "has an infinite loss where an image is far from all codes")
    refuses("09-3", as_loss(lambda d, t, b: float("nan")), "NaN or infinity")
    refuses("09-3", lambda d, t, b: (float("inf"), None), "NaN or infinity")


def test_given_bugs_show_as_the_text_says(given):
    given = given["evaluate_of_a_colleague"]
    rng = np.random.default_rng(0)
    distances, labels = rng.gamma(2, 1.5, size=(10, 4)), rng.integers(4, size=10)
    assert np.allclose(given(distances, labels, 5), evaluate(distances, labels, 5))
    assert not np.isclose(given(distances, labels, 4)[1], given(distances, labels, 5)[1])
    assert not np.isclose(given(distances + 50, labels, 5)[0], given(distances, labels, 5)[0])


# 09-4


def test_prediction_is_what_the_networks_do():
    torch = pytest.importorskip("torch")
    from course_utils import models

    simple, paper = models.build("lenet5_simple"), models.build("lenet5")
    rows = []
    for size in ex09.SIZES:
        x = torch.zeros(1, 1, size, size)
        states = simple[: list(dict(simple.named_children())).index("flatten") + 1](x).shape[1]
        anew = models.build("lenet5_simple")
        anew.c5 = torch.nn.Linear(states, 120)
        anew(x)
        places = 0
        if size >= 32:
            places = paper[:10](x)[0, 0].numel()
        else:
            with pytest.raises(ValueError, match="LeNet takes N x 1 x 32 x 32"):
                paper(x)
        try:
            simple(x)
            runs = True
        except ValueError:
            runs = False
        rows.append((runs, sum(parameter.numel() for parameter in anew.parameters()), places))
    assert prediction() == tuple(rows)


def predicted(runs=(False, True, False, False), parameters=None, places=(0, 1, 4, 81)):
    parameters = parameters or [row[1] for row in prediction()]
    return lambda: tuple(zip(runs, parameters, places, strict=True))


def shifted(by):
    return [row[1] + by for row in prediction()]


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (predicted(runs=(False,) * 4), "rounding included"),
        (predicted(runs=(True,) * 4), "rounding included"),
        (predicted(runs=(True, True, False, False)), "rounding included"),
        (predicted(parameters=[61_706] * 4), "for every place of a map"),
        (predicted(parameters=shifted(-850)), "in lenet5_simple it is trained"),
        (predicted(parameters=shifted(-900)), "has all pairs"),
        (predicted(parameters=shifted(-1_706)), "counts layers of lenet5"),
        (predicted(parameters=[44_426, 61_706 + 11 * 16 * 120, 82_826, 338_186]), "33 pixels"),
        (predicted(parameters=[44_426, 61_706, 82_826, 4 * 61_706]), "64 pixels"),
        (predicted(places=(1, 1, 4, 81)), "does not fit"),
        (predicted(places=(0, 1, 2, 9)), "along one side"),
        (predicted(places=(0, 1, 1, 4)), "side by side"),
        (predicted(places=(0, 4, 4, 81)), "33 pixels"),
        (predicted(places=(0, 1, 4, 33**2)), "64 pixels"),
        (lambda: prediction()[1:], "wrong length"),
        (lambda: tuple(zip(*prediction(), strict=True)), "wrong length"),
        (predicted(runs=(0, 1, 0, 0)), "True or False"),
    ],
)
def test_prediction(wrong, says):
    refuses("09-4", wrong, says)


# 09-5


def as_part(part, how):
    """`compare` with one of its three results replaced by `how(right_a, right_b)`."""

    def wrong(*inputs):
        results = list(compare(*inputs))
        results[part] = float(how(*inputs))
        return tuple(results)

    return wrong


def variances(a, b, ddof=1):
    return [right.mean(axis=1).var(ddof=ddof) for right in (a, b)]


def binomial(a, b, runs=False):
    return sum(r.mean() * (1 - r.mean()) / (r.size if runs else r.shape[1]) for r in (a, b)) ** 0.5


def apart(a, b):
    return a.mean(axis=0) - b.mean(axis=0)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (lambda a, b: compare(b, a), "wrong way round"),
        (as_part(0, lambda a, b: 100 * (a.mean() - b.mean())), "percent"),
        (as_part(0, lambda a, b: a[0].mean() - b[0].mean()), "difference that is not right"),
        (
            as_part(1, lambda a, b: sum(v / len(r) for v, r in zip(variances(a, b, 0), (a, b), strict=True)) ** 0.5),
            "runs",
        ),
        (as_part(1, lambda a, b: sum(variances(a, b)) ** 0.5), "single runs scatter"),
        (as_part(1, lambda a, b: compare(a, b)[1] ** 2), "gives a variance for the seeds"),
        (
            as_part(1, lambda a, b: sum((v / len(r)) ** 0.5 for v, r in zip(variances(a, b), (a, b), strict=True))),
            "adds",
        ),
        (as_part(1, lambda a, b: (variances(a, b)[0] / len(a)) ** 0.5), "leaves out that network B"),
        (as_part(1, lambda a, b: compare(a, b)[2]), "from the images where"),
        (as_part(1, lambda a, b: sum(variances(a, b)) ** 0.5 / len(a)), "one accuracy a run"),
        (as_part(2, lambda a, b: apart(a, b).std() / a.shape[1] ** 0.5), "number of images"),
        (as_part(2, lambda a, b: apart(a, b).std(ddof=1)), "single images scatter"),
        (as_part(2, lambda a, b: compare(a, b)[2] ** 2), "gives a variance for the images"),
        (as_part(2, binomial), "each had its own test images"),
        (
            as_part(2, lambda a, b: sum(r.mean(0).var(ddof=1) / r.shape[1] for r in (a, b)) ** 0.5),
            "its own test images",
        ),
        (as_part(2, lambda a, b: binomial(a, b, runs=True)), "once for each run"),
        (as_part(2, lambda a, b: compare(a, b)[1]), "from the seeds where"),
        (as_part(2, lambda a, b: apart(a, b).std(ddof=1) / a.shape[1]), "not the standard error from the images"),
        (lambda a, b: compare(a, b)[:2], "wrong length"),
        (lambda a, b: a - b, "TypeError"),
    ],
)
def test_compare(wrong, says):
    refuses("09-5", wrong, says)


def test_compare_says_how_means_scatter():
    """Draw the images anew many times: the difference scatters as much as `images` says, and less than unpaired."""
    rng = np.random.default_rng(11)
    differences, paired, unpaired = [], [], []
    for _ in range(400):
        ease = rng.beta(0.5, 0.1, size=400)  # of images; the runs of a network are right together here
        a, b = (np.tile(rng.random(400) < p, (2, 1)) for p in (ease, ease))
        difference, _, images = compare(a, b)
        differences.append(difference)
        paired.append(images)
        unpaired.append(binomial(a, b))
    assert 0.9 < np.std(differences) / np.mean(paired) < 1.1
    assert np.mean(unpaired) > 1.3 * np.std(differences)


def test_other_ways_are_right():
    def vectorized(distances, labels, batch_size):
        scores = -(distances - distances.min(axis=1, keepdims=True))
        own = np.take_along_axis(scores, labels[:, None], axis=1)[:, 0]
        loss = np.mean(np.log(np.exp(scores).sum(axis=1)) - own)
        return [loss, np.float32((scores.argmax(axis=1) == labels).mean())]

    def unit_by_unit(dy, x, weight, bias):
        dx, dweight, dbias = np.zeros_like(x), np.zeros_like(weight), np.zeros_like(bias)
        for n, c, i, j in np.ndindex(*dy.shape):
            block = n, c, slice(2 * i, 2 * i + 2), slice(2 * j, 2 * j + 2)
            dx[block] += dy[n, c, i, j] * weight[c]
            dweight[c] += dy[n, c, i, j] * x[block].sum()
            dbias[c] += dy[n, c, i, j]
        return [dx, dweight, dbias]

    accepts("09-2", unit_by_unit)
    accepts("09-3", vectorized)
    accepts("09-4", lambda: [list(row) for row in prediction()])


# 09-6, marked by hand: what its sample answer says


@pytest.mark.parametrize("all_pairs", [True, False])
def test_the_table_breaks_no_symmetry(all_pairs):
    torch = pytest.importorskip("torch")
    from course_utils import models

    net = models.build("lenet5")
    if all_pairs:
        net.c3 = torch.nn.Conv2d(6, 16, 5)
    net.double()
    with torch.no_grad():
        for p in net.parameters():
            p.fill_(0.01 if p.ndim == 1 else 0.5 / p[0].numel())
        for layer in (net.s2, net.s4):
            layer.weight.fill_(0.4)
    generator = torch.Generator().manual_seed(0)
    images, labels = torch.randn(10, 1, 32, 32, generator=generator, dtype=torch.float64), torch.arange(10)
    losses = []
    for _ in range(10):
        loss = torch.nn.functional.cross_entropy(net(images), labels)
        net.zero_grad()
        loss.backward()
        losses.append(loss.item())
        with torch.no_grad():
            for p in net.parameters():
                p -= 0.02 * p.grad

    def different(maps):
        kept = []
        for one in maps:
            if not any(torch.allclose(one, other, rtol=1e-7, atol=1e-9) for other in kept):
                kept.append(one)
        return len(kept)

    assert losses[-1] < losses[0]  # it does learn
    with torch.no_grad():
        assert different(net[:2](images).transpose(0, 1)) == 1
        assert different(net[:6](images).transpose(0, 1)) == (1 if all_pairs else 3)
        assert different(net[:13](images).T) == len(net.output.codes.unique(dim=1).T)
