"""The explorer of chapter 13: its figure as Python makes it, and the page in a browser, with Python's numbers."""

import json
import random
import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from browser import ANSWERED, opened

from course_utils.explorers import paths as explorer

WITHIN = 16  # milliseconds: one frame of a screen
# The controls as a reader moves them: name to value. Returns what stands in the picture then.
SET = """(settings) => settings.map((setting) => {
  const input = (name) => [...document.querySelectorAll(`input[name="${name}"]`)];
  input("kind").find((one) => one.value === setting.kind).click();
  for (const name of ["blocks", "factor"]) {
    input(name)[0].value = setting[name];
    input(name)[0].dispatchEvent(new Event("input"));
  }
  draw({out: new Set(setting.out)});
  return {paths: shown.paths, shares: shown.shares, mean: shown.mean, total: shown.total};
})"""


def words(svg):
    return [element.text for element in ElementTree.fromstring(svg).iter() if element.text]


# As Python makes it


@pytest.mark.parametrize("change", [{}, {"kind": "plain"}, {"blocks": 27, "factor": 0.3}, {"out": (0, 4)}])
def test_the_figure_is_that_of_the_start(change):
    shown = explorer.explore_paths(**change)
    assert shown.figure == explorer.draw_paths(**change)
    data = json.loads(re.search(r"^const DATA = (.*);$", shown.page, re.M)[1])
    start = {"kind": "residual", "blocks": 9, "factor": 1.0, "out": []} | change
    assert data["start"] == start | {"factor": 10 * start["factor"], "out": list(start["out"])}  # the page has tenths
    assert "://" not in shown.page and shown._repr_html_() == explorer.explore_paths(**change)._repr_html_()


def test_half_of_the_paths_stay_and_a_plain_network_loses_its_only_one():
    assert words(explorer.draw_paths(out=(3,)))[0] == "9 blocks, 1 taken out: 256 paths"
    assert words(explorer.draw_paths(kind="plain"))[0] == "9 blocks, 0 taken out: 1 paths"
    assert words(explorer.draw_paths(kind="plain", out=(3,)))[0] == "9 blocks, 1 taken out: 0 paths"
    assert "mean 4.5" in words(explorer.draw_paths()) and "mean 4.0" in words(explorer.draw_paths(out=(3,)))


@pytest.mark.parametrize("factor", [0.3, 1.0, 2.0])
def test_shares_are_those_of_all_paths_listed(factor):
    weights = [factor ** bin(path).count("1") for path in range(2**6)]
    lengths = [bin(path).count("1") for path in range(2**6)]
    expected = np.bincount(lengths, weights, minlength=7) / np.sum(weights)
    assert np.allclose(explorer._shares(explorer._paths("residual", 6, 6), factor), expected)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "dense"}, "kind is 'dense'; expected residual or plain"),
        ({"blocks": 28}, "blocks is 28; expected 1 to 27"),
        ({"factor": 10}, "factor is 10; expected one of 0.1, 0.2, ..., 2.0"),
        ({"factor": 0.25}, "factor is 0.25; expected one of 0.1, 0.2, ..., 2.0"),
        ({"out": (9,)}, "out is (9,); expected places from 0 to 8"),
    ],
)
def test_what_the_explorer_does_not_have_is_refused(change, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        explorer.explore_paths(**change)


# In a browser


@pytest.fixture
def page(browser, tmp_path):
    with opened(browser, tmp_path, explorer.explore_paths()) as tab:
        yield tab


def said(page):
    return page.locator("p[role=status]").inner_text()


def test_numbers_are_those_of_python_on_200_random_settings(page):
    draw, settings = random.Random(13), []
    for _ in range(200):
        setting = {name: draw.randint(*bounds) for name, bounds in explorer.BOUNDS.items()}
        out = draw.sample(range(setting["blocks"]), draw.choice([0, 0, 1, draw.randint(0, setting["blocks"])]))
        settings.append(setting | {"kind": draw.choice(explorer.KINDS), "out": out})
    for setting, found in zip(settings, page.evaluate(SET, settings), strict=True):
        paths = explorer._paths(setting["kind"], setting["blocks"] - len(setting["out"]), setting["blocks"])
        shares = explorer._shares(paths, setting["factor"] / 10)
        assert found["paths"] == paths and found["total"] == sum(paths)
        assert np.allclose(found["shares"], shares, rtol=1e-9)
        assert np.isclose(found["mean"], np.dot(range(len(shares)), shares))


def test_it_answers_within_a_frame(page):
    page.evaluate(SET, [{"kind": "residual", "blocks": 27, "factor": 10, "out": [1, 5]}])
    events = [("input[name=factor]", "input", 10 * [3, 12]), ("input[name=blocks]", "input", 10 * [26, 27])]
    events += [(f"[aria-label={name}]", "pointermove", 10 * [0.2, 0.7]) for name in ("paths", "gradient")]
    events += [("[aria-label=blocks]", "keydown", 20 * ["Enter"])]
    slowest = {event[0]: round(page.evaluate(ANSWERED, event), 1) for event in events}
    print("\nmilliseconds to answer:", slowest)
    assert max(slowest.values()) < WITHIN


def at(page, label, part):
    frame = page.locator(f"[aria-label={label}]").bounding_box()
    return frame["x"] + part * frame["width"], frame["y"] + 0.5 * frame["height"]


def test_a_click_takes_a_block_out_and_puts_it_back(page):
    assert said(page) == "9 blocks: 512 paths. By what they carry, their mean length is 4.5."
    page.mouse.click(*at(page, "blocks", 4.5 / 9))
    assert page.evaluate("[...state.out]") == [4]
    assert said(page) == "Without 1 block, 256 of 512 paths are left. By what they carry, their mean length is 4."
    page.locator("text=plain").click()
    assert said(page) == "Without 1 block, the only path is gone."
    page.mouse.click(*at(page, "blocks", 4.5 / 9))
    assert said(page) == "9 blocks: 1 path. By what they carry, their mean length is 9."


def test_the_keys_do_what_the_mouse_does(page):
    page.locator("[aria-label=blocks]").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    assert page.evaluate("[...state.out]") == [1]
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowRight")
    assert said(page) == "8 paths through 1 of 9 blocks. Together they carry 3.13% of the gradient."


def test_a_bar_under_the_mouse_says_how_many_paths_and_what_they_carry(page):
    page.mouse.move(*at(page, "gradient", 3.5 / 10))
    assert said(page) == "84 paths through 3 of 9 blocks. Together they carry 16.4% of the gradient."
    assert page.locator(".stage svg rect[style*='--orange']").count() == 2
    page.mouse.move(*at(page, "paths", 0.05))
    assert said(page) == "1 path around all blocks. Together they carry 0.2% of the gradient."


def test_blocks_that_are_gone_are_no_longer_taken_out(page):
    page.mouse.click(*at(page, "blocks", 8.5 / 9))
    page.locator("input[name=blocks]").fill("5")
    assert page.evaluate("[...state.out]") == [] and said(page).startswith("5 blocks: 32 paths.")


def test_a_finger_takes_a_block_out(browser, tmp_path):
    with opened(browser, tmp_path, explorer.explore_paths(), has_touch=True) as page:
        page.touchscreen.tap(*at(page, "blocks", 0.05))
        assert page.evaluate("[...state.out]") == [0]
