"""The learner's folder: filled once, never written over; JupyterLab started, or found running."""

import os
import re
import signal
import socket
import stat
import subprocess
import sys
import urllib.error
import urllib.request
import webbrowser
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
import pytest
from nbformat.sign import NotebookNotary

from course_utils import __main__ as command_line
from course_utils.setup import workspace

CHAPTER = "06_convolution_arithmetic.ipynb"


def notebook(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    shown = nbformat.v4.new_output("stream", text="2\n")
    code = nbformat.v4.new_code_cell("print(1 + 1)", id="code", execution_count=1, outputs=[shown])
    cells = [nbformat.v4.new_markdown_cell(text, id="text"), code]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A small course in a folder with a space in its name; Jupyter's own files go to a temporary place."""
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "jupyter"))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(tmp_path / "config"))
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"):
        monkeypatch.delenv(name, raising=False)
    root = tmp_path / "the course"
    for name in ("00_start_here.ipynb", CHAPTER, f"exercises/{CHAPTER}", f"solutions/{CHAPTER}"):
        notebook(root / "notebooks" / name, "# version 1")
    (root / "notebooks/.ipynb_checkpoints").mkdir()
    (root / "notebooks/.ipynb_checkpoints/x.ipynb").touch()
    (root / "notebooks/_draft.ipynb").touch()
    return root


def files(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_learners_get_all_but_the_solutions(root):
    workspace.populate(root)
    assert files(root / "work") == ["00_start_here.ipynb", CHAPTER, f"exercises/{CHAPTER}"]


def test_a_learners_file_is_never_written_over(root):
    workspace.populate(root)
    (root / "work" / CHAPTER).write_text("mine")
    notebook(root / "notebooks" / CHAPTER, "# version 2")
    notebook(root / "notebooks/07_pooling.ipynb", "# new")
    assert workspace.populate(root) == [Path("07_pooling.ipynb")]
    assert (root / "work" / CHAPTER).read_text() == "mine"


def test_not_even_a_link_is_written_over(root, tmp_path):
    (root / "work").mkdir()
    (root / "work" / CHAPTER).symlink_to(tmp_path / "unplugged drive")
    workspace.populate(root)
    assert (root / "work" / CHAPTER).is_symlink()


def test_a_copy_that_fails_leaves_nothing(root, monkeypatch):
    def full(path, content):
        with open(path, "wb") as file:
            file.write(content[:10])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match=r"work/00_start_here\.ipynb cannot be written: No space left on device"):
        workspace.populate(root)
    assert files(root / "work") == []


def test_an_interrupted_copy_is_made_by_the_next_call_and_trusted(root, monkeypatch):
    def interrupted(*arguments):
        raise KeyboardInterrupt

    for name in ("sign", "write"):
        with monkeypatch.context() as patch:
            patch.setattr(NotebookNotary if name == "sign" else workspace, name, interrupted)
            with pytest.raises(KeyboardInterrupt):
                workspace.populate(root)
        assert files(root / "work") == []
    assert len(workspace.populate(root)) == 3
    assert NotebookNotary().check_signature(nbformat.read(root / "work" / CHAPTER, as_version=4))


@pytest.mark.parametrize("name", ["work", "build"])
@pytest.mark.parametrize("call", [workspace.populate, lambda root: workspace.fresh("06", root)])
def test_a_file_in_the_place_of_a_folder_stays(root, name, call):
    (root / name).write_text("mine")
    with pytest.raises(ValueError, match=f"{name} is no folder, .*: move it away"):
        call(root)
    assert (root / name).read_text() == "mine"


def test_a_folder_that_leads_to_another_disk_will_do(root, tmp_path):
    (tmp_path / "disk").mkdir()
    (root / "work").symlink_to(tmp_path / "disk")
    workspace.populate(root)
    assert files(tmp_path / "disk") == ["00_start_here.ipynb", CHAPTER, f"exercises/{CHAPTER}"]


