"""What was handed in becomes the released notebook's cells, whichever editor wrote it; nothing honest is an alarm."""

import copy
import json
import random
import re
import warnings

import nbformat
import pytest

pytest.importorskip("nbgrader", reason="nbgrader is not installed (the extra `grade`)")

from exercises.grading import editors

from course_utils.exercises import plain
from course_utils.exercises.exercise import checks_of, review, trials
from course_utils.exercises.grading import intake, matching
from course_utils.exercises.grading.formats import Unreadable
from course_utils.exercises.grading.notebooks import MISSING, fit
from course_utils.exercises.masters import TEXT_STUB, functions, learner_version, master, masters, role

NAME = "06_convolution_arithmetic.ipynb"
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
ANSWER = "All five claims are *wrong*: 112, 56, 28, 14 and 7 come of an **odd** border."


@pytest.fixture(scope="module")
def learner():
    return learner_version(nbformat.read(master("06"), as_version=4))


@pytest.fixture(scope="module")
def few():
    """Some inputs for each exercise."""
    return {key: trials(exercise, seed=7)[:3] for key, exercise in checks_of("06").EXERCISES.items()}


@pytest.fixture(scope="module")
def answers(solutions):
    return solutions | {"06-6": ANSWER}


@pytest.fixture
def take(tmp_path, released):
    """What comes of a notebook as text, or of one as a dict."""

    def taken(notebook, name=NAME):
        text = notebook if isinstance(notebook, str) else json.dumps(notebook)
        (tmp_path / name).write_bytes(text.encode())
        return intake.intake(tmp_path / name, released)

    return taken


def wrong(notebook, few):
    """The exercises whose functions are not right when the code cells run in their order, as the grader runs them."""
    space = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what students write in texts
        for cell in notebook.cells:
            if cell.cell_type == "code" and not role(cell).get("grade"):
                try:
                    exec(cell.source, space)
                except Exception:
                    continue  # as in a notebook, the next cell runs
    named = functions(notebook)
    exercises = checks_of("06").EXERCISES
    said = {
        key: review(exercises[key], given, plain.answer(space[named[key]], given)[0])
        for key, inputs in few.items()
        for given in inputs
    }
    return {key: sentence for key, sentence in said.items() if sentence}


def by_role(notebook):
    return {role(cell)["grade_id"]: cell for cell in notebook.cells if role(cell)}


def check_complete(taken, released, few, answer=ANSWER):
    """All roles are there once, locked cells as they were released, every function right, the text in its place."""
    found, originals = by_role(taken.notebook), by_role(released)
    assert sorted(found) == sorted(originals) and len(found) == sum(bool(role(cell)) for cell in taken.notebook.cells)
    assert not taken.tampered, taken.remarks
    for grade_id, cell in found.items():
        assert role(cell) == role(originals[grade_id])
        assert cell.source == originals[grade_id].source or role(cell)["solution"]
    assert not wrong(taken.notebook, few)
    assert found["06-6"].source.startswith(answer)
    nbformat.validate(taken.notebook)


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["plain", "with mark"])
@pytest.mark.parametrize("version", ["class", "learner"])
@pytest.mark.parametrize("editor", editors.EDITORS)
def test_a_right_answer_is_right_whatever_saved_it(editor, version, mark, released, learner, answers, few, tmp_path):
    notebook = editors.answered(released if version == "class" else learner, answers)
    (tmp_path / NAME).write_bytes(mark + editors.EDITORS[editor](notebook).encode())
    taken = intake.intake(tmp_path / NAME, released)
    check_complete(taken, released, few)
    assert taken.remarks == []


@pytest.mark.parametrize("ending", ["its own", ".ipynb"])
@pytest.mark.parametrize("text", editors.TEXTS)
def test_a_notebook_as_text_is_taken_with_a_remark(text, ending, take, released, learner, answers, few):
    save, own = editors.TEXTS[text]
    taken = take(save(editors.answered(learner, answers)), "notebook" + (own if ending == "its own" else ending))
    check_complete(taken, released, few)
    assert ["as text" in remark for remark in taken.remarks] == [True]


