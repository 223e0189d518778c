"""Batches on the device: padded, shifted, flipped, normalized; and what no model can learn from."""

from dataclasses import replace

import pytest
import torch
from runs import few, net
from torch import nn

from course_utils import datasets, evaluation
from course_utils.datasets.batches import Batches

CPU = torch.device("cpu")


def test_batches_are_padded_shifted_flipped_normalized():
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(256, (5, 2, 28, 28), dtype=torch.uint8, generator=generator)
    labels = torch.arange(5)
    dataset = datasets.Dataset("random", "train", images, labels, tuple("01234"), (0.4, 0.5), (0.2, 0.3))
    pictures = Batches(dataset, CPU, 32, shift=2)
    chosen = torch.tensor([3, 0, 3])

    def expected(i, top, left, flip):
        """One image, by hand: 28 x 28 in the middle of 36 x 36, of which a window of 32 x 32 is cut out."""
        field = torch.zeros(2, 36, 36)
        field[:, 4:32, 4:32] = images[i] / 255
        window = field[:, top : top + 32, left : left + 32]
        mean, std = torch.tensor([0.4, 0.5]).view(2, 1, 1), torch.tensor([0.2, 0.3]).view(2, 1, 1)
        return ((window.flip(2) if flip else window) - mean) / std

    batch, got = pictures.batch(chosen)
    assert torch.equal(got, chosen)
    torch.testing.assert_close(batch, torch.stack([expected(int(i), 2, 2, False) for i in chosen]))

    shifts, flips = torch.tensor([[0, 4], [3, 1], [2, 2]]), torch.tensor([True, False, True])
    batch, _ = pictures.batch(chosen, shifts, flips)
    by_hand = [expected(3, 0, 4, True), expected(0, 3, 1, False), expected(3, 2, 2, True)]
    torch.testing.assert_close(batch, torch.stack(by_hand))