def test_two_calls_at_once_copy_each_file_once(root):
    for number in range(10, 20):
        notebook(root / f"notebooks/{number}_x.ipynb", "# x")
    with ThreadPoolExecutor() as pool:
        new = list(pool.map(lambda _: workspace.populate(root), range(3)))
    assert sorted(map(len, new)) == [0, 0, 13]
    with ThreadPoolExecutor() as pool:
        copies = list(pool.map(lambda _: workspace.fresh("06", root), range(3)))
    assert len({path for paths in copies for path in paths}) == 6


def test_copies_are_trusted(root):
    workspace.populate(root)
    copy = nbformat.read(root / "work" / CHAPTER, as_version=4)
    assert NotebookNotary().check_signature(copy)
    copy.cells[0].source = "changed"
    assert not NotebookNotary().check_signature(copy)


def test_chapters_come_without_outputs_and_else_as_they_are(root):
    for copy in (lambda: workspace.populate(root), lambda: workspace.fresh("06", root)):
        copy()
    expected = nbformat.read(root / "notebooks" / CHAPTER, as_version=4)
    expected.cells[1].outputs, expected.cells[1].execution_count = [], None
    for name in (CHAPTER, CHAPTER.replace(".", " (fresh).")):
        assert nbformat.read(root / "work" / name, as_version=4) == expected
        assert (root / "work" / name).read_text().endswith("}\n")


def test_what_is_no_notebook_is_copied_too_however_deep_it_lies(root):
    picture = root / "notebooks/pictures/small/x.svg"
    picture.parent.mkdir(parents=True)
    picture.write_text("<svg/>")
    assert Path("pictures/small/x.svg") in workspace.populate(root)
    assert (root / "work/pictures/small/x.svg").read_text() == "<svg/>"


def test_fresh_copies_stand_beside_the_old(root):
    workspace.populate(root)
    (root / "work" / CHAPTER).write_text("mine")
    stem = CHAPTER.removesuffix(".ipynb")
    for chapter, suffix in (("06", " (fresh)"), ("6", " (fresh 2)")):
        assert [path.as_posix() for path in workspace.fresh(chapter, root)] == [
            f"{stem}{suffix}.ipynb",
            f"exercises/{stem}{suffix}.ipynb",
        ]
    assert (root / "work" / CHAPTER).read_text() == "mine"
    exercises = root / f"work/exercises/{stem} (fresh).ipynb"
    assert exercises.read_bytes() == (root / f"notebooks/exercises/{CHAPTER}").read_bytes()
    assert nbformat.read(root / "work" / f"{stem} (fresh).ipynb", as_version=4).cells[0].source == "# version 1"


def test_fresh_takes_the_plain_name_where_it_is_free(root):
    assert workspace.fresh("00", root) == [Path("00_start_here.ipynb")]


@pytest.mark.parametrize("chapter", ["99", "conv", "", "../06"])
def test_an_unknown_chapter_is_refused(root, chapter):
    with pytest.raises(ValueError, match=f"no chapter {chapter!r}; there are 00, 06"):
        workspace.fresh(chapter, root)


def test_without_notebooks_it_says_so(tmp_path):
    with pytest.raises(ValueError, match="from a clone"):
        workspace.populate(tmp_path)


def test_the_command_line_ends_in_one_line(root, monkeypatch, capsys):
    monkeypatch.setattr(workspace.fresh, "__defaults__", (root,))
    assert command_line.main(["fresh", "99"]) == 2
    output = capsys.readouterr()
    assert output.err == "course_utils: there is no chapter '99'; there are 00, 06\n"
    assert output.out == ""


def test_the_command_line_names_the_copies(root, monkeypatch, capsys):
    monkeypatch.setattr(workspace.fresh, "__defaults__", (root,))
    assert command_line.main(["fresh", "06"]) == 0
    assert capsys.readouterr().out == f"work/{CHAPTER}\nwork/exercises/{CHAPTER}\n"


def test_the_command_line_opens_the_lab(monkeypatch):
    opened = []
    monkeypatch.setattr(workspace, "lab", lambda: opened.append("lab"))
    assert command_line.main(["lab"]) == 0
    assert opened == ["lab"]


