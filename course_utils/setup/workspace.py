"""The learner's folder work/: `lab` fills it and opens it in JupyterLab, `fresh` puts a clean chapter beside another.

Learners do not edit tracked files. No function here writes over a file in work/.
"""

import html
import os
import re
import sys
import threading
import urllib.request
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import quote

from course_utils.files import ROOT, write


def for_learners(root: Path = ROOT) -> list[Path]:
    """What learners get, as paths relative to notebooks/: all but solutions/ and hidden files.

    Raises ValueError where there is no folder notebooks/ (the package without its course).
    """
    notebooks = root / "notebooks"
    if not notebooks.is_dir():
        raise ValueError(f"no notebooks/ in {root}: the course runs from a clone, installed with pip install -e .")
    files = (path.relative_to(notebooks) for path in notebooks.rglob("*") if path.is_file())
    return sorted(f for f in files if f.parts[0] != "solutions" and not any(p.startswith((".", "_")) for p in f.parts))


@contextmanager
def _alone(root: Path) -> Iterator[Path]:
    """The folder root/work, to be filled by one process at a time. ValueError where something else has its name."""
    from filelock import FileLock

    work, build = root / "work", root / "build"
    for folder in (work, build):
        if os.path.lexists(folder) and not folder.is_dir():
            raise ValueError(f"{folder} is no folder, and the course keeps files in one of that name: move it away")
        folder.mkdir(exist_ok=True)
    with FileLock(build / "work.lock"):
        yield work


def _copy(path: Path, root: Path, target: Path) -> None:
    """Copy `path` of notebooks/ to `target`, a chapter without its outputs: a prediction comes before a result.

    A notebook is signed first, else JupyterLab strips SVG and widgets from the outputs that it has.
    """
    content: str | bytes = (root / "notebooks" / path).read_bytes()
    if path.suffix == ".ipynb":
        import nbformat
        from nbformat.sign import NotebookNotary

        notebook = nbformat.reads(content.decode(), as_version=4)
        if path.parent == Path():  # a chapter; exercises say how far they are
            for cell in notebook.cells:
                if cell.cell_type == "code":
                    cell.outputs, cell.execution_count = [], None
            content = nbformat.writes(notebook) + "\n"
        NotebookNotary().sign(notebook)
    write(target, content)


def populate(root: Path = ROOT) -> list[Path]:
    """Copy into root/work what is not there yet; returns those paths, relative to it.

    So a later version of the course adds its new chapters and leaves the learner's own alone.
    """
    files = for_learners(root)
    with _alone(root) as work:
        new = [path for path in files if not os.path.lexists(work / path)]
        for path in new:
            _copy(path, root, work / path)
    return new


def fresh(chapter: str, root: Path = ROOT) -> list[Path]:
    """Put clean copies of chapter `chapter` ("06") and its exercises into root/work; returns them, relative to it.

    A copy takes its master's name where that is free, else "NAME (fresh).ipynb", "NAME (fresh 2).ipynb" and so on.
    Raises ValueError for a chapter that is not there.
    """
    files = for_learners(root)
    known = {path.name[:2] for path in files if re.match(r"\d\d_.*\.ipynb$", path.name)}
    number = chapter.zfill(2)
    if not chapter or number not in known:
        raise ValueError(f"there is no chapter {chapter!r}; there are {', '.join(sorted(known)) or 'none yet'}")
    copies = []
    with _alone(root) as work:
        for path in files:
            if path.suffix == ".ipynb" and path.name.startswith(f"{number}_"):
                target, count = work / path, 0
                while os.path.lexists(target):
                    count += 1
                    target = target.with_name(f"{path.stem} (fresh{f' {count}' if count > 1 else ''}).ipynb")
                _copy(path, root, target)
                copies.append(target.relative_to(work))
    return copies


def browser() -> webbrowser.BaseBrowser | None:
    """The user's graphical browser, or None; a text browser would take the terminal over."""
    graphical = sys.platform in ("win32", "darwin") or any(
        map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"))
    )
    try:
        return webbrowser.get() if graphical else None
    except webbrowser.Error:
        return None


