"""The networks whose weights are part of the package: they are those of the records."""

import pytest
import safetensors.torch
import torch

from course_utils import models
from course_utils.models import pretrained
from course_utils.training import load_runs

MOST = 4e6  # bytes, of all weights in the package


def test_the_weights_are_small_and_fit_their_networks():
    paths = sorted(pretrained.WEIGHTS.glob("*.safetensors"))
    assert [path.stem for path in paths] == pretrained.available() == ["plain20", "resnet20", "small_alexnet"]
    assert sum(path.stat().st_size for path in paths) <= MOST
    for path in paths:
        floats = [value for value in safetensors.torch.load_file(path).values() if value.is_floating_point()]
        assert floats and all(value.dtype == torch.float16 for value in floats)
        model = pretrained.load(path.stem)
        assert not model.training
        with torch.no_grad():
            assert model(torch.zeros(2, 3, 32, 32)).isfinite().all()


def test_each_is_a_recorded_run():
    for name in pretrained.available():
        (record,) = load_runs(f"{name}-cifar10-seed0")
        model = pretrained.load(name)
        assert record["parameters"] == sum(parameter.numel() for parameter in model.parameters())
        assert (record["model"], record["recipe"], record["model_options"]) == (name, "full", {})


def test_what_is_kept_comes_back(tmp_path, monkeypatch):
    monkeypatch.setattr(pretrained, "WEIGHTS", tmp_path)
    torch.manual_seed(0)
    model = models.build("lenet5_simple", in_channels=3, pooling="avg")
    pretrained.keep("lenet5_simple", model.state_dict(), {"pooling": "avg"})
    assert pretrained.available() == ["lenet5_simple"]
    loaded = pretrained.load("lenet5_simple")
    for name, value in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value.half().float())
    x = torch.randn(2, 3, 32, 32)
    torch.testing.assert_close(loaded(x), model(x), rtol=1e-2, atol=1e-2)


def test_counters_stay_whole_numbers(tmp_path, monkeypatch):
    monkeypatch.setattr(pretrained, "WEIGHTS", tmp_path)
    model = models.build("resnet20")
    model.train()(torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0)))
    pretrained.keep("resnet20", model.state_dict(), {})
    assert pretrained.load("resnet20").state_dict()["stem.1.num_batches_tracked"].item() == 1


def test_a_name_that_is_not_there():
    with pytest.raises(ValueError, match="no trained 'vgg16' is part of the course; there are"):
        pretrained.load("vgg16")
