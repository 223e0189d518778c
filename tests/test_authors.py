"""The authors' tools, on small notebooks: what is recorded passes nbval strict; slides fit, and hold no solution."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from subprocess import PIPE

import nbformat
import pytest
from nbconvert.exporters import HTMLExporter
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from course_utils.authors import __main__, exercises, slides
from course_utils.authors.record import RecordingError, execute, normalize, record, record_all, run, write

LIVELY = {
    "setup": """
import os
import ipywidgets as widgets
import matplotlib.pyplot as plt
from IPython.display import clear_output
from tqdm.auto import tqdm
from course_utils.notebook import Profile, Table, show, show_source
""",
    "environment": "print(*(os.environ.get(n) for n in ('COURSE_PROFILE', 'COURSE_DATA', 'OMP_NUM_THREADS')))",
    "folder": "print(os.listdir('.'))",
    "figure": "figure, axes = plt.subplots()\naxes.plot([1, 2])\nshow(figure, 'A line.', 'a line')",
    "table": "Table([[1, 2]], ['a', 'b'], 'A table.')",
    "source": "show_source(Profile)",
    "bar": "for i in tqdm(range(3), desc='go'):\n    pass",
    "clear": "print('a')\nclear_output(wait=True)\nprint('b')",
    "slider": """
slider, view = widgets.IntSlider(3), widgets.HTML()
def draw(change=None):
    view.value = f"<svg width='{slider.value}'></svg>"
