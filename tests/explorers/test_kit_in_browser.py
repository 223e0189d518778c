"""Explorers that live in the page, in a real browser: their numbers are Python's, their answers quick, and they run
wherever a notebook is shown; where frames are taken out, the figure stands.
"""

import random
import re

import numpy as np
import pytest
from browser import ANSWERED, jupyterlab, opened
from nbconvert.exporters import HTMLExporter
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from course_utils.arithmetic import output_size, reads
from course_utils.authors import slides
from course_utils.authors.record import record, write
from course_utils.explorers import convolution as explorer
from course_utils.files import ROOT
from course_utils.scratch import conv2d

FRAME = "iframe[title='Explorer']"
SOURCE = "from course_utils.explorers import convolution\n\nconvolution.explore_convolution(size=7, padding=1)"
WITHIN = 16  # milliseconds: one frame of a screen

# The controls as a reader moves them: name to value. Returns what stands in the picture then.
SET = """(settings) => settings.map((setting) => {
  const input = (name) => [...document.querySelectorAll(`input[name="${name}"]`)];
  for (const name of ["image", "channels", "kernel"])
    input(name).find((one) => one.value === String(setting[name])).click();
  for (const name of ["size", "kernel_size", "stride", "padding", "dilation"]) {
    if (input(name)[0].value === String(setting[name])) continue;
    input(name)[0].value = setting[name];
    input(name)[0].dispatchEvent(new Event("input"));
  }
  for (const place of shown.refused ? [] : setting.turned) turn(...place);
  draw({bias: setting.bias});
  if (!shown.refused) drawMarks({output: setting.output.map((i) => i % shown.outputs.length), pixel: null});
  const look = {output: state.output, sums: shown.sums, equation: shown.equation, products: shown.products};
  if (!shown.refused) drawMarks({pixel: setting.pixel});
  return {refused: shown.refused, outputs: shown.outputs, weights: shown.weights, unread: shown.unread,
          readers: shown.readers, pixels: shown.pixels, look};
})"""


@pytest.fixture(scope="module")
def lab(chromium, tmp_path_factory):
    with jupyterlab(chromium, tmp_path_factory.mktemp("lab")) as lab:
        yield lab


@pytest.fixture(scope="module")
def browser(lab):
    return lab.browser


@pytest.fixture
def page(browser, tmp_path):
    with opened(browser, tmp_path, explorer.explore_convolution(size=7, kernel_size=3, stride=2, padding=1)) as tab:
        yield tab


def drawn(draw):
    """Settings as a reader may choose them, one that does not fit among them."""
    image = draw.choice(list(explorer.SIZES))
    setting = {name: draw.randint(*bounds) for name, bounds in explorer.BOUNDS.items()}
    setting |= {"image": image, "channels": draw.choice([1, 3]), "size": draw.randint(*explorer.SIZES[image])}
    setting["kernel"] = draw.choice([*explorer.KERNELS, "your own"])
    turned = range(4 if setting["kernel"] == "your own" else 0)  # weights, by halves: (steps, channel, row, column)
    ends = setting["channels"], setting["kernel_size"], setting["kernel_size"]
    setting["turned"] = [(draw.randint(-6, 6), *map(draw.randrange, ends)) for _ in turned]
    setting["bias"] = draw.randint(-9, 9)
    setting["output"] = [draw.randrange(40), draw.randrange(40)]
    setting["pixel"] = [draw.randrange(-setting["padding"], setting["size"] + setting["padding"]) for _ in range(2)]
    return setting


def axis(setting):
    return {name: setting[name] for name in explorer.BOUNDS}


def outputs(setting, weights):
    """What Python makes of a setting."""
    x = explorer._padded(setting["image"], setting["channels"], setting["size"], 0)
    shape = {name: setting[name] for name in ("stride", "padding", "dilation")}
    return conv2d(x[None], np.array(weights, float)[None], np.array([float(setting["bias"])]), **shape)[0, 0]


def hold_output(setting, look, y):
    """The products of an output that is pointed at add up to it."""
    row, column = look["output"]
    assert np.isclose(sum(look["sums"]) + setting["bias"], y[row, column])
    assert np.allclose(np.sum(look["products"], axis=(1, 2)), look["sums"])


