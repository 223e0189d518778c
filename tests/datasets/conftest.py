"""Stand-ins in place of the published sets, from a server of our own, with an empty cache."""

import threading
from dataclasses import replace

import pytest
from mirrors import Mirror, facts

from course_utils.datasets import finding, sets
from course_utils.datasets.published import PUBLISHED


@pytest.fixture
def mirror(tmp_path, monkeypatch):
    server = Mirror()
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    for name, files in server.plain.items():
        standing = replace(
            PUBLISHED[name],
            files={file: facts(content) for file, content in files.items()},
            packed={file: facts(content) for file, content in server.packed[name].items()},
            mirrors=(server.address("good", name),),
        )
        monkeypatch.setitem(PUBLISHED, name, standing)
    monkeypatch.setattr(finding, "CACHE", tmp_path / "cache")
    monkeypatch.delenv("COURSE_DATA", raising=False)
    sets._read.cache_clear()
    finding.say.cache_clear()
    yield server
    server.closing.set()
    server.shutdown()
    server.server_close()
    sets._read.cache_clear()


@pytest.fixture
def own(mirror, tmp_path, monkeypatch):
    """An empty folder that COURSE_DATA names."""
    folder = tmp_path / "own"
    folder.mkdir()
    monkeypatch.setenv("COURSE_DATA", str(folder))
    return folder
