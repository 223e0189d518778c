"""Class releases: nbgrader takes the solutions out of a master and locks what students shall not change."""

import logging
import os
import shutil
import sys
import tempfile
import warnings
from contextlib import contextmanager
from pathlib import Path

from course_utils.exercises.masters import CODE_STUB, TEXT_STUB, master, masters


@contextmanager
def nbgrader():
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


def quiet():
    """A logger for nbgrader that lets errors through only."""
    logger = logging.getLogger("course_utils.nbgrader")
    logger.setLevel(logging.ERROR)
    return logger


def course_directory(root, topic, student="."):
    """nbgrader's view of a course folder with one assignment of one notebook, both called `topic`."""
    from nbgrader.coursedir import CourseDirectory

    return CourseDirectory(root=str(root), assignment_id=topic, notebook_id=topic, student_id=student, log=quiet())


def generate(path, root):
    """Make the class version of the master at `path` in nbgrader's course folder `root`; returns where it is.

    Raises ValueError for a master that nbgrader refuses.
    """
    from nbgrader.converters import GenerateAssignment, NbGraderException
    from traitlets.config import Config

    topic = path.stem
    source = root / "source" / topic / path.name
    source.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, source)
    config = Config()
    config.ClearSolutions.code_stub = {"python": CODE_STUB}
    config.ClearSolutions.text_stub = TEXT_STUB
    try:
        GenerateAssignment(coursedir=course_directory(root, topic), config=config, force=True, log=quiet()).start()
    except NbGraderException:
        raise ValueError(f"{path} is no master that nbgrader can make a class version of; it says why above") from None
    return root / "release" / topic / path.name


def release(chapter, out):
    """Write the class version of a chapter's exercises, or of "all", to the folder `out`.

    Raises ValueError for a chapter without exercises and where nbgrader is not installed.
    """
    chosen = list(masters().values()) if chapter == "all" else [master(chapter)]
    with nbgrader(), tempfile.TemporaryDirectory() as root:
        made = [generate(path, Path(root)) for path in chosen]
        out = Path(out)
        out.mkdir(parents=True, exist_ok=True)
        for path in made:
            half = out / f".{path.name}.part"
            shutil.copyfile(path, half)
            os.replace(half, out / path.name)
            print(out / path.name)