def hold_pixel(setting, found, count):
    """Of a pixel that is pointed at, its readers, and the weights that meet it; and what nothing reads."""
    places = [reads(i, **axis(setting)) for i in range(count)]
    rows, columns = ([i for i, read in enumerate(places) if at in read] for at in setting["pixel"])
    assert found["readers"] == [[i, j] for i in rows for j in columns]
    across, along = (
        np.isin(range(setting["kernel_size"]), [places[i].index(at) for i in some])
        for at, some in zip(setting["pixel"], (rows, columns), strict=True)
    )
    x = explorer._padded(setting["image"], setting["channels"], setting["size"], setting["padding"])
    values = x[:, setting["pixel"][0] + setting["padding"], setting["pixel"][1] + setting["padding"]]
    expected = np.where(across[:, None] & along, values[:, None, None], np.nan)
    assert np.array_equal(np.array(found["pixels"], float), expected, equal_nan=True)
    span = range(-setting["padding"], setting["size"] + setting["padding"])
    assert found["unread"] == [j for j in span if not any(j in read for read in places)]


def test_numbers_are_those_of_python_on_200_random_settings(page):
    draw = random.Random(11)
    settings = [drawn(draw) for _ in range(200)]
    refused = []
    for setting, found in zip(settings, page.evaluate(SET, settings), strict=True):
        named = setting["kernel"] in explorer.KERNELS
        weight = explorer._kernel(setting["kernel"], setting["kernel_size"]) if named else found["weights"]
        try:
            count = output_size(setting["size"], **axis(setting))
        except ValueError:
            count = 0
        if not count or weight is None:
            assert found["refused"].endswith(".") and found["outputs"] == []
            refused.append(found["refused"].split()[0])
            continue
        y = outputs(setting, [weight] * setting["channels"] if named else weight)
        assert np.shape(found["outputs"]) == y.shape == (count, count)
        assert np.allclose(found["outputs"], y, rtol=1e-12, atol=1e-9)
        hold_output(setting, found["look"], y)
        hold_pixel(setting, found, count)
    assert set(refused) == {"No", "Edges", "Sharpening"} and len(refused) < 100


def test_numbers_are_written_as_python_writes_them(page):
    from course_utils.figures.convolution import rounded

    values = [0, -0.001, 0.125, -0.125, 2.5, 9.996, 9.999, -10.05, 99.96, 100.5, -1234.5, 172125, 1 / 9, -3, 14.875]
    assert page.evaluate("(values) => values.map(number)", values) == [rounded(value) for value in values]


HEAVY = {"channels": 3, "kernel_size": 5, "stride": 1, "padding": 4, "dilation": 1, "bias": 1, "kernel": "blur"}
HEAVY |= {"turned": [], "output": [3, 4], "pixel": [2, 2]}


@pytest.mark.parametrize("image", explorer.SIZES)
def test_it_answers_within_a_frame(image, page):
    """At its heaviest: three channels of the whole image, the largest kernel, the largest padding."""
    size = explorer.SIZES[image][1]
    values = {"size": [size - 1, size], "kernel_size": [1, 5], "stride": [5, 1], "padding": [0, 4], "dilation": [4, 1]}
    events = [(f"input[name={name}]", "input", 10 * pair) for name, pair in values.items()]
    along = 10 * [0.1, 0.5, 0.9]
    events += [("[aria-label=output]", "pointermove", along), ("[aria-label='image, channel 1']", "pointermove", along)]
    events += [("[aria-label='weights, channel 1']", "keydown", 10 * ["ArrowUp", "ArrowDown"])]
    slowest = {}
    for event in events:
        page.evaluate(SET, [HEAVY | {"image": image, "size": size}])
        slowest[event[0]] = round(page.evaluate(ANSWERED, event), 1)
    print("\nmilliseconds to answer:", slowest)
    assert max(slowest.values()) < WITHIN


def place(page, label, row, column):
    """The middle of a cell on the screen."""
    frame = page.locator(f"[aria-label='{label}']").bounding_box()
    rows, columns = page.evaluate(
        "(label) => label === 'output' ? [shown.outputs.length, shown.outputs.length] : label.startsWith('image')"
        " ? [shown.padded[0].length, shown.padded[0].length] : [state.kernel_size, state.kernel_size]",
        label,
    )
    return frame["x"] + (column + 0.5) * frame["width"] / columns, frame["y"] + (row + 0.5) * frame["height"] / rows


def marks(page, color):
    """How many cells are marked by a frame or a filling of that colour of the course."""
    return page.locator(f".stage svg > g rect[style*='--{color}']").count()


def words(page):
    return page.locator("p[role=status]").inner_text()


def test_an_output_under_the_mouse_shows_its_window_products_and_sum(page):
    page.mouse.move(*place(page, "output", 2, 3))
    y = outputs(page.evaluate("state"), page.evaluate("shown.weights"))
    assert (
        words(page) == f"Output [2, 3] = {page.evaluate('shown.equation')}. It reads rows 3, 4, 5 and columns 5, 6, 7."
    )
    assert page.evaluate("shown.equation").endswith(f" = {y[2, 3]:.0f}".replace("-", "−"))
    assert page.locator(".stage").get_by_text(page.evaluate("shown.equation")).is_visible()
    assert marks(page, "orange") == 9 and marks(page, "blue") == 1 and marks(page, "red") == 1


