"""The drawn sets: only form tells the classes apart, and the parts are what the images show.

In the order of the sets, for only the last one that was drawn is kept.
"""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from course_utils import datasets
from course_utils.datasets import shapes

PARTS = {
    "shapes": ("ground", "bar", "figure"),
    "shapes-96": ("ground", "bar", "figure"),
    "compounds": ("ground", "bar", "body", "head"),
}


@pytest.fixture(scope="module", params=PARTS)
def test_split(request):
    """The test images of a drawn set, and their parts."""
    return datasets.load(request.param, "test"), datasets.parts(request.param, "test")


def first(test_split):
    """Of 400 of its images, the pixels as integers, and the maps of their parts: enough, and large enough."""
    data, parts = test_split
    return data.images[:400].int(), parts.maps[:400]


def spread(images, mask):
    """The largest difference between the values of a channel inside the mask of each image, where it has a pixel."""
    inside = mask.flatten(1)[:, None]
    pixels = images.int().flatten(2)
    low, high = pixels.masked_fill(~inside, 255).amin(2), pixels.masked_fill(~inside, 0).amax(2)
    return (high - low).amax(1)[inside.any(2)[:, 0]]


def eroded(mask):
    """The mask without its border: the pixels that have no other within two pixels, within one in a small image."""
    width = mask.shape[-1] // 32 // 3 + 1
    other = F.pad((~mask).float(), (width,) * 4, value=1.0)
    return F.max_pool2d(other, 2 * width + 1, 1) < 0.5


def test_shapes_say_nothing_to_a_model_that_cannot_see_form():
    """Ten classes: 10% is chance. Pixels through a linear model, class means, colours alone: none gets to 16%."""
    from sklearn.linear_model import RidgeClassifier
    from sklearn.neighbors import NearestCentroid

    train, test = datasets.load("shapes", "train"), datasets.load("shapes", "test")
    x, x_test = (data.images.flatten(1).float().numpy() / 255 for data in (train, test))
    for model in (RidgeClassifier(alpha=1000, solver="lsqr"), NearestCentroid()):
        assert model.fit(x, train.labels).score(x_test, test.labels) < 0.16
    color, color_test = (torch.cat(torch.std_mean(d.images / 255, (2, 3)), 1).numpy() for d in (train, test))
    assert RidgeClassifier().fit(color, train.labels).score(color_test, test.labels) < 0.16


@pytest.mark.parametrize("split", datasets.SPLITS)
def test_the_parts_come_in_the_order_of_the_images(split):
    """A bar has one colour: of an image's pixels where its own map has a bar, noise of 12 apart, all are equal."""
    data, parts = datasets.load("shapes", split), datasets.parts("shapes", split)
    own, others = spread(data.images, parts.maps == 1), spread(data.images, parts.maps.roll(1, 0) == 1)
    assert own.max() <= 24 and others.float().mean() > 100


def test_a_caller_cannot_change_what_is_drawn_next():
    first = datasets.parts("shapes", "test")
    before = first.maps.clone()
    first.maps.zero_()
    datasets.load("shapes", "test").images.zero_()
    assert datasets.parts("shapes", "test").maps.equal(before)
    assert datasets.load("shapes", "test").images.any()


def test_the_parts_have_names_and_fit_the_images(test_split):
    data, parts = test_split
    assert parts.names == PARTS[data.name]
    assert parts.maps.dtype == torch.uint8 and parts.maps.shape == (len(data), *data.images.shape[2:])
    assert parts.maps.unique().tolist() == list(range(len(parts.names)))


def test_each_part_has_its_colours(test_split):
    """A bar has one colour, a figure two near ones; noise of 12 either way. Where parts meet, pixels may be mixed."""
    images, maps = first(test_split)
    for part, two in [(1, 0), *((part, 28) for part in range(2, maps.max() + 1))]:
        inside = eroded(maps == part)
        assert inside.flatten(1).any(1).float().mean() > 0.25
        assert spread(images, inside).max() <= 24 + two


