"""datasets: splits, statistics, the shapes, and all that can go wrong with files and mirrors. Servers are local."""

import errno
import gzip
import hashlib
import http.server
import io
import os
import pickle
import re
import subprocess
import sys
import tarfile
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib import pyplot as plt

from course_utils import datasets, notebook
from course_utils.figures.datasets import sheet

ROOT = Path(__file__).resolve().parents[2]


def sha256(data):
    return hashlib.sha256(data.images.numpy().tobytes() + data.labels.numpy().astype("<i8").tobytes()).hexdigest()


# ---- Embedded sets


@pytest.mark.parametrize(
    ("name", "split", "count", "start"),
    [
        ("digits", "train", 1295, "2f738507641e96db"),
        ("digits", "validation", 143, "2f5672067209c030"),
        ("digits", "test", 359, "380541db3bfc4d1c"),
        ("shapes", "train", 4500, "767c432f5a27145b"),
        ("shapes", "validation", 500, "5d32ce0e6ba44712"),
        ("shapes", "test", 1000, "7dce1afe45dc2794"),
    ],
)
def test_embedded_sets_are_the_same_to_the_byte(name, split, count, start):
    data = datasets.load(name, split)
    assert (data.name, data.split, len(data)) == (name, split, count)
    assert sha256(data).startswith(start)


@pytest.mark.parametrize(("name", "shape"), [("digits", (1, 32, 32)), ("shapes", (3, 32, 32))])
def test_embedded_sets_fit_their_description(name, shape):
    parts = [datasets.load(name, split) for split in datasets.SPLITS]
    for data in parts:
        assert data.images.dtype == torch.uint8 and data.images.shape[1:] == shape
        assert data.labels.dtype == torch.int64 and len(data.labels) == len(data.images) == len(data)
        assert set(data.labels.tolist()) == set(range(10)) and len(data.classes) == 10
        assert (data.mean, data.std) == (parts[0].mean, parts[0].std)
    scaled = parts[0].images.double() / 255
    torch.testing.assert_close(torch.tensor(parts[0].mean).double(), scaled.mean((0, 2, 3)), rtol=0, atol=1e-6)
    std = scaled.std((0, 2, 3), correction=0)
    torch.testing.assert_close(torch.tensor(parts[0].std).double(), std, rtol=0, atol=1e-6)


def test_a_data_set_is_shown_in_a_line():
    assert repr(datasets.load("digits", "test")) == "Dataset('digits', 'test', images 359 x 1 x 32 x 32, 10 classes)"
    line = "digits: 1,295 train + 143 validation + 359 test images of 1 x 32 x 32, 10 classes; embedded"
    assert datasets.describe("digits") == line


def test_no_image_is_in_two_splits():
    for name in ("digits", "shapes"):
        seen = [{image.numpy().tobytes() for image in datasets.load(name, split).images} for split in datasets.SPLITS]
        assert not (seen[0] & seen[1] or seen[0] & seen[2] or seen[1] & seen[2])


def test_digits_are_scikit_learns():
    from sklearn.datasets import load_digits

    theirs = {np.rint(image * 255 / 16).astype(np.uint8).tobytes() for image in load_digits().images}
    images = torch.cat([datasets.load("digits", split).images for split in datasets.SPLITS])
    small = images[:, 0, ::4, ::4].contiguous()
    assert {image.numpy().tobytes() for image in small} == theirs
    assert torch.equal(images[:, 0], small.repeat_interleave(4, 1).repeat_interleave(4, 2))


def test_what_a_caller_does_to_images_stays_with_the_caller():
    first = datasets.load("digits", "train")
    before = sha256(first)
    first.images.zero_()
    first.labels.zero_()
    assert sha256(datasets.load("digits", "train")) == before


def test_held_out_is_stratified_and_fixed():
    labels = np.repeat(np.arange(4), (100, 50, 15, 4))
    mask = datasets.held_out(labels, 10)
    assert [int(mask[labels == label].sum()) for label in range(4)] == [10, 5, 2, 0]
    assert np.flatnonzero(mask[:100]).tolist() == [2, 3, 11, 13, 20, 48, 53, 59, 62, 92]