def test_a_pixel_under_the_mouse_shows_every_output_that_reads_it(page):
    page.mouse.move(*place(page, "image, channel 1", 4, 4))  # of the padded image: pixel [3, 3]
    assert words(page) == "Pixel [3, 3], value 9, is read by 4 outputs, by each through another weight."
    assert marks(page, "blue") == 4
    corners = [[9, None, 9], [None, None, None], [9, None, 9]]
    assert page.evaluate("shown.pixels") == [corners], "four outputs read it, by the corners of the kernel"
    page.mouse.move(*place(page, "image, channel 1", 3, 3))
    assert words(page) == "Pixel [2, 2], value 2, is read by one output."
    assert marks(page, "blue") == 1
    page.mouse.move(*place(page, "image, channel 1", 0, 0))
    assert words(page) == "Padding [−1, −1], value 0, is read by one output."
    page.mouse.move(*place(page, "output", 0, 0))
    assert words(page).startswith("Output [0, 0] = ")


def test_the_keys_do_what_the_mouse_does(page):
    page.locator("input[name=dilation]").focus()
    page.keyboard.press("Tab")
    assert words(page).startswith("Padding [−1, −1]")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    assert words(page).startswith("Pixel [0, 0]")
    page.keyboard.press("Tab")
    assert words(page).startswith("Weight [0, 0] is −1. ")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowUp")
    assert words(page).startswith("Weight [0, 1] is 0.5. ")
    assert page.locator("input[name=kernel]:checked").input_value() == "your own"
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")
    assert page.evaluate("state.bias") == 0
    page.keyboard.press("Tab")
    assert words(page).startswith("Output [1, 1] = ")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")  # at the edge it stays
    assert words(page).startswith("Output [1, 0] = ")
    weights = page.evaluate("shown.weights")
    assert weights == [[[-1, 0.5, 1], [-1, 0, 1], [-1, 0, 1]]]
    assert np.allclose(page.evaluate("shown.outputs"), outputs(page.evaluate("state"), weights))


def test_a_drag_turns_a_weight(page):
    page.mouse.move(*place(page, "weights, channel 1", 1, 1))
    page.mouse.down()
    x, y = place(page, "weights, channel 1", 1, 1)
    page.mouse.move(x, y - 40, steps=8)
    page.mouse.up()
    page.mouse.move(x, y)
    assert page.evaluate("shown.weights[0][1][1]") == 2
    page.mouse.move(*place(page, "output", 0, 0))
    assert page.evaluate("shown.weights[0][1][1]") == 2, "the drag has ended"


def test_a_finger_does_what_the_mouse_does(browser, tmp_path):
    with opened(browser, tmp_path, explorer.explore_convolution(), has_touch=True) as page:
        page.touchscreen.tap(*place(page, "output", 3, 2))
        assert words(page).startswith("Output [3, 2] = ")
        page.touchscreen.tap(*place(page, "image, channel 1", 3, 3))
        assert words(page).startswith("Pixel [3, 3], value 9, is read by 9 outputs")
        page.locator("text=3 channels").tap()
        assert page.evaluate("shown.pixels.length") == 3


def test_what_is_refused_says_why_in_a_sentence_and_comes_back(page):
    before = page.evaluate("shown.outputs")

    def slide(name, value):
        page.locator(f"input[name={name}]").fill(str(value))

    slide("dilation", 4)
    slide("padding", 0)
    assert words(page) == "No window fits: it covers 4 · (3 − 1) + 1 = 9 pixels, the padded input has 7 + 2 · 0 = 7."
    assert page.locator("p.refused").count() == 1 and page.locator(".stage >> text=no output").is_visible()
    assert not page.locator("[aria-label=output]").is_visible()
    slide("dilation", 1)
    slide("kernel_size", 1)
    assert words(page) == explorer.REFUSALS["edges"]
    page.locator("text=sharpen").click()
    slide("kernel_size", 4)
    assert words(page) == explorer.REFUSALS["sharpen"]
    page.locator("text=edges").click()
    slide("kernel_size", 3)
    slide("padding", 1)
    assert page.evaluate("shown.outputs") == before and page.locator("p.refused").count() == 0


def test_everything_has_a_name_and_stands_on_a_white_sheet(page):
    nameless = "[...document.querySelectorAll('input, .grid')].filter((e) => !e.closest('label') && !e.ariaLabel)"
    assert page.evaluate(f"{nameless}.length") == 0
    assert page.evaluate("getComputedStyle(document.querySelector('main')).backgroundColor") == "rgb(255, 255, 255)"


