"""nbgrader's gradebook: points by question, and what a teacher marked by hand; and what keeps it from being written."""

import logging
import os
import signal
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
from nbformat import NotebookNode

from course_utils.command_line import one_line
from course_utils.exercises.grading.report import Row
from course_utils.files import appearing, write

if TYPE_CHECKING:
    from nbgrader.coursedir import CourseDirectory

LONGEST = 440  # bytes of a path: SQLite takes 512 for a file, with what it adds while it writes

FORBIDDEN = """\
# Made by `python -m course_utils grade`. nbgrader by itself would run submissions as you, outside of the sandbox.
from pathlib import Path

from nbgrader.converters import Autograde, NbGraderException
from nbgrader.preprocessors import Execute
from sqlalchemy.engine import URL


def refuse(self, *arguments, **more):
    sentence = "Nothing was run: it would run outside of the sandbox. Grade with: python -m course_utils grade --help"
    self.log.error(sentence)
    raise NbGraderException(sentence)


Autograde.start = Execute.preprocess = refuse

c = get_config()
database = Path(__file__).resolve().with_name("gradebook.db")
c.CourseDirectory.db_url = URL.create("sqlite", database=str(database)).render_as_string()
"""


def refuse_folder(out: Path) -> None:
    """Raises ValueError for a folder in which nbgrader or its database cannot work."""
    length = len(os.fsencode(out))
    if length > LONGEST:
        raise ValueError(f"a path of {length} bytes is too long for a gradebook; expected at most {LONGEST}: {out}")
    if set("*?[]") & set(str(out)):
        raise ValueError(f"{out}: nbgrader cannot work in a folder that has one of * ? [ ] in its path; name another")


def address(path: Path) -> str:
    """The URL of the database at `path`. Raises ValueError for a path that it cannot name, whole and unchanged."""
    from sqlalchemy.engine import URL, make_url

    url = URL.create("sqlite", database=str(path)).render_as_string()
    if make_url(url).database != str(path):
        raise ValueError(f"{path}: nbgrader cannot work in a folder with such letters in its path; name another")
    return url


def course_directory(root: Path, topic: str, student: str, log: logging.Logger) -> "CourseDirectory":
    """nbgrader's view of a course folder with one assignment of one notebook, both called `topic`."""
    from nbgrader.coursedir import CourseDirectory

    names = {"assignment_id": topic, "notebook_id": topic, "student_id": student}
    return CourseDirectory(root=str(root), db_url=address(root / "gradebook.db"), log=log, **names)


def prepare(root: Path) -> None:
    """Make the gradebook in `root`, whole or not at all, for nbgrader never mends half a one; or look through it.

    Raises ValueError, in one line, for one that is damaged or cannot be used.
    """
    from nbgrader.api import Gradebook

    path = root / "gradebook.db"
    if not path.exists():
        try:
            with _uninterrupted(), appearing(path) as part:
                Gradebook(address(part)).close()
        except Exception as error:
            raise ValueError(reason(error, root)) from None
    try:
        with closing(sqlite3.connect(path)) as opened:
            (found,) = opened.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.OperationalError as error:
        raise ValueError(f"{path}: {error}") from None
    except sqlite3.DatabaseError as error:
        found = str(error)
    if found != "ok":
        raise ValueError(f"{path} is damaged ({one_line(found)}); restore it, or grade into a new folder")


def forbid(root: Path) -> None:
    """Keep nbgrader in the course folder `root` from running submissions by itself, as its formgrader offers."""
    write(root / "nbgrader_config.py", FORBIDDEN)


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


class _First(logging.Handler):
    """Keeps the error that is dealt with when something is logged for the first time."""

    error: BaseException | None = None

    def emit(self, record: logging.LogRecord) -> None:
        error = sys.exc_info()[1]
        if error and not self.error:
            self.error, error.__cause__ = error, error.__cause__ or error.__context__  # which is lost when raised again


@contextmanager
def explained() -> Iterator[logging.Logger]:
    """A silent logger for nbgrader: it logs why it gives up, then raises an error without it; here the first comes."""
    from nbgrader.converters import NbGraderException

    logger, first = logging.Logger("nbgrader", logging.ERROR), _First()
    logger.addHandler(first)
    try:
        yield logger
    except NbGraderException as error:
        raise first.error or error  # noqa: B904


def refused(error: BaseException | None) -> str | None:
    """What the database said, where that is what an error comes from."""
    from sqlalchemy.exc import DBAPIError

    while error and not isinstance(error, DBAPIError):
        error = error.__cause__ or error.__context__
    return one_line(error.orig) if error else None


def reason(error: Exception, root: Path) -> str:
    """Why the grader could not go on, in one line that names the file; `root` where the error does not say."""
    said = refused(error)
    if said:
        return f"{root / 'gradebook.db'}: {said}"
    if isinstance(error, OSError):
        named = error.filename or str(root.parent) in str(error)
        return one_line(error) if named else f"{root}: {one_line(error)}"
    if isinstance(error, ValueError):
        return one_line(error)
    place = error.__traceback__
    while place and place.tb_next:
        place = place.tb_next
    where = f" ({Path(place.tb_frame.f_code.co_filename).name}, line {place.tb_lineno})" if place else ""
    return f"{type(error).__name__}: {one_line(error)}{where}"


Judge = Callable[[NotebookNode, Any], tuple[NotebookNode, Any]]


def enter(notebook: NotebookNode, root: Path, topic: str, student: str, judge: Judge) -> None:
    """Enter a submission: nbgrader restores its cells, `judge` gives each check cell its points as output."""
    from nbgrader.converters import Autograde
    from nbgrader.preprocessors import CheckCellMetadata, SaveAutoGrades

    write(root / "submitted" / student / topic / f"{topic}.ipynb", nbformat.writes(notebook))
    steps = [judge, SaveAutoGrades, CheckCellMetadata]  # in place of nbgrader's own execution
    with explained() as log:
        directory = course_directory(root, topic, student, log)
        Autograde(coursedir=directory, autograde_preprocessors=steps, force=True, log=log).start()


def fill(row: Row, root: Path, topic: str, student: str) -> None:
    """Fill in the points by question, and what a teacher wrote."""
    from nbgrader.api import Gradebook

    with Gradebook(address(root / "gradebook.db")) as gradebook:
        notebook = gradebook.find_submission_notebook(topic, topic, student)
        for given in notebook.grades:
            waits = given.auto_score is None and given.manual_score is None
            row.points[given.name.removesuffix("-check")] = None if waits else given.score
        row.said |= {comment.name: comment.comment for comment in notebook.comments if comment.comment}
