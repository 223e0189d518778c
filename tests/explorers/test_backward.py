"""The explorer of chapter 08: the figure that it starts from, and, in a browser, its numbers, speed, words."""

import random
import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from browser import ANSWERED, opened

from course_utils.arithmetic import output_size, reads
from course_utils.explorers import backward as explorer
from course_utils.scratch import conv2d_backward_loops

START = {"size": 6, "kernel_size": 3, "stride": 2, "padding": 1, "dilation": 1}
WITHIN = 16  # milliseconds: one frame of a screen

# The controls as a reader moves them, and what is pointed at. Returns the numbers in the picture then.
SET = """(settings) => settings.map(({part, place, ...setting}) => {
  for (const [name, value] of Object.entries(setting)) {
    const input = document.querySelector(`input[name=${name}]`);
    input.value = value;
    input.dispatchEvent(new Event("input"));
  }
  if (!shown.refused) drawMarks({part, place});
  const {refused, padded, weights, dy, dx, dweight, pointed} = shown;
  return {refused, padded, weights, dy, dx, dweight, pointed, words: document.querySelector("p").textContent};
})"""


def words(svg):
    return [element.text for element in ElementTree.fromstring(svg).iter() if element.text]


def gradients(found, setting):
    """The gradients of the padded image and of the weights, by the loops, from what the page says it has."""
    arrays = (np.array(found[name], float)[None, None] for name in ("dy", "padded", "weights"))
    dx, dweight, _ = conv2d_backward_loops(*arrays, stride=setting["stride"], dilation=setting["dilation"])
    return dx[0, 0], dweight[0, 0]


