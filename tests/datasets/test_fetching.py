"""Published sets out of the network: mirrors that fail in every way, full disks, interruptions, two at once."""

import errno
import io
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest
from filelock import FileLock
from mirrors import ARCHIVE, damage, left, put, refused

from course_utils import datasets, notebook
from course_utils.datasets import fetching, finding
from course_utils.datasets.published import PUBLISHED

PACKED = {"fashion-mnist": [f"{file}.gz" for file in sorted(PUBLISHED["mnist"].files)], "cifar10": [ARCHIVE]}


def use(monkeypatch, name, *mirrors):
    """Let a stand-in come from these mirrors; the timeout is short only where one of them hangs."""
    if any("/hang/" in mirror or "/stall/" in mirror for mirror in mirrors):
        monkeypatch.setattr(fetching, "TIMEOUT", 0.4)
    monkeypatch.setitem(PUBLISHED, name, replace(PUBLISHED[name], mirrors=mirrors))


def test_fetch_load_and_fetch_again(mirror):
    assert not datasets.present("fashion-mnist")
    folder = datasets.fetch("fashion-mnist")
    assert folder == finding.CACHE / "fashion-mnist"
    assert left(finding.CACHE) == PACKED["fashion-mnist"]
    assert datasets.present("fashion-mnist")
    asked = len(mirror.asked)
    data = datasets.load("fashion-mnist", "train")
    assert asked == len(mirror.asked) == 4
    assert data.images.shape == (40, 1, 28, 28) and data.classes[9] == "Ankle boot"  # of four a class, none is held out
    assert data.images.numpy().tobytes() == mirror.plain["fashion-mnist"]["train-images-idx3-ubyte"][16:]
    for words in ("4 files in", "checksums right"):
        assert words in datasets.describe("fashion-mnist")


def test_cifar_is_read_out_of_its_archive(mirror):
    data = datasets.load("cifar10", "test")
    assert left(finding.CACHE) == [ARCHIVE]
    assert data.images.shape == (20, 3, 32, 32) and data.labels.tolist() == list(range(10)) * 2
    assert len(datasets.load("cifar10", "train")) == 90 and len(datasets.load("cifar10", "validation")) == 10
    assert len(mirror.asked) == 1
    assert "1 file in" in datasets.describe("cifar10")


@pytest.mark.parametrize("kind", ["truncated", "altered", "empty", "missing"])
@pytest.mark.parametrize("name", PACKED)
def test_a_damaged_file_in_the_cache_is_fetched_again(mirror, name, kind):
    folder = datasets.fetch(name)
    mirror.asked.clear()
    file = PACKED[name][-1]
    if kind == "truncated":  # so that not even the files inside are whole
        (folder / file).write_bytes((folder / file).read_bytes()[:30])
    else:
        damage(folder / file, kind)
    whole = name == "cifar10" and kind == "altered"  # its last byte is the archive's own
    assert datasets.present(name) == whole
    datasets.fetch(name)
    assert mirror.asked == [("good", file)] * (not whole)
    if not whole:
        assert (folder / file).read_bytes() == mirror.packed[name][file]


def test_damage_that_comes_after_a_load_does_not_get_in(mirror):
    folder = datasets.fetch("fashion-mnist")
    before = datasets.load("fashion-mnist", "test")
    damage(folder / "t10k-images-idx3-ubyte.gz", "altered")
    after = datasets.load("fashion-mnist", "test")
    assert after.images.equal(before.images)
    path = folder / "t10k-images-idx3-ubyte.gz"
    assert path.read_bytes() == mirror.packed["fashion-mnist"]["t10k-images-idx3-ubyte.gz"]


@pytest.mark.parametrize("kind", ["html", "short", "cut", "altered", "gone", "broken", "hang", "stall", "long"])
@pytest.mark.parametrize("name", PACKED)
def test_the_next_mirror_is_tried(mirror, monkeypatch, name, kind):
    use(monkeypatch, name, mirror.address(kind, name), mirror.address("good", name))
    datasets.fetch(name)
    assert left(finding.CACHE) == PACKED[name]


@pytest.mark.parametrize(
    ("kind", "word"),
    [
        ("html", "what came has 42 bytes"),
        ("short", "the publisher's file"),
        ("cut", "bytes"),
        ("altered", "what came is damaged or altered"),
        ("gone", "404"),
        ("broken", "503"),
        ("hang", "timed out"),
        ("stall", "timed out"),
        ("long", "what came is longer than the publisher's file"),
    ],
)
def test_no_good_mirror_is_one_clear_line_and_leaves_nothing(mirror, monkeypatch, kind, word):
    use(monkeypatch, "fashion-mnist", mirror.address(kind, "fashion-mnist"))
    refused(lambda: datasets.load("fashion-mnist", "train"), "go online and try again", "COURSE_DATA", word)
    assert left(finding.CACHE) == []
    assert len(mirror.asked) == 2  # each mirror has two chances


