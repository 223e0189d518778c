"""What was handed in is kept: the file that is graded, and those that were handed in before it or beside it."""

import os
import time
from contextlib import suppress
from pathlib import Path

from course_utils.exercises.grading.intake import Unreadable, content
from course_utils.exercises.grading.students import file_name
from course_utils.files import write


def keep(path: Path, others: list[Path], out: Path, student: str) -> None:
    """Keep the file at `path` as `out`/handed-in/STUDENT.ipynb; the one before it and `others` are archived.

    The archive is `out`/archive/STUDENT/, each name with the time of the file. Files of the same bytes are one.
    """
    now, archive = out / "handed-in" / f"{student}.ipynb", out / "archive" / student
    graded = _content(path)
    before = now.read_bytes() if now.exists() else None
    if before is not None and before != graded:
        _add(archive, before, _time(now), now.name)
    if graded is None:
        now.unlink(missing_ok=True)
    elif graded != before:
        write(now, graded)
        os.utime(now, (_time(path), _time(path)))
    for other in others:
        data = _content(other)
        if data is not None and data != graded:
            _add(archive, data, _time(other), other.name)


def _content(path: Path) -> bytes | None:
    """What is in a file; None for one that is too large, a link or the like."""
    with suppress(Unreadable):
        return content(path)
    return None


def _time(path: Path) -> float:
    """When a file was changed; for one in a zip file, when that was."""
    file = next(place for place in (path, *path.parents) if place.exists())
    return min(max(0.0, file.stat().st_mtime), 2.0**32)


def _add(archive: Path, data: bytes, changed: float, name: str) -> None:
    there = list(archive.iterdir()) if archive.exists() else []
    if any(path.stat().st_size == len(data) and path.read_bytes() == data for path in there):
        return
    stem = f"{time.strftime('%Y%m%d-%H%M%S', time.localtime(changed))}-{file_name(name)}"
    number = sum(path.name.startswith(stem) for path in there)
    write(archive / (stem if not number else f"{stem}.{number + 1}"), data)
