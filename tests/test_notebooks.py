"""Every notebook keeps the conventions, learners' exercises are in step with their masters, and the rules can fail."""

import re

import chapter_rules
import notebook_rules
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from notebook_rules import FOLDER, read

from course_utils.authors.record import KERNELSPEC, write

NOTEBOOKS = sorted(p for p in FOLDER.rglob("*.ipynb") if not any(part.startswith(".") for part in p.parts))
MASTERS = [path for path in NOTEBOOKS if notebook_rules.kind(path) == "master"]
EXERCISES = [path for path in NOTEBOOKS if notebook_rules.kind(path) == "exercise"]


def name(path):
    return path.relative_to(FOLDER).as_posix()


@pytest.mark.parametrize("path", NOTEBOOKS, ids=name)
def test_notebook_keeps_the_conventions(path):
    found = chapter_rules.faults(read(path), path)
    assert not found, "\n" + "\n".join(found)


@pytest.mark.parametrize("path", [path for path in NOTEBOOKS if notebook_rules.kind(path) == "chapter"], ids=name)
def test_a_chapter_shows_a_bar_where_the_full_profile_takes_long(path):
    code = "\n".join(cell.source for cell in notebook_rules.code(read(path)))
    assert "quiet=True" not in code, "pass quiet=here.quiet: off in quick, on in full"
    if "profile(" in code:
        loops = re.findall(r"for step in (.*):$", code, re.M)
        assert all(loop.startswith("here.progress(") for loop in loops), loops


def test_every_exercise_notebook_has_its_master():
    assert {path.name for path in EXERCISES} <= {path.name for path in MASTERS}


@pytest.mark.parametrize("path", MASTERS, ids=name)
def test_learners_version_is_in_step_with_its_master(path):
    from course_utils.authors.exercises import learner_path
    from course_utils.exercises.masters import learner_version

    def content(notebook):
        return [(cell.cell_type, cell.id, cell.source) for cell in notebook.cells]

    assert learner_path(path).exists(), "run: make exercises"
    expected = learner_version(read(path))
    stored = read(learner_path(path))
    assert content(stored) == content(expected), "run: make exercises"


# The rules themselves: a small chapter that keeps all of them, and for each rule what breaks it.


ANSWER = "**Question.** How much?\n\n<details><summary>Answer</summary>\n\n$x^2$, as the run below says.\n\n</details>"
FIGURE = '<figure><img alt="a line" src="data:image/png;base64,iVBORw0KGgo="></figure>'
PICTURE = new_output("display_data", {"image/png": "iVBORw0KGgo=", "text/plain": "Figure: a line"})


def html(words):
    return new_output("display_data", {"text/html": words, "text/plain": "<IPython.core.display.HTML object>"})


@pytest.fixture
def chapter(tmp_path):
    """A chapter without faults, stored under a folder of its own, with an exercise and a next chapter beside it."""
    slide = {"slideshow": {"slide_type": "slide"}}
    title = "# 06 Topic\n\nLecture: slides 40 to 54. Time: 10 minutes."
    more = (
        "### More\n\nA price, `$5` and `a[1](2)`, [the net](https://example.org) and [above](#Two-words).\n\n" + ANSWER
    )
    onward = "Exercises: [06](exercises/06_topic.ipynb). Next: [07](07_next.ipynb#Next)."
    cells = [
        new_markdown_cell(title, id="title", metadata=slide),
        new_code_cell("import math", id="setup"),
        new_markdown_cell("## Two words", id="words", metadata=slide),
        new_code_cell("show(figure)", id="figure", outputs=[html(FIGURE)]),
        new_markdown_cell(more, id="more"),
        new_code_cell("print(math.pi)", id="run", outputs=[new_output("stream", name="stdout", text="3.1\n")]),
        new_code_cell("assert 3 < math.pi < 4", id="held"),
        new_markdown_cell(onward, id="onward"),
    ]
    for count, cell in enumerate((c for c in cells if c.cell_type == "code"), 1):
        cell.execution_count = count
    cells[5].metadata["tags"] = ["nbval-ignore-output"]
    cells[6].metadata |= {"tags": ["hide-input"], "jupyter": {"source_hidden": True}}
    notebook = new_notebook(cells=cells, metadata={"kernelspec": dict(KERNELSPEC)})
    path = tmp_path / "06_topic.ipynb"
    write(notebook, path)
    (tmp_path / "exercises").mkdir()
    write(new_notebook(cells=[new_markdown_cell("# Topic")]), tmp_path / "exercises" / "06_topic.ipynb")
    write(new_notebook(cells=[new_markdown_cell("# Next")]), tmp_path / "07_next.ipynb")
    return path


