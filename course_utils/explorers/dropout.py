"""The explorer of chapter 04: walk through all subnetworks of six units; their outputs gather in a histogram."""

import ipywidgets as widgets
import numpy as np

from course_utils.figures.dropout import gathering
from course_utils.figures.style import COLORS
from course_utils.scratch import mask_probabilities, normalized_geometric_mean, relu, sigmoid, subnetworks

ACTIVATIONS = np.array([1.2, 0.4, 2.0, 0.8, 1.5, 0.6])
WEIGHTS = np.array([1.5, -2.0, 0.9, 1.1, -1.6, 2.2])
BIAS = -0.8
MASKS = subnetworks(len(WEIGHTS))
OUTPUTS = {"linear": lambda z: z, "ReLU": relu, "probability": sigmoid}


def draw_subnetworks(p, subnetwork, output="linear"):
    """SVG: subnetwork number `subnetwork` (0 to 63) and the histogram of all up to it.

    p: the probability of being switched off; output: a name in OUTPUTS. Raises ValueError for another name.
    """
    if output not in OUTPUTS:
        raise ValueError(f"there is no output {output!r} here; those there are: {', '.join(OUTPUTS)}")
    function, terms = OUTPUTS[output], ACTIVATIONS * WEIGHTS
    outputs = function(MASKS @ terms + BIAS)
    probabilities = mask_probabilities(MASKS, p)
    marks = [
        ("mean of all 64 subnetworks", probabilities @ outputs, COLORS["ink"]),
        ("one pass, times the probability kept", function((1 - p) * terms.sum() + BIAS), COLORS["green"]),
        ("one pass, times the probability off (slide)", function(p * terms.sum() + BIAS), COLORS["red"]),
    ]
    if output == "probability":
        geometric = normalized_geometric_mean(np.stack([outputs, 1 - outputs], axis=1), probabilities)[0]
        marks.append(("geometric mean, normalized", geometric, COLORS["purple"]))
    seen = probabilities[: subnetwork + 1].sum()
    notes = [
        f"subnetwork {subnetwork + 1} of {len(MASKS)}, probability {probabilities[subnetwork]:.4f}",
        f"counted so far: {seen:.1%} of the probability",
    ]
    ends = function(BIAS + np.array([terms.clip(max=0).sum(), terms.clip(min=0).sum()]))  # of all subnetworks
    span = (0, 1) if output == "probability" else tuple(ends)
    kept, here = MASKS[subnetwork], outputs[subnetwork]
    return gathering(ACTIVATIONS, WEIGHTS, kept, here, outputs, probabilities, subnetwork + 1, span, marks, notes)


def explore_subnetworks(p=0.2, subnetwork=0, output="linear"):
    """Sliders for p and for the number of the subnetwork, which can also be played; a choice of the kind of output."""
    wide = {"layout": widgets.Layout(width="420px"), "style": {"description_width": "110px"}}
    box = widgets.VBox()
    box.p = widgets.FloatSlider(p, min=0, max=0.95, step=0.05, description="p, switched off", **wide)
    box.subnetwork = widgets.IntSlider(subnetwork, min=0, max=len(MASKS) - 1, description="subnetwork", **wide)
    box.play = widgets.Play(interval=300, min=0, max=len(MASKS) - 1, show_repeat=False)
    widgets.jslink((box.play, "value"), (box.subnetwork, "value"))
    box.output = widgets.ToggleButtons(options=list(OUTPUTS), value=output)
    box.picture = widgets.HTML()

    def redraw(change=None):
        box.picture.value = draw_subnetworks(box.p.value, box.subnetwork.value, box.output.value)

    for control in (box.p, box.subnetwork, box.output):
        control.observe(redraw, "value")
    redraw()
    box.children = [box.p, widgets.HBox([box.subnetwork, box.play]), box.output, box.picture]
    return box
