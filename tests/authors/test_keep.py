"""What is kept of a finished run, and where."""

import json

import pytest
import safetensors.torch
import torch

from course_utils.authors import __main__ as authors
from course_utils.authors import keep
from course_utils.models import build, pretrained

RECORD = {"model": "resnet20", "model_options": {}, "data": "cifar10", "recipe": "full"}
RECORD |= {"seed": 0, "test_accuracy": 0.9, "recipe_values": {"flip": True}}


@pytest.fixture
def places(tmp_path, monkeypatch):
    monkeypatch.setattr(keep, "RUNS", tmp_path / "runs")
    monkeypatch.setattr(pretrained, "WEIGHTS", tmp_path / "weights")
    return tmp_path


def finished(folder, **changes):
    folder.mkdir()
    (folder / "run.json").write_text(json.dumps(RECORD | changes))
    torch.manual_seed(0)
    safetensors.torch.save_file(build("resnet20").state_dict(), folder / "model.safetensors")
    safetensors.torch.save_file({"logits": torch.zeros(3, 10).half()}, folder / "test_logits.safetensors")
    return folder


def kept(places, **changes):
    paths = keep.keep(finished(places / "run", **changes))
    assert all(path.is_file() for path in paths)
    return [path.relative_to(places).as_posix() for path in paths]


def test_the_record_and_the_weights(places):
    assert kept(places) == ["runs/resnet20-cifar10-seed0.json", "weights/resnet20.safetensors"]
    assert json.loads((places / "runs/resnet20-cifar10-seed0.json").read_text()) == RECORD


def test_weights_of_the_first_seed_only(places):
    assert kept(places, seed=1) == ["runs/resnet20-cifar10-seed1.json"]


def test_outputs_of_the_fast_recipe(places):
    files = ["runs/fast_cnn-cifar10-seed2.json", "runs/fast_cnn-cifar10-seed2.safetensors"]
    assert kept(places, model="fast_cnn", recipe="fast", seed=2) == files


@pytest.mark.parametrize(("model", "recipe"), [("fast_cnn", "full"), ("resnet20", "fast")])
def test_a_recipe_that_is_not_the_usual_one_is_part_of_the_name(places, model, recipe):
    """Else such a run would take the place of the recorded one."""
    files = kept(places, model=model, recipe=recipe, seed=3)
    assert files[0] == f"runs/{model}-{recipe}-cifar10-seed3.json"


def test_options_and_the_long_recipe_are_part_of_the_name(places):
    assert kept(places, recipe="long") == ["runs/resnet20-long-cifar10-seed0.json"]
    places = places / "other"
    places.mkdir()
    files = [path.name for path in keep.keep(finished(places / "run", model_options={"shortcut": "B"}))]
    assert files == ["resnet20-shortcutB-cifar10-seed0.json"]  # nor are its weights those of the name


@pytest.mark.parametrize("changes", [{"recipe": "quick"}, {"data": "folder:/tmp/x"}, {"model": "x/../../evil"}])
def test_what_is_not_to_be_kept(places, changes):
    with pytest.raises(ValueError, match="is not kept; expected full, long, fast"):
        kept(places, **changes)
    assert not (places / "runs").exists()


def test_no_folder_at_all(capsys):
    assert authors.main(["keep"]) == 2
    assert "no run is named; expected the folders of finished runs" in capsys.readouterr().err


def test_a_recipe_with_another_value_is_refused(places):
    """Under the same name it would take the place of the recorded run."""
    with pytest.raises(ValueError, match="is not kept: its momentum is not that of the recipe 'full'"):
        kept(places, recipe_values={"flip": True, "momentum": 0.8})
    assert not (places / "runs").exists()


def test_what_is_not_finished_is_refused(places, capsys):
    folder = finished(places / "run")
    (folder / "run.json").write_text(json.dumps(RECORD).replace("test_", "validation_"))
    assert authors.main(["keep", str(folder)]) == 2
    assert "is not at its end" in capsys.readouterr().err
    assert authors.main(["keep", str(places)]) == 2
    assert f"{places} holds no run" in capsys.readouterr().err
    assert not (places / "runs").exists()
