"""All explorers are alike: a draw_X for each explore_X, the picture of a panel in `picture`, nothing else computed.

What runs in the page is short enough to be read in one sitting, as a module is.
"""

import importlib
import inspect
import pkgutil

import ipywidgets as widgets
import pytest
import torch

from course_utils import explorers, models
from course_utils.explorers import frame

FOUND = [
    importlib.import_module(f"{explorers.__name__}.{one.name}") for one in pkgutil.iter_modules(explorers.__path__)
]
MODULES = [module for module in FOUND if module is not frame]
SCRIPTS = sorted(frame.FOLDER.glob("*.js"))


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
    assert len(PANELS) >= 11
    for module in MODULES:
        names = set(functions(module))
        topics = {name.removeprefix("explore_") for name in names if name.startswith("explore_")}
        assert topics and names == {f"{verb}_{topic}" for verb in ("draw", "explore") for topic in topics}


@pytest.mark.parametrize(("module", "name"), PANELS, ids=lambda value: getattr(value, "__name__", value))
def test_a_panel_shows_the_picture_of_its_state(module, name):
    box = opened(functions(module)[name])
    drawn_from = inspect.signature(functions(module)[name.replace("explore_", "draw_")]).parameters
    if isinstance(box, frame.Explorer):
        assert box.figure.startswith("<svg") and box.alt
        assert set(drawn_from) == set(inspect.signature(functions(module)[name]).parameters)
        return
    assert isinstance(box, widgets.VBox) and box.picture.value.startswith("<svg")
    controls = {key for key, value in vars(box).items() if isinstance(getattr(value, "value", None), (int, float, str))}
    controls -= {"picture", "play"}
    state = {"net", "activations", "x"} if name != "explore_batch" else {"x"}
    other = {"explore_batch": {"value", "count"}}.get(name, set())
    assert controls - other <= set(drawn_from) and set(drawn_from) - state <= controls


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_a_script_is_read_in_one_sitting(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 200
    assert [line for line in lines if len(line) > 120] == []


def test_every_script_is_in_the_kit_or_of_an_explorer():
    names = {path.name for path in SCRIPTS} - set(frame.KIT)
    assert names and names <= {f"{module.__name__.rpartition('.')[2]}.js" for module in MODULES}