def test_the_figure_is_that_of_the_start_and_says_the_gradient():
    shown = explorer.explore_backward(**START, part="input", place=(2, 3))
    assert shown.figure == explorer.draw_backward(**START, part="input", place=(2, 3))
    dx = explorer._setting(**START)[3]
    assert f"gradient of input [2, 3]: the sum of the products, {dx[3, 4]:.0f}".replace("-", "−") in words(shown.figure)
    dweight = explorer._setting(**START)[4]
    svg = explorer.draw_backward(**START, part="weight", place=(2, 1))
    assert f"the sum of the products, {dweight[2, 1]:.0f}".replace("-", "−") in " ".join(words(svg))
    assert "sum" not in " ".join(words(explorer.draw_backward(**START, part="output", place=(0, 0))))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"size": 9}, "size is 9; expected 3 to 8"),
        ({"stride": 0}, "stride is 0; expected 1 to 3"),
        ({"padding": 1.5}, "padding is 1.5; expected 0 to 2"),
        ({"size": 3, "kernel_size": 4, "padding": 0}, "covers 4; expected at most the padded input"),
        ({"part": "bias"}, "part is 'bias'; expected weight or input or output"),
        ({"place": (0, 3)}, "place is (0, 3); expected rows and columns from 0 to 2"),
        ({"part": "input", "place": (-2, 0)}, "place is (-2, 0); expected rows and columns from -1 to 6"),
    ],
)
def test_what_the_explorer_does_not_have_is_refused(change, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        explorer.explore_backward(**START | {"part": "weight", "place": (0, 0)} | change)


@pytest.fixture(scope="module")
def page(browser, tmp_path_factory):
    with opened(browser, tmp_path_factory.mktemp("page"), explorer.explore_backward()) as tab:
        yield tab


def drawn(draw):
    """A setting as a reader may choose it, one that does not fit among them."""
    setting = {name: draw.randint(*bounds) for name, bounds in explorer.BOUNDS.items()}
    if draw.random() < 0.05:
        return setting | {"size": 3, "kernel_size": 4, "padding": 0, "dilation": 2, "part": "weight", "place": [0, 0]}
    try:
        count = output_size(**setting)
    except ValueError:
        return drawn(draw)
    part, padding = draw.choice(explorer.PARTS), setting["padding"]
    bounds = {
        "weight": (0, setting["kernel_size"]),
        "output": (0, count),
        "input": (-padding, setting["size"] + padding),
    }
    return setting | {"part": part, "place": [draw.randrange(*bounds[part]) for _ in range(2)]}


def hold_products(setting, found, dx, dweight):
    """What is multiplied adds up to the gradient, and comes from the outputs that read what is pointed at."""
    pointed, (row, column), padding = found["pointed"], setting["place"], setting["padding"]
    left, right, products = (np.array(pointed[name], float) for name in ("left", "right", "products"))
    assert np.array_equal(left * right, products, equal_nan=True)
    part, axis = setting["part"], {name: setting[name] for name in ("kernel_size", "stride", "padding", "dilation")}
    if part == "output":
        assert pointed["sum"] is None and (right == found["dy"][row][column]).all()
        return
    assert np.nansum(products) == pointed["sum"]
    assert pointed["sum"] == (dweight[row, column] if part == "weight" else dx[row + padding, column + padding])
    every = [reads(i, **axis) for i in range(len(found["dy"]))]
    reading = [[i for i, read in enumerate(every) if part == "weight" or at in read] for at in (row, column)]
    assert sorted(pointed["readers"]) == sorted([i, j] for i in reading[0] for j in reading[1])


def test_numbers_are_those_of_python_on_200_random_settings(page):
    draw = random.Random(8)
    settings, refused = [drawn(draw) for _ in range(200)], 0
    for setting, found in zip(settings, page.evaluate(SET, settings), strict=True):
        named = {name: setting[name] for name in explorer.BOUNDS}
        try:
            expected = explorer._setting(**named)
        except ValueError:
            assert found["refused"] == found["words"] and found["refused"].startswith("No window fits")
            refused += 1
            continue
        for name, array in zip(("padded", "weights", "dy", "dx", "dweight"), expected, strict=True):
            assert np.array_equal(found[name], array), name
        dx, dweight = gradients(found, setting)
        assert np.array_equal(found["dx"], dx) and np.array_equal(found["dweight"], dweight)
        hold_products(setting, found, dx, dweight)
    assert 0 < refused < 30


def test_it_answers_within_a_frame(page):
    """At its heaviest: the largest padded image, the smallest kernel and steps, a weight that meets 144 pixels."""
    heavy = {"size": 8, "kernel_size": 1, "stride": 1, "padding": 2, "dilation": 1, "part": "weight", "place": [0, 0]}
    values = {"size": [7, 8], "kernel_size": [2, 1], "stride": [2, 1], "padding": [1, 2], "dilation": [2, 1]}
    events = [(f"input[name={name}]", "input", 10 * pair) for name, pair in values.items()]
    labels = ("input", "gradient of the input", "weights", "gradient of the output")
    events += [(f"[aria-label='{label}']", "pointermove", 10 * [0.1, 0.5, 0.9]) for label in labels]
    slowest = {}
    for event in events:
        page.evaluate(SET, [heavy])
        slowest[event[0]] = round(page.evaluate(ANSWERED, event), 1)
    print("\nmilliseconds to answer:", slowest)
    assert max(slowest.values()) < WITHIN


def test_the_mouse_and_the_keys_point_at_weights_pixels_and_outputs(page):
    page.reload()
    told = page.locator("p")
    page.locator("[aria-label='input']").hover(position={"x": 3, "y": 3})
    assert told.inner_text().startswith("Pixel [0, 0] is read by one output.")
    page.locator("[aria-label='weights']").hover(position={"x": 3, "y": 3})
    assert told.inner_text().startswith("Weight [0, 0] meets 25 pixels, one for each output.")
    page.locator("[aria-label='gradient of the output']").hover(position={"x": 3, "y": 3})
    assert told.inner_text().startswith("Output [0, 0] sends its gradient times the pixels to the weights")
    page.locator("[aria-label='gradient of the input']").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    assert told.inner_text().startswith("Pixel [1, 1] is read by 4 outputs")
    page.locator("input[name=padding]").fill("1")
    page.locator("[aria-label='input']").hover(position={"x": 3, "y": 3})
    assert told.inner_text().endswith("It is cut off, as padding is no input.")


def test_the_page_needs_nothing_from_elsewhere_and_everything_has_a_name(page):
    source = explorer.explore_backward().page
    assert "://" not in source and not re.search(r"\b(import|fetch|XMLHttpRequest|eval)\b *[(\"']", source)
    nameless = "[...document.querySelectorAll('input, .grid')].filter((e) => !e.closest('label') && !e.ariaLabel)"
    assert page.evaluate(f"{nameless}.length") == 0
