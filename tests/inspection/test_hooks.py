"""Watching with hooks: what is kept is right and bounded, and nothing stays behind; LeNet's stages; moved images."""

import gc
import weakref

import pytest
import torch
from torch import nn

from course_utils import inspection, models
from course_utils.inspection import moved, stage_states


def net(inplace=False):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 5), nn.ReLU(inplace), nn.Sequential(nn.Linear(5, 4), nn.Tanh()))


def hooks(model):
    return sum(len(layer._forward_hooks) + len(layer._backward_hooks) for layer in model.modules())


def test_records_outputs_and_their_gradients():
    model, x = net(), torch.randn(3, 6)
    with inspection.watch(model) as seen:
        model(x).square().sum().backward()
    assert list(seen.activations) == list(seen.gradients) == ["0", "1", "2.0", "2.1"]
    hidden = model[0](x).detach().requires_grad_()
    y = model[2](model[1](hidden))
    y.square().sum().backward()
    assert torch.equal(seen.activations["0"][-1], hidden.detach().flatten())
    assert torch.equal(seen.activations["2.1"][-1], y.detach().flatten())
    assert torch.equal(seen.gradients["0"][-1], hidden.grad.flatten())
    assert torch.allclose(seen.gradients["2.1"][-1], 2 * y.detach().flatten())


def test_a_layer_that_works_in_place_does_not_change_what_is_kept():
    x = torch.randn(3, 6)
    both = []
    for inplace in (False, True):
        model = net(inplace)
        with inspection.watch(model) as seen:
            model(x).sum().backward()
        both.append(seen)
    for name in ("0", "1", "2.0"):
        assert torch.equal(both[0].activations[name][-1], both[1].activations[name][-1])
        assert torch.equal(both[0].gradients[name][-1], both[1].gradients[name][-1])
    assert (both[1].activations["0"][-1] < 0).any()


def test_kinds_and_no_gradient():
    model = net()
    with inspection.watch(model, (nn.ReLU, nn.Tanh)) as seen, torch.no_grad():
        model(torch.zeros(1, 6))
    assert list(seen.activations) == ["1", "2.1"]
    assert not any(seen.gradients.values())


def test_buffers_are_bounded_and_keep_the_newest():
    model = net()
    with inspection.watch(model, nn.Linear, passes=3, values=7) as seen:
        for k in range(10):
            model(torch.full((50, 6), float(k))).sum().backward()
    for queues in (seen.activations, seen.gradients):
        for queue in queues.values():
            assert len(queue) == 3 and all(len(tensor) <= 7 for tensor in queue)
            assert all(tensor.untyped_storage().nbytes() <= 7 * 4 for tensor in queue)
    whole = model[0](torch.full((50, 6), 9.0)).detach().flatten()
    assert torch.equal(seen.activations["0"][-1], whole[::36])


def test_unless_told_otherwise_the_last_pass_is_kept_with_at_most_ten_thousand_numbers():
    model = nn.Identity()
    with inspection.watch(model) as seen:
        for size, kept in ((10_000, 10_000), (10_001, 5_001)):
            model(torch.zeros(size))
            assert [len(tensor) for tensor in seen.activations[""]] == [kept]
    with inspection.watch(model, values=1) as seen:
        model(torch.arange(5.0))
    assert [tensor.tolist() for tensor in seen.activations[""]] == [[0.0]]


def test_half_precision_is_kept_as_float32():
    with inspection.watch(model := nn.Identity()) as seen:
        model(torch.ones(2, dtype=torch.bfloat16))
    assert seen.activations[""][-1].dtype == torch.float32


def test_no_hook_stays_even_after_an_error():
    model = net()
    with inspection.watch(model):
        assert hooks(model) == 4
    assert hooks(model) == 0
    with pytest.raises(RuntimeError), inspection.watch(model):
        model(torch.zeros(1, 7))
    assert hooks(model) == 0


def test_nothing_is_recorded_after_the_block_though_the_graph_lives_on():
    model = net()
    with inspection.watch(model) as seen:
        loss = model(torch.randn(2, 6)).sum()
    loss.backward()
    model(torch.randn(2, 6))
    assert not any(seen.gradients.values())
    assert [len(queue) for queue in seen.activations.values()] == [1] * 4


def test_neither_the_model_nor_its_activations_are_held():
    model, outputs = net(), []
    model[0].register_forward_hook(lambda layer, inputs, output: outputs.append(weakref.ref(output)))
    with inspection.watch(model) as seen:
        for _ in range(3):
            model(torch.randn(2, 6)).sum().backward()
    held = weakref.ref(model)
    del model
    gc.collect()
    assert held() is None and [output() for output in outputs] == [None] * 3
    assert seen.activations["0"]


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"kinds": nn.Conv2d}, "Sequential has no layer of the kinds"),
        ({"passes": 0}, "passes is 0"),
        ({"values": -1}, "values is -1"),
    ],
)
def test_wrong_use(wrong, says):
    with pytest.raises(ValueError, match=says), inspection.watch(net(), **wrong):
        pass


def test_stage_states_end_in_the_output():
    torch.manual_seed(0)
    net, images = models.build("lenet5").eval(), torch.randn(3, 1, 32, 32)
    states = stage_states(net, images)
    shapes = {name: tuple(state.shape[1:]) for name, state in states.items()}
    assert shapes == {
        "c1": (6, 28, 28),
        "s2": (6, 14, 14),
        "c3": (16, 10, 10),
        "s4": (16, 5, 5),
        "c5": (120, 1, 1),
        "f6": (84,),
        "output": (10,),
    }
    assert torch.equal(states["output"], net(images).detach())
    assert states["f6"].abs().max() <= 1.7159  # behind the squashing function


def test_moved_moves_right_down_and_turns_anticlockwise():
    image = torch.zeros(1, 32, 32)
    image[0, 10, 20] = 1
    assert moved(image, right=3, down=-2)[0, 8, 23] == pytest.approx(1, abs=1e-4)
    # A quarter turn about (15.5, 15.5): 4.5 right and 5.5 up of it becomes 5.5 left and 4.5 up.
    turned = moved(image, turn=90)[0]
    assert divmod(int(turned.argmax()), 32) == (11, 10)
    assert torch.allclose(moved(image), image, atol=1e-4)


def test_moved_fills_up_with_the_darkest_grey():
    image = torch.full((1, 32, 32), 2.0)
    image[0, 5, 5] = -0.8
    assert torch.allclose(moved(image, right=4)[0, :, :4], torch.tensor(-0.8))
