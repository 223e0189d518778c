"""What the tests of grading share: the class version of chapter 06, its solutions, the sandbox's public course."""

import nbformat
import pytest

from course_utils.exercises.masters import master, role

NAME = "06_convolution_arithmetic.ipynb"


@pytest.fixture(scope="session")
def released(gradebooks, tmp_path_factory):
    """The class version of chapter 06, as nbgrader makes it; of this chapter alone, for all of them take seconds."""
    from course_utils.exercises.grading.release import release

    folder = tmp_path_factory.mktemp("released")
    release("06", folder)
    return nbformat.read(folder / NAME, as_version=4)


@pytest.fixture(scope="session")
def solutions():
    """The answer cells of the master by id."""
    cells = nbformat.read(master("06"), as_version=4).cells
    return {role(cell)["grade_id"]: cell.source for cell in cells if role(cell).get("solution")}


@pytest.fixture(scope="session")
def hand_in():
    """A function that puts a notebook with other sources in some of its cells into the folder of submissions."""

    def put(folder, student, notebook, answers=None, replace=None):
        notebook = nbformat.from_dict(notebook)
        for cell in notebook.cells:
            cell.source = (answers or {}).get(cell.id, cell.source)
        path = folder / student / NAME
        path.parent.mkdir(parents=True, exist_ok=path == replace)
        nbformat.write(notebook, path)
        return path

    return put


@pytest.fixture(scope="session")
def course(bubblewrap):
    """What a submission may import of the course."""
    from course_utils.exercises.grading.sandbox import public_course

    with public_course(()) as folder:
        yield folder
