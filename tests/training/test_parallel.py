"""Several processes at one run: the weights of one process, each image once, and one line whatever ends them."""

import json
import os
import runpy
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from filelock import FileLock
from runs import SHORT, Silent, few, same, weights
from torch import distributed, nn
from workers import Crew

from course_utils.datasets.batches import Batches
from course_utils.training import Run, parallel

pytestmark = pytest.mark.skipif(os.name == "nt", reason="processes are forked here")
BATCH = ("--batch-size", 20)  # of 100 images: 5 steps an epoch, 20 steps a run


def settings(**values):
    return [word for name, value in values.items() for word in ("--set", f"{name}={value}")]


def trained(folder, size, *words, **options):
    """The weights of a run that came to its end."""
    crew = Crew(size, folder, *BATCH, *words, **options)
    assert crew.ends() == [0] * size, crew.lines()
    assert not crew.lines()
    return weights(folder)


def distance(one, other):
    return max((one[name] - other[name]).abs().max().item() for name in one)


PLAIN = settings(shift=2)
AUGMENTED = settings(shift=2, clip=0.5, label_smoothing=0.1, cutout=8, alternate_flip="true", tta="flip")
ASIDE = [*AUGMENTED, *settings(average="aside", average_every=2)]
LOOKAHEAD = [*AUGMENTED, *settings(average="lookahead", average_every=2, optimizer="adamw", learning_rate=0.002)]


@pytest.mark.parametrize(
    ("words", "precision", "most"),
    [(PLAIN, "float32", 1e-6), (PLAIN, "float64", 1e-9), (ASIDE, "float64", 1e-9), (LOOKAHEAD, "float64", 1e-9)],
    ids=["plain-float32", "plain", "aside", "lookahead"],
)
def test_two_and_four_processes_give_the_weights_of_one(tmp_path, words, precision, most):
    words = [*words, "--precision", precision]
    alone = trained(tmp_path / "1", 1, *words)
    record = json.loads((tmp_path / "1" / "run.json").read_text())
    for size in (2, 4):
        folder = tmp_path / str(size)
        assert distance(trained(folder, size, *words), alone) < most
        ours = json.loads((folder / "run.json").read_text())
        assert ours["world_size"] == size
        for row, expected in zip(ours["epochs"], record["epochs"], strict=True):
            for name in ("train_loss", "train_accuracy", "validation_loss", "validation_accuracy"):
                assert row[name] == pytest.approx(expected[name], abs=1e-6)
        assert len(Path(f"{folder}.out").read_text().splitlines()) == 5  # an epoch each, and the end


def seen(crew):
    """(epoch, image) of all training batches, in all processes."""
    rows = [json.loads(line) for line in crew.out.read_text().splitlines() if line.startswith("{")]
    return sorted((row["epoch"], image) for row in rows for image in row["seen"])


def test_each_image_of_the_plan_is_seen_once_also_through_a_kill(tmp_path):
    batches = Batches(few("digits", "train"), torch.device("cpu"), 32, batch_size=20, seed=0)
    plan = sorted((k, image) for k in range(4) for step in batches.plan(k) for image in step.chosen.tolist())
    killed = Crew(2, tmp_path / "run", *BATCH, fault=("SIGKILL", 1, 13))  # the third batch of the third epoch
    assert killed.ends() == [130, -9]
    kept = [place for place in seen(killed) if place[0] < 2]
    resumed = Crew(2, tmp_path / "run", *BATCH, "--resume", fault=("seen", 0, 0))
    assert resumed.ends() == [0, 0]
    assert kept + seen(resumed) == plan


GONE = "course_utils: another process of this run is gone, so this one ends; the same call with --resume goes on"
INTERRUPTED = "course_utils: interrupted after epoch 2 of 4: the same call with --resume goes on in "
NAN = "course_utils: the loss is nan at epoch 3, batch 3 of 5, learning rate "
FAULTS = [  # what happens at the 13th batch, to which process; what is said
    ("SIGKILL", 0, GONE),
    ("SIGKILL", 1, GONE),
    ("SIGTERM", "all", INTERRUPTED),
    ("SIGINT", "all", INTERRUPTED),
    ("SIGTERM", 1, INTERRUPTED),
    ("nan", 0, NAN),
    ("nan", 1, NAN),
]


