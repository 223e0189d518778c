"""Masters, and what is made of them: learners' versions and class releases agree, and neither holds a solution."""

import copy
import re

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from course_utils.exercises.exercise import checks_of
from course_utils.exercises.masters import CODE_STUB, TEXT_STUB, functions, learner_version, masters, role
from course_utils.exercises.masters import master as find_master

MASTERS = masters()


def read(path):
    return nbformat.read(path, as_version=4)


@pytest.fixture(scope="module", params=MASTERS)
def chapter(request):
    return request.param


@pytest.fixture(scope="module")
def master(chapter):
    return read(MASTERS[chapter])


def test_every_master_has_checks_and_every_check_a_master(chapter, master):
    exercises = checks_of(chapter).EXERCISES
    assert list(functions(master)) == list(exercises)
    points = {role(cell)["grade_id"]: role(cell)["points"] for cell in master.cells if role(cell).get("grade")}
    assert {f"{exercise_id}-check": e.points for exercise_id, e in exercises.items()}.items() <= points.items()
    assert 3 <= len(points) <= 7 and len(points) == len(exercises) + 1, "one exercise is marked by hand"


def test_cells_have_the_ids_that_the_grader_knows(chapter, master):
    for cell in master.cells:
        if role(cell):
            assert cell.id == role(cell)["grade_id"] and cell.id.startswith(f"{chapter}-")
            assert role(cell)["locked"] != role(cell)["solution"]


def test_the_text_names_the_same_points(chapter, master):
    texts = {cell.id: cell.source for cell in master.cells}
    title = next(iter(texts.values()))
    for cell in master.cells:
        if role(cell).get("grade"):
            exercise_id, points = cell.id.removesuffix("-check"), role(cell)["points"]
            text = texts[f"{exercise_id}-task"]
            assert re.search(rf"^[★☆]{{3}} · \d+ minutes · {points} points? · .*Target: ", text, re.MULTILINE)
            minutes, stars = re.search(r"· (\d+) minutes", text)[1], re.search(r"[★☆]{3}", text)[0]
            assert re.search(
                rf"^\| {exercise_id} \| [^|]+ \| {stars} \| {minutes} \| {points} \|$", title, re.MULTILINE
            )


def test_master_prints_right(chapter, master):
    for cell in master.cells:
        if cell.cell_type == "code" and role(cell).get("grade"):
            assert [output.text[:11] for output in cell.outputs] == [f"{cell.id.removesuffix('-check')}: right"]


def test_solution_marks_stand_in_the_body_only(master):
    for cell in learner_version(master).cells:
        if cell.id in functions(master):
            lines = cell.source.splitlines()
            (stub,) = [i for i, line in enumerate(lines) if line.strip() == CODE_STUB]
            assert lines[0].startswith(f"def {functions(master)[cell.id]}(") and lines[stub].startswith("    ")
            compile(cell.source, cell.id, "exec")


def test_learner_version_holds_no_solution(master):
    before = copy.deepcopy(master)
    learner = learner_version(master)
    assert master == before and [cell.id for cell in learner.cells] == [cell.id for cell in master.cells]
    text = nbformat.writes(learner)
    assert "SOLUTION" not in text and "Rubric" not in text and "nbgrader" not in text
    by_hand = [cell.id for cell in master.cells if role(cell).get("grade") and role(cell).get("solution")]
    assert all(cell.source == TEXT_STUB for cell in learner.cells if cell.id in by_hand) and by_hand
    assert not any(cell.get("outputs") for cell in learner.cells)
    nbformat.validate(learner)


def test_stored_learner_version_is_in_step(chapter, master):
    path = MASTERS[chapter].parents[1] / "exercises" / MASTERS[chapter].name
    stored = read(path)
    assert [(c.id, c.source) for c in stored.cells] == [(c.id, c.source) for c in learner_version(master).cells], (
        "run `make exercises`"
    )
    for cell in stored.cells:
        if cell.id.endswith("-check"):
            assert [output.text for output in cell.outputs] == [f"{cell.id.removesuffix('-check')}: still to do\n"]


def test_class_version_is_the_learners_with_metadata(chapter, master, class_versions):
    made = read(class_versions / MASTERS[chapter].name)
    assert [(c.id, c.source) for c in made.cells] == [(c.id, c.source) for c in learner_version(master).cells]
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in made.cells)
    kept = ("grade", "grade_id", "locked", "solution", "points")
    for ours, theirs in zip(master.cells, made.cells, strict=True):
        assert [role(ours).get(key) for key in kept] == [role(theirs).get(key) for key in kept]
    for cell in made.cells:
        if role(cell).get("locked"):
            assert cell.metadata.editable is False and cell.metadata.deletable is False


def test_release_all_writes_one_file_a_chapter(class_versions):
    assert sorted(path.name for path in class_versions.iterdir()) == sorted(path.name for path in MASTERS.values())


def test_the_master_of_a_chapter(chapter):
    assert find_master(chapter) == MASTERS[chapter] and find_master(chapter).name.startswith(f"{chapter}_")


@pytest.mark.parametrize("chapter", ["77", "6", "", "06_convolution_arithmetic", "../06"])
def test_unknown_chapters_name_the_known(chapter):
    with pytest.raises(ValueError, match=r"those that have: .*06"):
        find_master(chapter)


def cell(source, solution=True):
    made = new_code_cell(source, id="x")
    made.metadata["nbgrader"] = {"solution": solution, "grade_id": "x"}
    return new_notebook(cells=[made])


@pytest.mark.parametrize(
    "source",
    [
        "def f():\n    ### BEGIN SOLUTION\n    return 1",
        "def f():\n    return 1\n    ### END SOLUTION",
        "def f():\n    ### BEGIN SOLUTION\n    ### BEGIN SOLUTION\n    return 1\n    ### END SOLUTION",
    ],
)
def test_marks_that_do_not_pair_are_refused(source):
    with pytest.raises(ValueError, match="cell x: "):
        learner_version(cell(source))


def test_a_solution_in_a_cell_that_is_no_answer_is_refused():
    with pytest.raises(ValueError, match="not an answer"):
        learner_version(cell("### BEGIN SOLUTION\n1\n### END SOLUTION", solution=False))


def test_what_stays_and_what_goes():
    notebook = cell("a = 1\ndef f():\n    b = 2\n    ### BEGIN SOLUTION\n    c\n    d\n    ### END SOLUTION\n\ne = 3")
    notebook.cells.append(new_markdown_cell("text", id="y"))
    notebook.metadata["celltoolbar"] = "Create Assignment"  # what nbgrader's toolbar leaves in a master
    learner = learner_version(notebook)
    assert "celltoolbar" not in learner.metadata
    assert learner.cells[0].source == f"a = 1\ndef f():\n    b = 2\n    {CODE_STUB}\n\ne = 3"
    assert learner.cells[1].source == "text"
    assert learner_version(cell("all of it")).cells[0].source == CODE_STUB
