"""Where a published set's files are looked for: what COURSE_DATA may name and hold, and what is said of all else."""

import gzip
import os
import re
import shutil
import sys
from pathlib import Path

import pytest
from mirrors import ARCHIVE, damage, left, packed, put, refused, tar_of

from course_utils import datasets
from course_utils.datasets import finding
from course_utils.datasets.published import PUBLISHED

IDX = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
CALLS = {
    "load": lambda name: datasets.load(name, "train"),
    "fetch": datasets.fetch,
    "describe": datasets.describe,
}


# ---- What is taken


def dotted(files):
    return {name.replace("-idx", ".idx"): content for name, content in files.items()}


def repacked(files):
    return {f"{name}.gz": gzip.compress(content, 1, mtime=7) for name, content in files.items()}


IDX_FORMS = {
    "packed": lambda mirror, name: mirror.packed[name],
    "unpacked": lambda mirror, name: mirror.plain[name],
    "packed, with a dot": lambda mirror, name: dotted(mirror.packed[name]),
    "unpacked, with a dot": lambda mirror, name: dotted(mirror.plain[name]),
    "packed by somebody else": lambda mirror, name: repacked(mirror.plain[name]),
    "both": lambda mirror, name: mirror.packed[name] | mirror.plain[name],
    "mixed": lambda mirror, name: dict([*list(mirror.packed[name].items())[:2], *list(mirror.plain[name].items())[2:]]),
}
IDX_PLACES = {
    "mnist": (".", "mnist", "MNIST", "MNIST/raw", "mnist/MNIST/raw", "raw"),
    "fashion-mnist": (".", "fashion-mnist", "FashionMNIST/raw", "fashion_mnist", "fashionmnist", "raw"),
}
PLACES = [(name, place) for name, places in IDX_PLACES.items() for place in places]


@pytest.mark.parametrize("form", IDX_FORMS)
@pytest.mark.parametrize(("name", "place"), PLACES)
def test_idx_files_are_taken_in_any_usual_form_and_place(mirror, own, capsys, name, place, form):
    folder = put(own / place, IDX_FORMS[form](mirror, name))
    assert datasets.present(name)
    assert datasets.fetch(name) == folder
    assert "4 files in" in datasets.describe(name) and "checksums right" in datasets.describe(name)
    images = datasets.load(name, "test").images
    assert images.numpy().tobytes() == mirror.plain[name]["t10k-images-idx3-ubyte"][16:]
    assert mirror.asked == [] and not finding.CACHE.exists() and capsys.readouterr().err == ""


@pytest.mark.parametrize("place", ["MNIST", "MNIST/raw", "mnist"])
def test_the_inner_folder_itself_may_be_named(mirror, own, monkeypatch, place):
    put(own / "MNIST" / "raw", mirror.plain["mnist"])
    put(own / "mnist", mirror.packed["mnist"])
    monkeypatch.setenv("COURSE_DATA", str(own / place))
    assert len(datasets.load("mnist", "test")) == 20 and mirror.asked == []


def test_files_each_in_a_folder_of_its_name(mirror, own):
    for name, content in mirror.plain["mnist"].items():
        put(own / name, {name: content})  # as Kaggle unpacks them
    assert datasets.fetch("mnist") == own


CIFAR_FORMS = {  # of the batches by name
    "batches": lambda batches: batches,
    "archive": lambda batches: packed("cifar10", batches),
    "archive, unzipped": lambda batches: {"cifar-10-python.tar": tar_of(batches, "w")},
    "archive, packed by somebody else": lambda batches: {ARCHIVE: tar_of(dict(reversed(batches.items())))},
    "archive, without its folder": lambda batches: {"cifar-10-python.tgz": tar_of(batches, folder="")},
}
CIFAR_PLACES = (".", "cifar-10-batches-py", "cifar-10/cifar-10-batches-py", "cifar10", "cifar-10-python", "CIFAR10")


