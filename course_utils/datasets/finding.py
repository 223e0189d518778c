"""Where the files of a published set lie on this machine, and whether they are the publisher's.

They are looked for in the folder that COURSE_DATA names, then in the repository's ignored data/. Only bytes with the
publisher's MD5 are ever decoded.
"""

import contextlib
import hashlib
import os
import re
import sys
import tarfile
import zlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from course_utils.datasets.published import PUBLISHED, Known, Published
from course_utils.files import ROOT

CACHE = ROOT / "data"
Found = dict[str, Path]  # the file on this machine that holds each of a published set's files, whole


class DataUnavailable(OSError):
    """A data set cannot be had; the message is one line that says why and what to do."""


def course_data() -> Path | None:
    """The folder that COURSE_DATA names, or None where it is unset.

    Raises DataUnavailable, and nothing else, where it names no folder that can be read.
    """
    given = os.environ.get("COURSE_DATA")
    if not given:
        return None
    try:
        relative = not Path(given).expanduser().is_absolute()
        folder = Path(given).expanduser().absolute()
        os.scandir(folder).close()
    except (ValueError, RuntimeError, OSError) as error:  # a NUL, a home folder that is not, all else
        reason = getattr(error, "strerror", None) or error
        mend = "correct it or unset it"
        if isinstance(error, OSError) and relative:
            mend = f"looked for from {shown(Path.cwd())}; notebooks run in folders of their own, so give it whole"
        raise DataUnavailable(
            f"COURSE_DATA names {shown(given)}, which is no folder that can be read ({reason}): {mend}"
        ) from error
    return folder


def shown(path: Path | str) -> str:
    """A path as it can stand in a line, whatever its characters and its length."""
    text = str(path) if str(path).isprintable() else ascii(str(path))
    return text if len(text) <= 300 else f"{text[:150]}...{text[-100:]}"


@cache
def say(line: str) -> None:
    """Print a line on standard error, but not the same one twice."""
    print(line, file=sys.stderr)


def find(name: str) -> Found | None:
    """Where a published set lies whole on this machine, or None where it has to be fetched.

    Raises DataUnavailable for what the user can mend in the folder that COURSE_DATA names: files of the set that are
    damaged or missing, or a form of it that the course does not take, while the cache does not have it either.
    """
    source = PUBLISHED[name]
    own = course_data()
    if own is None:
        return _cached(source)
    found, wrong, others = look(own, source)
    if len(found) == len(source.files):
        return found
    for path, reason in (wrong or _missing(found, source)).items():
        mend = f"put the publisher's file there, move {shown(path.parent)} away, or unset COURSE_DATA"
        raise DataUnavailable(f"{shown(path)} {reason}: {mend}")
    cached = _cached(source)
    line = f"{name} is not in COURSE_DATA in a form that the course takes: {shown(own)} holds {_listed(own, others)}"
    line += f", not {', '.join(source.packed)}, packed or not (data/README.md says where they may lie)"
    if others and not cached:
        raise DataUnavailable(f"{line}: put them there, or unset COURSE_DATA")
    say(line)
    return cached


def _cached(source: Published) -> Found | None:
    """Where a published set lies whole in the cache, or None."""
    with contextlib.suppress(DataUnavailable):
        found, _, _ = look(CACHE, source)
        return found if len(found) == len(source.files) else None
    return None


def _missing(found: Found, source: Published) -> dict[Path, str]:
    """The files that lack where some of a set were found, as they would be called there."""
    if not found:
        return {}
    folder = next(iter(found.values())).parent
    names = [f"{file}.gz" if f"{file}.gz" in source.packed else file for file in source.files if file not in found]
    return {folder / name: "is missing" for name in names}


def _listed(root: Path, paths: list[Path]) -> str:
    """Some paths below a folder, or else what the folder holds, in words."""
    paths = paths or [path for path in sorted(root.iterdir()) if not path.name.startswith(".")]
    names = [shown(path.relative_to(root)) for path in paths[:5]]
    return ", ".join(names or ["nothing"]) + (f" and {len(paths) - 5} more" if len(paths) > 5 else "")


def look(root: Path, source: Published) -> tuple[Found, dict[Path, str], list[Path]]:
    """Look through a folder for a published set: what is found whole, what is wrong and why, what else is of the set.

    Raises DataUnavailable where a folder cannot be read.
    """
    found: Found = {}
    wrong: dict[Path, str] = {}
    others: list[Path] = []
    for path, ours in _entries(root, source, re.match(source.called, root.name.lower()) is not None):
        files = source.names.get(path.name, ())
        if not files:
            alike = path.name.startswith(tuple(f"{name}." for name in source.names))  # data_batch_1.bin
            others += [path] if ours or alike else []
            continue
        try:
            check(path, files, source)
            found = dict.fromkeys(files, path) | found
        except Wrong as error:
            if ours or not _elsewhere(path, source):
                wrong[path] = str(error)
    return found, wrong, others