@pytest.mark.parametrize("chapter", masters())
def test_every_chapter_is_known_without_ids(chapter, class_versions):
    made = nbformat.read(class_versions / masters()[chapter].name, as_version=4)
    solutions = {c.id: c.source for c in nbformat.read(master(chapter), 4).cells if role(c).get("solution")}
    saved = editors.kaggle(editors.answered(made, solutions))
    notebook, tampered, remarks = fit(intake.cells_of(saved.encode())[0], made)
    assert not tampered and not remarks
    found = by_role(notebook)
    assert list(found) == list(by_role(made))
    text = [name for name in solutions if found[name].cell_type == "markdown"]
    assert {name: found[name].source for name in solutions if name not in text} == {
        name: source for name, source in solutions.items() if name not in text
    }
    assert len(text) == 1 and found[text[0]].source[:20] == solutions[text[0]][:20]


def test_all_functions_in_one_cell_and_the_stubs_deleted(take, released, answers, few):
    """The stubs that are put back do not overwrite them; so, too, in a cell before the stubs."""
    notebook = editors.answered(released, {})
    code = "\n\n\n".join(source for name, source in answers.items() if name != "06-6")
    mine = {"cell_type": "code", "metadata": {}, "source": code, "outputs": [], "execution_count": None}
    text = {"06-6": ANSWER}
    for first in (0, 2, 8):
        notebook = editors.answered(released, text)
        notebook["cells"].insert(first, mine)
        check_complete(take(notebook), released, few)
        notebook["cells"] = [cell for cell in notebook["cells"] if cell.get("id") not in functions(released)]
        taken = take(notebook)
        check_complete(taken, released, few)
        assert taken.remarks == []


def test_only_functions_in_a_notebook_of_their_own(take, released, answers, few):
    cells = [{"cell_type": "code", "metadata": {}, "source": source} for source in answers.values()][:5]
    cells.insert(0, {"cell_type": "code", "metadata": {}, "source": "import numpy as np"})
    taken = take({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 4})
    assert not taken.tampered and not wrong(taken.notebook, few)
    assert by_role(taken.notebook)["06-6"].source == MISSING
    (remark,) = taken.remarks
    assert "were missing" in remark and "06-1-check" in remark and "06-1," not in remark


def test_an_untouched_stub_never_wins(take, released, answers, few):
    """The answer stands in a cell of the student's, above its stub or below; or the stub was copied with its id."""
    notebook = editors.answered(released, {"06-6": ANSWER})
    stubs = {cell["id"]: cell for cell in notebook["cells"]}
    ours = [{"cell_type": "code", "metadata": {}, "source": answers[name]} for name in functions(released)]
    for cells in (
        ours[:2] + notebook["cells"] + ours[2:],
        ours + notebook["cells"] + [stubs["06-1"], stubs["06-5"]],
        editors.answered(released, answers)["cells"] + [stubs["06-1"], stubs["06-6"]],
    ):
        check_complete(take(notebook | {"cells": cells}), released, few)


@pytest.mark.parametrize(
    ("source", "defined"),
    [
        ("def field(layers):", True),
        ("%%time\nfield = lambda layers: 3", True),
        ("    def field(layers):\n        pass", True),
        ("field: object = print", True),
        ("from answers import field", True),
        ("class field:", True),
        ("def stack(x):\n    field = 3", False),
        ("# def field(layers):\nfield == 3", False),
        ("def fields(layers):\n    return field(layers)", False),
    ],
)
def test_defines(source, defined):
    assert matching.defines(source, "field") is defined