@pytest.mark.parametrize("place", CIFAR_PLACES)
@pytest.mark.parametrize("form", CIFAR_FORMS)
def test_cifar_is_taken_in_any_usual_form_and_place(mirror, own, place, form):
    folder = put(own / place, CIFAR_FORMS[form](mirror.plain["cifar10"]))
    before = left(own)
    assert datasets.present("cifar10") and datasets.fetch("cifar10") == folder
    data = datasets.load("cifar10", "test")
    assert data.images.shape == (20, 3, 32, 32) and data.labels.tolist() == list(range(10)) * 2
    assert left(own) == before and mirror.asked == [] and not finding.CACHE.exists()


def test_a_home_folder_is_found(mirror, own, monkeypatch):
    put(own / "mnist", mirror.packed["mnist"])
    monkeypatch.setenv("HOME", str(own.parent))
    monkeypatch.setenv("USERPROFILE", str(own.parent))
    monkeypatch.setenv("COURSE_DATA", "~/own")
    assert datasets.fetch("mnist") == own / "mnist"


def test_a_link_to_a_folder_is_followed(mirror, own, tmp_path):
    (own / "MNIST").symlink_to(put(tmp_path / "elsewhere", mirror.packed["mnist"]))
    assert len(datasets.load("mnist", "test")) == 20 and mirror.asked == []


def test_a_whole_copy_makes_up_for_a_damaged_one(mirror, own):
    put(own / "mnist", mirror.packed["mnist"])
    put(own / "MNIST" / "raw", mirror.plain["mnist"])
    damage(own / "mnist" / "train-images-idx3-ubyte.gz", "truncated")
    assert datasets.present("mnist") and mirror.asked == []


def test_two_sets_with_the_same_names_are_told_apart_by_their_bytes(mirror, own, capsys):
    put(own, mirror.packed["fashion-mnist"])
    assert datasets.fetch("fashion-mnist") == own
    assert datasets.fetch("mnist") == finding.CACHE / "mnist"
    assert "mnist is not in COURSE_DATA" in capsys.readouterr().err


# ---- What is not there, or there in another form


@pytest.mark.parametrize("call", CALLS)
def test_a_set_that_is_not_there_is_said_once_then_the_cache_and_the_network(mirror, own, capsys, call):
    put(own / "holiday", {"beach.jpg": b"", ".hidden": b""})
    put(own, {"notes.txt": b"", ".DS_Store": b""})
    put(own / "cifar-100-python", {"train": b""})
    for _ in range(2):
        CALLS[call]("cifar10")
    said = capsys.readouterr().err
    lines = [line for line in said.splitlines() if "COURSE_DATA" in line]
    assert len(lines) == 1
    for words in (str(own), "holds cifar-100-python, holiday, notes.txt", "not cifar-10-python.tar.gz", "README.md"):
        assert words in lines[0]
    assert left(finding.CACHE) == [ARCHIVE] and len(mirror.asked) == 1


def test_a_set_that_is_not_there_is_not_present_and_that_is_said(mirror, own, capsys):
    assert not datasets.present("mnist") and mirror.asked == []
    assert f"{own} holds nothing, not train-images-idx3-ubyte.gz" in capsys.readouterr().err


FOREIGN = {
    "binary version": ("cifar10", {"cifar-10-batches-bin/data_batch_1.bin": b"1", "cifar-10-batches-bin/readme": b""}),
    "binary version, flat": ("cifar10", {"data_batch_1.bin": b"1", "test_batch.bin": b"2"}),
    "binary archive": ("cifar10", {"cifar-10-binary.tar.gz": b"1"}),
    "for Matlab": ("cifar10", {"cifar-10-batches-mat/data_batch_1.mat": b"1"}),
    "Kaggle's archive": ("cifar10", {"cifar-10.zip": b"1"}),
    "folders of pictures": ("cifar10", {"cifar10/train/airplane/1.png": b"1"}),
    "parts": ("cifar10", {"cifar-10/part-1.npz": b"1"}),
    "downloaded twice": ("cifar10", {"cifar-10-python.tar (1).gz": b"1"}),
    "in part": ("cifar10", {"cifar-10-python.tar.gz.part": b"1"}),
    "csv": ("mnist", {"mnist_train.csv": b"1", "mnist_test.csv": b"2"}),
    "Kaggle's csv": ("mnist", {"digit-recognizer/train.csv": b"1"}),
    "Keras's": ("mnist", {"mnist.npz": b"1"}),
    "torchvision of old": ("mnist", {"MNIST/processed/training.pt": b"1"}),
    "pictures": ("mnist", {"mnist_png/training/0/1.png": b"1"}),
    "zipped": ("mnist", {"train-images-idx3-ubyte.zip": b"1"}),
    "fashion csv": ("fashion-mnist", {"fashion-mnist_train.csv": b"1"}),
    "fashion parquet": ("fashion-mnist", {"FashionMNIST/train-00000-of-00001.parquet": b"1"}),
}


