"""The drawn data sets: figures in colour, 32 x 32 or 96 x 96, and which pixel belongs to which part of an image.

Integer arithmetic and PCG64's raw stream, which NumPy guarantees: the same bytes on every machine. Lengths are in 1/128
of an image's side, angles in degrees.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

COSINE = np.rint(2**14 * np.cos(np.arange(360) * np.pi / 180)).astype(np.int32)  # of whole degrees


def _disc(u, v, radius):
    return u * u + v * v <= radius**2


def _half_planes(u, v, sides, apothem):
    """How many half-planes of a regular polygon hold each point: all of them inside, all but one in its star's tips."""
    turns = [360 * side // sides for side in range(sides)]
    return sum(((COSINE[t] * u + COSINE[(t + 270) % 360] * v) >> 14 <= apothem).astype(np.int8) for t in turns)


# The points of a figure, which reaches about 1024 from its origin.
SHAPES = {
    "circle": lambda u, v: _disc(u, v, 780),
    "half circle": lambda u, v: _disc(u, v + 400, 960) & (v >= -400),
    "ring": lambda u, v: _disc(u, v, 860) & ~_disc(u, v, 480),
    "crescent": lambda u, v: _disc(u, v, 900) & ~_disc(u - 420, v, 700),
    "triangle": lambda u, v: _half_planes(u, v, 3, 500) == 3,
    "square": lambda u, v: np.maximum(np.abs(u), np.abs(v)) <= 690,
    "star": lambda u, v: _half_planes(u, v, 5, 380) >= 4,
    "cross": lambda u, v: (np.minimum(np.abs(u), np.abs(v)) <= 290) & (np.maximum(np.abs(u), np.abs(v)) <= 900),
    "arrow": lambda u, v: ((u >= 0) & (u + np.abs(v) <= 900)) | ((u < 0) & (u >= -800) & (np.abs(v) <= 280)),
    "heart": lambda u, v: _disc(u - 250, np.abs(v) - 380, 430) | ((u <= 250) & (5 * np.abs(v) <= 4 * (u + 800))),
}


class Scenes:
    """`count` images of `size` x `size` pixels that are drawn together, all their numbers from one stream."""

    def __init__(self, count, seed, size):
        self.count, self.size, self.stream = count, size, np.random.PCG64(seed)

    def pick(self, low, high, *shape):
        """Integers from `low` to `high`, both included, of this shape an image."""
        draws = self.stream.random_raw(self.count * math.prod(shape)) % (high - low + 1)
        return draws.astype(np.int32).reshape(self.count, *shape) + low

    def frame(self, x, y, turn, unit, points):
        """Where points x points of an image lie, as seen from a frame of its own an image.

        The frame's origin is (x, y), it is turned by `turn`, and gives u and v in 1/1024 of `unit`.
        """
        finer = self.size // 32
        x, y, unit, side = x * finer, y * finer, unit * finer, 128 * finer
        grid = np.arange(points, dtype=np.int32) * (side // points) + side // points // 2
        across, down = (grid - x[:, None])[:, None, :], (grid - y[:, None])[:, :, None]
        cos, sin = (COSINE[angle % 360, None, None] * 64 // unit[:, None, None] for angle in (turn, turn + 270))
        return (cos * across + sin * down) >> 10, (cos * down - sin * across) >> 10

    def cover(self, kinds, x, y, turn, radius):
        """How much of each pixel a figure covers, 0 to 4 of four points: N x 1 x H x W. `kinds` says which figure."""
        u, v = self.frame(x, y, turn, radius, 2 * self.size)
        inside = np.empty(u.shape, np.int8)
        for kind, shape in enumerate(SHAPES.values()):
            inside[kinds == kind] = shape(u[kinds == kind], v[kinds == kind])
        above, below = inside[:, None, ::2], inside[:, None, 1::2]
        return above[..., ::2] + above[..., 1::2] + below[..., ::2] + below[..., 1::2]

    def apart(self, color):
        """Another colour, which in one channel at least is well apart from this one."""
        change = self.pick(0, 255, 3)
        far = self.pick(96, 160)
        change[np.arange(self.count), self.pick(0, 2)] = far
        return (color + change) % 256

    def textured(self, color):
        """The colour plain, striped or chequered with another one near it: N x 3 x H x W."""
        place = self.pick(0, 127), self.pick(0, 127), self.pick(0, 359), self.pick(8, 24)
        u, v = self.frame(*place, self.size)
        kind = self.pick(0, 2)[:, None, None]
        second = ((u >> 10) * (kind > 0) + (v >> 10) * (kind > 1)) & 1
        return color[:, :, None, None] + self.pick(-28, 28, 3)[:, :, None, None] * second[:, None]

    def bar(self):
        """Where a bar lies: bool N x H x W."""
        u, v = self.frame(self.pick(0, 127), self.pick(0, 127), self.pick(0, 359), self.pick(20, 40), self.size)
        return (np.abs(u) <= 1024) & (np.abs(v) <= 160)

    def noisy(self, image):
        """The finished images, uint8 N x 3 x H x W."""
        return np.clip(image + self.pick(-12, 12, 3, self.size, self.size), 0, 255).astype(np.uint8)


def _single(scenes):
    """A figure, which decides the class, on a patterned ground, with a stray bar across it."""
    labels = np.arange(scenes.count) % len(SHAPES)
    radius = scenes.pick(32, 50)
    x, y = (64 + scenes.pick(-100, 100) * (62 - radius) // 100 for _ in range(2))
    cover = scenes.cover(labels, x, y, scenes.pick(0, 359), radius)
    ground = scenes.pick(0, 255, 3)
    figure = scenes.apart(ground)
    image = (scenes.textured(ground) * (4 - cover) + scenes.textured(figure) * cover) >> 2
    bar = scenes.bar()
    image = np.where(bar[:, None], scenes.pick(0, 255, 3)[:, :, None, None], image)
    parts = np.zeros(bar.shape, np.uint8)
    parts[cover[:, 0] >= 2] = 2
    parts[bar] = 1
    return scenes.noisy(image), labels, parts


# How a figure stands: the turn that sets it upright, how far it reaches down and up from its origin, in 1/1024.
HEADS = {
    "circle": (0, 780, 780),
    "triangle": (180, 500, 1000),
    "star": (180, 900, 1230),
    "cross": (0, 900, 900),
    "heart": (0, 800, 680),
}
BODIES = {
    "half circle": (270, 400, 560),
    "ring": (0, 860, 860),
    "crescent": (0, 900, 100),
    "square": (0, 690, 690),
    "arrow": (0, 800, 900),
}


def _compound(scenes):
    """A body, any of five, and on it a smaller head, which decides the class. A bar may lie behind them.

    Both are lighter than the ground, so that a small network learns in seconds what takes it minutes in the other sets.
    """
    label, kind = np.arange(scenes.count) % len(HEADS), scenes.pick(0, len(BODIES) - 1)
    large, small, turn = scenes.pick(26, 32), scenes.pick(18, 22), scenes.pick(250, 290)
    (body_turn, down, neck), (head_turn, chin, top) = (
        np.array(list(figures.values()), np.int32)[drawn].T for figures, drawn in ((BODIES, kind), (HEADS, label))
    )
    down, neck, chin, top = large * down >> 10, large * neck >> 10, small * chin >> 10, small * top >> 10
    reach = (down + neck + chin + top) // 2  # from the middle of the whole
    room = 56 - np.maximum(reach, large)  # it leans to the side
    x, y = (64 + scenes.pick(-100, 100) * room // 100 for _ in range(2))

    image = scenes.textured(scenes.pick(0, 96, 3))
    bar = scenes.bar()
    image = np.where(bar[:, None], scenes.pick(0, 255, 3)[:, :, None, None], image)
    parts = bar.astype(np.uint8)
    bodies, heads = (np.array([list(SHAPES).index(name) for name in figures]) for figures in (BODIES, HEADS))
    body = bodies[kind], large, body_turn, down - reach
    head = heads[label], small, head_turn, reach - top
    for part, (figure, radius, upright, height) in enumerate([body, head], 2):
        along = [COSINE[(turn + quarter) % 360] * height >> 14 for quarter in (0, 270)]
        cover = scenes.cover(figure, x + along[0], y + along[1], (turn + upright) % 360, radius)
        image = (image * (4 - cover) + scenes.textured(scenes.pick(144, 255, 3)) * cover) >> 2
        parts[cover[:, 0] >= 2] = part
    return scenes.noisy(image), label, parts


# Who draws, how wide and how many, the classes, and the parts of an image by number; the last one decides the class.
DRAWN = {
    "shapes": (_single, 32, 6000, tuple(SHAPES), ("ground", "bar", "figure")),
    "shapes-96": (_single, 96, 6000, tuple(SHAPES), ("ground", "bar", "figure")),
    "compounds": (_compound, 96, 3000, tuple(HEADS), ("ground", "bar", "body", "head")),
}


@dataclass(frozen=True)
class Drawing:
    """The images of a drawn set. The first five in six are for training and validation, the others for the test."""

    images: np.ndarray  # uint8, N x 3 x H x W
    labels: np.ndarray  # int64, N
    maps: np.ndarray  # uint8, N x H x W: the topmost part that covers at least half of a pixel
    classes: tuple[str, ...]
    parts: tuple[str, ...]

    @property
    def training(self) -> int:
        return len(self.labels) * 5 // 6


@lru_cache(maxsize=1)  # images and parts are usually asked for in turn
def draw(name: str) -> Drawing:
    """A drawn set, which is one of DRAWN; its arrays are not the caller's own."""
    compose, size, count, classes, parts = DRAWN[name]
    at_once = 500 if size == 32 else 50  # 96 x 96: as many as a processor's cache holds
    blocks = [compose(Scenes(at_once, seed, size)) for seed in range(count // at_once)]
    images, labels, maps = (np.concatenate(arrays) for arrays in zip(*blocks, strict=True))
    return Drawing(images, labels.astype(np.int64), maps, classes, parts)