def test_images_of_any_size_stand_in_the_middle_or_as_they_are():
    images = torch.randint(1, 256, (3, 1, 6, 7), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    dataset = datasets.Dataset("random", "train", images, torch.arange(3), tuple("012"), (0.0,), (1.0,))
    batch, _ = Batches(dataset, CPU, shift=1).batch(torch.arange(3))
    torch.testing.assert_close(batch, images / 255)
    batch, _ = Batches(dataset, CPU, 8).batch(torch.arange(3))
    torch.testing.assert_close(batch, nn.functional.pad(images / 255, (0, 1, 1, 1)))  # the odd one right


def test_an_epoch_sees_each_image_once_and_shifts_both_ways():
    batches = Batches(few("digits", "train"), CPU, batch_size=20, shift=2)
    plan = list(batches.plan(0))
    assert sorted(torch.cat([batch.chosen for batch in plan]).tolist()) == list(range(100))
    shifts = torch.cat([batch.shifts for batch in plan])
    assert {tuple(pair) for pair in shifts.tolist()} <= {(i, j) for i in range(5) for j in range(5)}
    assert set(shifts.flatten().tolist()) == {0, 1, 2, 3, 4}
    assert not torch.cat([batch.flips for batch in plan]).any()
    other = torch.cat([batch.chosen for batch in batches.plan(1)])
    assert not torch.equal(other, torch.cat([batch.chosen for batch in plan]))


def test_every_other_image_is_flipped_where_the_recipe_says_so():
    batches = Batches(few("digits", "train"), CPU, batch_size=20, flip=True)
    flips = torch.cat([batch.flips for epoch in range(10) for batch in batches.plan(epoch)])
    assert flips.double().mean().item() == pytest.approx(0.5, abs=0.08)  # of 1000: five deviations


def test_alternating_flips_mirror_each_image_in_every_other_epoch():
    batches = Batches(few("digits", "train"), CPU, batch_size=20, alternate_flip=True)
    flipped = []
    for epoch in range(4):
        flips = torch.zeros(100, dtype=torch.bool)
        for plan in batches.plan(epoch):
            flips[plan.chosen] = plan.flips
        flipped.append(flips)
    assert 30 < flipped[0].sum() < 70
    assert torch.equal(flipped[1], ~flipped[0])
    assert torch.equal(flipped[2], flipped[0]) and torch.equal(flipped[3], flipped[1])
    other = Batches(few("digits", "train"), CPU, batch_size=100, alternate_flip=True, seed=1)
    (plan,) = other.plan(0)
    assert not torch.equal(plan.flips[plan.chosen.argsort()], flipped[0])


def test_a_new_kind_of_augmentation_leaves_the_others_as_they_were():
    """So that the recorded runs can be made again."""
    plain, more = (
        list(Batches(few("digits", "train"), CPU, batch_size=20, shift=2, flip=True, cutout=cutout).plan(0))
        for cutout in (0, 8)
    )
    for old, new in zip(plain, more, strict=True):
        assert all(map(torch.equal, old[:3], new[:3]))


@pytest.mark.parametrize("shift", [1, 3])
def test_reflection_is_that_of_torch(shift):
    images = torch.randint(256, (4, 2, 7, 9), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    dataset = datasets.Dataset("random", "train", images, torch.arange(4), tuple("0123"), (0.0, 0.0), (1.0, 1.0))
    batches = Batches(dataset, CPU, shift=shift, fill="reflect")
    padded = nn.functional.pad(images / 255, (shift,) * 4, mode="reflect")
    for top, left in ((0, 0), (2 * shift, 1), (shift, 2 * shift)):
        batch, _ = batches.batch(torch.arange(4), torch.tensor([[top, left]] * 4))
        torch.testing.assert_close(batch, padded[:, :, top : top + 7, left : left + 9])
    torch.testing.assert_close(batches.first(2), images[:2] / 255)


def test_a_hole_is_a_grey_square_cut_off_at_the_border():
    dataset = few("digits", "train")
    batches = Batches(dataset, CPU, batch_size=100, cutout=8)
    whole = batches.first(3)
    holes = torch.tensor([[16, 10], [0, 31], [31, 0]])
    batch, _ = batches.batch(torch.arange(3), holes=holes)
    expected = whole.clone()
    expected[0, :, 12:20, 6:14] = 0
    expected[1, :, 0:4, 27:32] = 0
    expected[2, :, 27:32, 0:4] = 0
    assert torch.equal(batch, expected)
    (plan,) = batches.plan(0)
    assert plan.holes.shape == (100, 2) and plan.holes.min() >= 0 and 28 < plan.holes.max() < 32
    assert (next(batches.epoch(0))[0] == 0).flatten(1).sum(1).min() >= 16  # a quarter, in a corner


def test_batches_of_float64():
    assert Batches(few("digits", "train"), CPU, dtype=torch.float64).first(2).dtype == torch.float64


@pytest.mark.parametrize("world", [1, 2, 3])
def test_processes_share_the_look_at_a_split(world):
    batches = Batches(few("digits", "validation"), CPU)
    shares = [list(batches.in_order(30, rank, world)) for rank in range(world)]
    order = [shares[k % world][k // world][1] for k in range(4)]
    assert torch.equal(torch.cat(order), batches.labels)
    assert sum(map(len, shares)) == 4


def test_float_images_are_taken_as_they_are():
    as_bytes = few("digits", "train")
    as_floats = replace(as_bytes, images=as_bytes.images / 255)
    model = net().eval()
    torch.testing.assert_close(
        evaluation.predict(model, as_floats), evaluation.predict(model, as_bytes), rtol=1e-4, atol=1e-4
    )


def test_the_processes_of_a_run_share_a_batch_and_nothing_else():
    batches = Batches(few("digits", "train"), CPU, batch_size=20, seed=3, shift=1, flip=True)
    whole = list(batches.epoch(1))
    for world in (2, 4):
        shares = [list(batches.epoch(1, rank, world)) for rank in range(world)]
        for step, (images, labels) in enumerate(whole):
            for rank in range(world):
                assert torch.equal(shares[rank][step][0], images[rank::world])
                assert torch.equal(shares[rank][step][1], labels[rank::world])


def test_in_order_is_every_image_once_as_it_is():
    dataset = few("digits", "train")
    parts = list(Batches(dataset, CPU, shift=2, flip=True).in_order(batch_size=30))
    assert [len(labels) for _, labels in parts] == [30, 30, 30, 10]
    assert torch.equal(torch.cat([labels for _, labels in parts]), dataset.labels)
    images = (dataset.images / 255 - dataset.mean[0]) / dataset.std[0]
    torch.testing.assert_close(torch.cat([part for part, _ in parts]), images)


# ---- What is refused


def refused(message, size=None, **changes):
    with pytest.raises(ValueError, match=message) as refusal:
        Batches(replace(few("digits", "train"), **changes), CPU, size)
    assert "\n" not in str(refusal.value)


LABELS = few("digits", "train").labels


@pytest.mark.parametrize(
    ("labels", "kind"),
    [
        (LABELS.float(), "float32, 100; expected int64"),
        (LABELS.int(), "int32, 100; expected int64"),
        (LABELS.to(torch.uint8), "uint8, 100; expected int64"),
        (LABELS > 4, "bool, 100; expected int64"),
        (LABELS[:, None], "int64, 100 x 1; expected int64, one class number an image"),
        (torch.nn.functional.one_hot(LABELS), "int64, 100 x 10; expected int64, one class number an image"),
        (torch.tensor(3), "int64, a single number; expected int64"),
    ],
)
def test_labels_of_another_kind(labels, kind):
    refused(f"the labels of the train images of digits are {kind}", labels=labels)


IMAGES = few("digits", "train").images


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"images": IMAGES[:0], "labels": LABELS[:0]}, "digits are 0 x 1 x 32 x 32; expected N x C x H x W, none of"),
        ({"images": IMAGES[:, :0]}, "digits are 100 x 0 x 32 x 32"),
        ({"images": IMAGES[:, 0]}, "digits are 100 x 32 x 32"),
        ({"images": IMAGES.int()}, "digits are int32; expected uint8 from 0 to 255, or floats"),
        ({"images": IMAGES > 9}, "digits are bool; expected uint8"),
        ({"labels": LABELS[:7]}, "with 7 labels; expected as many labels as images"),
        ({"labels": LABELS - 1}, "labels -1 to 8; there are 10 classes"),
        ({"mean": (0.1, 0.2, 0.3)}, r"the mean of .* is \(0.1, 0.2, 0.3\); expected a finite number a channel \(1\)"),
        ({"mean": (float("nan"),)}, "expected a finite number a channel"),
        ({"std": (0.0,)}, "expected a number above 0 a channel"),
        ({"std": ()}, "expected a number above 0 a channel"),
        ({"std": (float("inf"),)}, "expected a number above 0 a channel"),
    ],
)
def test_data_that_no_model_can_learn_from(changes, message):
    refused(message, **changes)