def test_no_more_is_kept_than_the_size(mirror, monkeypatch):
    use(monkeypatch, "fashion-mnist", mirror.address("long", "fashion-mnist"))
    sizes = []

    class Watched(fetching._Limited):
        def write(self, piece):
            sizes.append(len(piece))
            super().write(piece)

    monkeypatch.setattr(fetching, "_Limited", Watched)
    refused(lambda: datasets.fetch("fashion-mnist"))
    size = len(mirror.packed["fashion-mnist"]["train-images-idx3-ubyte.gz"])
    assert sum(sizes) / 2 <= size + 2**16  # in two tries, of 4,000,000 bytes too many


def test_a_server_that_would_unpack_is_told_not_to(mirror, monkeypatch):
    use(monkeypatch, "fashion-mnist", mirror.address("unpacked", "fashion-mnist"))
    assert left(datasets.fetch("fashion-mnist")) == PACKED["fashion-mnist"]


NO_NETWORK = {
    "nobody listens": "http://127.0.0.1:9/",
    "no such host": "http://no-such-host.invalid/",
    "no such protocol": "gopher://127.0.0.1/",
    "no address": "http://[::1/",
    "not encrypted": "https://127.0.0.1:{port}/",
}


@pytest.mark.parametrize("kind", NO_NETWORK)
def test_no_network(mirror, monkeypatch, kind):
    use(monkeypatch, "fashion-mnist", NO_NETWORK[kind].format(port=mirror.server_port))
    line = refused(lambda: datasets.fetch("fashion-mnist"), "could not be fetched", "COURSE_DATA")
    assert len(line) < 600 and "Max retries" not in line
    assert left(finding.CACHE) == []


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("http_proxy", "http://127.0.0.1:9"),
        ("http_proxy", "http://["),
        ("http_proxy", "socks5://127.0.0.1:9"),
        ("http_proxy", "nonsense:port"),
        ("REQUESTS_CA_BUNDLE", "/nowhere/ca.pem"),
    ],
)
def test_odd_settings_of_the_network(mirror, monkeypatch, variable, value):
    monkeypatch.setenv(variable, value)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    if variable == "REQUESTS_CA_BUNDLE":
        use(monkeypatch, "fashion-mnist", "https://127.0.0.1:9/")
    refused(lambda: datasets.fetch("fashion-mnist"), "could not be fetched", "go online")
    assert left(finding.CACHE) == []


def test_files_fetched_before_a_failure_stay_and_count(mirror, monkeypatch):
    datasets.fetch("fashion-mnist")
    damage(finding.CACHE / "fashion-mnist" / "t10k-labels-idx1-ubyte.gz", "missing")
    use(monkeypatch, "fashion-mnist", mirror.address("gone", "fashion-mnist"))
    refused(lambda: datasets.fetch("fashion-mnist"), "could not be fetched (t10k-labels-idx1-ubyte.gz")
    assert len(left(finding.CACHE)) == 3


def test_what_is_in_the_cache_unpacked_is_not_fetched(mirror):
    files = mirror.plain["mnist"]
    put(finding.CACHE / "mnist", {name: files[name] for name in files if name.startswith("train")})
    datasets.fetch("mnist")
    assert [file for _, file in mirror.asked] == ["t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"]


class FullDisk(io.BytesIO):
    def write(self, content):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class LateFullDisk(FullDisk):
    """One that says so only when its buffer is emptied."""

    def write(self, content):
        return len(content)

    def close(self):
        super().close()
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("disk", [FullDisk, LateFullDisk])
@pytest.mark.parametrize("name", PACKED)
def test_a_full_disk(mirror, monkeypatch, name, disk):
    monkeypatch.setattr(fetching, "open", lambda path, mode: disk(), raising=False)
    refused(lambda: datasets.fetch(name), "No space left on device", "make room", "COURSE_DATA")
    assert left(finding.CACHE) == []
    assert len(mirror.asked) == 1  # another mirror would not help


