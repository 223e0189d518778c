"""JupyterLab in headless Chromium: a server of its own, notebooks opened and run, sliders moved by keyboard."""

import json
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import sync_playwright

from course_utils.setup.quick import environment

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

# JupyterLab, without a parser of international addresses, which jsonschema can do without: it takes over a second.
SERVER = "import sys; sys.modules['rfc3987_syntax'] = None; from jupyterlab.labapp import main; main()"

# Asked for once they are drawn, or turned out to be broken.
PICTURE_SIZES = """async (images) => {
  await Promise.all(images.map((e) => e.decode().catch(() => null)));
  return images.map((e) => [e.alt, e.naturalWidth]);
}"""

# What an explorer shows: pictures in widgets.HTML, or a widgets.Image. Its readouts and labels do not count.
PICTURES = """
function pictures(box) {
  const html = [...box.querySelectorAll('.widget-html-content')].filter(e => e.querySelector('svg, img, table'));
  const images = [...box.querySelectorAll('img.widget-image')];
  return html.map(e => e.innerHTML).concat(images.map(e => e.src)).join('\\n');
}
"""

# Armed before a key is pressed: resolves with the milliseconds from the key to the frame that shows another picture.
WATCH = (
    "(box, patience) => {"
    + PICTURES
    + """
  const before = pictures(box);
  window.keyToPicture = new Promise((resolve) => {
    let pressed = null;
    const down = () => { pressed = performance.now(); };
    document.addEventListener('keydown', down, {capture: true, once: true});
    const observer = new MutationObserver(() => {
      if (pressed === null || pictures(box) === before) return;
      observer.disconnect();
      requestAnimationFrame(() => requestAnimationFrame(() => resolve(performance.now() - pressed)));
    });
    observer.observe(box, {subtree: true, childList: true, characterData: true, attributeFilter: ['src']});
    setTimeout(() => { observer.disconnect(); document.removeEventListener('keydown', down, {capture: true});
                       resolve(null); }, patience);
  });
}"""
)


@contextmanager
def chromium_browser(chromium):
    """A headless Chromium, as playwright's object."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


# Milliseconds of a handler and of the layout that it forces, at every second of the values; the least of its tries, for
# a busy machine only adds to them.
ANSWERED = """([selector, type, values]) => {
  const target = document.querySelector(selector);
  const times = values.map((value) => {
    const frame = target.getBoundingClientRect();
    const place = {clientX: frame.left + value * frame.width, clientY: frame.top + 0.5 * frame.height};
    if (type === "input") target.value = value;
    const event = type === "input" ? new Event(type) : type === "keydown" ? new KeyboardEvent(type, {key: value})
      : new PointerEvent(type, place);
    const begin = performance.now();
    target.dispatchEvent(event);
    for (const name of ["main", "svg", "p"]) document.querySelector(name).getBoundingClientRect();
    return performance.now() - begin;
  });
  return Math.min(...times.filter((_, i) => i % 2));
}"""


@contextmanager
def opened(browser, folder, shown, **context):
    """An explorer, or a page of HTML, in a tab of its own; what goes wrong there fails the test."""
    file = Path(folder, "page.html")
    file.write_text(shown if isinstance(shown, str) else shown.page, encoding="utf-8")
    place = browser.new_context(viewport={"width": 1280, "height": 720}, **context)
    tab, faults = place.new_page(), []
    tab.on("pageerror", lambda error: faults.append(str(error)))
    tab.on("console", lambda message: faults.append(message.text))
    tab.on("request", lambda request: request.url.startswith("http") and faults.append(request.url))
    tab.goto(file.as_uri(), wait_until="domcontentloaded")
    try:
        yield tab
    finally:
        place.close()
    assert not faults, faults  # pytest does not word the assertions of this file


@contextmanager
def jupyterlab(chromium, folder):
    """A `Lab` with its browser; what both write goes below `folder`."""
    root, home = Path(folder, "notebooks"), Path(folder, "home")
    root.mkdir()
    with chromium_browser(chromium) as browser:
        lab = Lab(browser, root, home)
        try:
            yield lab
        finally:
            lab.stop()


class Lab:
    """A JupyterLab server on a free port, with its own settings, and `root` as its folder of notebooks."""

    def __init__(self, browser, root, home):
        self.browser, self.root, self.token = browser, root, secrets.token_hex(16)
        self.context = browser.new_context(viewport={"width": 1280, "height": 900})  # one cache for all pages
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.url = f"http://127.0.0.1:{probe.getsockname()[1]}"
        settings = {
            "config/labconfig/page_config.json": {
                "disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}
            },
            # All cells in the page at once: what is out of sight can be asked for, too.
            "settings/@jupyterlab/notebook-extension/tracker.jupyterlab-settings": {"windowingMode": "none"},
        }
        for name, content in settings.items():
            path = Path(home, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(content))
        folders = {
            "JUPYTER_CONFIG_DIR": "config",
            "JUPYTER_DATA_DIR": "data",
            "JUPYTER_RUNTIME_DIR": "runtime",
            "JUPYTERLAB_SETTINGS_DIR": "settings",
            "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
            "IPYTHONDIR": "ipython",
        }
        env = environment() | {name: str(Path(home, folder)) for name, folder in folders.items()}
        port = self.url.rpartition(":")[2]
        options = ["--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1", f"--ServerApp.port={port}"]
        options += ["--ServerApp.port_retries=0", f"--IdentityProvider.token={self.token}"]
        self.log = Path(home, "server.log")
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", SERVER, *options, f"--ServerApp.root_dir={root}"],
                env=env,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self._wait(self._answers, 60, "JupyterLab did not start")

    def _answers(self):
        if self.process.poll() is not None:
            raise RuntimeError(f"JupyterLab ended at once:\n{self.log.read_text()[-2000:]}")
        try:
            return self.rest("api/status")
        except urllib.error.URLError:
            return None

    def _wait(self, condition, seconds, message):
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                raise TimeoutError(f"{message} within {seconds} s")
            time.sleep(0.1)

    def rest(self, path, content=None):
        """Ask the server's REST interface; `content` is posted as JSON."""
        data = None if content is None else json.dumps(content).encode()
        headers = {"Authorization": f"token {self.token}", "Content-Type": "application/json"}
        with urllib.request.urlopen(urllib.request.Request(f"{self.url}/{path}", data, headers)) as answer:
            return json.load(answer)

    def open(self, notebook):
        """Copy a notebook into the root and open it; returns a `Page` with its kernel connected and idle."""
        name = Path(notebook).name
        if not (self.root / name).exists():
            shutil.copy(notebook, self.root / name)
        # The session comes first: else Run All races the kernel, and a dialog asks which one to take.
        kernel = {"kernel": {"name": "python3"}, "name": name, "path": name, "type": "notebook"}
        kernel_id = self.rest("api/sessions", kernel)["kernel"]["id"]
        page = Page(self.context.new_page())
        page.goto(f"{self.url}/lab/workspaces/{Path(name).stem}/tree/{name}?reset&token={self.token}")
        page.wait_for_selector(".jp-NotebookPanel:not(.lm-mod-hidden)")

        def ready():
            kernel = self.rest(f"api/kernels/{kernel_id}")
            return kernel["connections"] >= 1 and kernel["execution_state"] == "idle"

        self._wait(ready, 60, "the kernel was not ready")
        return page

    def stop(self):
        """End the server and its kernels."""
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()


