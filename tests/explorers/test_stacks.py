"""The explorer of chapter 11: the figure that it starts from; in a browser its numbers, its speed, its words."""

import random
import re
import xml.etree.ElementTree as ElementTree

import pytest
from browser import ANSWERED, opened
from torch import nn

from course_utils import inspection
from course_utils.explorers import stacks as explorer
from course_utils.figures.vggnet import amount

WITHIN = 16  # milliseconds: one frame of a screen
WORDS = """(settings) => settings.map((setting) => {
  [...document.querySelectorAll("input[name=window]")].find((one) => one.value === String(setting.kernel_size)).click();
  for (const [name, value] of Object.entries(setting)) {
    if (name === "kernel_size") continue;
    const input = document.querySelector(`input[name=${name}]`);
    input.value = value;
    input.dispatchEvent(new Event("input"));
  }
  const frames = [...document.querySelectorAll("svg rect[style*='width: 3']")].map((frame) =>
    ["x", "y", "width"].map((name) => Number(frame.getAttribute(name)).toFixed(1)));
  return {frames, words: [...document.querySelectorAll("svg text")].map((text) => text.textContent)};
})"""


def elements(svg):
    return list(ElementTree.fromstring(svg).iter())


def words(svg):
    return [element.text for element in elements(svg) if element.text]


def frames(svg):
    return [
        [element.get(name) for name in ("x", "y", "width")]
        for element in elements(svg)
        if element.get("class") == "field"
    ]


def test_the_figure_has_the_costs_of_the_layers():
    layers = [nn.Conv2d(16, 16, 5, stride, padding=2, bias=False) for stride in (2, 1)]
    counted = inspection.summarize(nn.Sequential(*layers), (16, 32, 32))
    found = words(explorer.draw_stacks(5, 2, stride=2, channels=4))
    numbers = counted.parameters, counted.multiply_adds, counted.activation_bytes // 4
    assert counted.rows[-1].receptive_field.size == 13
    assert {"1 → 5 → 13", "2 layers of 5 × 5", "one of 13 × 13", *map(amount, numbers)} <= set(found)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kernel_size": 4}, "kernel_size is 4; expected 1, 3, 5, 7, 11"),
        ({"layers": 0}, "layers is 0; expected 1 to 8"),
        ({"stride": 3}, "stride is 3; expected 1 to 2"),
        ({"channels": 2.5}, "channels is 2.5; expected 3 to 9"),
    ],
)
def test_what_the_explorer_does_not_have_is_refused(change, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        explorer.explore_stacks(**change)


@pytest.fixture(scope="module")
def page(browser, tmp_path_factory):
    with opened(browser, tmp_path_factory.mktemp("page"), explorer.explore_stacks()) as tab:
        yield tab


def test_numbers_words_and_frames_are_those_of_python_on_200_random_settings(page):
    draw = random.Random(11)
    settings = [{name: draw.randint(*bounds) for name, bounds in explorer.BOUNDS.items()} for _ in range(200)]
    settings = [{"kernel_size": draw.choice(explorer.KERNELS), **setting} for setting in settings]
    for setting, found in zip(settings, page.evaluate(WORDS, settings), strict=True):
        figure = explorer.draw_stacks(**setting)
        assert sorted(found["words"]) == sorted(words(figure))
        assert found["frames"] == frames(figure)


def test_it_answers_within_a_frame(page):
    events = [(f"input[name={name}]", "input", 10 * list(bounds)) for name, bounds in explorer.BOUNDS.items()]
    slowest = max(page.evaluate(ANSWERED, event) for event in events)
    print(f"\nmilliseconds to answer: {slowest:.1f}")
    assert slowest < WITHIN


def test_mouse_and_keys_change_the_stack_and_the_sentence_follows(page):
    page.locator("label", has_text="3 × 3").click()
    for name, value in {"layers": 3, "stride": 1, "channels": 6}.items():
        page.locator(f"input[name={name}]").fill(str(value))
    told = "A unit of the last layer sees 7 × 7 pixels. Between C maps the stack has 27 C² weights, one window 49 C²"
    assert page.locator("p").inner_text() == f"{told}: 1.81 times as many. It keeps 3 outputs in place of one."
    page.locator("input[name=layers]").focus()
    page.keyboard.press("ArrowRight")
    assert page.evaluate("shown.field") == 9 and "sees 9 × 9 pixels" in page.locator("p").inner_text()
    page.locator("label", has_text="1 × 1").first.click()
    assert page.locator("p").inner_text().startswith("A unit of the last layer sees 1 × 1 pixels.")
    page.locator("label", has_text="11 × 11").click()
    assert "41 × 41 pixels, more than the picture" in page.locator("p").inner_text()
