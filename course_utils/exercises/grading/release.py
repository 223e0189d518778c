"""Class releases: nbgrader takes the solutions out of a master and locks what students shall not change."""

import os
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from course_utils.command_line import one_line
from course_utils.exercises.grading.gradebook import course_directory, explained, prepare, reason, refused
from course_utils.exercises.masters import CODE_STUB, TEXT_STUB, master, masters
from course_utils.files import write


@contextmanager
def nbgrader() -> Iterator[None]:
    """nbgrader's environment: `alembic` on the PATH, one database engine, no messages beside what it raises.

    Raises ValueError where nbgrader is not installed.
    """
    try:
        from nbgrader import api
    except ImportError:
        raise ValueError('release and grade need nbgrader: pip install -e ".[grade]"') from None
    path, create_engine, logs = os.environ["PATH"], api.create_engine, api.app_log.disabled
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{path}"
    api.create_engine = cache(create_engine)  # of a dozen for each submission SQLAlchemy would keep a part
    api.app_log.disabled = True
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Object of type .* not in session")  # of its gradebook, harmless
            yield
    finally:
        os.environ["PATH"], api.create_engine, api.app_log.disabled = path, create_engine, logs


def generate(path: Path, root: Path) -> Path:
    """Make the class version of the master at `path` in nbgrader's course folder `root`; returns where it is.

    Raises ValueError for a master that nbgrader refuses, and for a folder or a gradebook that cannot be used.
    """
    from nbgrader.converters import GenerateAssignment
    from traitlets.config import Config

    topic, config = path.stem, Config()
    config.ClearSolutions.code_stub = {"python": CODE_STUB}
    config.ClearSolutions.text_stub = TEXT_STUB
    prepare(root)
    write(root / "source" / topic / path.name, path.read_bytes())
    try:
        with explained() as log:
            directory = course_directory(root, topic, ".", log)
            GenerateAssignment(coursedir=directory, config=config, force=True, log=log).start()
    except Exception as error:  # of many kinds, whatever a master has in it
        if isinstance(error, OSError) or refused(error):
            raise ValueError(reason(error, root)) from None
        raise ValueError(f"{path} is no master that nbgrader can make a class version of: {one_line(error)}") from None
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