def test_statistics_of_two_values():
    images = np.zeros((2, 2, 1, 2), np.uint8)
    images[:, 1] = [0, 255]
    assert datasets.statistics(images) == ((0.0, 0.5), (0.0, 0.5))


def test_shapes_say_nothing_to_a_model_that_cannot_see_form():
    """Ten classes: 10% is chance. Pixels through a linear model, class means, colours alone: none gets to 16%."""
    from sklearn.linear_model import RidgeClassifier
    from sklearn.neighbors import NearestCentroid

    train, test = datasets.load("shapes", "train"), datasets.load("shapes", "test")
    x, x_test = (data.images.flatten(1).float().numpy() / 255 for data in (train, test))
    for model in (RidgeClassifier(alpha=1000, solver="lsqr"), NearestCentroid()):
        assert model.fit(x, train.labels).score(x_test, test.labels) < 0.16
    color, color_test = (torch.cat(torch.std_mean(d.images / 255, (2, 3)), 1).numpy() for d in (train, test))
    assert RidgeClassifier().fit(color, train.labels).score(color_test, test.labels) < 0.16


def test_embedded_sets_read_no_folder_and_no_network(monkeypatch):
    monkeypatch.setenv("COURSE_DATA", "/nowhere/at/all")
    monkeypatch.setattr(datasets, "urlopen", None)
    for name in ("digits", "shapes"):
        assert datasets.present(name) and datasets.fetch(name) is None
        assert datasets.describe(name).endswith("embedded")


@pytest.mark.parametrize(
    "call", [datasets.fetch, datasets.present, datasets.describe, lambda n: datasets.load(n, "test")]
)
@pytest.mark.parametrize("name", ["imagenet", "imagefolder:/somewhere", "Digits", ""])
def test_unknown_name(call, name):
    with pytest.raises(ValueError, match="digits, shapes, mnist, fashion-mnist, cifar10"):
        call(name)


def test_unknown_split():
    with pytest.raises(ValueError, match=r"'val'.*train, validation, test"):
        datasets.load("digits", "val")


# ---- Published sets: tiny stand-ins from a server of our own


def idx_files(rng):
    """A Fashion-MNIST of 40 training and 20 test images."""
    files = {}
    for prefix, count in (("train", 40), ("t10k", 20)):
        images = rng.integers(0, 256, (count, 28, 28), np.uint8)
        labels = np.arange(count, dtype=np.uint8) % 10
        files[f"{prefix}-images-idx3-ubyte.gz"] = gzip.compress(bytes(16) + images.tobytes(), mtime=0)
        files[f"{prefix}-labels-idx1-ubyte.gz"] = gzip.compress(bytes(8) + labels.tobytes(), mtime=0)
    return files


def cifar_files(rng):
    """A CIFAR-10 of twenty images a batch, and the archive that holds it."""
    files = {}
    for name in datasets.PUBLISHED["cifar10"].files:
        batch = {b"data": rng.integers(0, 256, (20, 3072), np.uint8), b"labels": list(range(10)) * 2}
        content = pickle.dumps(batch, protocol=3)
        files[name] = content.replace(b"numpy._core.multiarray", b"numpy.core.multiarray")  # as old NumPy named it
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return files, {"cifar-10-python.tar.gz": stream.getvalue()}


def facts(content):
    return len(content), hashlib.md5(content).hexdigest()


class Mirror(http.server.ThreadingHTTPServer):
    """Serves /good/ and /slow/, and the ways to fail: /html/, /short/, /altered/, /cut/, /long/, /gone/, /hang/.

    Notes what was asked for.
    """

    daemon_threads = True

    def __init__(self, files):
        super().__init__(("127.0.0.1", 0), Answer)
        self.files, self.asked, self.closing = files, [], threading.Event()

    def address(self, kind):
        return f"http://127.0.0.1:{self.server_port}/{kind}/"