def test_what_ends_one_process_ends_all_with_one_line_and_a_resume_goes_on(tmp_path):
    unbroken = trained(tmp_path / "unbroken", 2)
    for kind, rank, line in FAULTS:
        folder = tmp_path / f"{kind}{rank}"
        crew = Crew(2, folder, *BATCH, fault=(kind, rank, 13))
        assert all(code not in (0, 1, None) for code in crew.ends()), (kind, rank)
        (said,) = crew.lines()
        assert said.startswith(line)
        assert same(trained(folder, 2, "--resume"), unbroken), (kind, rank)


def test_a_resume_of_four_processes_goes_on_to_rounding(tmp_path):
    unbroken = trained(tmp_path / "unbroken", 4)
    assert all(Crew(4, tmp_path / "run", *BATCH, fault=("SIGTERM", "all", 13)).ends())
    assert distance(trained(tmp_path / "run", 4, "--resume"), unbroken) < 1e-6


def test_a_process_that_waits_for_a_stopped_one_ends_all_the_same(tmp_path):
    crew = Crew(2, tmp_path / "run", *BATCH, fault=("SIGSTOP", 1, 3))
    crew.processes[0].join(2)
    assert crew.processes[0].exitcode is None
    crew.processes[0].terminate()
    crew.processes[0].join(30)
    assert crew.processes[0].exitcode == 2
    crew.processes[1].kill()
    assert crew.lines() == [GONE]


def refused(folder, size, *words):
    """The one line that is said."""
    crew = Crew(size, folder, *words)
    assert crew.ends() == [2] * size
    (line,) = crew.lines()
    return line


def test_refusals_in_one_line(tmp_path):
    folder = tmp_path / "run"
    assert "batch_size is 21; expected a multiple of 2, the processes" in refused(folder, 2, "--batch-size", 21)
    assert "device is 'mps'; for several processes expected cuda" in refused(folder, 2, *BATCH, "--device", "mps")
    assert "take a lower learning rate" in refused(folder, 2, *BATCH, *settings(learning_rate=1e6))
    assert not folder.exists()
    assert Crew(2, folder, *BATCH, "--stop-after", 2).ends() == [0, 0]
    assert "holds a run: go on with --resume" in refused(folder, 2, *BATCH)
    assert "holds another run: world_size 2, not 4" in refused(folder, 4, *BATCH, "--resume")
    with FileLock(folder / ".lock"):
        assert "another run is at work in" in refused(folder, 2, *BATCH, "--resume")
    for name in ("checkpoint.pt", "checkpoint.before.pt"):
        (folder / name).write_text("torn")
    assert "checkpoint.pt is damaged: delete it" in refused(folder, 2, *BATCH, "--resume")


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (("", "", ""), (0, 0, 1)),
        (("0", "", "1"), (0, 0, 1)),
        (("0", "0", "1"), (0, 0, 1)),
        (("3", "1", "4"), (3, 1, 4)),
        (("1", "1", ""), None),
        (("", "", "2"), None),
        (("0", "", "2"), None),
        (("2", "0", "2"), None),
        (("0", "1", "2"), None),
        (("-1", "0", "2"), None),
        (("0", "0", "two"), None),
    ],
)
def test_what_torchrun_says(monkeypatch, given, found):
    for name, value in zip(parallel.VARIABLES, given, strict=True):
        monkeypatch.setenv(name, value)
    if found:
        assert parallel.started() == found
    else:
        with pytest.raises(ValueError, match=f"RANK={given[0]}, .*: expected what torchrun sets, or none of them"):
            parallel.started()


def test_half_an_environment_of_torchrun(monkeypatch):
    for name, value in zip(parallel.VARIABLES, ("0", "0", "2"), strict=True):
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("MASTER_ADDR", raising=False)
    with pytest.raises(ValueError, match="MASTER_ADDR expected, but not set"), parallel.world(None):
        pass


