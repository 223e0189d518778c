"""The embedded sets: the same bytes on every machine, and what they were made from."""

import hashlib
import runpy
from pathlib import Path

import numpy as np
import pytest
import torch
from mirrors import refused

from course_utils import datasets
from course_utils.authors import mnist_mini
from course_utils.datasets import embedded, finding, sets
from course_utils.datasets.splits import drawn

ROOT = Path(__file__).resolve().parents[2]


EMBEDDED = {  # channels and side, how many are in each split, and how the SHA-256 of each split begins
    "mnist-mini": ((1, 28, 28), (4500, 500, 1000), ("ee8036185133a79b", "3aff4d6e4c09c2f1", "2a955f187c7b48ea")),
    "digits": ((1, 32, 32), (1295, 143, 359), ("2f738507641e96db", "2f5672067209c030", "380541db3bfc4d1c")),
    "shapes": ((3, 32, 32), (4500, 500, 1000), ("767c432f5a27145b", "5d32ce0e6ba44712", "7dce1afe45dc2794")),
    "shapes-96": ((3, 96, 96), (4500, 500, 1000), ("bcefd85fe4e18205", "5bae4f5bbc6c4a64", "2e5e7fff4bc80b08")),
    "compounds": ((3, 96, 96), (2250, 250, 500), ("e9ab3d88a7718ed9", "9c33317ce7fdb69a", "5f044d38e416c92a")),
}


@pytest.fixture(scope="module", params=EMBEDDED)
def parts(request):
    """The three splits of an embedded set; each set is made once."""
    return [datasets.load(request.param, split) for split in datasets.SPLITS]


def test_an_embedded_set_fits_its_description(parts):
    name = parts[0].name
    shape, counts, _ = EMBEDDED[name]
    for data, split, count in zip(parts, datasets.SPLITS, counts, strict=True):
        assert (data.name, data.split, len(data)) == (name, split, count)
        assert data.images.dtype == torch.uint8 and data.images.shape == (count, *shape)
        assert data.labels.dtype == torch.int64 and data.labels.shape == (count,)
        assert set(data.labels.tolist()) == set(range(len(data.classes)))
        assert (data.mean, data.std) == (parts[0].mean, parts[0].std)
    if shape[-1] < 96:  # or it takes a gigabyte
        std, mean = torch.std_mean(parts[0].images.double() / 255, (0, 2, 3), correction=0)
        torch.testing.assert_close(torch.tensor(parts[0].mean).double(), mean, rtol=0, atol=1e-6)
        torch.testing.assert_close(torch.tensor(parts[0].std).double(), std, rtol=0, atol=1e-6)


def test_no_image_is_in_two_splits(parts):
    seen = [{image.numpy().tobytes() for image in data.images} for data in parts]
    assert [len(images) for images in seen] == [len(data) for data in parts]  # nor twice in one
    assert not (seen[0] & seen[1] or seen[0] & seen[2] or seen[1] & seen[2])


def test_the_card_of_an_embedded_set_gives_what_is_measured(parts):
    card = (ROOT / "data" / "cards" / f"{parts[0].name}.md").read_text("utf-8")
    assert all(f"{len(data):,} {data.split}" in card for data in parts)
    card = " ".join(card.split())
    assert "ean " + ", ".join(f"{value:.4f}" for value in parts[0].mean) in card
    assert "standard deviation " + ", ".join(f"{value:.4f}" for value in parts[0].std) in card


def sha256(data):
    return hashlib.sha256(data.images.numpy().tobytes() + data.labels.numpy().astype("<i8").tobytes()).hexdigest()


def test_embedded_sets_are_the_same_to_the_byte(parts):
    *_, starts = EMBEDDED[parts[0].name]
    assert [sha256(data)[:16] for data in parts] == list(starts)


def test_digits_are_scikit_learns():
    from sklearn.datasets import load_digits

    theirs = {np.rint(image * 255 / 16).astype(np.uint8).tobytes() for image in load_digits().images}
    images = torch.cat([datasets.load("digits", split).images for split in datasets.SPLITS])
    small = images[:, 0, ::4, ::4].contiguous()
    assert {image.numpy().tobytes() for image in small} == theirs
    assert torch.equal(images[:, 0], small.repeat_interleave(4, 1).repeat_interleave(4, 2))


# ---- mnist-mini


@pytest.mark.parametrize(("split", "a_class"), [("train", 450), ("validation", 50), ("test", 100)])
def test_mnist_mini_has_as_many_of_each_digit(split, a_class):
    assert datasets.load("mnist-mini", split).labels.bincount().tolist() == [a_class] * 10


def test_mnist_mini_is_small():
    assert embedded.MNIST_MINI.stat().st_size < 1_000_000


