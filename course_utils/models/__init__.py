"""The networks of the course, built by name. One file an architecture, with a table of deviations from its paper."""

import inspect
from numbers import Integral
from typing import Any

from torch import nn

from course_utils.models import alexnet, fast, googlenet, lenet, resnet, vgg, zfnet

_FUNCTIONS = (
    *(lenet.lenet5, lenet.lenet5_simple),
    *(alexnet.alexnet, zfnet.zfnet, alexnet.small_alexnet),
    *(vgg.vgg11, vgg.vgg13, vgg.vgg16, vgg.vgg19, vgg.vgg11_bn, vgg.vgg13_bn, vgg.vgg16_bn, vgg.vgg19_bn),
    *(vgg.small_vgg11, vgg.small_vgg13, vgg.small_vgg16c, vgg.small_vgg16, vgg.small_vgg19),
    *(googlenet.googlenet, googlenet.small_googlenet),
    *(resnet.resnet18, resnet.resnet34, resnet.resnet50, resnet.resnet101, resnet.resnet152),
    *(resnet.plain18, resnet.plain34),
    *(resnet.resnet20, resnet.resnet32, resnet.resnet44, resnet.resnet56, resnet.resnet110),
    *(resnet.plain20, resnet.plain32, resnet.plain44, resnet.plain56, resnet.plain110),
    *(resnet.small_resnet18, resnet.small_plain18),
    fast.fast_cnn,
)
_BUILDERS = {function.__name__: function for function in _FUNCTIONS}
_SIZES = ("num_classes", "in_channels")


def available() -> list[str]:
    """The names that `build` knows, in reading order of the chapters."""
    return list(_BUILDERS)


def options(name: str) -> dict[str, Any]:
    """The options of a model, beside its classes and channels, with their defaults. ValueError for an unknown name."""
    if not isinstance(name, str) or name not in _BUILDERS:
        raise ValueError(f"no model is called {name!r}; there are {', '.join(_BUILDERS)}")
    parameters = inspect.signature(_BUILDERS[name]).parameters.values()
    return {parameter.name: parameter.default for parameter in parameters if parameter.name not in _SIZES}


def build(name: str, num_classes: int | None = None, in_channels: int | None = None, **given: Any) -> nn.Module:
    """A freshly initialized network; None stands for the paper's number of classes and of input channels.

    `given` are options, the keyword arguments of the function of that name. Weights are drawn from torch's global
    generator. Raises ValueError for an unknown name or option (listing the known ones), or a value that the network
    or the memory cannot take.
    """
    known = options(name)
    for option, value in given.items():
        if option not in known:
            raise ValueError(f"{name} has no option {option!r}; it has {', '.join(known) or 'none'}")
        kind = type(known[option])
        if type(value) is not kind and (kind, type(value)) != (float, int):
            raise ValueError(f"{option} is {value!r}; expected a {kind.__name__}, such as {known[option]!r}")
    for size, value in zip(_SIZES, (num_classes, in_channels), strict=True):
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, Integral) or value < 1:
            raise ValueError(f"{size} is {value!r}; expected a whole number, at least 1")
        given[size] = int(value)
    try:
        return _BUILDERS[name](**given)
    except (RuntimeError, TypeError, OverflowError, MemoryError) as error:  # TypeError: more than 64 bits
        raise ValueError(f"{name} cannot be made so large: {str(error).splitlines()[0][:200]}") from None