def test_a_chapter_without_faults(chapter):
    assert chapter_rules.faults(read(chapter), chapter) == []


def change(cell, **values):
    """A change of one cell: `source`, `outputs`, `count`, `tags`, `id`, `slide`, `folded` get another value."""

    def apply(notebook):
        target = next(c for c in notebook.cells if c.id == cell)
        for key, value in values.items():
            if key == "tags":
                target.metadata["tags"] = value
            elif key == "folded":
                target.metadata["jupyter"] = {"source_hidden": value}
            elif key == "slide":
                target.metadata["slideshow"] = {"slide_type": value}
            else:
                target["execution_count" if key == "count" else key] = value

    return apply


def add(count, new, source):
    """A change that adds cells."""
    return lambda notebook: notebook.cells.extend(new(source) for _ in range(count))


def output_of(cell, *outputs):
    return change(cell, outputs=list(outputs))


def stdout(words):
    return new_output("stream", name="stdout", text=words)


WIDE = new_output("execute_result", {"text/plain": "def f():\n    return " + "x" * 80})
WIDGET = {"application/vnd.jupyter.widget-view+json": {"model_id": "0a1b"}}
FAULTS = [
    ("valid", change("more", id="words"), "stands twice"),
    ("valid", change("more", id="1f0c2d3e"), "not made of words"),
    ("valid", change("run", outputs=[new_output("stream", name="stdout", text="a") | {"colour": "red"}]), "not valid"),
    ("valid", lambda notebook: notebook.update(nbformat_minor=4), "expected 4.5"),
    ("executed", change("run", count=None), "record it"),
    ("executed", change("run", count=7), "record it"),
    ("executed", change("setup", source="  \n"), "empty"),
    ("has_outputs", output_of("run"), "run: nothing"),
    ("has_outputs", change("setup", source="for i in range(3):\n    print(i)"), "setup: nothing"),
    ("has_outputs", change("setup", source="x = 1\nx + 1"), "setup: nothing"),
    ("has_outputs", change("setup", source="Table(rows, headers)"), "setup: nothing"),
    ("short_cells", change("setup", source="\n".join(["x = 1"] * 26)), "26 lines"),
    ("ordered_headings", change("words", source="# Another title"), "one H1"),
    ("ordered_headings", change("title", source="Lecture, minutes\n\n# Title"), "begin with the H1"),
    ("ordered_headings", change("more", source="#### Deep"), "level 4 under level 2"),
    ("alt_texts", output_of("figure", PICTURE), "cannot have an alt text"),
    ("alt_texts", output_of("figure", html("<svg></svg>")), "without aria-label"),
    ("alt_texts", output_of("figure", html('<img src="data:,">')), "<img> without alt"),
    ("alt_texts", output_of("figure", html('<img alt="" src="data:,">')), "<img> without alt"),
    ("alt_texts", change("more", source="![](https://example.org/a.png)"), "has no alt text"),
    ("alt_texts", change("more", source='<img src="a.png">'), "<img> without alt"),
    ("no_machine", output_of("run", stdout("read /home/anna/data")), "/home/"),
    ("no_machine", output_of("run", stdout(r"read C:\Users")), "C:"),
    ("no_machine", output_of("figure", html("in lib/site-packages/torch")), "site-packages"),
    ("no_machine", change("setup", source='open("/tmp/x")'), "/tmp/"),
    ("no_complaints", output_of("run", new_output("stream", name="stderr", text="oh")), "stderr"),
    ("no_complaints", output_of("run", new_output("error", ename="KeyError", evalue="1")), "KeyError"),
    ("no_complaints", output_of("run", stdout("UserWarning: old")), "a warning"),
    ("plain_python", change("setup", source="%load_ext autoreload"), "is not Python"),
    ("plain_python", change("setup", source="!pip install torch"), "is not Python"),
    ("plain_python", change("setup", source="import sys\nsys.path.append('..')"), "sys.path"),
    ("plain_python", change("setup", source="from math import *"), "import *"),
    ("plain_python", change("setup", source="plot(x);"), "semicolon"),
    ("plain_python", change("setup", source="def f(:"), "does not parse"),
    ("links_resolve", change("more", source="[here](nowhere.ipynb)"), "leads nowhere"),
    ("links_resolve", change("more", source="[here](#Nowhere)"), "names no heading"),
    ("links_resolve", change("more", source="[here](07_next.ipynb#Nowhere)"), "names no heading"),
    ("links_resolve", change("more", source="[here](http://example.org)"), "not https"),
    ("normalized", lambda notebook: notebook.metadata.kernelspec.update(name="course"), "python3"),
    ("normalized", lambda notebook: notebook.metadata.update(language_info={"version": "3.11.2"}), "record it"),
    ("normalized", lambda notebook: notebook.cells[1].metadata.update(execution={}), "times"),
    ("normalized", output_of("figure", new_output("display_data", WIDGET)), "random id"),
    ("ignored_outputs_are_held", change("held", source="print(1)"), "asserts nothing"),
    ("ignored_outputs_are_held", change("held", tags=["nbval-ignore-output"]), "held: its output"),
    ("ignored_outputs_are_held", change("setup", tags=["nbval-skip"]), "nbval-ignore-output is used"),
    ("small_file", None, "bytes"),
    ("begins_well", change("title", slide="skip"), "no slide"),
    ("begins_well", change("title", source="# Title\n\nLecture: slide 3"), "minutes"),
    ("begins_well", change("title", source="# Title\n\n10 minutes"), "lecture"),
    ("slides_have_titles", change("more", slide="page"), "slide_type 'page'"),
    ("slides_have_titles", change("run", slide="slide"), "run: a slide without a title"),
    ("slides_have_titles", change("run", source="# no heading, for it is code", slide="subslide"), "without a title"),
    ("slides_have_titles", change("onward", slide="subslide"), "onward: a slide without a title"),
    ("slides_have_titles", change("figure", source="topic.explore_topic()"), "figure: an explorer beside other cells"),
    ("is_argued", change("held", source="x = 1"), "nothing is asserted"),
    ("budget", add(1, new_markdown_cell, "## Summary\n" + "\n".join(["## Idea"] * 8)), "9 ideas, at most 8"),
    ("budget", add(2, new_markdown_cell, "word, " * 3500), "words, at most 3,500"),
    ("budget", add(42, new_code_cell, "x = 1"), "46 code cells, at most 45"),
    ("budget", change("setup", source="\n".join(["x = 1"] * 21)), "21 lines in its longest cell, at most 20"),
    ("budget", add(2, new_markdown_cell, "\n\n".join(["**Question.** Why?"] * 3)), "7 questions, at most 6"),
    ("budget", add(2, new_markdown_cell, "\n\n".join([ANSWER] * 3)), "7 questions, at most 6"),
    ("answers_are_folded", change("more", source=ANSWER.replace("</summary>\n", "</summary>")), "more: a question"),
    ("answers_are_folded", change("more", source=ANSWER.replace("\n\n</details>", "\n</details>")), "more: a question"),
    ("answers_are_folded", change("more", source=ANSWER.removesuffix("</details>")), "more: a question"),
    ("answers_are_folded", change("more", source=ANSWER.replace("Answer<", "Solution<")), "more: a question"),
    ("answers_are_folded", change("more", source=ANSWER[ANSWER.index("<details>") :]), "more: a question"),
    ("answers_are_folded", change("more", source=re.sub(r"\$.*says\.", "", ANSWER)), "more: a question"),
    ("plumbing_is_folded_everywhere", change("held", folded=False), "held: of jupyter.source_hidden and the tag"),
    ("plumbing_is_folded_everywhere", change("held", tags=[]), "held: of jupyter.source_hidden and the tag"),
    (
        "prints_hold_values",
        change("setup", source="if True:\n    print('level', 3, f'{2}')"),
        "print('level', 3, f'{2}')",
    ),
    ("shown_source_is_narrow", change("figure", source="show_source(f)", outputs=[WIDE]), "figure: shows source wider"),
    ("leads_on", change("onward", source="[07](07_next.ipynb)"), "exercises/06_topic.ipynb"),
    ("leads_on", change("onward", source="[06](exercises/06_topic.ipynb)"), "next chapter"),
]