def test_what_tidy_students_do_is_no_alarm(take, released, answers, few):
    """Texts deleted, locked cells moved, pasted twice, joined with others, their space and comments changed."""
    notebook = editors.answered(released, answers)
    cells = {cell["id"]: cell for cell in notebook["cells"]}
    title, given, check = cells.pop("title"), cells["06-3-given"], cells["06-1-check"]
    assert title["cell_type"] == "markdown"
    given["source"] = "".join(given["source"]).replace("    ", "\t").replace(" = ", "\u00a0=  ") + "  # seen\n\n\n"
    check["source"] = 'hint("06-1")\n' + "".join(check["source"]).replace('"', "'")
    joined = cells.pop("06-4-given")
    cells["06-4"]["source"] = "".join([*joined["source"], "\n\n\n", *cells["06-4"]["source"]])
    order = list(cells.values())[::-1]
    taken = take(notebook | {"cells": [*order, given, given, check, cells["06-2"], cells["end"]]})
    check_complete(taken, released, few)
    assert taken.remarks == []


def test_a_formatter_changes_nothing_and_an_indentation_does():
    given = "def f(x, y):\n    for i in range(3):\n        x += [a for a in y if a]  # all\n    return g(x, [1, 2])"
    lines = matching.lines_of(given, "code")
    broken = given.replace("f(x, y)", "f(\n    x,\n    y,\n)").replace(
        "x, [1, 2]", "\n        x,\n        [1, 2],\n    "
    )
    assert broken.count("\n") == 9 and matching.lines_of(broken.replace("    ", "\t"), "code") == lines
    for other in (
        given.replace("    return", "        return"),
        given.replace("1, 2", "1, 3"),
        given.replace("+=", "="),
    ):
        assert matching.lines_of(other, "code") != lines


@pytest.mark.parametrize("lost", [("title", "06-2-task"), ("06-3-given",), ("06-1-check", "06-5-check"), ("set-up",)])
def test_what_was_deleted_is_put_back(lost, take, released, answers, few):
    notebook = editors.answered(released, answers)
    notebook["cells"] = [cell for cell in notebook["cells"] if cell["id"] not in lost]
    taken = take(notebook)
    check_complete(taken, released, few)
    roles = [name for name in lost if name in by_role(released)]
    assert taken.remarks == ([f"Cells that were missing were put back: {', '.join(roles)}."] if roles else [])


@pytest.mark.parametrize("name", ["06-1-check", "06-3-given"])
def test_a_locked_cell_that_was_changed_is_an_alarm_and_kept(name, take, released, answers, few):
    notebook = editors.answered(released, answers)
    cell = next(cell for cell in notebook["cells"] if cell["id"] == name)
    original = "".join(cell["source"])
    cell["source"] = original.replace("size = 1", "size = 2").replace('check("06-1", ', "print(")
    taken = take(notebook)
    assert taken.tampered and [name in remark and "was changed" in remark for remark in taken.remarks] == [True]
    sources = [cell.source for cell in taken.notebook.cells]
    assert by_role(taken.notebook)[name].source == original and cell["source"] in sources
    assert name.endswith("check") or sources.index(original) < sources.index(cell["source"])  # the student's runs last
    assert not wrong(taken.notebook, few)
    for copied in (original, cell["source"]):  # the original is there, too
        twice = notebook | {"cells": [*notebook["cells"], cell | {"source": copied}]}
        assert take(twice).tampered


def test_forged_points_are_an_alarm_and_count_for_nothing(take, released, answers):
    for name, alarm in (("points", 100), ("points", 2)):
        notebook = editors.answered(released, answers)
        cell = next(cell for cell in notebook["cells"] if cell["id"] == "06-1-check")
        cell["metadata"] |= {"nbgrader": cell["metadata"]["nbgrader"] | {name: alarm}, "tags": ["skip-execution"]}
        taken = take(notebook)
        assert taken.tampered == (alarm == 100) == any("points" in remark for remark in taken.remarks)
        assert role(by_role(taken.notebook)["06-1-check"])["points"] == 2
        assert "tags" not in by_role(taken.notebook)["06-1-check"].metadata


