"""The explorer of chapter 07: its figure as Python makes it, and the page in a browser, with Python's numbers."""

import json
import random
import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from browser import ANSWERED, opened

from course_utils.explorers import pooling as explorer

WITHIN = 16  # milliseconds: one frame of a screen
START = {"image": "numbers", "pool": "max", "kernel_size": 2, "stride": 2, "down": 0, "right": 1}

# The controls as a reader moves them: name to value. Returns what stands in the picture then.
SET = """(settings) => settings.map((setting) => {
  const input = (name) => [...document.querySelectorAll(`input[name="${name}"]`)];
  for (const name of ["image", "pool"]) input(name).find((one) => one.value === setting[name]).click();
  for (const name of ["kernel_size", "stride", "down", "right"]) {
    input(name)[0].value = setting[name];
    input(name)[0].dispatchEvent(new Event("input"));
  }
  drawMarks({output: setting.output.map((i) => i % shown.outputs.length)});
  return {state: {...state}, outputs: shown.outputs, before: shown.before, taken: shown.taken, unread: shown.unread,
          change: shown.change, changed: shown.changed, curve: shown.curve, words: look()};
})"""


# As Python makes it


@pytest.mark.parametrize("change", [{}, {"image": "photograph", "down": -4}, {"pool": "average"}, {"stride": 3}])
def test_the_figure_is_that_of_the_start(change):
    shown = explorer.explore_pooling(**START | change)
    assert shown.figure == explorer.draw_pooling(**START | change)
    assert ElementTree.fromstring(shown.figure).tag.endswith("svg")
    data = json.loads(re.search(r"^const DATA = (.*);$", shown.page, re.M)[1])
    assert data["start"] == START | change | {"output": [1, 1]}
    assert "://" not in shown.page and shown._repr_html_() == explorer.explore_pooling(**START | change)._repr_html_()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image": "portrait"}, "image is 'portrait'; expected photograph or rings or numbers"),
        ({"pool": "min"}, "pool is 'min'; expected max or average or one pixel"),
        ({"kernel_size": 9}, "kernel_size is 9; expected 1 to 8"),
        ({"stride": 0}, "stride is 0; expected 1 to 8"),
        ({"down": 5}, "down is 5; expected -4 to 4"),
        ({"right": 0.5}, "right is 0.5; expected -4 to 4"),
    ],
)
def test_what_the_explorer_does_not_have_is_refused(change, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        explorer.explore_pooling(**START | change)


def test_images_are_squares_of_whole_numbers_that_can_move():
    for name, plane in explorer._images().items():
        assert plane.shape[0] == plane.shape[1] and np.array_equal(plane, np.rint(plane))
        assert plane.min() >= 0 and plane.max() <= explorer.WHITE[name]
        still = explorer._seen(name, 0, 0)
        assert min(still.shape) >= explorer.BOUNDS[1]  # the largest window fits
        moved = explorer._seen(name, 3, -2)
        assert np.array_equal(moved[3:, :-2], still[:-3, 2:])  # down and to the left


# In a browser


@pytest.fixture
def page(browser, tmp_path):
    with opened(browser, tmp_path, explorer.explore_pooling(**START)) as tab:
        yield tab


def drawn(draw):
    """A setting as a reader may choose it."""
    setting = {"image": draw.choice(list(explorer.WHITE)), "pool": draw.choice(explorer.POOLS)}
    setting |= {name: draw.randint(*explorer.BOUNDS) for name in ("kernel_size", "stride")}
    setting |= {name: draw.randint(-explorer.REACH, explorer.REACH) for name in ("down", "right")}
    return setting | {"output": [draw.randrange(24), draw.randrange(24)]}


def distance(a, b):
    return np.linalg.norm(a - b) / (np.linalg.norm(b) or 1)


def test_numbers_are_those_of_python_on_200_random_settings(page):
    draw = random.Random(7)
    settings = [drawn(draw) for _ in range(200)]
    for setting, found in zip(settings, page.evaluate(SET, settings), strict=True):
        image, (pool, kernel_size, stride) = setting["image"], (setting[n] for n in ("pool", "kernel_size", "stride"))
        assert all(found["state"][name] == setting[name] for name in setting if name != "output")

        def outputs(down, right, image=image, how=(kernel_size, stride), pool=pool):
            return explorer._pooled(pool, explorer._seen(image, down, right), *how)

        x, y, before = explorer._seen(image, setting["down"], setting["right"]), None, outputs(0, 0)
        y = outputs(setting["down"], setting["right"])
        assert np.shape(found["outputs"]) == y.shape and np.allclose(found["outputs"], y, rtol=1e-12)
        assert np.allclose(found["before"], before, rtol=1e-12)
        places = np.array(found["taken"]).reshape(-1, 2)
        if pool != "average":
            taken = np.zeros(x.shape, bool)
            taken[tuple(places.T)] = True
            assert np.array_equal(taken, explorer._taken(pool, x, kernel_size, stride))
            assert np.array_equal(x[tuple(places.T)], y.ravel())
        assert found["changed"] == (~np.isclose(y, before, rtol=1e-12)).sum()
        along = [outputs(setting["down"], right) for right in range(-explorer.REACH, explorer.REACH + 1)]
        assert np.allclose(found["curve"], [distance(each, before) for each in along])
        assert found["change"] == found["curve"][setting["right"] + explorer.REACH]
        assert found["unread"] == list(range((len(y) - 1) * stride + kernel_size, len(x))) or stride > kernel_size


HEAVY = {"image": "photograph", "pool": "max", "kernel_size": 8, "stride": 1, "down": 1, "right": 1, "output": [3, 4]}


def test_it_answers_within_a_frame(page):
    """At its heaviest: the largest windows on all pixels of the largest image."""
    events = [("input[name=kernel_size]", "input", 10 * [7, 8]), ("input[name=stride]", "input", 10 * [2, 1])]
    events += [
        ("input[name=right]", "input", 10 * [2, 3]),
        ("[aria-label='image, to be dragged']", "keydown", 10 * ["ArrowUp", "ArrowDown"]),
    ]
    events += [("[aria-label=output]", "pointermove", 10 * [0.1, 0.5, 0.9])]
    slowest = {}
    for event in events:
        page.evaluate(SET, [HEAVY])
        slowest[f"{event[0]} {event[1]}"] = round(page.evaluate(ANSWERED, event), 1)
    print("\nmilliseconds to answer:", slowest)
    assert max(slowest.values()) < WITHIN


def words(page):
    return page.locator("p[role=status]").inner_text()


def middle(page, label):
    frame = page.locator(f"[aria-label='{label}']").bounding_box()
    return frame["x"] + 0.5 * frame["width"], frame["y"] + 0.5 * frame["height"]


def test_the_image_is_dragged_under_the_grid_and_stops_at_its_end(page):
    x, y = middle(page, "image, to be dragged")
    pixel = page.locator("[aria-label='image, to be dragged']").bounding_box()["width"] / 8
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 2 * pixel, y - pixel, steps=4)
    assert (page.evaluate("state.down"), page.evaluate("state.right")) == (-1, 3)  # it had been moved by 1
    assert [page.locator(f"input[name={name}]").input_value() for name in ("down", "right")] == ["-1", "3"]
    page.mouse.move(x + 9 * pixel, y, steps=4)
    page.mouse.up()
    page.mouse.move(x - 3 * pixel, y)
    assert (page.evaluate("state.down"), page.evaluate("state.right")) == (0, 4), "it stops, and the drag has ended"
    assert page.evaluate("shown.outputs") == explorer._pooled("max", explorer._seen("numbers", 0, 4), 2, 2).tolist()


