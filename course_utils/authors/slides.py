"""A reveal.js page of each chapter: 1280 x 720, legible in a lecture hall, offline once its scripts are there."""

import ast
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from nbconvert.exporters import SlidesExporter

from course_utils import files
from course_utils.authors.record import WIDGET, read
from course_utils.figures.style import COLORS

WIDTH, HEIGHT = 1280, 720
SHOWING = r"show|show_source|Table|explore_\w+"  # calls that are not on a slide, only what they show

# A folded answer becomes a fragment, open. By way of comments: nbconvert, as it embeds images, closes a tag at once.
FOLDED = {r"<details>\s*<summary>Answer</summary>": "<!-- answer -->", "</details>": "<!-- end of answer -->"}
OPENED = {"<!-- answer -->": '<div class="fragment answer">', "<!-- end of answer -->": "</div>"}

# What a page loads, from npm: package and version, and the files of it that are kept. On the network: below CDN.
PACKAGES = {"reveal.js@5.2.1": ["dist", "plugin/notes"], "mathjax@3.2.2": ["es5/tex-svg.js"]}
CDN = "https://cdn.jsdelivr.net/npm"

# nbconvert's slides, with these changes: no require.js, jquery or mermaid; MathJax 3, whose SVG has the right size
# also on a slide that is still hidden; larger type; slides begin at the top.
TEMPLATE = (
    r"""{%- extends 'index.html.j2' -%}
{%- block html_head_js -%}{%- endblock -%}
{%- block html_head_js_mathjax -%}
<script>
  MathJax = {
    tex: {
      inlineMath: [["$", "$"], ["\\(", "\\)"]],
      displayMath: [["$$", "$$"], ["\\[", "\\]"]],
      processEscapes: true,
      tags: "ams",
    },
  };
</script>
<script defer src="{{ resources.scripts.mathjax }}/es5/tex-svg.js"></script>
{%- endblock -%}
{%- block html_head_css -%}
<style>
  :root { --jp-content-font-size1: 25px; --jp-code-font-size: 18px; --jp-cell-padding: 2px; }
  .reveal .slides { text-align: left; }
  .reveal .slides > section { padding: 0; }
  .reveal .slides > section > section { padding: 12px 24px; box-sizing: border-box; }
  .reveal .slides h1, .reveal .slides h2, .reveal .slides h3, .reveal .slides h4 { text-transform: none; }
  .reveal .slides h1 { font-size: 46px; margin: 0 0 0.4em; }
  .reveal .slides h2 { font-size: 38px; margin: 0 0 0.4em; }
  .reveal .slides h3, .reveal .slides h4 { font-size: 30px; margin: 0 0 0.3em; }
  .reveal .slides .jp-RenderedHTMLCommon { line-height: 1.4; padding-right: 0; }
  .reveal .slides .jp-InputArea-editor, .reveal .slides .jp-OutputArea-output { overflow: hidden; padding: 0 2px; }
  .reveal .slides p, .reveal .slides ul, .reveal .slides ol { margin: 0 0 0.5em; }
  .reveal .slides table { font-size: 22px; margin: 0; }
  .reveal .slides pre { font-size: 18px; line-height: 1.3; margin: 0; width: auto; white-space: pre-wrap; }
  .reveal .slides mjx-container svg { max-width: none; }
  .reveal .slides img { margin: 0; zoom: 1.25; }
  .reveal .slides .highlight { margin: 0; }
  .reveal .slides figure, .reveal .slides figcaption p { margin-inline: auto !important; text-align: center; }
  .reveal .slides .answer { border-left: 4px solid """
    + COLORS["blue"]
    + r"""; margin: 0.4em 0; padding-left: 14px; }
</style>
{%- endblock -%}
{%- block footer_js -%}
<script src="{{ resources.reveal.url_prefix }}/dist/reveal.js"></script>
<script src="{{ resources.reveal.url_prefix }}/plugin/notes/notes.js"></script>
<script>
  Reveal.initialize({
    width: {{ resources.reveal.width }},
    height: {{ resources.reveal.height }},
    margin: 0,
    center: false,
    hash: true,
    controls: false,  // arrows would cover the last words of a full slide
    slideNumber: "c/t",
    transition: "none",
    plugins: [RevealNotes],
  });
</script>
{%- endblock -%}
"""
)

# Shows every slide in turn and measures it: what is taller than the slide, and what is cut off at its right edge.
MEASURE = """async ([width, height]) => {
  const found = [];
  await MathJax.startup.promise;
  for (const slide of Reveal.getSlides()) {
    const {h, v} = Reveal.getIndices(slide);
    Reveal.slide(h, v);
    await document.fonts.ready;
    if (slide.querySelector('iframe'))  // which takes its height once it is drawn
      await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
    const heading = slide.querySelector('h1, h2, h3, h4');
    const title = (heading ? heading.textContent : slide.textContent).replace('¶', '').trim().slice(0, 60);
    const right = slide.getBoundingClientRect().right - 10;
    const inside = [...slide.querySelectorAll('pre > *, img, table, mjx-container > svg')];
    const widest = Math.max(0, ...inside.map((e) => Math.round(e.getBoundingClientRect().right - right)));
    if (slide.scrollHeight > height || widest > 0)
      found.push([`${h + 1}.${v + 1} ${title}`, Math.max(0, slide.scrollHeight - height), widest]);
  }
  return found;
}"""