slider.observe(draw, "value")
draw()
widgets.VBox([slider, view])
""",
    "move": "before = view.value\nslider.value = 5\nassert view.value != before\nprint('the picture changed')",
    "handle": "shown = display('x', display_id=True)\nshown.update('y')",
}


def notebook_of(**cells):
    return new_notebook(cells=[new_code_cell(source.strip(), id=name) for name, source in cells.items()])


@pytest.fixture(scope="module")
def lively(tmp_path_factory):
    path = tmp_path_factory.mktemp("record") / "01_lively.ipynb"
    write(notebook_of(**LIVELY), path)
    assert record(path)[0]
    return path


def nbval(*paths):
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "course_utils.setup.quick",
        "-c",
        os.devnull,
    ]
    command += ["--rootdir=/", "--nbval", "--nbval-current-env", "--nbval-cell-timeout=60", *map(str, paths)]
    return subprocess.run(command, capture_output=True, text=True).stdout


def outputs(path, name):
    return next(cell.outputs for cell in nbformat.read(path, as_version=4).cells if cell.id == name)


def test_what_is_recorded_passes_nbval_strict_and_what_is_altered_does_not(lively, tmp_path):
    altered = tmp_path / lively.name
    altered.write_text(
        lively.read_text().replace("iVBORw0KGgo", "iVBORw0KGgoAA").replace("quick None 1", "quick None 2")
    )
    said = nbval(lively, altered)
    # A figure's pixels are not compared, what is printed is.
    assert f"1 failed, {2 * len(LIVELY) - 1} passed" in said, said
    assert "quick None 2" in said


def test_recorded_kernel_sees_the_quick_environment_and_its_folder(lively):
    assert outputs(lively, "environment")[0].text == "quick None 1\n"
    assert outputs(lively, "folder")[0].text == "['01_lively.ipynb']\n"


def test_recording_twice_changes_nothing(lively):
    stored, time = lively.read_text(), lively.stat().st_mtime_ns
    changed, seconds, cpu = record(lively)
    assert (changed, lively.read_text(), lively.stat().st_mtime_ns) == (False, stored, time)
    assert seconds > 0 and cpu > 0


def test_counts_are_those_of_the_cells(lively):
    notebook = nbformat.read(lively, as_version=4)
    assert [cell.execution_count for cell in notebook.cells] == list(range(1, len(LIVELY) + 1))
    assert outputs(lively, "table")[0].execution_count == list(LIVELY).index("table") + 1


def test_what_is_folded_stays_folded_when_it_is_recorded():
    notebook = notebook_of(a="1")
    notebook.cells[0].metadata = {"jupyter": {"source_hidden": True}, "tags": ["hide-input"]}
    assert normalize(notebook).cells[0].metadata == {"jupyter": {"source_hidden": True}, "tags": ["hide-input"]}


def test_nothing_of_the_machine_is_stored(lively, tmp_path):
    text = lively.read_text()
    assert sys.prefix not in text and str(tmp_path.parent) not in text
    metadata = nbformat.read(lively, as_version=4).metadata
    assert set(metadata) == {"kernelspec", "language_info"} and metadata.kernelspec.name == "python3"
    assert "version" not in metadata.language_info
    (view,) = outputs(lively, "slider")
    assert view.data["application/vnd.jupyter.widget-view+json"]["model_id"] == ""


@pytest.mark.parametrize(
    "source, message",
    [
        ("1 / 0", "cell bad: ZeroDivisionError: division by zero"),
        ("raise ValueError('one\\ntwo')", "cell bad: ValueError: one"),
        ("def f(:", "cell bad: SyntaxError"),
        ("import os\nos._exit(3)", "cell bad: the kernel died"),
    ],
)
def test_a_failing_cell_leaves_the_file_as_it_was(source, message, tmp_path, capfd):
    path = tmp_path / "02_bad.ipynb"
    write(notebook_of(good="print(1)", bad=source, never="print(2)"), path)
    stored = path.read_text()
    with pytest.raises(RecordingError) as failure:
        record(path)
    assert str(failure.value).startswith(message) and "\n" not in str(failure.value)
    assert path.read_text() == stored and os.listdir(tmp_path) == [path.name]


def test_an_endless_cell_is_ended(tmp_path):
    with pytest.raises(RecordingError, match="cell endless: no end after 1 s"):
        execute(notebook_of(endless="while True:\n    pass"), tmp_path, timeout=1)


def test_several_at_once_with_a_line_each(tmp_path, capsys):
    write(notebook_of(good="print(1)"), tmp_path / "01_good.ipynb")
    write(notebook_of(bad="1 / 0"), tmp_path / "02_bad.ipynb")
    assert record_all({tmp_path / "01_good.ipynb": None, tmp_path / "02_bad.ipynb": None}, jobs=2) == 1
    good, bad = capsys.readouterr().out.splitlines()
    assert "01_good.ipynb" in good and good.endswith("changed")
    assert bad.endswith("02_bad.ipynb: failed, cell bad: ZeroDivisionError: division by zero")


NO_NOTEBOOKS = {
    "empty": b"",
    "text": b"# A title",
    "list": b"[1, 2]",
    "other": b'{"a": 1}',
    "torn": b'{"cells": [{"cell_type": "code", "sou',
    "latin": '{"cells": "é"}'.encode("latin-1"),
    "no cells": b'{"nbformat": 4, "nbformat_minor": 5, "metadata": {}}',
}


@pytest.mark.parametrize("content", NO_NOTEBOOKS.values(), ids=NO_NOTEBOOKS)
def test_what_is_no_notebook_is_refused_in_one_line(content, tmp_path):
    path = tmp_path / "01_bad.ipynb"
    path.write_bytes(content)
    with pytest.raises(RecordingError, match=r"01_bad\.ipynb is not a notebook: .") as failure:
        run(path)
    assert "\n" not in str(failure.value) and path.read_bytes() == content


def test_one_that_is_no_notebook_does_not_keep_the_others_from_being_recorded(tmp_path, capsys):
    write(notebook_of(good="print(1)"), tmp_path / "02_good.ipynb")
    (tmp_path / "solutions").mkdir()
    for path in (tmp_path / "01_bad.ipynb", tmp_path / "solutions" / "01_bad.ipynb"):
        path.write_text('{"a": 1}')
    assert __main__.main(["record", "-j", "1", *map(str, sorted(tmp_path.glob("*.ipynb")))]) == 1
    bad, good = capsys.readouterr().out.splitlines()
    assert "01_bad.ipynb is not a notebook" in bad and good.endswith("changed")
    for command in (["slides", str(tmp_path / "01_bad.ipynb")], ["exercises", str(path)]):
        assert __main__.main(command) == 2
        said = capsys.readouterr().err
        assert said.count("\n") == 1 and "01_bad.ipynb is not a notebook" in said


def test_ctrl_c_is_one_line_and_code_130_and_leaves_files_as_they_were(tmp_path):
    (tmp_path / "pids").mkdir()
    slow = f"import os, time\nopen({str(tmp_path / 'pids')!r} + f'/{{os.getpid()}}', 'w')\ntime.sleep(100)"
    paths = [tmp_path / f"0{k}_slow.ipynb" for k in range(4)]
    for path in paths:
        write(notebook_of(slow=slow), path)
    before = {path.name: path.read_bytes() for path in paths}
    command = [sys.executable, "-m", "course_utils.authors", "record", *map(str, paths)]
    with subprocess.Popen(command, stdout=PIPE, stderr=PIPE, text=True, start_new_session=True) as process:
        wait_for(lambda: len(os.listdir(tmp_path / "pids")) == 2)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal sends it, to all of them
        out, err = process.communicate(timeout=20)
    assert process.returncode == 130 and out == "" and err.count("\n") == 2 and "interrupted" in err
    assert {path.name: path.read_bytes() for path in tmp_path.glob("*.ipynb")} == before
    assert sorted(os.listdir(tmp_path)) == sorted([*before, "pids"])
    wait_for(lambda: not any(alive(int(pid)) for pid in os.listdir(tmp_path / "pids")))


def wait_for(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()


def test_without_a_command_the_commands_are_listed(capsys):
    assert __main__.main([]) == 0
    assert {"record", "slides", "exercises"} <= set(capsys.readouterr().out.split())


@pytest.mark.parametrize("arguments", [["nothing"], ["record", "-j", "0"], ["record", "-j", "x"], ["slides", "--jobs"]])
def test_a_wrong_argument_is_one_line_and_code_2(arguments, capsys):
    with pytest.raises(SystemExit) as end:
        __main__.main(arguments)
    assert end.value.code == 2 and capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("command", ["record", "slides", "exercises"])
def test_a_wrong_path_is_one_line_and_code_2(command, tmp_path, capsys):
    assert __main__.main([command, str(tmp_path / "none.ipynb")]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_exercises_are_made_of_masters_only(tmp_path):
    write(notebook_of(a="1"), tmp_path / "01_topic.ipynb")
    with pytest.raises(ValueError, match="not a master"):
        exercises.make([tmp_path / "01_topic.ipynb"])


def test_learners_version_is_recorded_without_the_solution(tmp_path, capsys):
    answer = new_code_cell("def f():\n    ### BEGIN SOLUTION\n    return 42\n    ### END SOLUTION", id="answer")
    answer.metadata["nbgrader"] = {"solution": True, "grade": False, "locked": False, "task": False}
    (tmp_path / "solutions").mkdir()
    master = tmp_path / "solutions" / "01_topic.ipynb"
    write(new_notebook(cells=[answer, new_code_cell("print('ran')", id="after")]), master)
    assert exercises.make([master], jobs=1) == 0
    learners = nbformat.read(tmp_path / "exercises" / "01_topic.ipynb", as_version=4)
    assert "42" not in str(learners) and "NotImplementedError" in learners.cells[0].source
    assert [cell.execution_count for cell in learners.cells] == [1, 2]
    assert learners.cells[1].outputs[0].text == "ran\n"


def slide(source, kind="slide", cell=new_markdown_cell):
    return cell(source, metadata={"slideshow": {"slide_type": kind}})


ANSWER = "<details><summary>Answer</summary>\n\nBecause $y = x$.\n\n- so\n\n</details>"


@pytest.fixture
def chapter(tmp_path):
    cells = [
        slide("# Topic\n\nA formula: $x_1^2$"),
        slide("## Code", "slide"),
        slide("x = 1\nshow(figure, 'A caption.', 'an alt text')", "-", new_code_cell),
        slide("rows = [[1]]\nTable(rows, ['no more'])", "-", new_code_cell),
        slide("Only for reading.", "skip"),
        slide("plumbing(1)", "-", new_code_cell),
        slide(f"## Why?\n\n{ANSWER}"),
        slide("run_that_answers()", "-", new_code_cell),
        slide(ANSWER.replace("Because", "Say that"), "notes"),
        slide("## Tall\n\n" + "\n\n".join(f"line {i}" for i in range(30))),
        slide("## Wide\n\n$$" + " + ".join(f"x_{{{i}}}" for i in range(60)) + "$$", "subslide"),
    ]
    cells[5].metadata |= {"tags": ["hide-input"], "jupyter": {"source_hidden": True}}
    cells[5].outputs = [nbformat.v4.new_output("stream", text="what it shows")]
    path = tmp_path / "01_topic.ipynb"
    write(new_notebook(cells=cells), path)
    return path


def test_slides_hold_what_is_meant_for_slides(chapter, tmp_path):
    page = slides.convert(chapter, tmp_path / "slides", tmp_path / "vendor")
    html = page.read_text(encoding="utf-8")
    assert page.name == "01_topic.html" and os.listdir(page.parent) == [page.name]
    assert "$x_1^2$" in html and "Only for reading" not in html
    assert "an alt text" not in html and "no more" not in html, "the code that only shows is not on the slide"
    assert "rows" in html
    assert 'src="../vendor/reveal.js/dist/reveal.js"' in html and 'src="https:' not in html


def test_folded_code_is_not_on_the_slides_and_what_it_shows_is(chapter, tmp_path):
    html = slides.convert(chapter, tmp_path / "slides").read_text(encoding="utf-8")
    assert "what it shows" in html and "plumbing" not in html


def test_a_folded_answer_is_a_fragment_of_its_own_on_a_slide_and_folded_in_a_page(chapter, tmp_path):
    html = slides.convert(chapter, tmp_path / "slides").read_text(encoding="utf-8")
    answer, *others = re.findall(r'<div class="fragment answer">(.*?)</div>', html, re.S)
    assert "Because $y = x$." in answer and "<li>so</li>" in answer and others == []
    in_slides, _, notes = html[html.index("Why?") :].partition('<aside class="notes">')
    steps = in_slides.split('class="fragment')
    assert ["run_that_answers" in step for step in steps] == [False, False, True], "before the answer, it would give it"
    assert "<details>" not in in_slides and "Say that" in notes and "Answer</summary>" in notes
    page, _ = HTMLExporter().from_filename(str(chapter))
    assert re.search(
        r"<details><summary>Answer</summary>\s*<p>Because \$y = x\$\.</p>.*?<li>so</li>.*?</details>", page, re.S
    )


def test_slides_without_vendored_scripts_ask_the_network(chapter, tmp_path):
    html = slides.convert(chapter, tmp_path / "slides").read_text(encoding="utf-8")
    assert 'src="https://' in html


def test_vendoring_without_npm_says_so(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(slides.shutil, "which", lambda name: None)
    assert slides.vendor(tmp_path / "vendor") is False
    assert capsys.readouterr().out.count("\n") == 1


def test_slides_are_made_without_npm_too_and_it_is_said_once(chapter, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(slides.shutil, "which", lambda name: None)  # nor is Chromium found, to measure them
    slides.make([chapter, chapter], tmp_path / "build" / "slides")
    said, *pages = capsys.readouterr().out.splitlines()
    assert "npm is not on this machine" in said and [Path(page).name for page in pages] == ["01_topic.html"] * 2


def test_no_slides_of_solutions(tmp_path):
    (tmp_path / "solutions").mkdir()
    write(notebook_of(a="1"), tmp_path / "solutions" / "01_topic.ipynb")
    with pytest.raises(ValueError, match="chapters only"):
        slides.convert(tmp_path / "solutions" / "01_topic.ipynb", tmp_path)


def test_overfull_slides_are_found(chapter, tmp_path, chromium):
    from browser import chromium_browser
    from notebook_rules import FOLDER

    scripts = FOLDER.parent / "build" / "vendor"
    if not scripts.is_dir():
        pytest.skip("reveal.js and MathJax are not in build/vendor; `make slides` fetches them")
    with chromium_browser(chromium) as browser:
        found = slides.measure(slides.convert(chapter, tmp_path, scripts), browser)
    assert [title for title, _, _ in found] == ["4.1 Tall", "4.2 Wide"]
    (_, tall, narrow), (_, short, wide) = found
    assert tall > 100 and narrow == 0 and short == 0 and wide > 100