def test_a_cache_that_cannot_be_written(mirror, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setattr(finding, "CACHE", tmp_path / "file")
    refused(lambda: datasets.fetch("fashion-mnist"), "cannot be kept", tmp_path / "file", "COURSE_DATA")


def test_a_file_in_the_way_of_the_sets_folder(mirror):
    put(finding.CACHE, {"fashion-mnist": b"in the way"})
    refused(lambda: datasets.fetch("fashion-mnist"), "cannot be kept", finding.CACHE / "fashion-mnist")
    assert (finding.CACHE / "fashion-mnist").read_bytes() == b"in the way"


@pytest.mark.parametrize("name", PACKED)
def test_an_interrupted_fetch_leaves_nothing(mirror, monkeypatch, name):
    class Interrupted(fetching._Limited):
        def write(self, piece):
            super().write(piece[:10])
            assert left(finding.CACHE)
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(fetching, "_Limited", Interrupted)
        with pytest.raises(KeyboardInterrupt):
            datasets.fetch(name)
    assert left(finding.CACHE) == []
    assert left(datasets.fetch(name)) == PACKED[name]


# ---- Other processes


def program(name, call="print(len(datasets.load({name!r}, 'test')))"):
    """A Python program that knows the stand-ins of this process."""
    known = PUBLISHED[name]
    facts = f"files={known.files!r}, packed={known.packed!r}, mirrors={known.mirrors!r}"
    return f"""
from dataclasses import replace
from pathlib import Path
from course_utils import datasets
from course_utils.datasets import finding
from course_utils.datasets.published import PUBLISHED
finding.CACHE = Path({str(finding.CACHE)!r})
PUBLISHED[{name!r}] = replace(PUBLISHED[{name!r}], {facts})
{call.format(name=name)}
"""


def start(source):
    return subprocess.Popen([sys.executable, "-c", source], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_processes_at_once_wait_for_each_other_and_fetch_once(mirror):
    finding.CACHE.mkdir()
    with FileLock(finding.CACHE / ".lock"):
        several = [start(program("fashion-mnist")) for _ in range(2)]
        for process in several:
            assert process.stderr.readline() == "another process is fetching data: waiting for it\n"
    for process in several:
        out, error = process.communicate(timeout=120)
        assert (process.returncode, out) == (0, "20\n"), error
    assert sorted(file for _, file in mirror.asked) == PACKED["fashion-mnist"]
    assert left(finding.CACHE) == PACKED["fashion-mnist"]


def test_a_process_that_fetches_for_ever_is_not_waited_for_as_long(mirror, monkeypatch):
    monkeypatch.setattr(fetching, "PATIENCE", 0.2)
    finding.CACHE.mkdir()
    with FileLock(finding.CACHE / ".lock"):
        refused(lambda: datasets.fetch("mnist"), "another process has held", finding.CACHE / ".lock")
    assert left(datasets.fetch("mnist"))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows knows no SIGKILL")
@pytest.mark.parametrize("how", ["SIGKILL", "SIGINT", "SIGTERM"])
def test_a_fetch_goes_on_after_a_process_that_was_killed(mirror, monkeypatch, how):
    use(monkeypatch, "cifar10", mirror.address("stall", "cifar10"))
    process = start(program("cifar10", "datasets.fetch({name!r})"))

    def parts():
        return list(finding.CACHE.glob(f"cifar-10/.{ARCHIVE}.*part"))

    deadline = time.monotonic() + 60
    while not parts() or not mirror.asked:
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.02)
    process.send_signal(getattr(signal, how))
    process.communicate(timeout=60)
    assert not datasets.present("cifar10")
    assert how == "SIGINT" or parts()  # nobody can tidy up after SIGKILL
    use(monkeypatch, "cifar10", mirror.address("good", "cifar10"))
    assert left(datasets.fetch("cifar10")) == [ARCHIVE]


def test_a_chapter_goes_on_with_embedded_data(mirror, monkeypatch, capsys):
    use(monkeypatch, "fashion-mnist", mirror.address("gone", "fashion-mnist"))
    monkeypatch.setenv("COURSE_PROFILE", "full")
    chosen = notebook.profile(quick="digits", full="fashion-mnist")
    assert (chosen.name, chosen.data, chosen.recipe) == ("quick", "digits", "quick")
    said = capsys.readouterr().out
    assert said.count("\n") == 1 and "goes on with the embedded digits" in said


@pytest.mark.parametrize("value", ["/nowhere/at/all", "~nobody-at-all/x", "/x\0y", "relative", "/" + "x" * 5000])
def test_a_chapter_goes_on_where_course_data_is_wrong(mirror, monkeypatch, capsys, value):
    monkeypatch.setattr(os, "environ", {**os.environ, "COURSE_PROFILE": "full", "COURSE_DATA": value})
    assert notebook.profile(quick="digits", full="fashion-mnist").data == "digits"
    said = capsys.readouterr().out
    assert said.count("\n") == 1 and "COURSE_DATA" in said


def test_pooch_is_not_imported_before_it_fetches_nor_scipy_before_an_interval():
    heavy = "pooch requests sklearn matplotlib torchvision IPython scipy pandas"
    code = "import sys, course_utils.datasets, course_utils.training; "
    code += f"print([m for m in {heavy.split()!r} if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "[]\n"
