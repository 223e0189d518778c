"""Recording with hooks: what is kept is right and bounded, and nothing stays behind."""

import gc
import weakref

import pytest
import torch
from torch import nn

from course_utils import inspection


def net(inplace=False):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 5), nn.ReLU(inplace), nn.Sequential(nn.Linear(5, 4), nn.Tanh()))


def hooks(model):
    return sum(len(layer._forward_hooks) + len(layer._backward_hooks) for layer in model.modules())


def test_records_outputs_and_their_gradients():
    model, x = net(), torch.randn(3, 6)
    with inspection.record(model) as recording:
        model(x).square().sum().backward()
    assert list(recording.activations) == list(recording.gradients) == ["0", "1", "2.0", "2.1"]
    hidden = model[0](x).detach().requires_grad_()
    y = model[2](model[1](hidden))
    y.square().sum().backward()
    assert torch.equal(recording.activations["0"][-1], hidden.detach().flatten())
    assert torch.equal(recording.activations["2.1"][-1], y.detach().flatten())
    assert torch.equal(recording.gradients["0"][-1], hidden.grad.flatten())
    assert torch.allclose(recording.gradients["2.1"][-1], 2 * y.detach().flatten())


def test_a_layer_that_works_in_place_does_not_change_what_is_kept():
    x = torch.randn(3, 6)
    recorded = []
    for inplace in (False, True):
        model = net(inplace)
        with inspection.record(model) as recording:
            model(x).sum().backward()
        recorded.append(recording)
    for name in ("0", "1", "2.0"):
        assert torch.equal(recorded[0].activations[name][-1], recorded[1].activations[name][-1])
        assert torch.equal(recorded[0].gradients[name][-1], recorded[1].gradients[name][-1])
    assert (recorded[1].activations["0"][-1] < 0).any()


def test_kinds_and_no_gradient():
    model = net()
    with inspection.record(model, (nn.ReLU, nn.Tanh)) as recording, torch.no_grad():
        model(torch.zeros(1, 6))
    assert list(recording.activations) == ["1", "2.1"]
    assert not any(recording.gradients.values())


def test_buffers_are_bounded_and_keep_the_newest():
    model = net()
    with inspection.record(model, nn.Linear, passes=3, values=7) as recording:
        for k in range(10):
            model(torch.full((50, 6), float(k))).sum().backward()
    for queues in (recording.activations, recording.gradients):
        for queue in queues.values():
            assert len(queue) == 3 and all(len(tensor) <= 7 for tensor in queue)
            assert all(tensor.untyped_storage().nbytes() <= 7 * 4 for tensor in queue)
    whole = model[0](torch.full((50, 6), 9.0)).detach().flatten()
    assert torch.equal(recording.activations["0"][-1], whole[::36])


def test_unless_told_otherwise_the_last_pass_is_kept_with_at_most_ten_thousand_numbers():
    model = nn.Identity()
    with inspection.record(model) as recording:
        for size, kept in ((10_000, 10_000), (10_001, 5_001)):
            model(torch.zeros(size))
            assert [len(tensor) for tensor in recording.activations[""]] == [kept]
    with inspection.record(model, values=1) as recording:
        model(torch.arange(5.0))
    assert [tensor.tolist() for tensor in recording.activations[""]] == [[0.0]]


def test_half_precision_is_kept_as_float32():
    with inspection.record(model := nn.Identity()) as recording:
        model(torch.ones(2, dtype=torch.bfloat16))
    assert recording.activations[""][-1].dtype == torch.float32


def test_no_hook_stays_even_after_an_error():
    model = net()
    with inspection.record(model):
        assert hooks(model) == 4
    assert hooks(model) == 0
    with pytest.raises(RuntimeError), inspection.record(model):
        model(torch.zeros(1, 7))
    assert hooks(model) == 0


def test_nothing_is_recorded_after_the_block_though_the_graph_lives_on():
    model = net()
    with inspection.record(model) as recording:
        loss = model(torch.randn(2, 6)).sum()
    loss.backward()
    model(torch.randn(2, 6))
    assert not any(recording.gradients.values())
    assert [len(queue) for queue in recording.activations.values()] == [1] * 4


def test_neither_the_model_nor_its_activations_are_held():
    model, outputs = net(), []
    model[0].register_forward_hook(lambda layer, inputs, output: outputs.append(weakref.ref(output)))
    with inspection.record(model) as recording:
        for _ in range(3):
            model(torch.randn(2, 6)).sum().backward()
    held = weakref.ref(model)
    del model
    gc.collect()
    assert held() is None and [output() for output in outputs] == [None] * 3
    assert recording.activations["0"]


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"kinds": nn.Conv2d}, "Sequential has no layer of the kinds"),
        ({"passes": 0}, "passes is 0"),
        ({"values": -1}, "values is -1"),
    ],
)
def test_wrong_use(wrong, says):
    with pytest.raises(ValueError, match=says), inspection.record(net(), **wrong):
        pass
