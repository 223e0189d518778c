"""Explorers of nonlinearities."""

import ipywidgets as widgets
import numpy as np

from course_utils.figures import nonlinearities as figures
from course_utils.scratch import NONLINEARITIES, softmax, softmax_as_written
from course_utils.scratch.signals import response

NAMES = tuple(figures.OF)
GRID = np.linspace(-6, 6, 241)


def draw_softmax(activations, factor=1.0):
    """SVG: softmax(factor * activations) as bars; factor -1 is the lecture's slide, 1 is softmax."""
    return figures.softmax_bars(activations, softmax(factor * np.asarray(activations, float)), factor)


def explore_softmax(activations, factor=1.0):
    """A slider for the factor c over the bars of softmax(c * activations)."""
    box = widgets.VBox()
    box.factor = widgets.FloatSlider(
        factor, min=-3, max=3, step=0.25, description="c", layout=widgets.Layout(width="500px")
    )
    box.picture = widgets.HTML()

    def draw(change=None):
        box.picture.value = draw_softmax(activations, box.factor.value)

    box.factor.observe(draw, "value")
    draw()
    box.children = [box.factor, box.picture]
    return box


def draw_temperature(activations, temperature, offset=0.0):
    """SVG: the softmax of (a + offset) / temperature, stable, and beside it with the exponentials taken as they are."""
    shifted = np.asarray(activations, float) + offset
    scaled = shifted / temperature
    return figures.temperature_bars(shifted, softmax(scaled), softmax_as_written(scaled), temperature)


def explore_temperature(activations):
    """Sliders for the temperature (0.05 to 20) and for a number added to all activations (-10000 to 10000)."""
    wide = {"layout": widgets.Layout(width="500px"), "style": {"description_width": "110px"}}
    box = widgets.VBox()
    box.temperature = widgets.FloatLogSlider(1, min=-1.3, max=1.3, step=0.05, description="temperature T", **wide)
    box.offset = widgets.FloatSlider(0, min=-1e4, max=1e4, step=100, description="added to all", **wide)
    box.picture = widgets.HTML()

    def draw(change=None):
        box.picture.value = draw_temperature(activations, box.temperature.value, box.offset.value)

    for slider in (box.temperature, box.offset):
        slider.observe(draw, "value")
    draw()
    box.children = [box.temperature, box.offset, box.picture]
    return box


def draw_unit(name, mean, std):
    """SVG: the nonlinearity `name` on inputs N(mean, std^2). Raises ValueError for a name not in NAMES."""
    if name not in NAMES:
        raise ValueError(f"there is no nonlinearity {name!r} here; those there are: {', '.join(NAMES)}")
    function, derivative = NONLINEARITIES[name]
    found = response(name, mean, std)
    notes = [
        f"input: mean {mean:.1f}, standard deviation {std:.1f}",
        f"mean output: {found.mean:.3f}",
        f"standard deviation of the output: {found.std:.3f}",
        f"mean squared derivative: {found.squared_derivative:.4f}",
        f"derivative below a tenth of its largest: {found.saturated:.0%}",
    ]
    density = np.exp(-(((GRID - mean) / std) ** 2) / 2)
    return figures.response(name, GRID, function(GRID), derivative(GRID), density, found.mean, notes)


def explore_unit(name="ReLU", mean=0.0, std=1.0):
    """A choice of the nonlinearity, and sliders for the mean and the standard deviation of its input."""
    wide = {"layout": widgets.Layout(width="500px"), "style": {"description_width": "130px"}}
    box = widgets.VBox()
    box.name = widgets.Dropdown(options=list(NAMES), value=name, description="nonlinearity", **wide)
    box.mean = widgets.FloatSlider(mean, min=-4, max=4, step=0.1, description="mean", **wide)
    box.std = widgets.FloatSlider(std, min=0.1, max=4, step=0.1, description="standard deviation", **wide)
    box.picture = widgets.HTML()

    def draw(change=None):
        box.picture.value = draw_unit(box.name.value, box.mean.value, box.std.value)

    for control in (box.name, box.mean, box.std):
        control.observe(draw, "value")
    draw()
    box.children = [box.name, box.mean, box.std, box.picture]
    return box