@pytest.mark.parametrize("rule, spoil, message", FAULTS)
def test_the_rule_catches(rule, spoil, message, chapter, monkeypatch):
    notebook = read(chapter)
    if spoil:
        spoil(notebook)
    else:
        monkeypatch.setattr(notebook_rules, "BYTES", 100)
    module = chapter_rules if hasattr(chapter_rules, rule) else notebook_rules
    faults = getattr(module, rule)(notebook, chapter)
    assert any(message in fault for fault in faults), faults


def test_every_rule_is_tested():
    assert {rule for rule, _, _ in FAULTS} == {rule.__name__ for rule in notebook_rules.ALWAYS + chapter_rules.CHAPTERS}


def test_what_counts_as_an_idea_a_word_and_a_question(chapter):
    """At the limit, and not above: headings that are no ideas, formulas, code, addresses, two names of one question."""
    notebook = read(chapter)
    ideas = "\n".join(["## Idea"] * 7 + ["## Further, if you like", "## Misconceptions", "## Summary", "### Below"])
    no_words = "$a b c$ `d e f` - 7 × 7 | <b></b> [](https://a.b/c)\n\n```python\nx = 1\n```\n\n"
    add(1, new_markdown_cell, ideas)(notebook)
    add(5, new_markdown_cell, ANSWER)(notebook)
    add(1, new_markdown_cell, no_words * 3500)(notebook)
    assert chapter_rules.budget(notebook, chapter) == []