class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        _, kind, file = self.path.split("/")
        self.server.asked.append((kind, file))
        content = self.server.files[file]
        if kind == "hang":
            self.server.closing.wait(10)
            return
        if kind == "slow":
            self.server.closing.wait(0.4)
        self.send_response(404 if kind == "gone" else 200)
        self.send_header("Content-Length", str(len(content) if kind == "cut" else len(self.answer(kind, content))))
        self.end_headers()
        self.wfile.write(self.answer(kind, content))

    def answer(self, kind, content):
        return {
            "good": content,
            "slow": content,
            "long": content + bytes(4_000_000),
            "html": b"<html>Sign in to the campus network</html>",
            "short": content[:-10],
            "cut": content[:-10],
            "altered": content[:-1] + bytes([content[-1] ^ 1]),
            "gone": b"",
        }[kind]

    def log_message(self, *args):
        pass


@pytest.fixture
def mirror(tmp_path, monkeypatch):
    """A mirror, and stand-ins in place of the published sets, with an empty cache."""
    rng = np.random.default_rng(0)
    fashion, (cifar, archive) = idx_files(rng), cifar_files(rng)
    server = Mirror(fashion | archive)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def stand_in(name, **changes):
        files = {file: facts(content) for file, content in (fashion if name == "fashion-mnist" else cifar).items()}
        standing = replace(datasets.PUBLISHED[name], files=files, mirrors=(server.address("good"),), **changes)
        monkeypatch.setitem(datasets.PUBLISHED, name, standing)

    stand_in("fashion-mnist")
    packed = archive["cifar-10-python.tar.gz"]
    stand_in("cifar10", archive=("cifar-10-python.tar.gz", *facts(packed), "cifar-10-batches-py"))
    server.contents = {"fashion-mnist": fashion, "cifar10": cifar}
    monkeypatch.setattr(datasets, "CACHE", tmp_path / "cache")
    monkeypatch.delenv("COURSE_DATA", raising=False)
    datasets._splits.cache_clear()
    yield server
    server.closing.set()
    server.shutdown()
    server.server_close()
    datasets._splits.cache_clear()


def use(monkeypatch, name, *mirrors):
    """Let a stand-in come from these mirrors; the timeout is short only where one of them hangs."""
    if any("/hang/" in mirror for mirror in mirrors):
        monkeypatch.setattr(datasets, "TIMEOUT", 0.4)
    monkeypatch.setitem(datasets.PUBLISHED, name, replace(datasets.PUBLISHED[name], mirrors=mirrors))


def left(folder):
    """Names of the files and the empty folders under a folder, without the lock."""
    found = (path for path in folder.rglob("*") if path.is_file() or not any(path.iterdir()))
    return sorted(path.name for path in found if path.name != ".lock")


def put(folder, files):
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def refused(call, *words):
    """The call raises DataUnavailable with one line in which all the words stand."""
    with pytest.raises(datasets.DataUnavailable) as caught:
        call()
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert word in message
    return message


def test_fetch_load_and_fetch_again(mirror):
    assert not datasets.present("fashion-mnist")
    folder = datasets.fetch("fashion-mnist")
    assert folder == datasets.CACHE / "fashion-mnist"
    assert left(datasets.CACHE) == sorted(mirror.contents["fashion-mnist"])
    assert datasets.present("fashion-mnist")
    asked = len(mirror.asked)
    data = datasets.load("fashion-mnist", "train")
    assert asked == len(mirror.asked) == 4
    assert data.images.shape == (40, 1, 28, 28) and data.classes[9] == "Ankle boot"  # of four a class, none is held out
    pixels = gzip.decompress(mirror.contents["fashion-mnist"]["train-images-idx3-ubyte.gz"])[16:]
    assert data.images.numpy().tobytes() == pixels
    assert "4 files in" in datasets.describe("fashion-mnist") and "checksums right" in datasets.describe(
        "fashion-mnist"
    )


def test_cifar_comes_out_of_its_archive(mirror):
    data = datasets.load("cifar10", "test")
    assert left(datasets.CACHE) == sorted(mirror.contents["cifar10"])
    assert data.images.shape == (20, 3, 32, 32) and data.labels.tolist() == list(range(10)) * 2
    assert len(datasets.load("cifar10", "train")) == 90 and len(datasets.load("cifar10", "validation")) == 10
    assert len(mirror.asked) == 1


