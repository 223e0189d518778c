"""Files that appear whole or not at all."""

import errno
import multiprocessing
import os

import pytest

from course_utils.files import ROOT, appearing, write


def test_text_and_bytes(tmp_path):
    write(tmp_path / "new" / "folder" / "text.md", "größer\n")
    write(str(tmp_path / "bytes"), b"\0\1")
    assert (tmp_path / "new" / "folder" / "text.md").read_text(encoding="utf-8") == "größer\n"
    assert (tmp_path / "bytes").read_bytes() == b"\0\1"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bytes", "new"]


def test_the_mode_is_that_of_any_new_file(tmp_path):
    write(tmp_path / "ours", "x")
    (tmp_path / "plain").write_text("x")
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "plain").stat().st_mode


@pytest.mark.parametrize("error", [RuntimeError("bug"), KeyboardInterrupt()])
def test_what_was_there_stays_if_the_block_raises(tmp_path, error):
    path = tmp_path / "file"
    path.write_text("before")
    with pytest.raises(type(error)), appearing(path) as part:
        part.write_text("half")
        raise error
    assert path.read_text() == "before"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("name", ["fsync", "replace"])
def test_a_full_disk_names_the_file(tmp_path, monkeypatch, name):
    def full(*given):
        raise OSError(errno.ENOSPC, "No space left on device")

    path = tmp_path / "file"
    path.write_text("before")
    monkeypatch.setattr(os, name, full)
    with pytest.raises(OSError, match="file cannot be written: No space left on device") as refusal:
        write(path, "after")
    assert refusal.value.errno == errno.ENOSPC
    assert path.read_text() == "before"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_place_where_nothing_can_be_written(tmp_path):
    (tmp_path / "file").write_text("in the way")
    for path in (tmp_path / "file" / "below", tmp_path / ("x" * 300)):
        with pytest.raises(OSError, match="cannot be written: "):
            write(path, "text")
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="cannot be written: "):
        write(tmp_path / "folder", "text")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]


def test_the_root_is_the_clone():
    assert (ROOT / "pyproject.toml").exists()


def test_two_that_write_at_once_leave_one_whole_file(tmp_path):
    context = multiprocessing.get_context("spawn")
    texts = [letter * 300_000 for letter in "ab"]
    processes = [context.Process(target=write_often, args=(tmp_path / "file", text)) for text in texts]
    for process in processes:
        process.start()
    seen = set()
    while any(process.is_alive() for process in processes):
        if (tmp_path / "file").exists():
            seen.add((tmp_path / "file").read_text())
    assert [process.exitcode for process in processes] == [0, 0]
    assert seen <= set(texts) and seen
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def write_often(path, text):
    for _ in range(30):
        write(path, text)