def test_what_is_wrong_in_a_page_is_noticed(browser, tmp_path):
    with pytest.raises(AssertionError, match="oh"), opened(browser, tmp_path, "<script>throw Error('oh')</script>"):
        pass


# Where a notebook is shown.


@pytest.fixture(scope="module")
def chapter(tmp_path_factory):
    """A small chapter with the explorer, recorded."""
    path = tmp_path_factory.mktemp("chapter") / "06_small.ipynb"
    title = new_markdown_cell("# The window walks", id="title", metadata={"slideshow": {"slide_type": "slide"}})
    after = new_markdown_cell("## Next", id="next", metadata={"slideshow": {"slide_type": "slide"}})
    write(new_notebook(cells=[title, new_code_cell(SOURCE, id="explorer"), after]), path)
    record(path)
    return path


def runs(page):
    """Whether the explorer is there in the figure's place, at its full size, and answers in time."""
    frame = page.frame_locator(FRAME)
    frame.locator("[aria-label=output]").hover(position={"x": 5, "y": 5})
    told = frame.locator("p").inner_text()
    height = page.locator(FRAME).evaluate(
        "(e) => [e.clientHeight, e.contentDocument.querySelector('main').scrollHeight]"
    )
    assert height[0] == height[1] > 300
    assert not page.locator("figure:has(> img[alt^='An image of 7 by 7'])").is_visible()
    inner = page.locator(FRAME).element_handle().content_frame()
    milliseconds = inner.evaluate(ANSWERED, ["[aria-label=output]", "pointermove", 10 * [0.1, 0.5, 0.9]])
    return told.startswith("Output [0, 0] = ") and milliseconds < WITHIN


def stands(page):
    """Whether the figure stands alone, drawn."""
    image = page.locator("img[alt^='An image of 7 by 7']")
    width = image.evaluate("async (e) => { await e.decode(); return e.naturalWidth; }")
    return image.is_visible() and width == 1064 and page.locator("iframe").count() == 0


def static(chapter):
    """The page that nbconvert makes, without the scripts that it fetches from the network."""
    return re.sub(r"<script[^>]+src=.*?</script>", "", HTMLExporter().from_filename(chapter)[0])


def test_it_runs_in_a_static_page(chapter, browser, tmp_path):
    with opened(browser, tmp_path, static(chapter)) as page:
        assert runs(page)


def test_where_frames_are_taken_out_the_figure_stands(chapter, browser, tmp_path):
    with opened(browser, tmp_path, re.sub(r"<iframe.*?</iframe>", "", static(chapter), flags=re.S)) as page:
        assert stands(page)


def test_where_no_script_runs_the_figure_stands(chapter, browser, tmp_path):
    with opened(browser, tmp_path, static(chapter), java_script_enabled=False) as page:
        assert page.locator("img[alt^='An image of 7 by 7']").is_visible()
        assert page.locator(FRAME).bounding_box()["height"] == 0


def test_it_runs_in_slides_and_fits(chapter, browser, tmp_path):
    scripts = ROOT / "build" / "vendor"
    if not scripts.is_dir():
        pytest.skip("reveal.js and MathJax are not in build/vendor; `make slides` fetches them")
    file = slides.convert(chapter, tmp_path, scripts)
    assert slides.measure(file, browser) == []
    tab = browser.new_page(viewport={"width": 1280, "height": 720})
    tab.goto(file.as_uri())
    tab.wait_for_function("window.Reveal?.isReady()")
    assert runs(tab)
    box = tab.locator(FRAME).bounding_box()
    assert box["x"] >= 0 and box["x"] + box["width"] <= 1280 and box["y"] + box["height"] <= 720
    tab.frame_locator(FRAME).locator("[aria-label=output]").click()
    tab.keyboard.press("ArrowRight")
    assert tab.evaluate("Reveal.getIndices().h") == 0, "an arrow moves in the grid"
    tab.keyboard.press("PageDown")
    assert tab.evaluate("Reveal.getIndices().h") == 1, "a presenter's key turns the slide"
    tab.close()


def test_it_runs_in_jupyterlab_once_it_is_trusted_and_again_after_it_was_closed(chapter, lab):
    page = lab.open(chapter)  # by another hand: not trusted
    page.wait_for_selector(".jp-OutputArea-output figure")
    assert stands(page)
    page.run_all()
    assert runs(page)
    page.keyboard.press("Control+s")
    page.wait_for_function("!document.querySelector('.jp-mod-dirty')")
    page.close()
    page = lab.open(chapter)
    page.wait_for_selector(FRAME)
    assert runs(page), "nothing was run: it needs no kernel"
    assert page.errors() == []