@pytest.mark.parametrize("layout", ["fashion-mnist", "FashionMNIST/raw"])
def test_course_data_comes_before_the_network(mirror, monkeypatch, tmp_path, layout):
    folder = put(tmp_path / "own" / layout, mirror.contents["fashion-mnist"])
    monkeypatch.setenv("COURSE_DATA", str(tmp_path / "own"))
    assert datasets.fetch("fashion-mnist") == folder
    assert len(datasets.load("fashion-mnist", "test")) == 20
    assert mirror.asked == [] and not datasets.CACHE.exists()


@pytest.mark.parametrize("layout", ["cifar-10-batches-py", "cifar-10/cifar-10-batches-py"])
def test_course_data_for_cifar(mirror, monkeypatch, tmp_path, layout):
    folder = put(tmp_path / "own" / layout, mirror.contents["cifar10"])
    monkeypatch.setenv("COURSE_DATA", str(tmp_path / "own"))
    assert datasets.fetch("cifar10") == folder
    assert len(datasets.load("cifar10", "test")) == 20


def test_course_data_without_this_set_leaves_it_to_the_cache(mirror, monkeypatch, tmp_path):
    put(tmp_path / "own" / "cifar-10", {"something-else": b""})
    monkeypatch.setenv("COURSE_DATA", str(tmp_path / "own"))
    assert datasets.fetch("cifar10") == datasets.CACHE / "cifar-10" / "cifar-10-batches-py"


def damage(path, kind):
    content = path.read_bytes()
    if kind == "missing":
        path.unlink()
    else:
        path.write_bytes({"truncated": content[:-5], "altered": content[:-1] + b"x", "empty": b""}[kind])


@pytest.mark.parametrize("kind", ["truncated", "altered", "empty", "missing"])
def test_a_damaged_file_of_the_users_own_is_named_and_left_alone(mirror, monkeypatch, tmp_path, kind):
    folder = put(tmp_path / "own" / "fashion-mnist", mirror.contents["fashion-mnist"])
    path = folder / "train-labels-idx1-ubyte.gz"
    damage(path, kind)
    before = {file: (folder / file).read_bytes() for file in left(folder)}
    monkeypatch.setenv("COURSE_DATA", str(tmp_path / "own"))
    for call in (datasets.fetch, datasets.describe, lambda name: datasets.load(name, "train")):
        refused(lambda call=call: call("fashion-mnist"), str(path), "unset COURSE_DATA")
    assert not datasets.present("fashion-mnist")
    assert {file: (folder / file).read_bytes() for file in left(folder)} == before
    assert mirror.asked == []


@pytest.mark.parametrize("kind", ["truncated", "altered", "empty", "missing"])
def test_a_damaged_file_in_the_cache_is_fetched_again(mirror, kind):
    folder = datasets.fetch("fashion-mnist")
    mirror.asked.clear()
    damage(folder / "train-labels-idx1-ubyte.gz", kind)
    assert not datasets.present("fashion-mnist")
    datasets.fetch("fashion-mnist")
    assert mirror.asked == [("good", "train-labels-idx1-ubyte.gz")]
    assert (folder / "train-labels-idx1-ubyte.gz").read_bytes() == mirror.files["train-labels-idx1-ubyte.gz"]


def test_damage_that_comes_after_a_load_does_not_get_in(mirror):
    folder = datasets.fetch("cifar10")
    datasets.load("cifar10", "test")
    damage(folder / "test_batch", "altered")
    datasets.load("cifar10", "test")
    assert (folder / "test_batch").read_bytes() == mirror.contents["cifar10"]["test_batch"]


