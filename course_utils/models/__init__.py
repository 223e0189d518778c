"""The networks of the course, built by name. One file an architecture, with a table of deviations from its paper."""

import inspect

from course_utils.models.lenet import lenet5, lenet5_simple

_BUILDERS = {builder.__name__: builder for builder in (lenet5, lenet5_simple)}


def available():
    """The names that `build` knows, in reading order of the chapters."""
    return list(_BUILDERS)


def build(name, num_classes=None, in_channels=None, **options):
    """A freshly initialized network; None stands for the paper's number of classes and of input channels.

    `options` are the keyword arguments of the function of that name. Weights are drawn from torch's global generator.
    Raises ValueError for an unknown name or option (listing the known ones), or a value that the network cannot take.
    """
    if name not in _BUILDERS:
        raise ValueError(f"no model is called {name!r}; there are {', '.join(_BUILDERS)}")
    sizes = {"num_classes": num_classes, "in_channels": in_channels}
    known = [option for option in inspect.signature(_BUILDERS[name]).parameters if option not in sizes]
    for option in options:
        if option not in known:
            raise ValueError(f"{name} has no option {option!r}; it has {', '.join(known) or 'none'}")
    for size, value in sizes.items():
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ValueError(f"{size} is {value!r}; expected a whole number, at least 1")
        options[size] = value
    return _BUILDERS[name](**options)