def _entries(folder: Path, source: Published, ours: bool, depth: int = 3) -> Iterator[tuple[Path, bool]]:
    """What lies in a folder and in those below it that are called like the set, and whether it is surely the set's."""
    try:
        names = sorted(os.listdir(folder))
    except OSError as error:
        raise DataUnavailable(f"{shown(folder)} cannot be read: {error.strerror}") from error
    for name in names:
        called = re.match(source.called, name.lower()) is not None
        if depth and (called or name.lower() == "raw" or name in source.names) and os.path.isdir(folder / name):
            yield from _entries(folder / name, source, ours or called, depth - 1)
        elif not name.startswith("."):
            yield folder / name, ours or called


def _elsewhere(path: Path, source: Published) -> bool:
    """Whether a file is one of another published set: MNIST's and Fashion-MNIST's have the same names."""
    for other in PUBLISHED.values():
        if other is not source and path.name in other.names:
            with contextlib.suppress(Wrong):
                check(path, other.names[path.name], other)
                return True
    return False


# ---- Bytes, checked


class Wrong(Exception):
    """A file is not the publisher's; the message is the rest of a sentence that begins with its name."""


def compare(measured: Known, known: Known) -> None:
    """Raise Wrong unless a file measures what the publisher's does."""
    if measured[0] != known[0]:
        raise Wrong(f"has {measured[0]:,} bytes, the publisher's file {known[0]:,}")
    if measured[1] != known[1]:
        raise Wrong(f"is damaged or altered: its MD5 is not {known[1]}, the publisher's")


def measure(path: Path, most: int) -> Known:
    """The size and the MD5 of a file; Wrong where it cannot be read or has more than `most` bytes."""
    try:
        if not path.is_file():
            raise Wrong("is no file")
        size = path.stat().st_size
        if size > most:
            raise Wrong(f"has {size:,} bytes, more than any form of the publisher's file")
        with open(path, "rb") as file:
            return size, hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    except OSError as error:
        raise Wrong(f"cannot be read: {error.strerror}") from error


def check(path: Path, files: tuple[str, ...], source: Published) -> None:
    """Raise Wrong unless a path holds these files of a published set whole, packed or not."""
    most = sum(source.files[file][0] for file in files) + 2**20  # an archive has headers
    published = [known for name, known in source.packed.items() if source.names[name] == files]
    if measure(path, most) not in published:
        unpack(path, files, source)


def unpack(path: Path, files: tuple[str, ...], source: Published) -> dict[str, bytes]:
    """The bytes of these files of a published set, out of a path that holds them packed or not. Raises Wrong."""
    try:
        if len(files) > 1:
            content = _members(path, source.files)
        else:
            content = {file: _plain(path, source.files[file][0]) for file in files}
    except (OSError, EOFError, ValueError, zlib.error, tarfile.TarError) as error:
        raise Wrong(f"cannot be unpacked: {error}") from error
    for file in files:
        if file not in content:
            raise Wrong(f"does not hold the publisher's {file}")
        compare((len(content[file]), hashlib.md5(content[file], usedforsecurity=False).hexdigest()), source.files[file])
    return content


def _plain(path: Path, size: int) -> bytes:
    """The bytes of a file, of a gzipped one what is in it, but not much more than `size`."""
    content = path.read_bytes()
    if not content.startswith(b"\x1f\x8b"):
        return content
    packed = zlib.decompressobj(wbits=31)
    content = packed.decompress(content, size + 1)
    if len(content) > size:
        raise Wrong(f"unpacks to more than the {size:,} bytes of the publisher's file")
    if not packed.eof:
        raise Wrong("ends too early")
    return content


def _members(path: Path, files: dict[str, Known]) -> dict[str, bytes]:
    """Those members of a tar file, gzipped or not, that have the name and the size of one of these files."""
    content = {}
    with open(path, "rb") as stream:
        packed = stream.read(2) == b"\x1f\x8b"
        stream.seek(0)
        with tarfile.open(fileobj=stream, mode="r|gz" if packed else "r|") as archive:
            for member in archive:
                file = member.name.rpartition("/")[2]
                if file in files and member.size == files[file][0] and (inside := archive.extractfile(member)):
                    content[file] = inside.read()
    return content