def test_course_data_that_is_no_folder(mirror, monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_DATA", str(tmp_path / "typo"))
    refused(lambda: datasets.fetch("fashion-mnist"), "COURSE_DATA", "typo", "correct it or unset it")


@pytest.mark.parametrize("kind", ["html", "short", "cut", "altered", "gone", "hang"])
@pytest.mark.parametrize("name", ["fashion-mnist", "cifar10"])
def test_the_next_mirror_is_tried(mirror, monkeypatch, name, kind):
    use(monkeypatch, name, mirror.address(kind), mirror.address("good"))
    datasets.fetch(name)
    assert left(datasets.CACHE) == sorted(mirror.contents[name])


@pytest.mark.parametrize(
    ("kind", "word"),
    [
        ("html", "what came has 42 bytes"),
        ("short", "the publisher's file"),
        ("cut", "bytes"),
        ("altered", "what came is damaged or altered"),
        ("gone", "404"),
        ("hang", "timed out"),
    ],
)
def test_no_good_mirror_is_one_clear_line_and_leaves_nothing(mirror, monkeypatch, kind, word):
    use(monkeypatch, "fashion-mnist", mirror.address(kind))
    refused(lambda: datasets.load("fashion-mnist", "train"), "go online and try again", "COURSE_DATA", word)
    assert left(datasets.CACHE) == []


def test_no_more_is_read_than_a_little_over_the_size(mirror, monkeypatch):
    use(monkeypatch, "fashion-mnist", mirror.address("long"))
    message = refused(lambda: datasets.fetch("fashion-mnist"), "what came has")
    read = int(re.search(r"what came has ([\d,]+) bytes", message)[1].replace(",", ""))
    assert read < 200_000


def test_no_network(mirror, monkeypatch):
    use(monkeypatch, "fashion-mnist", "http://127.0.0.1:9/")  # nobody listens there
    refused(lambda: datasets.fetch("fashion-mnist"), "could not be fetched", "refused", "COURSE_DATA")
    assert left(datasets.CACHE) == []


def test_files_fetched_before_a_failure_stay_and_count(mirror, monkeypatch):
    use(monkeypatch, "fashion-mnist", mirror.address("good"))
    datasets.fetch("fashion-mnist")
    damage(datasets.CACHE / "fashion-mnist" / "t10k-labels-idx1-ubyte.gz", "missing")
    use(monkeypatch, "fashion-mnist", mirror.address("gone"))
    refused(lambda: datasets.fetch("fashion-mnist"), "t10k-labels-idx1-ubyte.gz could not be fetched")
    assert len(left(datasets.CACHE)) == 3


class FullDisk(io.BytesIO):
    def write(self, content):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("name", ["fashion-mnist", "cifar10"])
def test_a_full_disk(mirror, monkeypatch, name):
    monkeypatch.setattr(datasets, "open", lambda path, mode: FullDisk(), raising=False)
    refused(lambda: datasets.fetch(name), "No space left on device", "make room", "COURSE_DATA")
    assert left(datasets.CACHE) == []
    assert len(mirror.asked) == 1  # another mirror would not help


def test_a_cache_that_cannot_be_written(mirror, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setattr(datasets, "CACHE", tmp_path / "file")
    refused(lambda: datasets.fetch("fashion-mnist"), "cannot be kept", str(tmp_path / "file"), "COURSE_DATA")


@pytest.mark.parametrize("name", ["fashion-mnist", "cifar10"])
def test_an_interrupted_fetch_leaves_nothing(mirror, monkeypatch, name):
    def interrupted(address):
        yield b"half a file"
        assert left(datasets.CACHE)
        raise KeyboardInterrupt

    monkeypatch.setattr(datasets, "_pieces", interrupted)
    with pytest.raises(KeyboardInterrupt):
        datasets.fetch(name)
    assert left(datasets.CACHE) == []


def test_what_a_killed_process_left_is_swept_up(mirror):
    put(datasets.CACHE / ".fetch-of-one-killed", {"train-images-idx3-ubyte.gz": b"half"})
    datasets.fetch("fashion-mnist")
    assert left(datasets.CACHE) == sorted(mirror.contents["fashion-mnist"])


def test_two_processes_at_once_end_with_one_whole_file_each(mirror, monkeypatch):
    use(monkeypatch, "fashion-mnist", mirror.address("slow"))  # so that they do meet
    program = f"""
from dataclasses import replace
from pathlib import Path
from course_utils import datasets
datasets.CACHE = Path({str(datasets.CACHE)!r})
known = datasets.PUBLISHED["fashion-mnist"]
files, mirrors = {datasets.PUBLISHED["fashion-mnist"].files!r}, {datasets.PUBLISHED["fashion-mnist"].mirrors!r}
datasets.PUBLISHED["fashion-mnist"] = replace(known, files=files, mirrors=mirrors)
print(len(datasets.load("fashion-mnist", "test")))
"""
    start = [sys.executable, "-c", program]
    both = [subprocess.Popen(start, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    for process in both:
        out, error = process.communicate(timeout=120)
        assert process.returncode == 0, error
        assert out == "20\n"
    assert sorted(file for _, file in mirror.asked) == sorted(mirror.contents["fashion-mnist"])
    assert left(datasets.CACHE) == sorted(mirror.contents["fashion-mnist"])


def test_a_chapter_goes_on_with_embedded_data(mirror, monkeypatch, capsys):
    use(monkeypatch, "fashion-mnist", mirror.address("gone"))
    monkeypatch.setenv("COURSE_PROFILE", "full")
    chosen = notebook.profile(quick="digits", full="fashion-mnist")
    assert (chosen.name, chosen.data, chosen.recipe) == ("quick", "digits", "quick")
    said = capsys.readouterr().out
    assert said.count("\n") == 1 and "goes on with the embedded digits" in said


def test_a_pickle_that_names_a_function_is_not_run(tmp_path):
    class Harm:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "harm"),)

    with pytest.raises(pickle.UnpicklingError, match="mkdir has no place"):
        datasets._read_cifar(lambda file: pickle.dumps({b"data": Harm()}))
    assert not (tmp_path / "harm").exists()


def test_the_table_is_what_the_publishers_say():
    sizes = {name: sum(size for size, _ in known.files.values()) for name, known in datasets.PUBLISHED.items()}
    assert sizes == {"mnist": 11_594_722, "fashion-mnist": 30_878_645, "cifar10": 186_213_868}
    for known in datasets.PUBLISHED.values():
        assert len(known.classes) == 10
        assert all(mirror.startswith("https://") and mirror.endswith("/") for mirror in known.mirrors)


# ---- What is said about them


@pytest.mark.parametrize("name", datasets.available())
def test_each_set_has_a_card(name):
    card = (ROOT / "data" / "cards" / f"{name}.md").read_text("utf-8")
    for part in ("What.", "Size and splits.", "Source.", "Licence.", "Known flaws.", "How to get it."):
        assert f"**{part}**" in card
    assert f"cards/{name}.md" in (ROOT / "data" / "README.md").read_text("utf-8")


@pytest.mark.parametrize("name", ["digits", "shapes"])
def test_cards_give_the_figures_that_are_measured(name):
    card = (ROOT / "data" / "cards" / f"{name}.md").read_text("utf-8")
    parts = [datasets.load(name, split) for split in datasets.SPLITS]
    assert all(f"{len(data):,} {data.split}" in card for data in parts)
    assert "ean " + ", ".join(f"{value:.4f}" for value in parts[0].mean) in card
    assert "standard deviation " + ", ".join(f"{value:.4f}" for value in parts[0].std) in card


def test_a_sheet_shows_the_images_asked_for():
    data = datasets.load("shapes", "validation")
    figure = sheet(data, per_class=3)
    (axes,) = figure.axes
    page = axes.images[0].get_array()
    assert page.shape == (10 * 34 - 2, 3 * 34 - 2, 3)
    second_ring = data.images[torch.nonzero(data.labels == 2)[1, 0]].permute(1, 2, 0).numpy()
    assert np.array_equal(page[68:100, 34:66], second_ring)
    assert [label.get_text() for label in axes.get_yticklabels()] == list(data.classes)
    plt.close(figure)


@pytest.mark.parametrize("per_class", [0, 51])
def test_a_sheet_of_more_than_there_is(per_class):
    with pytest.raises(ValueError, match=f"per_class is {per_class}; .*1 to 50"):
        sheet(datasets.load("shapes", "validation"), per_class)
