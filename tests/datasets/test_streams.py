"""A folder streamed: the same images whoever decodes them, nothing lost in silence, bounded memory, no orphans."""

import multiprocessing
import os
import random
import re
import signal
import sys
import time

import numpy as np
import pytest
import torch
from PIL import Image

from course_utils.datasets import DataUnavailable, finding, folder, streams
from course_utils.datasets.streams import Stream, middle, random_part

RNG = np.random.default_rng(0)
CPU = torch.device("cpu")
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere workers do not inherit what a test changes")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Two classes of 30 + 3 noisy images of sizes from 20 x 20 on, no two of them alike."""
    root = tmp_path_factory.mktemp("own")
    for split, count in (("train", 30), ("val", 3)):
        for label in "ab":
            for i in range(count):
                path = root / split / label / f"{i:02d}.{'png' if i % 2 else 'jpg'}"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(RNG.integers(256, size=(20 + i, 20 + i % 7, 3), dtype=np.uint8)).save(path)
    return root


@pytest.fixture
def files(root):
    finding.say.cache_clear()
    return folder.listing(f"folder:{root}", "train")


@pytest.fixture
def damaged(root, tmp_path, monkeypatch):
    """54 training images, of which two cannot be decoded, and a limit that lets them pass."""
    monkeypatch.setattr(streams, "MOST_UNREADABLE", 0.05)
    finding.say.cache_clear()
    copy = tmp_path / "damaged"
    for path in root.rglob("*.*"):
        target = copy / path.relative_to(root)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    files = folder.listing(f"folder:{copy}", "train")
    for index in (3, 40):
        files.path(index).write_text("no image")
    return files


def stream(files, size=16, batch_size=8, workers=0, **options):
    return Stream(files, CPU, size, batch_size=batch_size, workers=workers, **options)


def same(batches, others):
    return all(
        torch.equal(mine, other)
        for pair in zip(batches, others, strict=True)
        for mine, other in zip(*pair, strict=True)
    )


@pytest.mark.parametrize("workers", [0, 2])
def test_who_decodes_an_image_does_not_change_it(files, workers):
    state = torch.random.get_rng_state()
    one = list(stream(files, flip=True, seed=5).epoch(3))
    assert len(one) == 6 and one[0][0].shape == (8, 3, 16, 16) and one[0][0].dtype == torch.float32
    for world in (1, 2, 4):
        shared = stream(files, flip=True, seed=5, workers=workers)
        for rank in range(world):
            expected = [(images[rank::world], labels[rank::world]) for images, labels in one]
            assert same(shared.epoch(3, rank, world), expected)
    assert torch.equal(torch.random.get_rng_state(), state)  # dropout draws from it


@pytest.mark.parametrize("workers", [0, 2])
def test_each_image_of_the_plan_is_shown_once(files, monkeypatch, workers):
    """Every image is shown as its own number, in a picture of one colour."""
    monkeypatch.setattr(folder.Files, "path", lambda self, index: index)
    if workers and sys.platform != "linux":
        pytest.skip("elsewhere workers do not inherit what a test changes")
    monkeypatch.setattr(streams, "picture", lambda index, view: Image.new("RGB", (4, 4), (index, 0, 0)))
    shown = stream(files, size=4, workers=workers)
    numbers = [images[:, 0, 0, 0] * shown.std[0] + shown.mean[0] for images, _ in shown.epoch(0)]
    seen = torch.stack(numbers).round().long().view(6, 8)
    assert torch.equal(seen, shown.plan(0)) and len(set(seen.flatten().tolist())) == 48  # six wait
    assert not torch.equal(shown.plan(0), shown.plan(1))
    assert set(shown.plan(0).flatten().tolist()) != set(shown.plan(1).flatten().tolist())


def test_epochs_and_seeds_have_crops_of_their_own(files):
    images = [
        next(iter(stream(files, batch_size=54, seed=seed).epoch(number)))[0][
            stream(files, batch_size=54, seed=seed).plan(number)[0].argsort()
        ]
        for seed, number in ((0, 0), (0, 1), (1, 0), (0, 0))
    ]
    first, other_epoch, other_seed, again = images
    assert torch.equal(first, again)
    assert not any((first == other).flatten(1).all(1).any() for other in (other_epoch, other_seed))


def test_half_of_the_images_are_mirrored(files):
    whole = [torch.cat([images for images, _ in stream(files, flip=flip).epoch(0)]) for flip in (False, True)]
    plain, flipped = whole
    mirrored = (plain.flip(3) == flipped).flatten(1).all(1)
    assert ((plain == flipped).flatten(1).all(1) ^ mirrored).all()
    assert 12 < mirrored.sum() < 36


