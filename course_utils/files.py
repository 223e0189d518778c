"""Files that appear whole or not at all, and the folder of the course."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]  # the clone, or site-packages where the package was installed without it


@contextmanager
def appearing(path: Path | str) -> Iterator[Path]:
    """A path beside `path` to write to in the block; at its end that file takes the place of `path`, by renaming.

    Folders on the way are made. If the block raises, nothing is left, and what was at `path` is as it was. An OSError
    of the block or of the renaming names `path`.
    """
    path = Path(path)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")  # of this process: two may write at once
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield part
        with open(part, "rb") as file:
            os.fsync(file.fileno())  # the content before the name: a power cut leaves the old file or the new one
        os.replace(part, path)
    except OSError as error:
        raise OSError(error.errno, f"{path} cannot be written: {error.strerror or error}") from error
    finally:
        with suppress(OSError):
            part.unlink()


def write(path: Path | str, content: str | bytes) -> None:
    """Write text (as UTF-8) or bytes to a file that appears whole or not at all; see `appearing`."""
    with appearing(path) as part:
        part.write_bytes(content.encode() if isinstance(content, str) else content)