def test_a_torch_that_cannot_connect_processes(monkeypatch):
    for name, value in zip(parallel.VARIABLES, ("0", "0", "2"), strict=True):
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(distributed, "is_available", lambda: False)
    monkeypatch.setitem(sys.modules, "torch.distributed.rendezvous", None)  # not to be imported
    world = runpy.run_path(str(parallel.__file__))["world"]
    with pytest.raises(ValueError, match="this build of torch cannot connect processes"), world(None):
        pass


@pytest.mark.parametrize(
    ("count", "name", "local", "found"),
    [
        (0, None, 3, "cpu"),
        (2, "cpu", 3, "cpu"),
        (2, None, 1, "cuda:1"),
        (2, "cuda", 0, "cuda:0"),
        (2, None, 2, "3 or more processes on a machine with 2 GPUs"),
        (0, "cuda", 0, "1 or more processes on a machine with 0 GPUs"),
        (2, "cuda:1", 1, "device is 'cuda:1'; for several processes expected cuda"),
    ],
)
def test_each_process_takes_a_gpu_of_its_own(monkeypatch, count, name, local, found):
    taken = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
    monkeypatch.setattr(torch.cuda, "set_device", taken.append)
    if " " in found:
        with pytest.raises(ValueError, match=found):
            parallel._device(name, local)
    else:
        assert parallel._device(name, local) == found
    assert taken == ([local] if found.startswith("cuda") else [])


def test_dropout_and_only_dropout_knows_the_process(sets, monkeypatch):
    """The first batch of two processes, were it not divided."""
    drawn, epoch = [], Batches.epoch
    monkeypatch.setattr(Batches, "epoch", lambda batches, number, *_: epoch(batches, number))
    for rank in (0, 1):
        model = nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(1024, 10))
        model.input_size = 32
        run = Run(model, sets[0], None, replace(SHORT, epochs=1), 0, torch.device("cpu"), "float32")
        run.world = parallel.World(rank)
        model[1].register_forward_hook(lambda _, given, out: drawn.append((given[0], out)))
        run.epoch(Silent())
        del drawn[rank + 1 :]
    (images, kept), (same_images, others) = drawn
    assert torch.equal(images, same_images)
    assert 0.4 < ((kept != 0) == (others != 0))[images != 0].float().mean() < 0.6


def test_interleaved_rows_are_in_order(monkeypatch):
    rows = torch.arange(23).view(23, 1)
    for size, batch in ((2, 5), (4, 5), (4, 10), (4, 30)):  # also more processes than batches
        shares = [rows.split(batch)[rank::size] for rank in range(size)]
        shares = [torch.cat(parts) if parts else torch.empty(0) for parts in shares]
        monkeypatch.setattr(
            distributed, "all_gather_object", lambda box, _, all=shares: box.__setitem__(slice(None), all)
        )
        assert torch.equal(parallel.World(0, size).interleave(shares[0], batch), rows)


def test_torchruns_own_restart_resumes(tmp_path):
    """A worker kills itself in its first life; the command is the same in the second."""
    unbroken = trained(tmp_path / "unbroken", 2)
    words = [
        "--standalone",
        "--nproc-per-node",
        "2",
        "--max-restarts",
        "1",
        Path(__file__).parent.parent / "workers.py",
    ]
    words += ["train", "lenet5_simple", "--data", "digits", "--epochs", "4", *BATCH, "--out", tmp_path / "run"]
    command = [sys.executable, "-m", "torch.distributed.run", *map(str, words)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as torchrun:
        try:
            _, said = torchrun.communicate(timeout=100)
        finally:
            torchrun.terminate()  # and it its workers
    assert torchrun.returncode == 0, said
    assert said.count("course_utils: ") == 1
    assert len(json.loads((tmp_path / "run" / "run.json").read_text())["stretches"]) == 2
    assert same(weights(tmp_path / "run"), unbroken)
