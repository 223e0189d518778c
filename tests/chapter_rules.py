"""The conventions of chapters: rules as in notebook_rules, and the exceptions for chapters older than a rule."""

import ast
import re
from pathlib import Path

from notebook_rules import ALWAYS, calls, code, headings, kind, links, parse, prose, shown, tags, text

WIDTH = 88
BUDGET = {"ideas": 8, "words": 3500, "code cells": 45, "lines in its longest cell": 20, "questions": 6}
SLIDE_TYPES = {"slide", "subslide", "fragment", "skip", "notes", "-"}
BESIDE_IDEAS = re.compile(r"(Further|Misconceptions|Summary)\b")
QUESTION = re.compile(r"\*\*(?:Question|Predict)")
ANSWER = re.compile(r"\S\n\n<details>\n?<summary>Answer</summary>\n\n(?!\s*</details>).+?\n\n</details>(?=\n|\Z)", re.S)


def slide_type(cell):
    return cell.metadata.get("slideshow", {}).get("slide_type", "-")


def slides(notebook):
    """The slides and subslides of a chapter: of each its visible cells."""
    found = []
    for cell in notebook.cells:
        if slide_type(cell) in ("slide", "subslide") or not found:
            found.append([])
        if slide_type(cell) not in ("skip", "notes"):
            found[-1].append(cell)
    return found


def begins_well(notebook, path):
    """A chapter's first cell is its first slide and says where in the lecture it is and how many minutes it takes."""
    first = notebook.cells[0]
    faults = [] if slide_type(first) == "slide" else ["its first cell is no slide"]
    faults += [f"{first.id}: does not say {w}" for w in ("lecture", "minutes") if w not in first.source.lower()]
    return faults


def slides_have_titles(notebook, path):
    """A slide begins with a heading, and so does a subslide. An explorer has a slide to itself, under its title."""
    faults = [f"{c.id}: slide_type {slide_type(c)!r}" for c in notebook.cells if slide_type(c) not in SLIDE_TYPES]
    for first, *rest in filter(None, slides(notebook)):
        if first.cell_type != "markdown" or not re.match("#+ ", first.source):
            faults.append(f"{first.id}: a slide without a title")
        explorers = [c for c in (first, *rest) for name, _ in calls(c) if name.startswith("explore_")]
        if explorers and len(rest) > 1:
            faults.append(
                f"{explorers[0].id}: an explorer beside other cells; give it a slide of its own, with a title"
            )
    return faults


def is_argued(notebook, path):
    """A chapter asserts what it claims."""
    nodes = (node for cell in code(notebook) for statement in parse(cell) for node in ast.walk(statement))
    return [] if any(isinstance(node, ast.Assert) for node in nodes) else ["nothing is asserted"]


def budget(notebook, path):
    """At most 8 ideas (its H2), 3,500 words of prose, 45 code cells, 20 lines a cell, 6 questions."""
    words = (re.sub(r"<[^>]*>|(?<=\])\([^)]*\)", "", prose(cell)).split() for cell in text(notebook))
    measured = {
        "ideas": sum(level == 2 and not BESIDE_IDEAS.match(title) for level, title, _ in headings(notebook)),
        "words": sum(bool(re.search(r"[^\W\d_]", word)) for cell in words for word in cell),
        "code cells": len(code(notebook)),
        "lines in its longest cell": max((len(cell.source.splitlines()) for cell in code(notebook)), default=0),
        "questions": sum(max(len(QUESTION.findall(c.source)), c.source.count("<details")) for c in text(notebook)),
    }
    return [f"{count:,} {what}, at most {BUDGET[what]:,}" for what, count in measured.items() if count > BUDGET[what]]


def answers_are_folded(notebook, path):
    """An answer stands in the text cell of its question, after it, folded, in a form that every viewer renders:

    <details><summary>Answer</summary>, a blank line, the answer, a blank line, </details>. Slides show it open.
    """
    return [
        f"{cell.id}: a question, then '<details><summary>Answer</summary>', answer, '</details>', blank lines between"
        for cell in text(notebook)
        if not cell.source.count("<details") == cell.source.count("</details") == len(ANSWER.findall(cell.source))
    ]


def prints_hold_values(notebook, path):
    """A print tells what was computed, not what somebody expected: its strings hold a value.

    A cell that prints the heading of a list of values has the tag print-heading.
    """

    def holds_value(argument):
        return any(isinstance(node, (ast.Name, ast.Attribute, ast.Call, ast.BinOp)) for node in ast.walk(argument))

    return [
        f"{cell.id}: print({', '.join(map(ast.unparse, call.args))[:40]}) holds no value"
        for cell in code(notebook)
        if "print-heading" not in tags(cell)
        for name, call in calls(cell)
        if name == "print" and call.args and not any(map(holds_value, call.args))
    ]


def shown_source_is_narrow(notebook, path):
    """What show_source shows has no line of more than 88 columns, which JupyterLab would break within a word."""
    return [
        f"{cell.id}: shows source wider than {WIDTH} columns: record it, or write that source narrower"
        for cell in code(notebook)
        if any(name == "show_source" for name, _ in calls(cell))
        and any(len(line) > WIDTH for mime, words in shown(cell) if mime == "text/plain" for line in words.splitlines())
    ]


def leads_on(notebook, path):
    """A chapter links to its exercises, and to a later chapter, where there are any."""
    path = Path(path)
    targets = {
        (path.parent / address.partition("#")[0]).resolve() for c in text(notebook) for _, _, address in links(c)
    }
    faults = []
    exercises = path.parent / "exercises" / path.name
    if exercises.exists() and exercises.resolve() not in targets:
        faults.append(f"no link to exercises/{path.name}")
    later = {other.resolve() for other in path.parent.glob("[0-9]*.ipynb") if other.name > path.name}
    if later and not later & targets:
        faults.append("no link to the next chapter")
    return faults


CHAPTERS = [
    begins_well,
    slides_have_titles,
    is_argued,
    budget,
    answers_are_folded,
    prints_hold_values,
    shown_source_is_narrow,
    leads_on,
]


def rules(path):
    """The rules for a notebook: those for all, and for a chapter those for chapters."""
    return ALWAYS + CHAPTERS if kind(path) == "chapter" else ALWAYS


def faults(notebook, path):
    """The faults of a notebook by all its rules."""
    return [f"{rule.__name__}: {fault}" for rule in rules(path) for fault in rule(notebook, path)]