@pytest.mark.parametrize("form", FOREIGN)
def test_another_form_is_named_and_nothing_is_fetched_behind_its_back(mirror, own, capsys, form):
    name, files = FOREIGN[form]
    for file, content in files.items():
        put((own / file).parent, {Path(file).name: content})
    first = "/".join(next(iter(files)).split("/")[:2])
    for call in CALLS.values():
        refused(lambda call=call: call(name), own, first, next(iter(PUBLISHED[name].packed)), "unset COURSE_DATA")
    assert not datasets.present(name)
    assert first in capsys.readouterr().err
    assert mirror.asked == [] and not finding.CACHE.exists()


def test_another_form_named_itself(mirror, own, monkeypatch):
    monkeypatch.setenv("COURSE_DATA", str(put(own / "cifar-10-batches-bin", {"batches.meta.txt": b"1"})))
    refused(lambda: datasets.fetch("cifar10"), "batches.meta.txt", ARCHIVE)


def test_another_form_does_not_hide_what_the_cache_has(mirror, own, capsys):
    put(finding.CACHE / "cifar-10", mirror.packed["cifar10"])
    put(own / "cifar-10", {"part-1.npz": b"1"})
    assert datasets.fetch("cifar10") == finding.CACHE / "cifar-10"
    assert "holds cifar-10/part-1.npz, not" in capsys.readouterr().err


def test_another_set_is_not_taken_for_another_form(mirror, own):
    for name in ("kmnist", "emnist", "fashion-mnist", "notmnist"):
        put(own / name, {"something.npz": b"1"})
    put(own, {"cifar100.npz": b"1", "cifar-100-python.tar.gz": b"1"})
    assert datasets.fetch("mnist") == finding.CACHE / "mnist"
    assert datasets.fetch("cifar10") == finding.CACHE / "cifar-10"


def test_pictures_of_ones_own_are_not_taken_for_another_form(mirror, own):
    put(own / "train-images", {"cat.png": b"1"})
    put(own / "test_batches", {"dog.png": b"1"})
    assert datasets.fetch("mnist") == finding.CACHE / "mnist"
    assert datasets.fetch("cifar10") == finding.CACHE / "cifar-10"


def test_an_empty_folder_of_the_right_name_is_nothing(mirror, own):
    (own / "cifar-10").mkdir()
    assert datasets.fetch("cifar10") == finding.CACHE / "cifar-10"


def test_many_files_are_not_all_listed(mirror, own):
    put(own / "cifar10", {f"{i:02}.png": b"" for i in range(40)})
    assert len(refused(lambda: datasets.fetch("cifar10"), "and 35 more")) < 500


# ---- What is damaged


@pytest.mark.parametrize("kind", ["truncated", "altered", "empty", "missing"])
@pytest.mark.parametrize("form", ["packed", "unpacked", "packed, with a dot"])
def test_a_damaged_file_of_the_users_own_is_named_and_left_alone(mirror, own, capsys, form, kind):
    folder = put(own / "fashion-mnist", IDX_FORMS[form](mirror, "fashion-mnist"))
    path = folder / next(file for file in left(folder) if "train-labels" in file)
    damage(path, kind)
    before = {file: (folder / file).read_bytes() for file in left(folder)}
    named = "train-labels" if kind == "missing" else str(path)
    for call in CALLS.values():
        refused(lambda call=call: call("fashion-mnist"), folder, named, "unset COURSE_DATA")
    assert not datasets.present("fashion-mnist") and named in capsys.readouterr().err
    assert {file: (folder / file).read_bytes() for file in left(folder)} == before
    assert mirror.asked == []


