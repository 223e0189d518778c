"""Class releases: nbgrader takes the solutions out of a master and locks what students shall not change."""

import logging
import os
import signal
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from course_utils.exercises.masters import CODE_STUB, TEXT_STUB, master, masters
from course_utils.files import appearing, write

if TYPE_CHECKING:
    from nbgrader.coursedir import CourseDirectory


@contextmanager
def nbgrader() -> Iterator[None]:
    """nbgrader's environment: it looks for `alembic` on the PATH. Raises ValueError where nbgrader is not installed."""
    try:
        import nbgrader  # noqa: F401
    except ImportError:
        raise ValueError('release and grade need nbgrader: pip install -e ".[grade]"') from None
    path = os.environ["PATH"]
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{path}"
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Object of type .* not in session")  # of its gradebook, harmless
            yield
    finally:
        os.environ["PATH"] = path


def quiet() -> logging.Logger:
    """A logger for nbgrader that lets errors through only, and not that somebody interrupted it."""
    logger = logging.getLogger("course_utils.nbgrader")
    logger.setLevel(logging.ERROR)
    logger.addFilter(_not_canceled)
    return logger


def _not_canceled(record: logging.LogRecord) -> bool:
    return record.msg != "Canceled"


def course_directory(root: Path, topic: str, student: str = ".") -> "CourseDirectory":
    """nbgrader's view of a course folder with one assignment of one notebook, both called `topic`."""
    from nbgrader.coursedir import CourseDirectory

    return CourseDirectory(root=str(root), assignment_id=topic, notebook_id=topic, student_id=student, log=quiet())


def _gradebook(path: Path) -> None:
    """Make nbgrader's database if it is not there: whole or not at all, for nbgrader never mends half a one."""
    from nbgrader.api import Gradebook

    if not path.exists():
        with _uninterrupted(), appearing(path) as part:
            Gradebook(f"sqlite:///{part}").close()


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Ctrl-C waits for the end of the block: a process that the block starts would answer it with a traceback."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def generate(path: Path, root: Path) -> Path:
    """Make the class version of the master at `path` in nbgrader's course folder `root`; returns where it is.

    Raises ValueError for a master that nbgrader refuses.
    """
    from nbgrader.converters import GenerateAssignment, NbGraderException
    from traitlets.config import Config

    topic = path.stem
    _gradebook(root / "gradebook.db")
    write(root / "source" / topic / path.name, path.read_bytes())
    config = Config()
    config.ClearSolutions.code_stub = {"python": CODE_STUB}
    config.ClearSolutions.text_stub = TEXT_STUB
    try:
        GenerateAssignment(coursedir=course_directory(root, topic), config=config, force=True, log=quiet()).start()
    except NbGraderException:
        raise ValueError(f"{path} is no master that nbgrader can make a class version of; it says why above") from None
    return root / "release" / topic / path.name


def release(chapter: str, out: Path | str) -> None:
    """Write the class version of a chapter's exercises, or of "all", to the folder `out`.

    Raises ValueError for a chapter without exercises and where nbgrader is not installed.
    """
    chosen = list(masters().values()) if chapter == "all" else [master(chapter)]
    with nbgrader(), tempfile.TemporaryDirectory() as root:
        made = [generate(path, Path(root)) for path in chosen]
        for path in made:
            write(Path(out) / path.name, path.read_bytes())
            print(Path(out) / path.name)
