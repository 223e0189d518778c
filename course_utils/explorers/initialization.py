"""Explorer of initialization: a stack of random layers between dying and exploding."""

from functools import lru_cache

import ipywidgets as widgets
import numpy as np

from course_utils.figures.initialization import edge
from course_utils.scratch import NONLINEARITIES, RULES, next_mean_square, random_stack, signals, staircase
from course_utils.scratch.signals import factor

DEPTHS, WIDTHS = (2, 50), (10, 20, 50, 100, 200)
MAP = np.logspace(-3, 3, 61)

stack = lru_cache(maxsize=4)(random_stack)  # the same weights, whatever they are multiplied by


def draw_edge(name, rule, gain, depth=30, width=100):
    """SVG: mean squares by layer, measured on random layers drawn by `rule` times `gain`; beside it their map.

    Raises ValueError for a name not in NONLINEARITIES or a rule not in RULES.
    """
    x, dy, weights = stack(rule, width)
    forward, backward = signals(name, [gain * weight for weight in weights[:depth]], x, dy)
    factors = factor(forward), factor(backward[::-1])  # the gradient travels from the last layer to the first
    c2 = gain**2 * RULES[rule][1]
    return edge(forward, backward, factors, MAP, next_mean_square(name, MAP, c2), staircase(name, c2, depth), c2)


def explore_edge(name="ReLU", rule="He, 2/n", gain=1.0):
    """Choices of nonlinearity, rule and width; sliders for the gain and the depth of a stack of random layers."""
    wide = {"layout": widgets.Layout(width="500px"), "style": {"description_width": "110px"}}
    box = widgets.VBox()
    box.name = widgets.Dropdown(options=list(NONLINEARITIES), value=name, description="nonlinearity", **wide)
    box.rule = widgets.Dropdown(options=list(RULES), value=rule, description="rule", **wide)
    box.width = widgets.Dropdown(options=list(WIDTHS), value=100, description="units per layer", **wide)
    box.depth = widgets.IntSlider(30, min=DEPTHS[0], max=DEPTHS[1], description="layers", **wide)
    box.gain = widgets.FloatSlider(gain, min=0.5, max=2, step=0.01, description="weights times", **wide)
    box.picture = widgets.HTML()

    def draw(change=None):
        box.picture.value = draw_edge(box.name.value, box.rule.value, box.gain.value, box.depth.value, box.width.value)

    controls = [box.name, box.rule, box.width, box.depth, box.gain]
    for control in controls:
        control.observe(draw, "value")
    draw()
    box.children = [*controls, box.picture]
    return box
