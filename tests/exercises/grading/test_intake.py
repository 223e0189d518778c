"""A submission taken in: text only, in the roles of the class version."""

import json

import nbformat
import pytest

pytest.importorskip("nbgrader", reason="nbgrader is not installed (the extra `grade`)")

from course_utils.exercises.grading import intake
from course_utils.exercises.grading.intake import Unreadable
from course_utils.exercises.grading.sandbox import Limits
from course_utils.exercises.masters import role


def test_intake_takes_text_only(hand_in, released, solutions, tmp_path):
    path = hand_in(tmp_path, "someone", released, solutions)
    raw = json.loads(path.read_text())
    raw["metadata"]["kernelspec"] = {"name": "evil", "display_name": "evil", "language": "c"}
    for cell in raw["cells"]:
        cell["attachments"] = {"a.png": {"image/png": "x" * 10**5}}
        if cell["cell_type"] == "code":
            cell["outputs"] = [{"output_type": "display_data", "data": {"text/html": "<script>"}, "metadata": {}}]
    path.write_text(json.dumps(raw))
    notebook, tampered = intake.intake(path, released)
    assert not tampered and notebook.metadata == released.metadata
    assert "<script>" not in nbformat.writes(notebook) and "attachments" not in nbformat.writes(notebook)
    raw["cells"] += [raw["cells"][3] | {"source": "old = 1"}, raw["cells"][4]]  # an answer and its check, copied
    path.write_text(json.dumps(raw))
    twice, tampered = intake.intake(path, released)
    assert tampered and len(twice.cells) == len(notebook.cells) + 2  # one id twice
    assert [cell.source for cell in twice.cells[:-2]] == [cell.source for cell in notebook.cells]
    assert not any(map(role, twice.cells[-2:]))


def test_a_text_runs_no_script_in_the_browser_of_a_teacher(hand_in, released, tmp_path):
    from nbconvert.filters.markdown_mistune import markdown2html_mistune as html

    text = "If $a<b$ and 1 < 2:\n<script>alert(1)</script>\n\n<img src=x onerror=alert(2)> [x](javascript:alert(3))"
    text += "\n\n<!-- x --><svg/onload=alert(4)> [y][1] <javascript:alert(5)>\n\n[1]: javascript:alert(6)"
    path = hand_in(tmp_path, "someone", released, {"06-6": text, "06-1": "x = 1 <a"})
    raw = json.loads(path.read_text())
    raw["cells"] += [{"cell_type": kind, "metadata": {}, "source": text} for kind in ("markdown", "raw", "html")]
    path.write_text(json.dumps(raw))
    notebook, tampered = intake.intake(path, released)
    texts = [cell.source for cell in notebook.cells if cell.cell_type == "markdown" and "alert" in cell.source]
    assert not tampered and len(texts) == 4 and any(cell.source == "x = 1 <a" for cell in notebook.cells)
    for shown in map(html, texts):
        assert not any(tag in shown for tag in ("<script", "<img", "<svg", "<!--", "<a")), shown
        assert "1 &lt; 2" in shown and "alert(1)" in shown


def test_a_file_that_is_too_large_is_not_read(hand_in, released, tmp_path, monkeypatch):
    path = hand_in(tmp_path, "someone", released)
    monkeypatch.setattr(intake, "LIMITS", Limits(notebook=path.stat().st_size))
    intake.intake(path, released)
    monkeypatch.setattr(intake, "LIMITS", Limits(notebook=path.stat().st_size - 1))
    with pytest.raises(Unreadable):
        intake.intake(path, released)


def test_intake_knows_other_line_ends(hand_in, released, solutions, tmp_path):
    path = hand_in(tmp_path, "someone", released, solutions)
    raw = json.loads(path.read_text())
    for cell in raw["cells"]:
        cell["source"] = "".join(cell["source"]).replace("\n", "\r\n")
    path.write_text(json.dumps(raw))
    notebook, tampered = intake.intake(path, released)
    assert not tampered and not any("\r" in cell.source for cell in notebook.cells)
