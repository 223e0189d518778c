"""The explorer of chapter 12: the figure that it starts from; in a browser its numbers, its speed, its words."""

import random
import re
import xml.etree.ElementTree as ElementTree

import pytest
from browser import ANSWERED, opened

from course_utils import inspection
from course_utils.explorers import inception as explorer
from course_utils.models.googlenet import TABLE, Inception

WITHIN = 16  # milliseconds: one frame of a screen
WORDS = """(settings) => settings.map((setting) => {
  [...document.querySelectorAll("input[name=module]")].find((one) => one.value === setting.module).click();
  for (const [name, value] of Object.entries(setting)) {
    if (name === "module") continue;
    const input = document.querySelector(`input[name=${name}]`);
    input.value = value;
    input.dispatchEvent(new Event("input"));
  }
  return {...shown, words: [...document.querySelectorAll("svg text")].map((text) => text.textContent)};
})"""


def words(svg):
    return [element.text for element in ElementTree.fromstring(svg).iter() if element.text]


def test_the_figure_has_the_cost_of_the_module():
    rows = inspection.summarize(Inception(192, *TABLE["inception3a"]), (192, 28, 28)).rows
    found = words(explorer.draw_inception())
    by_branch = [sum(row.multiply_adds for row in rows if row.name.startswith(f"branch{i}")) for i in (1, 2, 3, 4)]
    labels = [word for word in found if "million" in word][:4]
    assert [f"{count / 1e6:.3g}" for count in by_branch] == [label.split()[0] for label in labels]
    assert labels[1].endswith(", not 173 million")
    assert {"module, 256 maps out", "naive, 416 maps out", "192 → 96 → 128"} <= set(found)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"module": "6a"}, "module is '6a'; expected 3a, 4a, 4e, 5b"),
        ({"maps": 15}, "maps is 15; expected 16 to 1024"),
        ({"reduce_3x3": -1}, "reduce_3x3 is -1; expected 0 to 256"),
        ({"reduce_5x5": 65}, "reduce_5x5 is 65; expected 0 to 64"),
        ({"pool_proj": 0.5}, "pool_proj is 0.5; expected 0 to 128"),
    ],
)
def test_what_the_explorer_does_not_have_is_refused(change, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        explorer.explore_inception(**change)


@pytest.fixture(scope="module")
def page(browser, tmp_path_factory):
    with opened(browser, tmp_path_factory.mktemp("page"), explorer.explore_inception()) as tab:
        yield tab


def test_numbers_and_words_are_those_of_python_on_200_random_settings(page):
    draw = random.Random(12)
    settings = [{name: draw.randint(*bounds) for name, bounds in explorer.BOUNDS.items()} for _ in range(200)]
    settings = [{"module": draw.choice(list(explorer.MODULES)), **setting} for setting in settings]
    for name in ("reduce_3x3", "reduce_5x5", "pool_proj"):
        for setting in draw.sample(settings, 40):
            setting[name] = 0
    for setting, found in zip(settings, page.evaluate(WORDS, settings), strict=True):
        assert sorted(found["words"]) == sorted(words(explorer.draw_inception(**setting)))
        widths, size = TABLE[f"inception{setting['module']}"], explorer.MODULES[setting["module"]][1]
        for kernel, out, most in zip((3, 5), widths[2:5:2], found["most"], strict=True):
            without = setting["maps"] * out * kernel**2 * size**2
            cost = [r * (setting["maps"] + out * kernel**2) * size**2 for r in (most, most + 1)]
            assert cost[0] < without <= cost[1]


def test_it_answers_within_a_frame(page):
    events = [(f"input[name={name}]", "input", 10 * list(bounds)) for name, bounds in explorer.BOUNDS.items()]
    slowest = max(page.evaluate(ANSWERED, event) for event in events)
    print(f"\nmilliseconds to answer: {slowest:.1f}")
    assert slowest < WITHIN


def test_a_module_sets_all_sliders_and_keys_move_them(page):
    page.locator("text=5b").click()
    values = [int(page.locator(f"input[name={name}]").input_value()) for name in explorer.BOUNDS]
    assert values == [832, *TABLE["inception5b"][1::2][:2], TABLE["inception5b"][5]]
    assert page.locator("p").inner_text().startswith("This module is 4.06 times cheaper than the naive one.")
    page.locator("input[name=reduce_5x5]").focus()
    page.keyboard.press("ArrowRight")
    assert page.evaluate("state.reduce_5x5") == 49
    page.locator("input[name=reduce_3x3]").fill("0")
    assert page.locator("output", has_text="none").count() == 1 and page.evaluate("shown.chains[1]") == [832, 384]
