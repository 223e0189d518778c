"""The learner's folder work/: python -m course_utils.setup.workspace lab | fresh NN.

Learners do not edit tracked files. `lab` copies the chapters and exercises into work/, never over a file there, and
opens them in JupyterLab; `fresh` puts a clean copy of one chapter beside the learner's own.
"""

import argparse
import html
import os
import re
import shutil
import sys
import threading
import urllib.error
import urllib.request
import webbrowser
from pathlib import Path
from urllib.parse import quote

from course_utils.files import ROOT


def masters(root=ROOT):
    """Return what learners get, as paths relative to notebooks/: all but solutions/ and hidden files.

    Raises ValueError where there is no folder notebooks/ (the package without its course).
    """
    notebooks = root / "notebooks"
    if not notebooks.is_dir():
        raise ValueError(f"no notebooks/ in {root}: the course runs from a clone, installed with pip install -e .")
    files = (path.relative_to(notebooks) for path in notebooks.rglob("*") if path.is_file())
    return sorted(f for f in files if f.parts[0] != "solutions" and not any(p.startswith((".", "_")) for p in f.parts))


def _copy(source, target):
    """Copy a file so that it appears whole or not at all; a notebook is signed, so that its stored outputs are shown.

    JupyterLab strips SVG and widgets from the outputs of a notebook that it does not trust.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(target.name + ".part")
    try:
        shutil.copyfile(source, draft)
        os.replace(draft, target)
    finally:
        draft.unlink(missing_ok=True)
    if target.suffix == ".ipynb":
        import nbformat
        from nbformat.sign import NotebookNotary

        NotebookNotary().sign(nbformat.read(target, as_version=4))


def populate(root=ROOT):
    """Copy into root/work what is not there yet, and return it; a file that is there is never touched.

    So a later version of the course adds its new chapters and leaves the learner's own alone.
    """
    work = root / "work"
    new = [path for path in masters(root) if not os.path.lexists(work / path)]
    work.mkdir(exist_ok=True)
    for path in new:
        _copy(root / "notebooks" / path, work / path)
    return new


def fresh(chapter, root=ROOT):
    """Put clean copies of chapter `chapter` ("06") and its exercises into root/work; return them, relative to it.

    A copy takes its master's name where that is free, else "NAME (fresh).ipynb", "NAME (fresh 2).ipynb" and so on.
    Raises ValueError for a chapter that is not there.
    """
    known = {path.name[:2] for path in masters(root) if re.match(r"\d\d_.*\.ipynb$", path.name)}
    number = chapter.zfill(2)
    if not chapter or number not in known:
        raise ValueError(f"there is no chapter {chapter!r}; there are {', '.join(sorted(known)) or 'none yet'}")
    copies = []
    for path in masters(root):
        if path.suffix == ".ipynb" and path.name.startswith(f"{number}_"):
            target, count = root / "work" / path, 0
            while os.path.lexists(target):
                count += 1
                target = target.with_name(f"{path.stem} (fresh{f' {count}' if count > 1 else ''}).ipynb")
            _copy(root / "notebooks" / path, target)
            copies.append(target.relative_to(root / "work"))
    return copies


def browser():
    """Return the user's graphical browser, or None; a text browser would take the terminal over."""
    graphical = sys.platform in ("win32", "darwin") or any(
        map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"))
    )
    try:
        return webbrowser.get() if graphical else None
    except webbrowser.Error:
        return None


def show_page(url, root=ROOT):
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


def first_page(work):
    """Return where, below a server's address, JupyterLab shows chapter 00; JupyterLab alone if it is not there."""
    found = sorted(work.glob("00_*.ipynb"))
    return f"lab/tree/{quote(found[0].name)}" if found else "lab"


def running(work):
    """Return what Jupyter notes of a server of this user that serves `work` and answers, or None."""
    from jupyter_server.serverapp import list_running_servers

    for server in list_running_servers():
        if Path(server.get("root_dir", "")) == work:
            try:
                with urllib.request.urlopen(f"{server['url']}api", timeout=3):
                    return server
            except (urllib.error.URLError, TimeoutError):  # left by a process that died
                continue
    return None


def _without_news(handler, page):
    """Spare the learner JupyterLab's question about news, and a look at the network for updates."""
    page["disabledExtensions"] = [*page["disabledExtensions"], "@jupyterlab/apputils-extension:announcements"]
    return page


def lab(root=ROOT):
    """Fill root/work and serve it with JupyterLab, opened at chapter 00, until Ctrl-C; a server that runs is used."""
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
    app.web_app.settings["page_config_hook"] = _without_news
    # Only a token that Jupyter drew itself makes it print the address in its own, longer words.
    app.identity_provider.token_generated = False
    url = f"{app.connection_url}{first_page(work)}?token={app.identity_provider.token}"

    def announce():
        show_page(url, root)
        print("course: Ctrl-C ends JupyterLab; your files stay in work/", flush=True)

    # Once the port is bound, which is the loop's first act; in a thread, for a browser may take seconds to start.
    app.io_loop.add_callback(threading.Thread(target=announce, daemon=True).start)
    app.start()


def main(argv=None):
    """Run one command; returns the exit code: 0, or 2 with one line for what the user can mend."""
    top = argparse.ArgumentParser(prog="python -m course_utils.setup.workspace", description=__doc__.splitlines()[0])
    commands = top.add_subparsers(dest="command", required=True, metavar="lab|fresh")
    commands.add_parser("lab", help="open the course in JupyterLab")
    sub = commands.add_parser("fresh", help="a clean copy of a chapter beside yours")
    sub.add_argument("chapter", metavar="NN", help="the chapter's number, for example 06")
    args = top.parse_args(argv)
    try:
        if args.command == "lab":
            lab()
        else:
            for path in fresh(args.chapter):
                print(f"work/{path.as_posix()}")
    except (ValueError, OSError) as error:
        print(f"course: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