def show_page(url: str, root: Path = ROOT) -> None:
    """Print the address, and open it where there is a browser.

    The browser is sent to a file that sends it on: an address on its command line would show the token to every user
    of the machine, and a browser confined to the home folder's visible files cannot read Jupyter's own such file.
    """
    found = browser()
    print(f"course: {'open' if found is None else 'opening'} {url}", flush=True)
    if found is None:
        return
    page = root / "build" / "open.html"
    page.parent.mkdir(exist_ok=True)
    page.unlink(missing_ok=True)
    with open(os.open(page, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(f'<!doctype html><meta http-equiv="refresh" content="0; url={html.escape(url)}">')
    found.open(page.as_uri())


def first_page(work: Path) -> str:
    """Where, below a server's address, JupyterLab shows chapter 00; JupyterLab alone if it is not there."""
    found = sorted(work.glob("00_*.ipynb"))
    return f"lab/tree/{quote(found[0].name)}" if found else "lab"


def running(work: Path) -> dict[str, Any] | None:
    """What Jupyter notes of a server of this user that serves `work` and answers, or None."""
    from jupyter_server.serverapp import list_running_servers

    for server in list_running_servers():
        if Path(server.get("root_dir", "")) == work:
            try:
                with urllib.request.urlopen(f"{server['url']}api", timeout=3):
                    return server
            except (OSError, HTTPException):  # left by a process that died
                continue
    return None


# JupyterLab's question about news, a look at the network for updates; and nbgrader's menus, which are for graders.
DISABLED = ("@jupyterlab/apputils-extension:announcements", "@jupyter/nbgrader")


def _page(handler, page):
    """Spare the learner what JupyterLab would show beside the course."""
    page["disabledExtensions"] = [*page["disabledExtensions"], *DISABLED]
    return page


def lab(root: Path = ROOT) -> None:
    """Fill root/work and serve it with JupyterLab, opened at chapter 00, until Ctrl-C; a server that runs is used.

    Raises ValueError where it cannot: without JupyterLab, without notebooks/, or where asserts are off.
    """
    if not __debug__:
        raise ValueError("asserts are off, so that no check of a chapter can fail: unset PYTHONOPTIMIZE, no -O or -OO")
    try:
        from jupyterlab.labapp import LabApp
    except ImportError:
        raise ValueError(f"JupyterLab is not installed in {sys.prefix}: call make lab, or pip install -e .") from None

    new = populate(root)
    work = root / "work"
    if new:
        print(f"course: {len(new)} new files in {work}", flush=True)
    server = running(work)
    if server:
        print("course: JupyterLab runs on this folder already", flush=True)
        show_page(f"{server['url']}{first_page(work)}?token={server['token']}", root)
        return

    os.environ["JUPYTER_PREFER_ENV_PATH"] = "1"  # this environment's kernel before one of the same name elsewhere
    app = LabApp.initialize_server(
        [
            f"--ServerApp.root_dir={work}",
            "--ServerApp.open_browser=False",  # show_page does
            "--ServerApp.allow_root=True",  # as in a container
            "--ServerApp.answer_yes=True",  # one Ctrl-C ends it
            "--Application.log_level=ERROR",
            "--KernelManager.transport_encryption=auto",  # else each kernel that starts prints a warning
        ]
    )
    app.web_app.settings["page_config_hook"] = _page
    # Only a token that Jupyter drew itself makes it print the address in its own, longer words.
    app.identity_provider.token_generated = False
    url = f"{app.connection_url}{first_page(work)}?token={app.identity_provider.token}"

    def announce():
        show_page(url, root)
        print("course: Ctrl-C ends JupyterLab; your files stay in work/", flush=True)

    # Once the port is bound, which is the loop's first act; in a thread, for a browser may take seconds to start.
    app.io_loop.add_callback(threading.Thread(target=announce, daemon=True).start)
    app.start()
