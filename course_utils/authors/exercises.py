"""The exercises that learners open, made from the masters: without solutions, executed as learners get them."""

from pathlib import Path

from course_utils.authors.record import read, record_all
from course_utils.exercises.masters import learner_version


def learner_path(master):
    """Where the learners' version of notebooks/solutions/NN_topic.ipynb stands: beside it, in notebooks/exercises."""
    return Path(master).parent.parent / "exercises" / Path(master).name


def make(paths, jobs=2):
    """Make and record the learners' version of each master; returns the number of those that failed.

    Raises ValueError for a notebook that is not a master.
    """
    versions = {}
    for path in paths:
        if Path(path).resolve().parent.name != "solutions":
            raise ValueError(f"{path} is not a master: those are in notebooks/solutions")
        learner_path(path).parent.mkdir(exist_ok=True)
        versions[learner_path(path)] = learner_version(read(path))
    return record_all(versions, jobs)