@pytest.mark.parametrize("size", [49, 64, 224])
def test_small_images_are_not_lost_in_a_sea_of_zeros(size):
    """A model for 224 x 224 would get CIFAR-10 as 7 GB, nearly all of it zeros."""
    refused(f"are 32 x 32; the model takes {size} x {size}, and zeros would be .*: take a model for small", size)
    Batches(few("digits", "train"), CPU, 48)


def test_large_images_do_not_fit():
    refused("the digits images are 32 x 32; the model takes 28 x 28", 28)


@pytest.mark.parametrize("batch_size", [101, 4096])
def test_a_batch_larger_than_the_set(batch_size):
    with pytest.raises(ValueError, match=f"batch_size is {batch_size}; for 100 images expected 1 to 100"):
        Batches(few("digits", "train"), CPU, batch_size=batch_size)


@pytest.mark.parametrize("size", ["32", 32.0, (32, 32), [32], 0, -1, True])
def test_a_size_is_a_side_in_pixels(size):
    refused("the model's input_size is .*; expected the side of its images, in pixels", size)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"images": IMAGES.numpy()}, "the images of digits are a ndarray; expected a tensor"),
        ({"labels": LABELS.tolist()}, "the labels of digits are a list; expected a tensor"),
        ({"labels": None}, "the labels of digits are a NoneType; expected a tensor"),
        ({"images": IMAGES.to("meta")}, "the images of digits are a Tensor; expected a tensor"),
        ({"classes": 10}, "the classes of digits are 10; expected a tuple of names"),
        ({"mean": 0.5}, "the mean of .* is 0.5; expected a tuple, a number a channel"),
        ({"std": (None,)}, r"the std of .* is \(None,\); expected a tuple"),
        ({"mean": ("a",)}, r"the mean of .* is \('a',\); expected a tuple"),
    ],
)
def test_data_of_another_kind(changes, message):
    refused(message, **changes)


def test_a_shift_is_at_most_half_the_side():
    Batches(few("digits", "train"), CPU, shift=16)
    with pytest.raises(ValueError, match="shift is 17; for images of digits expected at most 16 pixels"):
        Batches(few("digits", "train"), CPU, shift=17)