def test_two_answers_with_one_id_are_an_alarm(take, released, answers, few):
    notebook = editors.answered(released, answers)
    cells = {cell["id"]: cell for cell in notebook["cells"]}
    other = cells["06-1"] | {"source": "def input_sizes(*inputs):\n    return 0, 0"}
    taken = take(notebook | {"cells": [*notebook["cells"], other]})
    assert taken.tampered and "06-1" in taken.remarks[0] and list(wrong(taken.notebook, few)) == ["06-1"]
    text = cells["06-6"] | {"source": "Another answer."}
    taken = take(notebook | {"cells": [text, *notebook["cells"]]})
    assert taken.tampered and "06-6" in taken.remarks[0]


@pytest.mark.parametrize("stub", ["left", "deleted"])
@pytest.mark.parametrize("place", ["before", "after", "with the task"])
def test_a_text_in_place_of_the_answer_is_the_answer(place, stub, take, released):
    cells = editors.answered(released, {})["cells"]
    task = next(i for i, cell in enumerate(cells) if cell["id"] == "06-6-task")
    mine = {"cell_type": "markdown", "metadata": {}, "source": ANSWER}
    if stub == "deleted":
        del cells[task + 1]
    if place == "with the task":
        cells[task]["source"].append(f"\n\n{ANSWER}")
    else:
        cells.insert(task + 1 + (place == "after" and stub == "left"), mine)
    taken = take({"cells": cells})
    assert ANSWER in by_role(taken.notebook)["06-6"].source
    assert not any(cell.source == TEXT_STUB for cell in taken.notebook.cells) and not taken.tampered


def test_an_answer_that_may_stand_anywhere_waits_for_a_mark(take, released):
    cells = editors.answered(released, {})["cells"]
    assert by_role(take({"cells": cells}).notebook)["06-6"].source == TEXT_STUB  # which nbgrader marks with 0
    mine = {"cell_type": "markdown", "metadata": {}, "source": ANSWER}
    assert by_role(take({"cells": [*cells, mine]}).notebook)["06-6"].source == MISSING
    comment = {"cell_type": "code", "metadata": {}, "source": f"# {ANSWER}"}
    assert by_role(take({"cells": [*cells[:-1], comment, cells[-1]]}).notebook)["06-6"].source == MISSING
    assert by_role(take({"cells": [*cells, comment]}).notebook)["06-6"].source == TEXT_STUB  # not near the task
    next(cell for cell in cells if cell["id"] == "06-6")["source"] = " \n"
    assert by_role(take({"cells": cells}).notebook)["06-6"].source == TEXT_STUB


ODD = [
    None,
    0,
    -1.5,
    True,
    "",
    "06-1",
    "06-6",
    [],
    {},
    [None],
    {"a": 1},
    [[]],
    "x" * 300,
    {"nbgrader": {"grade_id": 1}},
]


def places(thing):
    """All places in a piece of JSON, (container, key)."""
    for key in list(thing) if isinstance(thing, dict) else range(len(thing)):
        yield thing, key
        if isinstance(thing[key], (dict, list)):
            yield from places(thing[key])


def test_whatever_is_wrong_in_a_notebook_all_roles_are_there_or_it_is_refused(take, released, answers):
    """Parts of a right notebook replaced, deleted, doubled and exchanged at random."""
    rng, taken = random.Random(4711), 0
    for _ in range(150):
        notebook = editors.answered(released, answers)
        for _ in range(rng.choice([1, 3, 10, 40])):
            container, key = rng.choice(list(places(notebook)))
            what = rng.choice(["replace", "delete", "double", "exchange"])
            if what == "delete":
                del container[key]
            elif what == "double" and isinstance(container, list):
                container.insert(rng.randrange(len(container) + 1), copy.deepcopy(container[key]))
            elif what == "exchange":
                other, place = rng.choice(list(places(notebook)))
                container[key] = copy.deepcopy(other[place])
            else:
                container[key] = copy.deepcopy(rng.choice(ODD))
        try:
            made = take(notebook).notebook
        except Unreadable:
            continue
        taken += 1
        nbformat.validate(made)
        assert sorted(role(cell)["grade_id"] for cell in made.cells if role(cell)) == sorted(by_role(released))
    assert taken > 100


