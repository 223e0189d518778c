"""What tests of masters and of grading share: all class versions, made once."""

import functools

import pytest


@pytest.fixture(scope="session")
def gradebooks():
    """nbgrader asks another process for a constant whenever it makes a gradebook, one to two seconds: ask once."""
    api = pytest.importorskip("nbgrader.api", reason="nbgrader is not installed (the extra `grade`)")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(api, "get_alembic_version", functools.cache(api.get_alembic_version))
        yield


@pytest.fixture(scope="session")
def class_versions(gradebooks, tmp_path_factory):
    """A folder with the class version of every chapter."""
    from course_utils.exercises.grading.release import release

    folder = tmp_path_factory.mktemp("released")
    release("all", folder)
    return folder
