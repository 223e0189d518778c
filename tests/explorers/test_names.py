"""All explorers are alike: a draw_X for each explore_X, the picture of a panel in `picture`, nothing else computed."""

import importlib
import inspect
import pkgutil

import ipywidgets as widgets
import pytest
import torch

from course_utils import explorers, models

MODULES = [
    importlib.import_module(f"{explorers.__name__}.{found.name}") for found in pkgutil.iter_modules(explorers.__path__)
]


def functions(module):
    return {
        name: function
        for name, function in vars(module).items()
        if inspect.isfunction(function) and function.__module__ == module.__name__ and not name.startswith("_")
    }


PANELS = [(module, name) for module in MODULES for name in functions(module) if name.startswith("explore_")]


def opened(explore):
    """A panel as it opens, given what has no default."""
    net, images = models.build("lenet5"), torch.arange(2048.0).view(2, 1, 32, 32)
    given = {"net": net, "images": images, "activations": [2.0, 1.0, -1.0]}
    return explore(**{name: given[name] for name in inspect.signature(explore).parameters if name in given})


def test_a_module_holds_pairs_of_draw_and_explore_and_no_other_function():
    assert len(PANELS) == 8
    for module in MODULES:
        names = set(functions(module))
        topics = {name.removeprefix("explore_") for name in names if name.startswith("explore_")}
        assert topics and names == {f"{verb}_{topic}" for verb in ("draw", "explore") for topic in topics}


@pytest.mark.parametrize(("module", "name"), PANELS, ids=lambda value: getattr(value, "__name__", value))
def test_a_panel_shows_the_picture_of_its_state(module, name):
    box = opened(functions(module)[name])
    assert isinstance(box, widgets.VBox) and box.picture.value.startswith("<svg")
    drawn_from = inspect.signature(functions(module)[name.replace("explore_", "draw_")]).parameters
    controls = {key for key, value in vars(box).items() if isinstance(getattr(value, "value", None), (int, float, str))}
    controls -= {"picture", "play"}
    state = {"net", "activations", "x"} if name != "explore_batch" else {"x"}
    other = {"explore_batch": {"value", "count"}}.get(name, set())
    assert controls - other <= set(drawn_from) and set(drawn_from) - state <= controls