def vendor(folder):
    """Fetch the scripts of the slides into `folder` once, through npm; returns whether they are there.

    Without npm, or without network, prints why not. The folder appears by rename: it is whole or not there.
    """
    folder = Path(folder)
    if folder.is_dir():
        return True
    npm = shutil.which("npm")
    if not npm:
        print("npm is not on this machine: the slides will ask the network for their scripts.")
        return False
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as work:
        command = [npm, "install", "--prefix", work, "--no-save", "--no-audit", "--no-fund", *PACKAGES]
        if subprocess.run(command, capture_output=True).returncode:
            print("npm could not fetch reveal.js and MathJax: the slides will ask the network for their scripts.")
            return False
        kept = Path(work, "kept")
        for package, names in PACKAGES.items():
            package = package.partition("@")[0]
            for name in names:
                target = kept / package / name
                target.parent.mkdir(parents=True, exist_ok=True)
                Path(work, "node_modules", package, name).rename(target)
        kept.rename(folder)
    return True


def _without_showing(source):
    # The code of a slide without what only shows a result: the caption stands under it.
    lines = source.split("\n")
    for node in reversed(ast.parse(source).body):
        call = node.value if isinstance(node, ast.Expr) else None
        if isinstance(call, ast.Call) and re.fullmatch(SHOWING, ast.unparse(call.func).rpartition(".")[2]):
            del lines[node.lineno - 1 : node.end_lineno]
    return "\n".join(lines).strip("\n")


def _prepare(notebook):
    """Leave of a chapter, in place, what an audience sees: no plumbing, no widgets; answers on the next key, open."""
    asked = False  # a question stands on this slide: what comes behind its answer appears on a key of its own
    for cell in notebook.cells:
        mark = cell.metadata.get("slideshow", {}).get("slide_type", "-")
        if mark in ("slide", "subslide", "fragment"):
            asked = False
        elif asked and mark == "-":
            cell.metadata["slideshow"], asked = {"slide_type": "fragment"}, False
        if cell.cell_type == "code":
            cell.source = "" if "hide-input" in cell.metadata.get("tags", []) else _without_showing(cell.source)
            cell.metadata["transient"] = {"remove_source": not cell.source}
            cell.outputs = [output for output in cell.outputs if WIDGET not in output.get("data", {})]
        elif mark not in ("notes", "skip"):  # which the audience does not see
            asked = asked or "<details>" in cell.source
            for folded, comment in FOLDED.items():
                cell.source = re.sub(folded, comment, cell.source)


def convert(path, out, scripts=None):
    """Write the slides of a chapter to `out`/NN_topic.html and return its path.

    `scripts` is the folder that `vendor` filled; None: a CDN. Widgets are left out: the static figure beside each one
    stays. Raises ValueError for a file that is not a notebook, or not a chapter.
    """
    path, out = Path(path), Path(out)
    if path.resolve().parent.name in ("solutions", "exercises"):
        raise ValueError(f"{path}: slides are made of chapters only, so that no solution gets into them")
    notebook = read(path)
    _prepare(notebook)
    names = {package.partition("@")[0]: package for package in PACKAGES}
    if scripts:
        base = Path(os.path.relpath(scripts, out)).as_posix()
        places = {name: f"{base}/{name}" for name in names}
    else:
        places = {name: f"{CDN}/{package}" for name, package in names.items()}
    exporter = SlidesExporter(
        raw_template=TEMPLATE,
        reveal_url_prefix=places["reveal.js"],
        reveal_theme="white",
        reveal_width=str(WIDTH),
        reveal_height=str(HEIGHT),
        exclude_input_prompt=True,
        exclude_output_prompt=True,
        embed_images=True,
    )
    resources = {"metadata": {"name": path.stem, "path": str(path.parent)}, "scripts": places}
    html, _ = exporter.from_notebook_node(notebook, resources)
    for comment, opened in OPENED.items():
        html = html.replace(comment, opened)
    page = out / f"{path.stem}.html"
    files.write(page, html)
    return page


def measure(page, browser):
    """The slides of a page that do not fit: (number and heading, pixels too tall, pixels cut off at the right).

    `browser` is playwright's; a page that gets no scripts (no network, not vendored) ends in its TimeoutError.
    """
    tab = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
    try:
        tab.goto(Path(page).resolve().as_uri())
        tab.wait_for_function("window.Reveal?.isReady() && window.MathJax?.startup", timeout=20_000)
        return tab.evaluate(MEASURE, [WIDTH, HEIGHT])
    finally:
        tab.close()


def make(paths, out):
    """Make the slides of chapters; warn of slides that do not fit, where playwright and Chromium can measure them."""
    out = Path(out)
    scripts = out.parent / "vendor"
    if not vendor(scripts):
        scripts = None
    pages = [convert(path, out, scripts) for path in paths]
    for page in pages:
        print(page)
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if not (pages and chromium):
        return
    try:
        from playwright.sync_api import Error, sync_playwright
    except ImportError:
        return
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        for page in pages:
            try:
                for slide, tall, wide in measure(page, browser):
                    excess = " and ".join(f"{px} px too {what}" for px, what in ((tall, "tall"), (wide, "wide")) if px)
                    print(f"warning: {page.name}, slide {slide}: {excess}")
            except Error as error:
                print(f"warning: from {page.name} on nothing was measured: {error.message.splitlines()[0]}")
                break
        browser.close()