def test_a_figure_is_well_apart_from_its_ground(test_split):
    data, parts = test_split
    images, maps = first(test_split)
    least = 144 - 28 - (96 + 28) if data.name == "compounds" else 96 - 2 * 28
    for part in range(2, len(parts.names)):
        means, seen = [], True
        for number in (0, part):
            mask = eroded(maps == number)[:, None]
            seen = (mask.sum((1, 2, 3)) >= 9) & seen
            means.append((images * mask).sum((2, 3)) / mask.sum((2, 3)).clamp(min=1))
        difference = (means[1] - means[0])[seen]
        assert seen.float().mean() > 0.7
        if data.name == "compounds":  # lighter than the ground in every channel, but for textures
            assert difference.min() > least - 5
        assert difference.abs().amax(1).min() > max(least, 30) - 5


def test_compounds_say_nothing_by_their_body():
    """Five classes: 20% is chance. Linear models get to 27% by where the body lies, to 36% by all pixels, coarsely."""
    from sklearn.linear_model import RidgeClassifier

    images, bodies, labels = [], [], []
    for split in ("train", "test"):
        data, maps = datasets.load("compounds", split), datasets.parts("compounds", split).maps
        images.append(F.avg_pool2d(data.images.float(), 8).flatten(1).numpy() / 255)
        bodies.append(F.avg_pool2d((maps == 2)[:, None].float(), 8).flatten(1).numpy())
        labels.append(data.labels)
    for (x, x_test), most in ((bodies, 0.27), (images, 0.36)):
        assert RidgeClassifier(alpha=100).fit(x, labels[0]).score(x_test, labels[1]) < most


def test_a_whole_figure_is_in_sight():
    for split in datasets.SPLITS:
        maps = datasets.parts("compounds", split).maps
        for part, least in ((2, 250), (3, 140)):  # of 9,216 pixels
            assert (maps == part).flatten(1).sum(1).min() > least
        edge = torch.cat([maps[:, 0], maps[:, -1], maps[:, :, 0], maps[:, :, -1]], 1)
        assert edge.max() <= 1


def test_a_head_sits_on_its_body():
    maps = datasets.parts("compounds", "test").maps
    head, body = (maps == 3)[:, None].float(), (maps == 2)[:, None].float()
    near = (F.max_pool2d(head, 11, 1, 5) * body).flatten(1).any(1)
    assert near.float().mean() > 0.99  # but for a star whose legs stand beside an arrow's tip
    rows = torch.arange(96.0)[:, None]
    height = [(part * rows).sum((1, 2, 3)) / part.sum((1, 2, 3)) for part in (head, body)]
    assert (height[0] < height[1]).all()
    assert (head.flatten(1).sum(1) < 1.1 * body.flatten(1).sum(1)).float().mean() > 0.8  # and is mostly smaller


def test_every_head_comes_with_every_body():
    label, scenes = np.arange(50) % 5, shapes.Scenes(50, 0, 96)
    kinds = [(label, scenes.pick(0, 4))]
    for seed in range(1, 100):
        kinds.append((label, shapes.Scenes(50, seed, 96).pick(0, 4)))
    heads, bodies = (np.concatenate(values) for values in zip(*kinds, strict=True))
    counts = np.bincount(5 * heads + bodies, minlength=25)
    assert counts.min() > 160 and counts.max() < 240  # of 5,000, 200 each are expected


def test_the_same_scenes_are_drawn_finer_at_96():
    """One generator, two sizes: from one seed come the same scenes, the large image is the small one three times."""
    small, large = (shapes._single(shapes.Scenes(40, 5, size)) for size in (32, 96))
    assert np.array_equal(small[1], large[1])
    shrunk = large[0].reshape(40, 3, 32, 3, 32, 3).mean((3, 5))
    assert np.abs(shrunk - small[0]).mean() < 10  # noise, edges, textures; other scenes are some 80 apart
    assert (large[2][:, 1::3, 1::3] == small[2]).mean() > 0.97


def test_parts_of_what_was_not_drawn():
    with pytest.raises(ValueError, match=r"'digits'.*shapes, shapes-96, compounds"):
        datasets.parts("digits", "test")