@pytest.mark.parametrize("kind", ["truncated", "altered", "empty"])
@pytest.mark.parametrize("form", ["archive", "archive, unzipped", "batches"])
def test_a_damaged_cifar_of_the_users_own(mirror, own, form, kind):
    folder = put(own, CIFAR_FORMS[form](mirror.plain["cifar10"]))
    path = folder / left(folder)[0]
    content = path.read_bytes()
    middle = len(content) // 2
    altered = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
    path.write_bytes({"truncated": content[:middle], "altered": altered, "empty": b""}[kind])
    refused(lambda: datasets.fetch("cifar10"), path, "put the publisher's file there")


def test_an_archive_that_lacks_a_file(mirror, own):
    batches = mirror.plain["cifar10"]
    put(own, {ARCHIVE: tar_of({name: batches[name] for name in batches if name != "test_batch"})})
    refused(lambda: datasets.fetch("cifar10"), "does not hold the publisher's test_batch")


def test_an_archive_whose_file_is_altered(mirror, own):
    batches = mirror.plain["cifar10"]
    put(own, {ARCHIVE: tar_of(batches | {"data_batch_2": batches["data_batch_3"]})})
    refused(lambda: datasets.fetch("cifar10"), ARCHIVE, "damaged or altered")


def test_another_sets_file_in_a_folder_of_the_sets_name(mirror, own):
    put(own / "mnist", mirror.packed["fashion-mnist"])
    refused(lambda: datasets.fetch("mnist"), own / "mnist" / "t10k-images-idx3-ubyte.gz", "damaged or altered")


def test_images_and_labels_exchanged(mirror, own):
    files = mirror.plain["mnist"]
    put(own, files | {"train-labels-idx1-ubyte": files["t10k-labels-idx1-ubyte"]})
    refused(lambda: datasets.fetch("mnist"), own / "train-labels-idx1-ubyte", "has 28 bytes")


def test_a_bomb_is_not_unpacked(mirror, own):
    put(own, {"train-images-idx3-ubyte.gz": gzip.compress(bytes(100_000_000))})
    refused(lambda: datasets.fetch("mnist"), "unpacks to more than the 31,376 bytes")


def test_a_file_too_large_is_not_read(mirror, own):
    with open(own / "train-images-idx3-ubyte", "wb") as file:
        file.truncate(2**40)
    refused(lambda: datasets.fetch("mnist"), "1,099,511,627,776 bytes, more than any form")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_what_is_no_file(mirror, own):
    os.mkfifo(own / "train-images-idx3-ubyte")
    (own / "train-labels-idx1-ubyte.gz").symlink_to("nowhere")
    refused(lambda: datasets.fetch("mnist"), "is no file")


def test_links_that_lead_nowhere(mirror, own):
    put(own, mirror.plain["mnist"])
    for name in ("mnist", "raw", "fashion-mnist"):
        (own / name).symlink_to(own / name)
    (own / "MNIST").symlink_to("nowhere")
    assert datasets.present("mnist")
    refused(lambda: datasets.fetch("fashion-mnist"), "holds fashion-mnist, not train-images")


def test_damage_between_finding_and_reading(mirror, own, monkeypatch):
    put(own, mirror.plain["mnist"])
    found = finding.find("mnist")
    damage(own / "train-images-idx3-ubyte", "altered")
    monkeypatch.setattr("course_utils.datasets.sets.obtain", lambda name: found)
    refused(lambda: datasets.load("mnist", "train"), own / "train-images-idx3-ubyte", "damaged or altered")


# ---- What COURSE_DATA may be


def a_file(own):
    put(own, {"file": b""})
    return str(own / "file")


NAMES = {
    "missing": lambda own: str(own / "typo"),
    "a file": a_file,
    "below a file": lambda own: f"{a_file(own)}/mnist",
    "too long": lambda own: str(own / ("x" * 300)),
    "much too long": lambda own: "/" + "long/" * 2000,
    "nobody's home": lambda own: "~nobody-at-all/data",
    "a user without a home": lambda own: "~nobody/data",
    "with a NUL": lambda own: f"{own}\0",
    "relative": lambda own: "nowhere/data",
    "relative, up": lambda own: "../no such folder",
    "a variable": lambda own: "$HOME/data",
    "quoted": lambda own: f'"{own}"',
    "an address": lambda own: f"file://{own}",
    "white": lambda own: " ",
    "with a line break": lambda own: f"{own}\ntypo",
    "not to be decoded": lambda own: f"{own}\udcff",
    "a loop": lambda own: str(loop(own)),
}