def test_a_notebook_of_something_else_says_so(take):
    cells = [{"cell_type": "code", "metadata": {}, "source": "print('Hello')"}]
    taken = take({"cells": cells})
    assert not taken.tampered and "Nothing in it was recognized" in taken.remarks[0]


def test_intake_takes_text_only(hand_in, released, solutions, tmp_path):
    path = hand_in(tmp_path, "someone", released, solutions)
    raw = json.loads(path.read_text())
    raw["metadata"]["kernelspec"] = {"name": "evil", "display_name": "evil", "language": "c"}
    for cell in raw["cells"]:
        cell["attachments"] = {"a.png": {"image/svg+xml": "PHN2Zz4="}, "b.png": {"image/png": "x" * 10**5}}
        if cell["cell_type"] == "code":
            cell["outputs"] = [{"output_type": "display_data", "data": {"text/html": "<script>"}, "metadata": {}}]
    path.write_text(json.dumps(raw))
    taken = intake.intake(path, released)
    assert not taken.tampered and taken.notebook.metadata == released.metadata
    assert "<script>" not in nbformat.writes(taken.notebook) and "attachments" not in nbformat.writes(taken.notebook)
    assert ["picture was left out" in remark for remark in taken.remarks] == [True]


@pytest.fixture(scope="module")
def shown():
    """A function: the text of an answer as the formgrader shows it."""
    from nbconvert import HTMLExporter
    from nbgrader.server_extensions.formgrader import handlers

    show = HTMLExporter(template_name="formgrade", extra_template_basedirs=[handlers.template_path])
    names = ("assignment_id", "notebook_id", "submission_id", "base_url", "student", "last_name", "first_name")

    def page(cell):
        resources = dict.fromkeys(names, "x") | {"index": 0, "total": 1}
        html, _ = show.from_notebook_node(nbformat.v4.new_notebook(cells=[cell]), resources=resources)
        return html.partition('<div class="panel-body">')[2].partition('<div class="panel-footer">')[0]

    return page


def test_a_text_runs_no_script_in_the_browser_of_a_teacher(hand_in, released, tmp_path):
    from nbconvert.filters.markdown_mistune import markdown2html_mistune as html

    text = "If $a<b$ and 1 < 2:\n<script>alert(1)</script>\n\n<img src=x onerror=alert(2)> [x](javascript:alert(3))"
    text += "\n\n<!-- x --><svg/onload=alert(4)> [y][1] <javascript:alert(5)>\n\n[1]: javascript:alert(6)"
    text += "\n\n$\\href{javascript:alert(7)}{z}$ $\\hrefs$"
    path = hand_in(tmp_path, "someone", released, {"06-6": text, "06-1": "x = 1 <a"})
    raw = json.loads(path.read_text())
    raw["cells"] += [{"cell_type": kind, "metadata": {}, "source": text} for kind in ("markdown", "raw", "html")]
    path.write_text(json.dumps(raw))
    taken = intake.intake(path, released)
    texts = [cell.source for cell in taken.notebook.cells if cell.cell_type == "markdown" and "alert" in cell.source]
    assert not taken.tampered and len(texts) == 4 and any(cell.source == "x = 1 <a" for cell in taken.notebook.cells)
    for page in map(html, texts):
        assert not any(tag in page for tag in ("<script", "<img", "<svg", "<!--", "<a", "\\href{")), page
        assert "1 &lt; 2" in page and "alert(1)" in page and "\\hrefs" in page