@pytest.mark.parametrize(("options", "level"), [(["-O"], ""), ([], "2")])
def test_without_asserts_no_lab_is_opened(options, level):
    run = subprocess.run(
        [sys.executable, *options, "-m", "course_utils", "lab"],
        env={**os.environ, "PYTHONOPTIMIZE": level},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (run.returncode, run.stdout) == (2, "")
    assert re.fullmatch(r"course_utils: asserts are off, .*: unset PYTHONOPTIMIZE, no -O or -OO\n", run.stderr)


def test_the_first_page_is_chapter_00_or_the_lab(root):
    assert workspace.first_page(root / "notebooks") == "lab/tree/00_start_here.ipynb"
    (root / "notebooks/00_start_here.ipynb").rename(root / "notebooks/00_a & b.ipynb")
    assert workspace.first_page(root / "notebooks") == "lab/tree/00_a%20%26%20b.ipynb"
    assert workspace.first_page(root / "notebooks/exercises") == "lab"


def test_a_display_without_a_browser_is_none(root, monkeypatch):
    def none_found():
        raise webbrowser.Error

    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(webbrowser, "get", none_found)
    assert workspace.browser() is None


def test_a_text_browser_is_not_asked_for(root, monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(webbrowser, "get", lambda: "it takes the terminal over")
    assert workspace.browser() is None


def test_without_a_browser_the_address_is_printed(root, capsys):
    workspace.show_page("http://localhost:1/lab?token=x", root)
    assert capsys.readouterr().out == "course: open http://localhost:1/lab?token=x\n"
    assert not (root / "build").exists()


def test_the_browser_gets_a_page_that_only_the_user_can_read(root, monkeypatch):
    opened = []
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(
        webbrowser, "get", lambda: type("Browser", (), {"open": lambda self, url: opened.append(url)})()
    )
    page = root / "build/open.html"
    page.parent.mkdir()
    page.write_text("of another day, and open to all")
    page.chmod(0o644)
    workspace.show_page("http://localhost:1/lab?a=1&token=secret", root)
    assert opened == [page.as_uri()]
    assert "url=http://localhost:1/lab?a=1&amp;token=secret" in page.read_text()
    if os.name == "posix":
        assert stat.S_IMODE(page.stat().st_mode) == 0o600


def start(root):
    """Start the command in a process of its own; returns it and the address that it printed."""
    code = "import sys, pathlib; from course_utils.setup.workspace import lab; lab(pathlib.Path(sys.argv[1]))"
    command = [sys.executable, "-c", code, str(root)]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    lines = []
    for line in server.stdout:
        lines.append(line)
        if line.startswith("course: open "):
            return server, line.split()[-1], lines
    raise AssertionError("".join(lines))


@pytest.mark.skipif(os.name != "posix", reason="ends the server with a signal")
def test_the_server(root, capsys):
    busy = socket.socket()
    busy.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        busy.bind(("127.0.0.1", 8888))
        busy.listen()
    except OSError:  # busy already: as good
        pass
    server, address, lines = start(root)
    try:
        assert re.fullmatch(r"http://\S+:(?!8888)\d+/lab/tree/00_start_here\.ipynb\?token=\w+", address)
        assert "course: 3 new files" in lines[0]
        with urllib.request.urlopen(address, timeout=20) as page:
            assert "00_start_here.ipynb" in page.read().decode()
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(address.split("lab/")[0] + "api/contents", timeout=20)

        workspace.lab(root)  # a second call, while the first serves
        same = f"course: JupyterLab runs on this folder already\ncourse: open {address}\n"
        assert capsys.readouterr().out == same
    finally:
        busy.close()
        server.send_signal(signal.SIGINT)
        server.wait(30)
    assert server.returncode == 0
    assert server.stdout.readline() == "course: Ctrl-C ends JupyterLab; your files stay in work/\n"
    assert "Traceback" not in server.stdout.read()
    assert workspace.running(root / "work") is None
