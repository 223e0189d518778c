"""Published sets out of the network: several mirrors, checked, kept whole or not at all, one process at a time."""

import contextlib
import sys
from pathlib import Path

from filelock import FileLock, Timeout

from course_utils.datasets import finding
from course_utils.datasets.finding import DataUnavailable, Found, Wrong, compare, find, look, measure, shown
from course_utils.datasets.published import PUBLISHED, Known
from course_utils.files import appearing

TIMEOUT = 15  # seconds without a byte after which a mirror is given up
PATIENCE = 3600  # seconds to wait for another process that fetches


class FetchFailed(Exception):
    """Nothing came, or not the right thing; the message says why."""


def obtain(name: str) -> Found:
    """Where a published set lies whole, fetched if it has to be. Raises DataUnavailable where it cannot be had."""
    return find(name) or _download(name)


def _download(name: str) -> Found:
    """Fetch what the cache lacks of a published set. Nothing half-done stays behind; a second process waits."""
    source, cache = PUBLISHED[name], finding.CACHE
    folder = cache / source.folder
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with _alone(cache):
            for forgotten in folder.glob(".*.part"):  # by a process that was killed
                forgotten.unlink()
            found, _, _ = look(cache, source)
            for packed, known in source.packed.items():
                if not found.keys() >= set(source.names[packed]):
                    with appearing(folder / packed) as part:
                        _fetch(packed, source.mirrors, part, known)
        found, _, _ = look(cache, source)
        return found
    except FetchFailed as error:
        raise DataUnavailable(
            f"{name} could not be fetched ({error}): go online and try again, "
            "or put its files in a folder and name that in COURSE_DATA (data/README.md says how they lie)"
        ) from error
    except OSError as error:
        raise DataUnavailable(
            f"{name} cannot be kept in {shown(folder)}: {error.strerror or error}; "
            "make room there, or put its files in a folder and name that in COURSE_DATA"
        ) from error
    finally:
        with contextlib.suppress(OSError):
            folder.rmdir()  # if it is empty, for nothing came


@contextlib.contextmanager
def _alone(cache: Path):
    """A block that one process at a time is in; another one says that it waits."""
    lock = FileLock(cache / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        print("another process is fetching data: waiting for it", file=sys.stderr)
        try:
            lock.acquire(timeout=PATIENCE)
        except Timeout:
            raise FetchFailed(f"another process has held {shown(cache / '.lock')} for {PATIENCE} seconds") from None
    try:
        yield
    finally:
        lock.release()


def _fetch(file: str, mirrors: tuple[str, ...], part: Path, known: Known) -> None:
    """Write a file, checked, to `part`, from the first mirror that has it; each is tried twice."""
    failures = {}
    for mirror in mirrors * 2:
        try:
            _copy(mirror + file, part, known[0])
            compare(measure(part, known[0]), known)
            return
        except Wrong as error:
            failures[mirror] = f"what came {error}"
        except FetchFailed as error:
            failures[mirror] = str(error)
    raise FetchFailed(f"{file}: " + "; ".join(f"{mirror}: {reason}" for mirror, reason in failures.items()))


class _Limited:
    """A file that takes no more than `size` bytes; keeps the error that its disk gave."""

    def __init__(self, file, size: int):
        self.file, self.left, self.failure = file, size, None

    def write(self, piece: bytes) -> None:
        self.left -= len(piece)
        if self.left < 0:
            raise Wrong(f"is longer than the publisher's file by {-self.left:,} bytes or more")
        try:
            self.file.write(piece)
        except OSError as error:
            self.failure = error
            raise

    def flush(self) -> None:
        """What the file's buffer holds is written when it is closed."""


def _copy(address: str, path: Path, size: int) -> None:
    """Write what an address holds to a file, with a progress bar; FetchFailed for all that goes wrong on the way."""
    import pooch
    from tqdm.auto import tqdm

    name = address.rpartition("/")[2]
    with open(path, "wb") as file, tqdm(total=size, unit="B", unit_scale=True, desc=name, leave=False) as bar:
        as_it_is = {"Accept-Encoding": "identity"}  # or a .gz file may come unpacked
        download = pooch.HTTPDownloader(bar, chunk_size=2**16, timeout=TIMEOUT, headers=as_it_is)  # pyright: ignore
        out = _Limited(file, size)
        try:
            download(address, out, None)
        except OSError as error:  # requests' exceptions among them
            if error is out.failure:
                raise
            raise FetchFailed(_reason(error)) from error


def _reason(error: BaseException) -> str:
    """Why, in a line: what lies at the bottom of requests' nested exceptions."""
    while below := error.__cause__ or error.__context__:
        error = below
    return " ".join(str(error).split()) or type(error).__name__