@pytest.mark.parametrize(
    "text",
    [
        "before ![my %s](attachment:a.png) after",
        '<img src="attachment:a.png" width=200 onerror=alert(1)>',
        f"![image.png](data:image/png;base64,{PIXEL})",
        f"<img src='data:image/png;base64,{PIXEL}'/>",
        '![a](attachment:a.png "title")',
        "nothing names it",
    ],
)
def test_pictures_in_an_answer_are_shown(text, take, released, shown):
    notebook = editors.answered(released, {"06-6": f"An *answer* {text}"})
    cell = next(cell for cell in notebook["cells"] if cell["id"] == "06-6")
    if PIXEL not in text:
        cell["attachments"] = {"a.png": {"image/png": PIXEL}}
    taken = take(notebook)
    made = by_role(taken.notebook)["06-6"]
    assert shown(made).count(f'src="data:image/png;base64,{PIXEL}"') == shown(made).count("<img ") == 1
    assert "onerror" not in shown(made) and not taken.remarks and not taken.tampered


EVIL = '"><script>alert(1)</script>'
SVG = "PHN2ZyB4bWxucz0iaHR0cDovL3d3dy53My5vcmcvMjAwMC9zdmciIG9ubG9hZD0iYWxlcnQoMSkiLz4="


@pytest.mark.parametrize(
    ("text", "attachments"),
    [
        ("![a](attachment:a.svg)", {"a.svg": {"image/svg+xml": SVG}}),
        ("![a](attachment:a.png)", {"a.png": {"image/png": SVG}}),
        ("![a](attachment:a.png)", {"a.png": {"image/png": PIXEL + EVIL}}),
        ("![a](attachment:a.png)", {"a.png": {f"image/png{EVIL}": PIXEL[:-4] + EVIL}}),
        ("![a](attachment:a.png)", {"a.png": {"text/html": EVIL}}),
        ("![a](attachment:b.png)", {}),
        (f"![a](data:image/svg+xml;base64,{SVG})", {}),
        (f"![a](data:text/html;base64,{SVG})", {}),
        ("![a](data:image/svg+xml;utf8,<svg onload=alert(1)>)", {}),
        ("![a](https://example.org/a.png) ![b](javascript:alert(1)) ![c][1]\n\n[1]: https://example.org/b.png", {}),
        (f"![{EVIL}](attachment:{EVIL})", {EVIL: {"image/png": EVIL}}),
    ],
)
def test_other_pictures_are_not(text, attachments, take, released, shown):
    notebook = editors.answered(released, {"06-6": f"An answer {text}"})
    next(cell for cell in notebook["cells"] if cell["id"] == "06-6")["attachments"] = attachments
    page = shown(by_role(take(notebook).notebook)["06-6"])
    assert "An answer" in page and not any(tag in page for tag in ("<img", "<script", "<svg"))


def test_a_picture_beside_anything_opens_nothing(take, released, shown):
    """A picture's link, which is ours, joins with no neighbour to a tag or a link."""
    picture = f"![a](data:image/png;base64,{PIXEL})"
    texts = ["<{}script>alert(1)</script>", "[x{}](javascript:alert(1))", "[{}]({})", "<img {} onerror=alert(1)>"]
    texts += [
        "`{}`<b onclick=alert(1)>",
        "[{}]: javascript:alert(1)",
        "\ufffc{}\ufffc",
        "${}\\href{{javascript:1}}{{x}}$",
    ]
    texts += ["![{}](javascript:alert(1))", "<a href='{}'>", "{}{}", "!{}", "\\{}"]
    for text in texts:
        notebook = editors.answered(
            released, {"06-6": text.replace("{}", picture).replace("{{", "{").replace("}}", "}")}
        )
        page = shown(by_role(take(notebook).notebook)["06-6"])
        tags = set(re.findall(r"<(\w+)", page))
        assert not tags & {"script", "svg", "a", "b"} and "href={" not in page and "\\href{" not in page, page
        assert page.count("<img ") == page.count(f'src="data:image/png;base64,{PIXEL}"'), page
