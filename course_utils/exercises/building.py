"""Exercises whose answer is a function that builds a network, and how such networks are compared.

A network is run with weights of ours (`network.py`) beside a reference that has the same weights. So what counts is
the function that it computes, with its gradients, and not how it is written.
"""

import math
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from course_utils.exercises.exercise import ERRORS, Either, Exercise
from course_utils.exercises.form import form
from course_utils.exercises.network import run, tensors

MOST, TENSORS = 2_000_000, 1000  # numbers in a network's weights, and tensors that hold them, so that they can be sent
RTOL = 1e-4  # of the largest value in an array
NOISE = 1e-5  # of the largest value in all gradients: one that is zero but for rounding need not be rounded alike

BROKEN = {  # networks that cannot be tried
    "a lazy layer": "has a lazy layer, whose shape is open until a first call. Work out how many inputs it has.",
    "no forward": "builds a network that stops with NotImplementedError. Has it a forward, and is its name spelt so?",
    "no tensor": "builds a network whose output is no tensor. Is a return missing in forward?",
    "changed weights": "builds a network that changes its weights while it runs. Only an optimizer should.",
}
OUTPUT = "has the parameters that were asked for, but gives another output than it should."


@dataclass(frozen=True)
class Network(Exercise):
    """An exercise in building: its function takes all inputs but the last, the images `x`, and returns an `nn.Module`.

    draw(rng)               the arguments of the function, then images N x C x H x W in float32
    expected(*arguments)    the network that is right
    mistakes(*arguments)    a table from a sentence to the network that it belongs to, or `Either` of several; one that
                            cannot take the images stands for all with such tensors that cannot
    modes                   test (False) and training (True): with dropout, whose masks cannot be known, test alone
    """

    seconds: float = 20.0  # PyTorch may have to be imported first
    modes: tuple[bool, ...] = (False, True)
    torch = True
    draws = 6

    def names(self) -> list[str]:
        return [*super().names(), "x"]

    def clear(self, inputs: tuple) -> bool:
        return True  # networks that differ give other numbers on any images

    def converse(self, inputs: tuple, ask: Callable[[str, Any], dict[str, Any]]) -> dict[str, Any]:
        built = ask("build", inputs[:-1])
        if "error" in built or isinstance(built["value"], str):
            return built
        if not _are_tensors(built["value"]):
            return {"error": "NoNetwork"}
        named, ran = [(name, tuple(shape), layer) for name, shape, layer in built["value"]], []
        sent = self._sent(inputs, named)
        for one in sent:
            reply = ask("apply", one)
            if "error" in reply and self._mistake(inputs, named, [], sent):
                return {"value": (named, []), "changed": False}  # its sentence helps more than the error
            if "error" in reply or isinstance(reply["value"], str):
                return reply
            if not _are_results(reply["value"]):
                return {"error": "NoNetwork"}
            ran.append(reply["value"])
        return {"value": (named, ran), "changed": False}

    def judge(self, inputs: tuple, got: Any) -> str | None:
        if isinstance(got, str):
            return BROKEN.get(got, ERRORS["NoNetwork"])
        (named, ran), sent = got, self._sent(inputs, got[0])
        right = self.expected(*inputs[:-1])
        misfit = _other_tensors(tensors(right), named) or _other_results(right, named, ran, sent)
        if not misfit:
            return None
        other = self.otherwise if isinstance(self.otherwise, str) else self.otherwise(inputs, got)
        return self._mistake(inputs, named, ran, sent) or (other if misfit == OUTPUT else misfit)

    def _mistake(self, inputs: tuple, named: list, ran: list, sent: list) -> str | None:
        """The sentence of the first mistake that does the same, or, where nothing ran, cannot run either."""
        for words, wrong in self.mistakes(*inputs[:-1]).items():
            for network in wrong.answers if isinstance(wrong, Either) else (wrong,):
                if _partners(tensors(network), named) is None:
                    continue
                y = _output(network, named, sent)
                if y is None and not ran:
                    return words
                if y is not None and ran and _close(ran[0][0], y) and not any(_each_result(network, named, ran, sent)):
                    return words
        return None

    def _sent(self, inputs: tuple, named: list) -> list[tuple[dict[str, np.ndarray], np.ndarray, np.ndarray, bool]]:
        """What `apply` is given, mode by mode: weights, images, a gradient of the output; nothing if it is too much."""
        if len(named) > TENSORS or sum(math.prod(max(size, 1) for size in shape) for _, shape, _ in named) > MOST:
            return []
        x = inputs[-1]
        rng = np.random.default_rng(zlib.crc32(np.ascontiguousarray(x).tobytes()))
        weights = {name: _weight(name, shape, rng).astype(np.float32) for name, shape, _ in named}
        sizes = [run(self.expected(*inputs[:-1]), {}, x, None, training)[0].shape for training in self.modes]
        dys = [rng.normal(size=size).astype(np.float32) for size in sizes]  # another in training, with auxiliary heads
        return [(weights, x, dy, training) for dy, training in zip(dys, self.modes, strict=True)]


