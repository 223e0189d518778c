"""The explorer of chapter 13, paths through a residual network: runs in the page; here is what it starts from."""

from math import comb

from course_utils.explorers.frame import Explorer, page
from course_utils.figures import resnet

BOUNDS = {"blocks": (1, 27), "factor": (1, 20)}  # of the sliders: 27 blocks, ResNet-56; tenths of the factor
FACTORS = [tenths / 10 for tenths in range(1, 21)]
KINDS = ("residual", "plain")


def _paths(kind, alive, blocks):
    """How many paths go through 0, 1, ... of the blocks: every block that is there may be passed or not."""
    if kind == "plain":
        return [0] * blocks + [int(alive == blocks)]
    return [comb(alive, length) for length in range(blocks + 1)]


def _shares(paths, factor):
    """The share of the gradient that the paths of each length carry, if each block on a path multiplies by `factor`."""
    carried = [count * factor**length for length, count in enumerate(paths)]
    return [each / sum(carried) if sum(carried) else 0.0 for each in carried]


def draw_paths(kind="residual", blocks=9, factor=1.0, out=()):
    """SVG: the paths through a network of blocks, counted by their length, and the gradient that they carry.

    kind: residual or plain; factor: by which a block multiplies a gradient, in tenths from 0.1 to 2.0, where the path
    around it multiplies by one; out: the blocks that are taken out, counted from 0.
    Raises ValueError for what the explorer does not have.
    """
    if kind not in KINDS:
        raise ValueError(f"kind is {kind!r}; expected residual or plain")
    low, high = BOUNDS["blocks"]
    if blocks not in range(low, high + 1):
        raise ValueError(f"blocks is {blocks!r}; expected {low} to {high}")
    if factor not in FACTORS:
        raise ValueError(f"factor is {factor!r}; expected one of {FACTORS[0]}, {FACTORS[1]}, ..., {FACTORS[-1]}")
    if not set(out) <= set(range(blocks)):
        raise ValueError(f"out is {out!r}; expected places from 0 to {blocks - 1}")
    counts = _paths(kind, blocks - len(set(out)), blocks)
    shares = _shares(counts, factor)
    mean = sum(length * share for length, share in enumerate(shares))
    return resnet.paths(kind, [place in out for place in range(blocks)], counts, shares, mean)


def explore_paths(kind="residual", blocks=9, factor=1.0, out=()):
    """The explorer, in the page: take blocks out with a click, and see how many paths are left, of which length.

    Arguments and errors are those of `draw_paths`.
    """
    figure = draw_paths(kind, blocks, factor, out)
    alt = (
        f"A {kind} network of {blocks} blocks in a row, {len(set(out))} of them taken out. Below, the number of paths "
        "by the number of blocks on them, and the share of the gradient that the paths of each length carry."
    )
    start = {"kind": kind, "blocks": blocks, "factor": round(10 * factor), "out": sorted(set(out))}
    data = {"start": start, "bounds": BOUNDS, "kinds": KINDS}
    data |= {"frame": [resnet.LEFT, resnet.RIGHT, resnet.TOP, resnet.HIGH], "bases": resnet.BASE}
    return Explorer(page("paths.js", data), figure, alt)
