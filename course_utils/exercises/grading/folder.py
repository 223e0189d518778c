"""The folder of a batch: one grader at a time is at work in it, and its seed stands in there."""

import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from course_utils.files import write


@contextmanager
def alone(out: Path) -> Iterator[None]:
    """One grader at a time in a folder, which is made; it goes again if nothing was kept in it.

    Raises ValueError where another grader is at work in it, and OSError for a folder that cannot be written to.
    """
    made, lock = not out.exists(), FileLock(out / ".lock", timeout=0)
    out.mkdir(parents=True, exist_ok=True)
    try:
        lock.acquire()
    except Timeout:
        raise ValueError(f"another grader is at work in {out}: wait for its end, or name another folder") from None
    except NotImplementedError as error:
        raise ValueError(f"{out} lies where files cannot be locked ({error}): name another folder") from None
    try:
        yield
    finally:
        if made and [path.name for path in out.iterdir()] == [".lock"]:
            with suppress(OSError):
                (out / ".lock").unlink()
                out.rmdir()
        lock.release()


def seed_of(chapter: str, out: Path) -> int:
    """The seed of the batch in `out`, drawn when it is graded for the first time.

    Raises ValueError for the folder of another chapter, and for a damaged batch.json.
    """
    record = out / "batch.json"
    if not record.exists():
        write(record, json.dumps({"chapter": chapter, "seed": secrets.randbits(48)}) + "\n")
    try:
        batch = json.loads(record.read_text(encoding="utf-8"))
        known, seed = str(batch["chapter"]), batch["seed"]
        if type(seed) is not int or seed < 0:
            raise ValueError(seed)
    except (ValueError, LookupError, TypeError, RecursionError):
        raise ValueError(f"{record} is damaged; restore it from a copy, or grade into a new folder") from None
    if known != chapter:
        raise ValueError(f"{out} holds the grades of chapter {known}; expected a folder for {chapter}")
    return seed