@pytest.mark.parametrize("content", [None, b"", b"PK\x03\x04 and no more", b"<html>"])
def test_mnist_mini_that_is_damaged_is_one_line(tmp_path, monkeypatch, content):
    path = tmp_path / "mnist_mini.npz"
    if content is not None:
        path.write_bytes(content)
    monkeypatch.setattr(embedded, "MNIST_MINI", path)
    sets._read.cache_clear()
    refused(lambda: datasets.load("mnist-mini", "test"), path, "install the course again")


def test_mnist_mini_that_is_truncated_or_altered_is_one_line(tmp_path, monkeypatch):
    content = embedded.MNIST_MINI.read_bytes()
    middle = len(content) // 2
    for bad in (content[:middle], content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]):
        path = tmp_path / "mnist_mini.npz"
        path.write_bytes(bad)
        monkeypatch.setattr(embedded, "MNIST_MINI", path)
        sets._read.cache_clear()
        refused(lambda: datasets.load("mnist-mini", "train"), path, "install the course again")


def test_mnist_mini_is_drawn_from_its_publishers_splits(mirror, tmp_path, monkeypatch):
    """On a stand-in for MNIST: two of each digit in training and one in the test, in the publisher's order."""
    monkeypatch.setattr(mnist_mini, "A_CLASS", {"train": 2, "test": 1})
    for path in (tmp_path / "one.npz", tmp_path / "two.npz"):
        mnist_mini.make(path)
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()
    with np.load(tmp_path / "one.npz") as made:
        for split, count in (("train", 2), ("test", 1)):
            mnist = datasets.load("mnist", split)
            rows = drawn(mnist.labels.numpy(), lambda n, count=count: count)
            assert made[f"{split}_labels"].tolist() == mnist.labels[rows].tolist()
            assert sorted(made[f"{split}_labels"].tolist()) == sorted(list(range(10)) * count)
            assert np.array_equal(made[f"{split}_images"], mnist.images[rows, 0].numpy())


def test_mnist_mini_without_mnist(monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_DATA", str(tmp_path / "typo"))
    refused(lambda: mnist_mini.make(tmp_path / "made.npz"), "COURSE_DATA")
    assert not (tmp_path / "made.npz").exists()
    with pytest.raises(SystemExit, match=r"^course_utils.authors.mnist_mini: COURSE_DATA names .*typo"):
        runpy.run_path(mnist_mini.__file__, run_name="__main__")


def test_mnist_mini_is_what_is_drawn_from_mnist(tmp_path):
    if finding._cached(finding.PUBLISHED["mnist"]) is None:
        pytest.skip("MNIST is not in data/")
    mnist_mini.make(tmp_path / "made.npz")
    with np.load(tmp_path / "made.npz") as made, np.load(embedded.MNIST_MINI) as shipped:
        assert all(np.array_equal(made[name], shipped[name]) for name in shipped.files)


def test_mnists_licence_lies_beside_its_images_and_in_the_courses():
    beside = embedded.MNIST_MINI.with_suffix(".LICENSE.txt").read_text("utf-8")
    for text in (beside, (ROOT / "LICENSE").read_text("utf-8")):
        for words in ("Yann LeCun and Corinna Cortes", "CC BY-SA 3.0", "creativecommons.org/licenses/by-sa/3.0/"):
            assert words in " ".join(text.split())
    assert "mnist_mini.npz" in (ROOT / "LICENSE").read_text("utf-8")


# ---- Photographs


def test_photographs_are_scikit_learns():
    from sklearn.datasets import load_sample_images

    photographs, bunch = datasets.photographs(), load_sample_images()
    assert list(photographs) == ["china", "flower"]
    theirs = {Path(name).stem: image for name, image in zip(bunch.filenames, bunch.images, strict=True)}
    for name, image in photographs.items():
        assert image.dtype == torch.uint8 and image.shape == (3, 427, 640) and image.is_contiguous()
        assert np.array_equal(image.permute(1, 2, 0).numpy(), theirs[name])


def test_photographs_name_their_authors():
    assert set(datasets.CREDITS) == set(datasets.photographs())
    assert all("danielbuechele" in credit and "CC BY 2.0" in credit for credit in datasets.CREDITS.values())
    assert "vultilion" in datasets.CREDITS["flower"]  # whom the link names, but not the text of scikit-learn's README
    card = (ROOT / "data" / "cards" / "photographs.md").read_text("utf-8")
    for part in ("danielbuechele", "vultilion", "CC BY 2.0", "https://creativecommons.org/licenses/by/2.0/"):
        assert part in card
    assert "cards/photographs.md" in (ROOT / "data" / "README.md").read_text("utf-8")