def loop(own):
    (own / "loop").symlink_to(own / "loop")
    return own / "loop"


@pytest.mark.parametrize("kind", NAMES)
def test_course_data_that_names_no_folder(mirror, own, monkeypatch, capsys, kind):
    monkeypatch.setattr(os, "environ", {**os.environ, "COURSE_DATA": NAMES[kind](own)})  # which may hold a NUL
    assert len(refused(datasets.course_data, "COURSE_DATA")) < 700
    for call in CALLS.values():
        refused(lambda call=call: call("mnist"), "COURSE_DATA")
    assert not datasets.present("mnist") and "COURSE_DATA" in capsys.readouterr().err
    assert mirror.asked == []


def test_a_relative_folder_is_taken_from_where_one_is(own, monkeypatch):
    monkeypatch.setenv("COURSE_DATA", own.name)
    monkeypatch.chdir(own.parent)
    assert datasets.course_data() == own
    monkeypatch.chdir(own)
    said = f"no folder that can be read .*: looked for from {re.escape(str(own))}; .* give it whole"
    with pytest.raises(datasets.DataUnavailable, match=said):
        datasets.course_data()


def test_course_data_unset_or_empty(mirror, own, monkeypatch):
    assert datasets.course_data() == own
    monkeypatch.setenv("COURSE_DATA", "")
    assert datasets.course_data() is None
    monkeypatch.delenv("COURSE_DATA")
    assert datasets.course_data() is None


@pytest.fixture
def ordinary():
    """This process as one that may not read everything, also where the tests are root's."""
    if sys.platform == "win32":
        pytest.skip("Windows has other permissions")
    if os.geteuid():
        yield
        return
    os.seteuid(65534)
    yield
    os.seteuid(0)


@pytest.mark.parametrize("mode", [0o000, 0o400, 0o100])
@pytest.mark.parametrize("place", ["own", "own/MNIST", "own/MNIST/raw"])
def test_a_folder_that_cannot_be_entered(mirror, own, tmp_path, capsys, request, place, mode):
    put(own / "MNIST" / "raw", mirror.packed["mnist"])
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_uid == os.geteuid() and folder != Path("/"):
            folder.chmod(folder.stat().st_mode | 0o055)
    folder = tmp_path / place
    folder.chmod(mode)
    try:
        request.getfixturevalue("ordinary")
        for call in CALLS.values():
            refused(lambda call=call: call("mnist"), own, "ermission denied")
        assert not datasets.present("mnist") and "ermission denied" in capsys.readouterr().err
    finally:
        if hasattr(os, "seteuid") and not os.getuid():
            os.seteuid(0)
        folder.chmod(0o700)
    assert mirror.asked == []


def test_a_file_that_cannot_be_read(mirror, own, monkeypatch):
    put(own, mirror.plain["mnist"])

    def broken(*args, **kwargs):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(finding, "open", broken, raising=False)
    refused(lambda: datasets.fetch("mnist"), own / "t10k-images-idx3-ubyte", "Input/output error")


# ---- The cache


def test_files_put_into_the_cache_by_hand_are_taken(mirror):
    put(finding.CACHE / "cifar-10-batches-py", mirror.plain["cifar10"])
    put(finding.CACHE / "MNIST" / "raw", mirror.plain["mnist"])
    assert datasets.present("cifar10") and datasets.present("mnist")
    assert datasets.fetch("cifar10") == finding.CACHE / "cifar-10-batches-py"
    assert mirror.asked == []


def test_course_data_may_name_the_cache(mirror, monkeypatch):
    finding.CACHE.mkdir()
    monkeypatch.setenv("COURSE_DATA", str(finding.CACHE))
    assert datasets.fetch("mnist") == datasets.fetch("mnist") == finding.CACHE / "mnist"
    shutil.rmtree(finding.CACHE / "mnist")
    assert not datasets.present("mnist")