class Page:
    """A page with a notebook in it, and what went wrong there; all else is playwright's page."""

    def __init__(self, page):
        self.page, self.faults = page, []
        page.on("pageerror", lambda error: self.faults.append(f"page error: {error}"))
        page.on("console", lambda m: m.type == "error" and self.faults.append(f"console: {m.text}"))

    def __getattr__(self, name):
        return getattr(self.page, name)

    def run_all(self, seconds=300):
        """Menu Run, Run All Cells; returns when every cell has its number and the kernel is idle.

        A cell whose code is folded shows no number.
        """
        self.page.click(".lm-MenuBar-itemLabel:text-is('Run')")
        self.page.click("li[data-command='runmenu:run-all']")
        self.page.wait_for_function(
            """() => [...document.querySelectorAll('.jp-CodeCell .jp-InputPrompt:not(.jp-Placeholder-prompt)')]
                       .every(e => /\\[\\d+\\]:/.test(e.textContent))
                     && /Idle/.test(document.querySelector('#jp-main-statusbar')?.textContent)""",
            timeout=1000 * seconds,
        )

    def errors(self):
        """What went wrong: tracebacks in outputs, text on standard error, errors of the page and its console."""
        shown = self.page.locator("[data-mime-type='application/vnd.jupyter.stderr']").all_inner_texts()
        shown += self.page.locator("[data-mime-type='application/vnd.jupyter.error']").all_inner_texts()
        return self.faults + shown

    def pictures(self):
        """(alt text, width in pixels) of the pictures in the outputs, at least one; a broken one has width 0."""
        self.page.wait_for_selector(".jp-OutputArea-output img", state="attached")
        return self.page.locator(".jp-OutputArea-output img").evaluate_all(PICTURE_SIZES)

    def explorers(self):
        """The outputs that hold a slider."""
        return self.page.locator(".jp-OutputArea-output:has(.widget-slider)").all()

    def move(self, explorer, slider, seconds=5):
        """Move a slider one step by keyboard, and back; returns for both keys the milliseconds to the changed picture.

        None stands for a picture that did not change within `seconds`.
        """
        handle = explorer.locator(".widget-slider .noUi-handle").nth(slider)
        handle.scroll_into_view_if_needed()
        handle.focus()
        keys = ["ArrowRight", "ArrowLeft"]
        if handle.evaluate("e => e.getAttribute('aria-valuenow') === e.getAttribute('aria-valuemax')"):
            keys.reverse()
        times = []
        for key in keys:
            explorer.evaluate(WATCH, 1000 * seconds)
            self.page.keyboard.press(key)
            times.append(self.page.evaluate("window.keyToPicture"))
        return times
