"""Zip files that students hand in: looked into with care, never unpacked to the disk."""

import stat
import struct
import time
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from course_utils.exercises.grading.formats import Unreadable

TABLE = 2**20  # bytes of a zip file's table of contents, some 10,000 members; more is refused
END = b"PK\x05\x06"  # where the record of the end begins; 64-bit archives have one more, for sizes beyond these
END_64 = b"PK\x06\x07"
PLAIN = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # others may ask for gigabytes before the first byte is out


def members(archive: Path) -> dict[str, float]:
    """The files in a zip file, {name: when it was changed, in seconds since 1970}.

    Raises Unreadable for what is no zip file, has a password, or has a way out of itself in a name.
    """
    with _opened(archive) as opened:
        files = [info for info in opened.infolist() if not info.is_dir() and not stat.S_ISLNK(info.external_attr >> 16)]
    if any(info.flag_bits & 1 for info in files):
        raise Unreadable("It is locked with a password, so that nothing in it can be read.")
    names = [_name(info) for info in files]
    if any(name.startswith("/") or ".." in PurePosixPath(name).parts for name in names):
        raise Unreadable("It has files that would lie outside of it, so that nothing in it was read.")
    there = zip(names, files, strict=True)
    return {name: time.mktime((*info.date_time, 0, 0, -1)) for name, info in there if _fits(name)}


def _fits(name: str) -> bool:
    """Whether a file may have such a name on a disk."""
    return len(name.encode()) < 2_000 and all(len(part.encode()) <= 255 for part in name.split("/"))


def member(archive: Path, name: str, limit: int) -> bytes:
    """A file out of a zip file, up to one byte more than `limit`. Raises Unreadable."""
    with _opened(archive) as opened:
        info = next((info for info in reversed(opened.infolist()) if _name(info) == name), None)
        if info is None or info.compress_type not in PLAIN:
            raise Unreadable("The notebook in the zip file cannot be unpacked.")
        try:
            with opened.open(info) as file:
                return file.read(limit + 1)
        except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, RuntimeError, NotImplementedError):
            raise Unreadable("The notebook in the zip file cannot be unpacked: it is damaged or locked.") from None


def _opened(archive: Path) -> zipfile.ZipFile:
    """A zip file of a reasonable number of members. Raises Unreadable."""
    try:
        with archive.open("rb") as file:
            file.seek(max(0, archive.stat().st_size - 2**16 - 64))
            tail = file.read()
        place = tail.rfind(END)
        if place >= 0 and (END_64 in tail or struct.unpack_from("<I", tail, place + 12)[0] > TABLE):
            raise Unreadable("It is a zip file with far too many files in it.")
        return zipfile.ZipFile(archive)
    except (zipfile.BadZipFile, struct.error, ValueError, NotImplementedError):
        raise Unreadable("It is no zip file, or one that is cut short or damaged.") from None
    except OSError as error:
        raise Unreadable(f"It cannot be opened: {error.strerror or type(error).__name__}.") from None


def _name(info: zipfile.ZipInfo) -> str:
    """A member's name; some Windows programs write other slashes."""
    return PurePosixPath(info.filename.replace("\\", "/")).as_posix()