@pytest.mark.parametrize("source", ["print(x)", "print(f'{2**3} units')", "print()", "print('a', min(1, 2))", "f('a')"])
def test_prints_that_hold_a_value(source, chapter):
    notebook = read(chapter)
    change("setup", source=source)(notebook)
    assert chapter_rules.prints_hold_values(notebook, chapter) == []


def test_a_print_may_be_the_heading_of_what_follows(chapter):
    notebook = read(chapter)
    change("setup", source="print('epoch  loss')", tags=["print-heading"])(notebook)
    assert chapter_rules.prints_hold_values(notebook, chapter) == []


def test_a_chapter_may_not_lead_to_the_solutions(chapter):
    (chapter.parent / "solutions").mkdir()
    master = chapter.parent / "solutions" / "06_topic.ipynb"
    master.write_text("{}")
    notebook = read(chapter)
    change("more", source="[answers](solutions/06_topic.ipynb)")(notebook)
    assert notebook_rules.links_resolve(notebook, chapter) == ["more: solutions/06_topic.ipynb leads to the solutions"]


def test_exercises_and_masters_keep_only_the_rules_for_all():
    assert chapter_rules.rules(FOLDER / "exercises" / "06_topic.ipynb") == notebook_rules.ALWAYS
    assert chapter_rules.rules(FOLDER / "solutions" / "06_topic.ipynb") == notebook_rules.ALWAYS