def _weight(name: str, shape: tuple, rng: np.random.Generator) -> np.ndarray:
    """He's standard deviation for weights; a variance is positive; gamma, beta, biases and means have one of 1."""
    if name.endswith("running_var"):
        return rng.uniform(0.5, 2, size=shape)
    return rng.normal(size=shape) * (math.sqrt(2 / max(1, math.prod(shape[1:]))) if len(shape) > 1 else 1)


def _are_tensors(value: Any) -> bool:
    """Whether a reply is what `tensors` gives, no name twice."""
    if form(value, [("", [0], "")]) or len({row[0] for row in value}) < len(value):
        return False
    return all(len(shape) <= 8 and min(shape, default=0) >= 0 for _, shape, _ in value)


def _are_results(value: Any) -> bool:
    """Whether a reply is what `run` gives, as far as its comparison does not look."""
    return isinstance(value, tuple) and len(value) == 3 and isinstance(value[2], list)


def _other_tensors(wanted: list, named: list) -> str | None:
    """What differs between the tensors of a network and those wanted; None where nothing does."""
    if _partners(wanted, named) is not None:
        return None
    theirs, mine = ([shape for name, shape, _ in rows if "running_" not in name] for rows in (named, wanted))
    numbers, right = (sum(map(math.prod, shapes)) for shapes in (theirs, mine))
    if sorted(theirs) == sorted(mine):
        return "has the parameters that were asked for, but other running averages: is the normalization another one?"
    if numbers == right:
        return "has as many parameters as were asked for, but in tensors of other shapes."
    return f"has too {'many' if numbers > right else 'few'} parameters. Go through them layer by layer."


def _other_results(reference: Any, named: list, ran: list, sent: list) -> str | None:
    """What differs between what a network gave and what a reference with the same weights gives."""
    if not ran:  # it has the right tensors, but cannot take the images
        return OUTPUT
    wrong = list(_each_result(reference, named, ran, sent)) or [OUTPUT]
    if OUTPUT in wrong and None in wrong:
        return "is right in one of its two modes, training and test, but not in the other."
    return next(filter(None, wrong), None)


def _each_result(reference: Any, named: list, ran: list, sent: list) -> Iterator[str | None]:
    """The same, mode by mode."""
    partners = _partners(tensors(reference), named) or {}
    for (output, of_images, of_weights), (weights, *rest) in zip(ran, sent, strict=True):
        y, dx, gradients = run(reference, {name: weights[other] for name, other in partners.items()}, *rest)
        theirs = dict(zip((name for name, _, _ in named), of_weights, strict=False))
        pairs = [(of_images, dx), *zip(map(theirs.get, partners.values()), gradients, strict=False)]
        largest = max((_largest(right) for _, right in pairs if right is not None), default=0.0)
        if not _close(output, y):
            yield OUTPUT if getattr(output, "shape", None) == y.shape else "gives an output of the wrong shape."
        elif not all(_close(given, right, NOISE * largest) for given, right in pairs):
            yield "gives the right output, but not the right gradients. Is something detached, frozen or unused?"
        else:
            yield None


def _output(reference: Any, named: list, sent: list) -> np.ndarray | None:
    """The output of a reference in the first mode; None where it cannot take the images, or they are not sent."""
    partners = _partners(tensors(reference), named) or {}
    try:
        for weights, x, _, training in sent[:1]:
            return run(reference, {name: weights[other] for name, other in partners.items()}, x, None, training)[0]
    except RuntimeError:
        pass
    return None


def _close(got: Any, want: np.ndarray | None, atol: float = 0.0) -> bool:
    if want is None or not isinstance(got, np.ndarray):
        return want is got
    return got.shape == want.shape and np.allclose(got, want, RTOL, max(atol, RTOL * _largest(want)))


def _largest(array: np.ndarray) -> float:
    return float(np.abs(array).max(initial=1e-6))


def _partners(own: list, named: list) -> dict[str, str] | None:
    """For each tensor of a reference, in its order, the one of a network that takes its place; None without such.

    The first of a kind goes with the first, in the order of definition; a kind is a shape, a name and a class of layer,
    or a shape alone where the network has classes of its own.
    """
    if len(own) != len(named):
        return None
    for kind in (lambda row: (row[1], row[0].split(".")[-1], row[2]), lambda row: row[1]):
        mine, theirs = sorted(own, key=kind), sorted(named, key=kind)
        if list(map(kind, mine)) == list(map(kind, theirs)):
            partner = {name: other for (name, *_), (other, *_) in zip(mine, theirs, strict=True)}
            return {name: partner[name] for name, *_ in own}
    return None
