"""Explorers of nonlinearities."""

import ipywidgets as widgets

from course_utils.figures.nonlinearities import softmax_bars
from course_utils.scratch import softmax


def explore_softmax(activations, factor=1.0):
    """A slider for s over the bars of softmax(s * activations); s = -1 is the lecture's slide, s = 1 is softmax."""
    slider = widgets.FloatSlider(
        value=factor, min=-3, max=3, step=0.25, description="s", readout_format=".2f", layout=widgets.Layout(width="500px")
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
