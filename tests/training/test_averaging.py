"""The average of the weights: its numbers by hand, and that training knows of it, or does not."""

from dataclasses import replace

import pytest
import torch
from runs import SHORT, net, same
from torch import nn

from course_utils import evaluation, machine, training
from course_utils.training.averaging import Average, keep_of


def norm():
    """A batch norm with a counter, seven numbers to average and one not."""
    layer = nn.BatchNorm1d(1)
    with torch.no_grad():
        for value in layer.state_dict().values():
            value.fill_(1)
    return layer


def fill(layer, number):
    with torch.no_grad():
        for value in layer.state_dict().values():
            value.fill_(number)


def test_weights_and_statistics_are_averaged_and_counters_are_not():
    layer = norm()
    average = Average(layer)
    fill(layer, 3)
    average.update(0.75)
    assert {name: value.item() for name, value in average.values.items()} == dict.fromkeys(
        ("weight", "bias", "running_mean", "running_var"), 0.75 * 1 + 0.25 * 3
    )
    assert layer.weight.item() == 3  # aside
    with average.shown():
        assert (layer.weight.item(), layer.running_var.item(), layer.num_batches_tracked.item()) == (1.5, 1.5, 3)
    assert (layer.weight.item(), layer.running_var.item()) == (3, 3)
    average.update(0.5, write_back=True)
    assert layer.weight.item() == layer.running_mean.item() == average.values["bias"].item() == 0.5 * 1.5 + 0.5 * 3
    fill(layer, 5)
    average.take()
    assert (layer.weight.item(), layer.num_batches_tracked.item()) == (2.25, 5)


def test_the_models_own_weights_come_back_after_an_error():
    layer = norm()
    average = Average(layer)
    fill(layer, 3)
    with pytest.raises(KeyError), average.shown():
        raise KeyError
    assert layer.weight.item() == 3


def test_what_an_update_keeps():
    assert keep_of(0.9, 1, 1.0) == 0.9
    assert keep_of(0.9, 5, 1.0) == pytest.approx(0.9**5)
    assert keep_of(0.9, 5, 0.5) == pytest.approx(0.9**5 / 8)
    assert keep_of(0.9, 5, 0.0) == 0


def weights_after(sets, average, **changes):
    recipe = replace(SHORT, average=average, average_every=2, **changes)
    run = training.Run(net(), *sets, recipe, 0, machine.pick_device("cpu"))
    rows = list(run.epochs(quiet=True))
    return run, rows


def test_training_knows_nothing_of_an_average_aside(sets):
    plain, rows = weights_after(sets, "none")
    beside, averaged = weights_after(sets, "aside")
    assert [row["train_loss"] for row in rows] == [row["train_loss"] for row in averaged]
    assert not same(plain.model.state_dict(), beside.model.state_dict())  # it ends with the average
    assert same(beside.model.state_dict(), beside.average.values)
    assert rows[1]["validation_loss"] != averaged[1]["validation_loss"]  # which is looked at on the way, too
    last = evaluation.evaluate(beside.model, sets[1])
    assert averaged[-1]["validation_loss"] == last["loss"]


def test_lookahead_goes_on_from_the_average(sets):
    _, rows = weights_after(sets, "none")
    _, averaged = weights_after(sets, "lookahead")
    assert rows[0]["train_loss"] != averaged[0]["train_loss"]


def test_an_average_of_one_step_is_the_model(sets):
    _, rows = weights_after(sets, "none")
    _, averaged = weights_after(sets, "lookahead", average_decay=0.0)
    assert [row["train_loss"] for row in rows] == [row["train_loss"] for row in averaged]


@pytest.mark.parametrize("kind", ["aside", "lookahead"])
def test_the_last_step_is_averaged_too(sets, kind):
    """Else a run shorter than average_every would end with the weights that it began with."""
    recipe = replace(SHORT, average=kind, average_every=1000)
    run = training.Run(net(), *sets, recipe, 0, machine.pick_device("cpu"))
    before = {name: value.clone() for name, value in run.average.values.items()}
    list(run.epochs(quiet=True))
    assert all((run.average.values[name] - value).abs().max() > 0 for name, value in before.items())
    plain, _ = weights_after(sets, "none")
    assert run.average.values.keys() == plain.model.state_dict().keys()
    if kind == "aside":  # nothing is kept of the start: 0.99 to the power of 1000
        for name, value in plain.model.state_dict().items():
            torch.testing.assert_close(run.average.values[name], value, rtol=1e-3, atol=1e-4)
