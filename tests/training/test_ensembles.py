"""Finished runs on their test images: what is printed is what the logits say."""

import json

import pytest
import safetensors.torch
import torch
from runs import few, net, run, weights

from course_utils import evaluation
from course_utils.__main__ import main
from course_utils.training.ensembles import evaluate_runs, load_model


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """Two finished runs, of two seeds."""
    folders = [tmp_path_factory.mktemp("runs") / str(seed) for seed in (0, 1)]
    with pytest.MonkeyPatch.context() as patch:
        from course_utils import datasets

        patch.setattr(datasets, "load", few)
        records = [run(folder, seed=seed) for seed, folder in enumerate(folders)]
    return folders, records


def test_each_run_and_all_together(two, capsys):
    folders, records = two
    rows = evaluate_runs([str(folder) for folder in folders])
    assert [row["top1"] for row in rows[:2]] == [record["test_accuracy"] for record in records]
    test = few("digits", "test")
    kept = [safetensors.torch.load_file(folder / "test_logits.safetensors")["logits"] for folder in folders]
    assert all(logits.dtype == torch.float16 and logits.shape == (100, 10) for logits in kept)
    together = evaluation.ensemble([logits.float() for logits in kept])
    assert rows[2]["what"] == "ensemble of 2"
    assert rows[2]["top1"] == pytest.approx((together.argmax(1) == test.labels).double().mean().item(), abs=0.011)
    assert rows[2]["top5"] >= rows[2]["top1"] and rows[2]["low"] < rows[2]["top1"] < rows[2]["high"]
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3 and lines[2].startswith("ensemble of 2: top-1 ")


def test_a_run_states_what_its_test_time_augmentation_gives(tmp_path):
    record = run(tmp_path / "run", epochs=1, settings={"tta": "shift"})
    model = load_model(tmp_path / "run", record, few("digits", "test"))
    for tta, stated in (("none", "test_accuracy"), ("shift", "stated_accuracy")):
        assert evaluation.evaluate(model, few("digits", "test"), tta=tta)["accuracy"] == record[stated]
    kept = safetensors.torch.load_file(tmp_path / "run" / "test_logits.safetensors")["logits"]
    looked = evaluation.predict(model, few("digits", "test"), tta="shift")
    torch.testing.assert_close(kept.float(), looked, rtol=1e-3, atol=1e-3)


def test_a_run_in_float64_is_looked_at_in_float64(tmp_path):
    record = run(tmp_path / "run", epochs=1, precision="float64")
    assert weights(tmp_path / "run")["c1.weight"].dtype == torch.float64
    (row,) = evaluate_runs([str(tmp_path / "run")])
    assert row["top1"] == record["test_accuracy"]
    model = load_model(tmp_path / "run", record, few("digits", "test"))
    assert model.c1.weight.dtype == torch.float64


def refused(capsys, *words):
    assert main(["evaluate", *map(str, words)]) == 2
    line = capsys.readouterr().err.strip()
    assert "\n" not in line
    return line


def test_what_is_no_finished_run(two, tmp_path, capsys):
    folders, records = two
    assert f"{tmp_path} holds no run" in refused(capsys, tmp_path)
    for text in ("{", "[]", json.dumps({"model": "lenet5"}), json.dumps(records[0] | {"data": None})[:-40]):
        (tmp_path / "run.json").write_text(text)
        assert "is not the record of a finished run" in refused(capsys, tmp_path)
    for odd in ({"model_options": []}, {"data": ["digits"]}, {"model": 3}, {"precision": None}):
        (tmp_path / "run.json").write_text(json.dumps(records[0] | odd))
        assert "is not the record of a finished run" in refused(capsys, tmp_path)
    (tmp_path / "run.json").write_text(json.dumps(records[0] | {"model_options": {"speed": 3}}))
    assert "lenet5_simple has no option 'speed'" in refused(capsys, tmp_path)
    assert "holds no run" in refused(capsys, tmp_path / "run.json")
    assert "a folder is given twice" in refused(capsys, folders[0], folders[1], folders[0])
    (tmp_path / "run.json").write_text(json.dumps(records[0]))
    assert "does not hold the weights of this run" in refused(capsys, folders[0], tmp_path)
    other = net(activation="tanh", num_classes=5).state_dict()
    safetensors.torch.save_file(other, tmp_path / "model.safetensors")
    assert "does not hold the weights of this run" in refused(capsys, tmp_path)
    (tmp_path / "run.json").write_text(json.dumps(records[0] | {"data": "mnist-mini"}))
    assert "the runs are on digits and mnist-mini; expected one data set" in refused(capsys, folders[0], tmp_path)
    assert "tta is 'crops'" in refused(capsys, folders[0], "--tta", "crops")