def test_the_keys_move_the_image_and_reach_every_output(page):
    page.locator("[aria-label='image, to be dragged']").focus()
    page.keyboard.press("ArrowLeft")
    assert words(page).startswith("Moved by 0 down and 0 right: 0 of 16 outputs differ; the change is 0. ")
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowLeft")
    assert words(page).endswith("Output [0, 0] = 9: the largest of 4 pixels, from [1, 1].")


def test_an_output_under_the_mouse_shows_its_window_and_what_it_took(page):
    page.mouse.move(*middle(page, "output"))
    y = explorer._pooled("max", explorer._seen("numbers", 0, 1), 2, 2)
    assert f"Output [1, 2] = {y[1, 2]:.0f}: the largest of 4 pixels, from [2, 4]." in words(page)
    page.locator("text=average").click()
    y = explorer._pooled("average", explorer._seen("numbers", 0, 1), 2, 2)
    assert words(page).endswith(f"Output [1, 2] = {y[1, 2]:g}: the average of 4 pixels.")
    page.locator("input[name=kernel_size]").fill("8")
    assert page.evaluate("state.stride") == 8, "windows do not overlap unless they are asked to"
    assert "Output [0, 0]" in words(page)


def test_a_finger_points_and_does_not_scroll_the_page(browser, tmp_path):
    with opened(browser, tmp_path, explorer.explore_pooling(**START), has_touch=True) as page:
        image = page.locator("[aria-label='image, to be dragged']")
        assert image.evaluate("(e) => getComputedStyle(e).touchAction") == "none"
        page.touchscreen.tap(*middle(page, "output"))
        assert "Output [1, 2]" in words(page)
