"""The explorer of chapter 05: the figure that it starts from; in a browser its numbers, its speed, its words."""

import random
import re
import xml.etree.ElementTree as ElementTree

import pytest
from browser import ANSWERED, opened

from course_utils.arithmetic import output_size
from course_utils.explorers import counts as explorer

WITHIN = 16  # milliseconds: one frame of a screen
WORDS = """(settings) => settings.map((setting) => {
  for (const [name, value] of Object.entries(setting)) {
    const input = document.querySelector(`input[name=${name}]`);
    input.value = value;
    input.dispatchEvent(new Event("input"));
  }
  return {refused: shown.refused, numbers: [...shown.weights, ...shown.outputs],
          words: [...document.querySelectorAll("svg text")].map((text) => text.textContent)};
})"""


def words(svg):
    return [element.text for element in ElementTree.fromstring(svg).iter() if element.text]


def test_the_figure_has_the_slides_numbers():
    found = set(words(explorer.draw_counts()))
    assert {"1 trillion · 4 TB", "100 million · 400 MB", "10,000 · 40 kB", "98.2 million · 393 MB"} <= found


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"side": 7}, "side is 7; expected 8 to 1000"),
        ({"hidden": 8}, "hidden is 8; expected 1 to 7"),
        ({"field": 0}, "field is 0; expected 1 to 31"),
        ({"filters": 1.5}, "filters is 1.5; expected 1 to 512"),
        ({"side": 8, "field": 9}, "a kernel of 9 with dilation 1 covers 9"),
    ],
)
def test_what_the_explorer_does_not_have_is_refused(change, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        explorer.explore_counts(**change)


@pytest.fixture(scope="module")
def page(browser, tmp_path_factory):
    with opened(browser, tmp_path_factory.mktemp("page"), explorer.explore_counts()) as tab:
        yield tab


def test_numbers_and_words_are_those_of_python_on_200_random_settings(page):
    draw = random.Random(5)
    settings = [{name: draw.randint(*bounds) for name, bounds in explorer.BOUNDS.items()} for _ in range(200)]
    settings[::20] = [setting | {"side": draw.randint(8, 31)} for setting in settings[::20]]
    refused = 0
    for setting, found in zip(settings, page.evaluate(WORDS, settings), strict=True):
        side, hidden, field, filters = setting.values()
        if field > side:
            assert found["refused"].endswith(".")
            refused += 1
            continue
        units, places = 10**hidden, output_size(side, field) ** 2
        weights = [side**2 * units, field**2 * units, field**2 * filters]
        assert found["numbers"] == [*weights, units, units, places * filters]
        assert sorted(found["words"]) == sorted(words(explorer.draw_counts(**setting)))
    assert 0 < refused < 20


def test_it_answers_within_a_frame(page):
    events = [(f"input[name={name}]", "input", 10 * list(bounds)) for name, bounds in explorer.BOUNDS.items()]
    slowest = max(page.evaluate(ANSWERED, event) for event in events)
    print(f"\nmilliseconds to answer: {slowest:.1f}")
    assert slowest < WITHIN


def test_an_example_sets_all_sliders_and_a_slider_leaves_the_examples(page):
    page.locator("text=a digit").click()
    values = [page.locator(f"input[name={name}]").input_value() for name in explorer.BOUNDS]
    assert tuple(map(int, values)) == explorer.PRESETS["a digit of 28 × 28"]
    assert page.locator("p").inner_text() == (
        "A local field has 31 times fewer weights; sharing has 125 times fewer again: 3.14 MB become 800 B."
    )
    page.locator("input[name=filters]").focus()
    page.keyboard.press("ArrowRight")
    assert page.evaluate("state.filters") == 9 and page.locator("input[name=example]:checked").count() == 0
    page.locator("input[name=field]").fill("29")
    assert page.locator("p.refused").inner_text().startswith("No window fits: the field has 29 × 29 pixels")
    page.locator("text=slides 36").click()
    assert page.locator("p.refused").count() == 0
