"""Panels of widgets move in a real browser: JupyterLab in headless Chromium, sliders by keyboard, no error anywhere.

Explorers that live in the page are in test_kit_in_browser.py.
"""

import statistics
import symtable

import pytest
from browser import PICTURE_SIZES, jupyterlab
from nbformat.v4 import new_code_cell, new_notebook
from notebook_rules import FOLDER, code, read

from course_utils.authors import slides
from course_utils.authors.record import WIDGET, write

CHAPTERS = sorted(FOLDER.glob("[0-9]*.ipynb"))


def has_panel(cell):
    return any(WIDGET in output.get("data", {}) for output in cell.outputs)


WITH_PANEL = [path for path in CHAPTERS if any(map(has_panel, code(read(path))))]
SMALL = """
import ipywidgets as widgets
live, dead, view = widgets.IntSlider(description="live"), widgets.IntSlider(description="dead"), widgets.HTML()
def draw(change=None):
    view.value = f'<svg width="200" height="20"><rect width="{20 + live.value}" height="20"/></svg>'
live.observe(draw, "value")
draw()
widgets.VBox([live, dead, view])
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("lab")


@pytest.fixture(scope="module")
def lab(chromium, folder):
    with jupyterlab(chromium, folder) as lab:
        yield lab


def names(source):
    """The names that a cell binds, and those that it reads, all of the notebook's own level."""
    scopes = [symtable.symtable(source, "cell", "exec")]
    bound = {symbol.get_name() for symbol in scopes[0].get_symbols() if symbol.is_assigned() or symbol.is_imported()}
    for scope in scopes:
        scopes += scope.get_children()
    symbols = [symbol for scope in scopes for symbol in scope.get_symbols() if symbol.is_global()]
    return bound, {symbol.get_name() for symbol in symbols if symbol.is_referenced()}


def panels(path):
    """The cells of a chapter's panels, and of its others those that bind a name that a panel needs."""
    needed, kept = set(), []
    for cell in reversed(code(read(path))):
        bound, used = names(cell.source)
        if has_panel(cell) or bound & needed:
            kept.insert(0, cell)
            needed = (needed | used) - bound
    return kept


@pytest.fixture(scope="module")
def page(lab, folder):
    """The panels of all chapters in one notebook, which was run."""
    cells = [new_code_cell(cell.source, id=f"{path.stem}-{cell.id}") for path in WITH_PANEL for cell in panels(path)]
    write(new_notebook(cells=cells), folder / "panels.ipynb")
    page = lab.open(folder / "panels.ipynb")
    page.run_all()
    assert page.errors() == []
    yield page
    page.close()


@pytest.mark.parametrize("path", WITH_PANEL, ids=lambda path: path.stem)
def test_every_slider_changes_the_picture(path, page, folder):
    owners = [owner for owner in WITH_PANEL for cell in code(read(owner)) if has_panel(cell)]
    explorers = [explorer for owner, explorer in zip(owners, page.explorers(), strict=True) if owner == path]
    times = []
    for number, explorer in enumerate(explorers):
        for slider in range(explorer.locator(".widget-slider").count()):
            times += page.move(explorer, slider)
            assert None not in times, f"explorer {number}: a key on slider {slider} did not change the picture"
        explorer.screenshot(path=folder / f"{path.stem}-{number}.png")
    assert page.errors() == []
    print(f"\nkey to picture: median {statistics.median(times):.0f} ms of {len(times)}; screenshots in {folder}")


def test_a_whole_chapter_shows_its_pictures_and_runs(lab):
    """As a learner opens it. Of the others, nbval runs all cells, and their pictures are looked at below."""
    page = lab.open(CHAPTERS[0])
    assert all(alt and width for alt, width in page.pictures()), "what is stored shows before anything is run"
    page.run_all()
    assert page.errors() == [] and page.explorers()
    page.close()


def test_a_dead_slider_and_an_error_are_noticed(lab, folder):
    cells = [new_code_cell(SMALL, id="sliders"), new_code_cell("1 / 0", id="error")]
    write(new_notebook(cells=cells), folder / "small.ipynb")
    page = lab.open(folder / "small.ipynb")
    page.run_all()
    (explorer,) = page.explorers()
    assert None not in page.move(explorer, 0)
    assert page.move(explorer, 1, seconds=1) == [None, None]
    assert any("ZeroDivisionError" in error for error in page.errors())


def test_every_picture_of_every_chapter_is_whole_and_has_a_text(lab):
    """As they are stored. That a static page of a chapter can be made and shows them, the slides below need, too."""
    page = lab.browser.new_page()
    for path in CHAPTERS:
        shown = [output.data for cell in code(read(path)) for output in cell.outputs if "data" in output]
        bare = [kind for data in shown for kind in data if kind.startswith("image/")]
        page.set_content("".join(data.get("text/html", "") for data in shown))
        pictures = page.locator("img").evaluate_all(PICTURE_SIZES)
        assert not bare and pictures and all(alt and width for alt, width in pictures), path.stem
    page.close()


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_no_slide_is_overfull(path, lab, folder):
    scripts = FOLDER.parent / "build" / "vendor"
    if not scripts.is_dir():
        pytest.skip("reveal.js and MathJax are not in build/vendor; `make slides` fetches them")
    found = slides.measure(slides.convert(path, folder, scripts), lab.browser)
    assert found == [], "(slide, pixels too tall, pixels too wide)"
