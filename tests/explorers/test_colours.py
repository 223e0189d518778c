"""The explorer of chapter 10: its figure as Python makes it, and the page in a browser, with Python's numbers."""

import json
import random
import re

import numpy as np
import pytest
from browser import ANSWERED, opened

from course_utils.explorers import colours as explorer

WITHIN = 16  # milliseconds: one frame of a screen
SET = """(settings) => settings.map((setting) => {
  const input = (name) => [...document.querySelectorAll(`input[name="${name}"]`)];
  input("axes").find((one) => one.value === setting.axes).click();
  for (const name of ["first", "second", "third"]) {
    input(name)[0].value = setting[name];
    input(name)[0].dispatchEvent(new Event("input"));
  }
  return {shift: shown.shift, sums: [0, 1, 2].map((c) => shown.pixels.flat().reduce((sum, each) => sum + each[c], 0)),
          place: shown.pixels[5][20], cut: shown.cut, moved: moving.getAttribute("transform")};
})"""


@pytest.mark.parametrize("change", [{}, {"axes": "channels"}, {"first": 120, "third": -300}])
def test_the_figure_is_that_of_the_start(change):
    shown = explorer.explore_colours(**change)
    assert shown.figure == explorer.draw_colours(**change)
    data = json.loads(re.search(r"^const DATA = (.*);$", shown.page, re.M)[1])
    assert data["start"] == {"axes": "components", "first": 0, "second": 0, "third": 0} | change
    assert "://" not in shown.page


def test_components_give_back_the_covariance_and_channels_its_diagonal():
    covariance = np.cov(explorer._pixels().reshape(-1, 3).T / 255)
    variances, vectors = explorer._directions("components")
    assert np.allclose(vectors * variances @ vectors.T, covariance) and (np.diff(variances) < 0).all()
    assert (vectors.sum(axis=0) > 0).all() and np.allclose(explorer._directions("channels")[0], np.diag(covariance))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"axes": "hue"}, "axes is 'hue'; expected components or channels"),
        ({"second": 301}, "second is 301; expected -300 to 300"),
        ({"third": 0.5}, "third is 0.5; expected -300 to 300"),
    ],
)
def test_what_the_explorer_does_not_have_is_refused(change, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        explorer.explore_colours(**change)


@pytest.fixture(scope="module")
def page(browser, tmp_path_factory):
    with opened(browser, tmp_path_factory.mktemp("page"), explorer.explore_colours()) as tab:
        yield tab


def test_numbers_are_those_of_python_on_200_random_settings(page):
    draw = random.Random(10)
    names = ("first", "second", "third")
    settings = [
        {"axes": draw.choice(explorer.AXES), **{name: draw.randint(*explorer.BOUNDS) for name in names}}
        for _ in range(200)
    ]
    for setting, found in zip(settings, page.evaluate(SET, settings), strict=True):
        shift = explorer._shift(setting["axes"], [setting[name] for name in names])
        moved = explorer._moved(shift)
        assert np.allclose(found["shift"], shift, atol=1e-12)
        assert found["sums"] == moved.reshape(-1, 3).sum(axis=0, dtype=int).tolist()
        assert found["place"] == moved[5, 20].tolist()
        whole = np.floor(explorer._pixels() + 255 * shift + 0.5)
        assert found["cut"] == pytest.approx((whole != moved).mean())


def test_it_answers_within_a_frame(page):
    events = [(f"input[name={name}]", "input", 10 * [-250, 120]) for name in ("first", "second", "third")]
    slowest = max(page.evaluate(ANSWERED, event) for event in events)
    print(f"\nmilliseconds to answer: {slowest:.1f}")
    assert slowest < WITHIN


def test_the_keys_move_a_slider_and_the_words_say_what_is_added(page):
    page.locator("text=channels").click()
    for name in ("second", "third"):
        page.locator(f"input[name={name}]").fill("0")
    page.locator("input[name=first]").fill("100")
    page.locator("input[name=first]").focus()
    page.keyboard.press("ArrowRight")
    assert page.evaluate("state.first") == 101
    level = 255 * 1.01 * explorer._directions("channels")[0][0]
    words = page.locator("p[role=status]").inner_text()
    assert words.startswith(f"Added to every pixel, in levels of 255: red {round(level, 1):g}, green 0, blue 0.")
    assert page.locator("output", has_text="1.01").count() == 1
