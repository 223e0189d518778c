"""Tiny stand-ins for the published sets, and a server of our own that gives them, or fails as real ones do."""

import gzip
import hashlib
import http.server
import io
import pickle
import tarfile
import threading

import numpy as np
import pytest

from course_utils.datasets import DataUnavailable
from course_utils.datasets.published import PUBLISHED

ARCHIVE = "cifar-10-python.tar.gz"


def facts(content):
    return len(content), hashlib.md5(content).hexdigest()


def idx_files(rng):
    """A set in MNIST's format: 40 training and 20 test images."""
    files = {}
    for prefix, count in (("train", 40), ("t10k", 20)):
        images = rng.integers(0, 256, (count, 28, 28), np.uint8)
        labels = np.arange(count, dtype=np.uint8) % 10
        files[f"{prefix}-images-idx3-ubyte"] = rng.bytes(16) + images.tobytes()
        files[f"{prefix}-labels-idx1-ubyte"] = rng.bytes(8) + labels.tobytes()
    return files


def cifar_files(rng):
    """A CIFAR-10 of twenty images a batch."""
    files = {}
    for name in PUBLISHED["cifar10"].files:
        batch = {b"data": rng.integers(0, 256, (20, 3072), np.uint8), b"labels": list(range(10)) * 2}
        content = pickle.dumps(batch, protocol=3)
        files[name] = content.replace(b"numpy._core.multiarray", b"numpy.core.multiarray")  # as old NumPy named it
    return files


def packed(name, files):
    """A set's files as its mirrors hold them."""
    if name == "cifar10":
        return {ARCHIVE: tar_of({"readme.html": b"<html>"} | files)}
    return {f"{file}.gz": gzip.compress(content, mtime=0) for file, content in files.items()}


def tar_of(files, mode="w:gz", folder="cifar-10-batches-py/"):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(f"{folder}{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return stream.getvalue()


class Mirror(http.server.ThreadingHTTPServer):
    """Serves /good/SET/ and /slow/SET/, and the ways to fail: see `Answer`. Notes what was asked for.

    `plain` and `packed` hold each set's files by name. Closing the server ends the answers that hang.
    """

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Answer)
        rng = np.random.default_rng(0)
        self.plain = {"mnist": idx_files(rng), "fashion-mnist": idx_files(rng), "cifar10": cifar_files(rng)}
        self.packed = {name: packed(name, files) for name, files in self.plain.items()}
        self.asked, self.closing = [], threading.Event()

    def address(self, kind, name):
        return f"http://127.0.0.1:{self.server_port}/{kind}/{name}/"


class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        _, kind, name, file = self.path.split("/")
        self.server.asked.append((kind, file))
        content = self.server.packed[name][file]
        if kind == "hang":
            self.server.closing.wait(10)
            return
        if kind == "slow":
            self.server.closing.wait(0.4)
        answer = {
            "long": content + bytes(4_000_000),
            "html": b"<html>Sign in to the campus network</html>",
            "short": content[:-10],
            "cut": content[:-10],
            "stall": content[:-10],
            "altered": content[:-1] + bytes([content[-1] ^ 1]),
            "gone": b"",
            "unpacked": content,
        }.get(kind, content)
        self.send_response({"gone": 404, "broken": 503}.get(kind, 200))
        self.send_header("Content-Length", str(len(content) if kind in ("cut", "stall") else len(answer)))
        if kind == "unpacked" and "gzip" in self.headers.get("Accept-Encoding", ""):
            self.send_header("Content-Encoding", "gzip")  # a client that says it can will unpack what comes
        self.end_headers()
        self.wfile.write(answer)
        if kind == "stall":
            self.server.closing.wait(10)

    def log_message(self, *args):
        pass


def left(folder):
    """Names of the files and the empty folders under a folder, without the lock."""
    found = (path for path in folder.rglob("*") if path.is_file() or not any(path.iterdir()))
    return sorted(path.name for path in found if path.name != ".lock")


def put(folder, files):
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def damage(path, kind):
    content = path.read_bytes()
    if kind == "missing":
        path.unlink()
    else:
        path.write_bytes({"truncated": content[:-5], "altered": content[:-1] + b"x", "empty": b""}[kind])


def refused(call, *words):
    """The call raises DataUnavailable with one line in which all the words stand; returns the line."""
    with pytest.raises(DataUnavailable) as caught:
        call()
    message = str(caught.value)
    assert message.isprintable()  # no line break, and nothing that a terminal cannot show
    for word in words:
        assert str(word) in message
    return message
