"""Explorers of nonlinearities."""

import ipywidgets as widgets
import numpy as np

from course_utils import scratch
from course_utils.figures.nonlinearities import response, softmax_bars, temperature_bars
from course_utils.scratch import softmax

FUNCTIONS = {"sigmoid": "sigmoid", "tanh": "tanh", "ReLU": "relu", "leaky ReLU": "leaky_relu", "ELU": "elu"}
GRID = np.linspace(-6, 6, 241)


def explore_softmax(activations, factor=1.0):
    """A slider for c over the bars of softmax(c * activations); c = -1 is the lecture's slide, c = 1 is softmax."""
    slider = widgets.FloatSlider(
        value=factor,
        min=-3,
        max=3,
        step=0.25,
        description="c",
        readout_format=".2f",
        layout=widgets.Layout(width="500px"),
    )
    picture = widgets.HTML()

    def draw(change=None):
        scaled = [slider.value * a for a in activations]
        picture.value = softmax_bars(activations, softmax(scaled), slider.value)

    slider.observe(draw, "value")
    draw()
    box = widgets.VBox([slider, picture])
    box.slider, box.picture = slider, picture
    return box


def draw_temperature(activations, temperature, offset=0.0):
    """SVG: the softmax of (a + offset) / temperature, stable, and beside it with the exponentials taken as they are."""
    shifted = np.asarray(activations, float) + offset
    with np.errstate(over="ignore", invalid="ignore"):
        e = np.exp(shifted / temperature)
        naive = e / e.sum()
    return temperature_bars(shifted, softmax(shifted / temperature), naive, temperature)


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


def draw_unit(name, mean, deviation):
    """SVG: the nonlinearity `name` on inputs N(mean, deviation^2). Raises ValueError for a name not in FUNCTIONS."""
    if name not in FUNCTIONS:
        raise ValueError(f"there is no nonlinearity {name!r} here; those there are: {', '.join(FUNCTIONS)}")
    function = getattr(scratch, FUNCTIONS[name])
    derivative = getattr(scratch, FUNCTIONS[name] + "_grad")
    z = np.linspace(-8, 8, 4000)  # in deviations from the mean; outside, less than 1e-15 of the inputs
    weights = np.exp(-(z**2) / 2) / np.exp(-(z**2) / 2).sum()
    a = mean + deviation * z
    slope = derivative(a)
    notes = [
        f"input: mean {mean:.1f}, deviation {deviation:.1f}",
        f"mean output: {weights @ function(a):.3f}",
        f"deviation of the output: {np.sqrt(weights @ function(a) ** 2 - (weights @ function(a)) ** 2):.3f}",
        f"mean squared derivative: {weights @ slope**2:.4f}",
        f"derivative below a tenth of its largest: {weights @ (slope < 0.1 * derivative(0.001)):.0%}",
    ]
    density = np.exp(-(((GRID - mean) / deviation) ** 2) / 2)
    return response(name, GRID, function(GRID), derivative(GRID), density, weights @ function(a), notes)


def explore_unit(name="ReLU", mean=0.0, deviation=1.0):
    """A choice of the nonlinearity, and sliders for the mean and the deviation of its input."""
    wide = {"layout": widgets.Layout(width="500px"), "style": {"description_width": "110px"}}
    box = widgets.VBox()
    box.function = widgets.Dropdown(options=list(FUNCTIONS), value=name, description="function", **wide)
    box.mean = widgets.FloatSlider(mean, min=-4, max=4, step=0.1, description="input: mean", **wide)
    box.deviation = widgets.FloatSlider(deviation, min=0.1, max=4, step=0.1, description="deviation", **wide)
    box.picture = widgets.HTML()

    def draw(change=None):
        box.picture.value = draw_unit(box.function.value, box.mean.value, box.deviation.value)

    for control in (box.function, box.mean, box.deviation):
        control.observe(draw, "value")
    draw()
    box.children = [box.function, box.mean, box.deviation, box.picture]
    return box