@pytest.mark.parametrize("world", [1, 2, 3])
def test_in_order_every_image_is_shown_once_with_its_label(files, world):
    parts = [list(stream(files).in_order(20, rank, world)) for rank in range(world)]
    batches = [parts[number % world][number // world] for number in range(3)]
    assert [len(images) for images, _ in batches] == [20, 20, 14]
    assert torch.equal(torch.cat([labels for _, labels in batches]), files.labels)
    images = torch.cat([images for images, _ in batches])
    assert torch.equal(images[:5], stream(files).first(5))
    assert len(stream(files).first(1000)) == 54
    one = Image.open(files.path(7))  # 26 x 21 pixels, of which 18.375 x 18.375 are shown
    left, upper = (one.width - 0.875 * one.width) / 2, (one.height - 0.875 * one.width) / 2
    box = (left, upper, left + 0.875 * one.width, upper + 0.875 * one.width)
    pixels = np.array(one.resize((16, 16), Image.Resampling.BILINEAR, box))
    expected = (pixels / 255 - files.mean) / files.std
    assert images[7].permute(1, 2, 0).numpy() == pytest.approx(expected, abs=1e-5)


def test_numbers_have_the_type_and_the_order_that_the_model_computes_in(files):
    images, labels = next(stream(files, dtype=torch.float64).in_order(4))
    assert images.dtype == torch.float64 and labels.dtype == torch.int64
    assert images.is_contiguous(memory_format=torch.channels_last)


def test_a_random_part_is_as_large_and_as_wide_as_the_paper_says():
    draws = random.Random(0)
    boxes = np.array([random_part(400, 400, draws) for _ in range(3000)])
    assert boxes.min() >= 0 and boxes.max() <= 400
    sides = boxes[:, 2:] - boxes[:, :2]
    shares, ratios = sides.prod(1) / 400**2, sides[:, 0] / sides[:, 1]
    assert 0.079 < shares.min() < 0.09 and 0.95 < shares.max() <= 1
    assert 0.74 < ratios.min() < 0.76 and 1.31 < ratios.max() < 1.35
    assert abs(np.log(ratios).mean()) < 0.02
    centres = (boxes[:, :2] + boxes[:, 2:]).mean(0) / 2
    assert centres == pytest.approx([200, 200], abs=4)


@pytest.mark.parametrize(
    "size, box",
    [
        ((1, 1), (0, 0, 1, 1)),
        ((5000, 3), (2498, 0, 2502, 3)),
        ((3, 5000), (0, 2498, 3, 2502)),
        ((1, 40), (0, 19, 1, 20)),
    ],
)
def test_of_what_is_very_long_the_middle_is_shown(size, box):
    assert random_part(*size, random.Random(1)) == box


def test_the_middle_of_256_pixels_are_224():
    assert middle(256, 300) == (16, 38, 240, 262)


def test_in_training_another_image_takes_the_place_of_an_unreadable_one(damaged, capfd):
    runs = []
    for workers, world in ((0, 1), (2, 1), (2, 2)):
        finding.say.cache_clear()
        shown = stream(damaged, batch_size=54, workers=workers)
        shares = [next(iter(shown.epoch(0, rank, world))) for rank in range(world)]
        assert sorted(shown.unreadable) == [3, 40]
        batch = [torch.empty(54, *share.shape[1:], dtype=share.dtype) for share in shares[0]]
        for rank, share in enumerate(shares):
            for whole, part in zip(batch, share, strict=True):
                whole[rank::world] = part
        runs.append(batch)
    assert all(torch.equal(mine, first) for run in runs for mine, first in zip(run, runs[0], strict=True))
    order = stream(damaged, batch_size=54).plan(0)[0]
    kept = (order != 3) & (order != 40)
    assert torch.equal(runs[0][1][kept], damaged.labels[order[kept]])
    said = capfd.readouterr().err
    assert f"{damaged.path(3).name} is no image that Pillow can read: replaced by another image" in said
    list(shown.epoch(0))
    list(shown.epoch(1))
    said = capfd.readouterr().err.splitlines()
    assert [line for line in said if "replaced" in line] == [
        f"images of {damaged.name} (train) that cannot be decoded, replaced by another image: 2"
    ]  # the files themselves were named before


def test_a_replacement_brings_its_own_label(damaged, monkeypatch):
    """Class b alone can be decoded: whatever comes in place of a's images is labelled b."""
    monkeypatch.setattr(streams, "MOST_UNREADABLE", 1)
    for index in np.flatnonzero(damaged.labels == 0):
        damaged.path(index).write_text("no image")
    shown = stream(damaged, batch_size=54)
    [(images, labels)] = shown.epoch(0)
    assert (labels == 1).all() and len(images) == 54
    assert len(shown.unreadable) == 28 and images.flatten(1).std(1).min() > 0.1


def test_in_evaluation_an_unreadable_image_counts_and_is_said(damaged, capfd):
    shown = stream(damaged)
    batches = list(shown.in_order(30))
    assert torch.equal(torch.cat([labels for _, labels in batches]), damaged.labels)
    images = torch.cat([images for images, _ in batches])
    assert images[[3, 40]].abs().max() < 0.02  # half a step of 255, in standard deviations
    assert images.flatten(1).std(1).sort().values[2] > 0.1
    said = capfd.readouterr().err.splitlines()
    assert len(said) == 3 and all("shown as the mean colour, and counted" in line for line in said)
    assert re.fullmatch(r"images of .* [(]train[)] that cannot be decoded, .*: 2", said[-1])


def test_a_long_list_of_unreadable_files_is_counted_not_printed(damaged, capfd, monkeypatch):
    monkeypatch.setattr(streams, "MOST_UNREADABLE", 0.5)
    for index in range(20):
        damaged.path(index).write_text("no image")
    shown = stream(damaged)
    list(shown.in_order())
    said = capfd.readouterr().err.splitlines()
    assert len(said) == streams.NAMED + 1 and said[-1].endswith(": 21") and len(shown.unreadable) == 21


@pytest.mark.parametrize("workers", [0, 2])
def test_too_many_unreadable_files_are_one_line(damaged, monkeypatch, workers):
    monkeypatch.setattr(streams, "MOST_UNREADABLE", 0.01)
    message = (
        "of 54 images of folder:.* [(]train[)] [12] and maybe more cannot be decoded, too many; the first: .* is no"
    )
    for make in (lambda shown: shown.epoch(0), lambda shown: shown.in_order(10)):
        with pytest.raises(DataUnavailable, match=message) as refusal:
            list(make(stream(damaged, workers=workers)))
        assert "\n" not in str(refusal.value)
    for index in range(54):
        damaged.path(index).unlink()
    monkeypatch.setattr(streams, "MOST_UNREADABLE", 1)  # nothing can be found in place of the first
    with pytest.raises(DataUnavailable, match=r"too many; the first: .* is no file"):
        list(stream(damaged, workers=workers).epoch(0))


@LINUX
@pytest.mark.parametrize("workers", [1, 2])
def test_what_is_decoded_ahead_is_bounded(root, files, tmp_path, monkeypatch, workers):
    """Of 400 batches, while the consumer rests, no more are decoded than those that the workers may be ahead."""
    log = os.open(tmp_path / "log", os.O_CREAT | os.O_APPEND | os.O_WRONLY)

    def decode(path, view):
        os.write(log, b"x")
        return Image.new("RGB", (4, 4))

    monkeypatch.setattr(streams, "picture", decode)
    many = np.arange(2000) % len(files)
    endless = folder.Files(
        "folder:x", "train", root, files.names[many], files.labels[many], files.classes, files.mean, files.std
    )
    batches = stream(endless, size=4, batch_size=5, workers=workers).epoch(0)
    for taken in (1, 2, 3):
        next(batches)
        bound, end = 5 * (taken + streams.PREFETCH * workers), time.monotonic() + 20
        while os.fstat(log).st_size < bound and time.monotonic() < end:
            time.sleep(0.01)
        time.sleep(0.1)
        assert os.fstat(log).st_size == bound
    batches.close()
    assert not multiprocessing.active_children()
    os.close(log)


@LINUX
def test_a_killed_worker_is_one_line(files, monkeypatch):
    monkeypatch.setattr(streams, "picture", lambda path, view: time.sleep(60))
    handler = signal.getsignal(signal.SIGCHLD)
    batches = stream(files, workers=1).epoch(0)
    signal.signal(signal.SIGALRM, lambda *_: os.kill(multiprocessing.active_children()[0].pid, signal.SIGKILL))
    signal.setitimer(signal.ITIMER_REAL, 0.5)
    with pytest.raises(DataUnavailable, match=r"a process that decodes images was killed: .*memory") as refusal:
        next(batches)
    assert "\n" not in str(refusal.value)
    assert signal.getsignal(signal.SIGCHLD) == handler
    del refusal
    assert not multiprocessing.active_children()


def _rest(files, started):
    os.setpgrp()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    batches = stream(files, workers=2).epoch(0)
    next(batches)
    started.set()
    time.sleep(60)


@LINUX
def test_after_an_interrupt_no_process_is_left(files, capfd):
    context = multiprocessing.get_context("fork")
    started = context.Event()
    process = context.Process(target=_rest, args=(files, started))
    process.start()
    assert started.wait(30)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to all of them
    process.join(30)
    assert process.exitcode == 1
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)
    assert capfd.readouterr().err.count("Traceback") == 1  # the workers say nothing


def test_wrong_use_is_refused(files):
    with pytest.raises(ValueError, match=r"the model names no input_size; images of folder:.* are cropped to one"):
        stream(files, size=None)
    for size in (0, 22.5, "224"):
        with pytest.raises(ValueError, match=r"the model's input_size is .*; expected the side of its images"):
            stream(files, size=size)
    for batch_size in (0, 55, 2.0):
        with pytest.raises(ValueError, match=r"batch_size is .*; for 54 images expected 1 to 54"):
            stream(files, batch_size=batch_size)
    for workers in (-1, 1.5, True):
        with pytest.raises(ValueError, match=r"workers is .*; expected a number of processes, 0 for none"):
            stream(files, workers=workers)


def test_workers_are_the_cores_divided_among_the_processes_here(files, monkeypatch):
    monkeypatch.setattr(streams.machine, "cores", lambda: 12)
    monkeypatch.delenv("LOCAL_WORLD_SIZE", raising=False)
    assert stream(files, workers=None).workers == 12
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "8")
    assert stream(files, workers=None).workers == 1
