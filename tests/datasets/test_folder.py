"""Folders of images of one's own: what is read, and the one line for what cannot be."""

import os

import numpy as np
import pytest
import torch
from PIL import Image

from course_utils import datasets, training
from course_utils.datasets import DataUnavailable

RNG = np.random.default_rng(0)


def picture(path, shape=(8, 10, 3), **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    array = RNG.integers(256, size=shape, dtype=np.uint8)
    Image.fromarray(array).save(path, **options)
    return array


@pytest.fixture
def own(tmp_path):
    """Two classes, 12 training images and 3 for the test each, and their pixels."""
    pixels = {}
    for split, count in (("train", 12), ("val", 3)):
        for label in ("cat", "dog"):
            for i in range(count):
                path = tmp_path / split / label / f"{i:02d}.png"
                pixels[split, label, i] = picture(path)
    return tmp_path, pixels


def load(root, split="train"):
    return datasets.load(f"folder:{root}", split)


def refused(root, message):
    with pytest.raises(DataUnavailable, match=message) as refusal:
        load(root)
    assert "\n" not in str(refusal.value)


def test_classes_are_folders_in_alphabetical_order(own):
    root, pixels = own
    train, validation, test = (load(root, split) for split in datasets.SPLITS)
    assert train.classes == ("cat", "dog")
    assert [len(part) for part in (train, validation, test)] == [22, 2, 6]
    assert test.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert test.images.dtype == torch.uint8 and test.images.shape == (6, 3, 8, 10)
    for i in range(3):
        assert np.array_equal(test.images[3 + i].permute(1, 2, 0).numpy(), pixels["val", "dog", i])
    seen = {image.numpy().tobytes() for part in (train, validation) for image in part.images}
    assert len(seen) == 24
    assert len(train.mean) == 3
    assert datasets.present(f"folder:{root}")
    assert "22 train + 2 validation + 6 test images of 3 x 8 x 10, 2 classes" in datasets.describe(f"folder:{root}")


def test_a_folder_that_changed_is_read_again_and_no_other(own, monkeypatch):
    root, _ = own
    before = load(root, "test")
    new = picture(root / "val" / "dog" / "new.png")
    after = load(root, "test")
    assert (len(before), len(after)) == (6, 7)
    assert np.array_equal(after.images[-1].permute(1, 2, 0).numpy(), new)
    monkeypatch.setattr(datasets.folder, "read", lambda name: pytest.fail("read again"))
    assert torch.equal(load(root, "test").images, after.images)


def test_grey_where_all_images_are(tmp_path):
    for split in ("train", "val"):
        for i in range(12):
            picture(tmp_path / split / "a" / f"{i}.png", (8, 8))
    assert load(tmp_path).images.shape == (11, 1, 8, 8)
    picture(tmp_path / "val" / "a" / "colour.png", (8, 8, 3))
    dataset = load(tmp_path)
    assert dataset.images.shape == (11, 3, 8, 8)
    assert torch.equal(dataset.images[:, 0], dataset.images[:, 2])


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGBA", "LA", "CMYK", "YCbCr"])
def test_every_usual_kind_of_pixel_is_read(own, mode):
    root, _ = own
    kind = "jpg" if mode in ("CMYK", "YCbCr") else "png"
    Image.fromarray(RNG.integers(256, size=(8, 10, 3), dtype=np.uint8)).convert(mode).save(root / f"train/cat/x.{kind}")
    assert load(root).images.shape[1:] == (3, 8, 10)


def test_a_picture_is_turned_the_way_its_camera_says(own):
    root, _ = own
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    array = picture(root / "val" / "dog" / "turned.png", (10, 8, 3), exif=exif)
    image = load(root, "test").images[-1].permute(1, 2, 0).numpy()
    assert np.array_equal(image, np.rot90(array, -1))


def test_what_is_no_image_is_named(own):
    root, _ = own
    text = root / "train" / "dog" / "notes.txt"
    text.write_text("not an image")
    refused(root, "notes.txt is no image that Pillow can read")
    text.unlink()
    (root / "train" / "dog" / "empty.png").touch()
    refused(root, "empty.png is no image")
    (root / "train" / "dog" / "empty.png").unlink()
    whole = (root / "train" / "dog" / "03.png").read_bytes()
    (root / "train" / "dog" / "03.png").write_bytes(whole[: len(whole) // 2])
    refused(root, "03.png is damaged or cut off: ")
    (root / "train" / "dog" / "03.png").unlink()
    (root / "train" / "dog" / "inner").mkdir()
    refused(root, "inner is no file")
    (root / "train" / "dog" / "inner").rmdir()
    (root / "train" / "dog" / ".DS_Store").write_text("hidden")
    (root / "train" / ".cache").mkdir()
    (root / "train" / "README.md").write_text("a file beside the classes")
    assert len(load(root)) == 21


def test_deep_pixels_and_other_sizes_are_named(own):
    root, _ = own
    Image.fromarray(np.zeros((8, 10), np.uint16)).save(root / "train" / "cat" / "deep.png")
    refused(root, "deep.png has pixels of mode I;16; expected 8 bits a channel")
    (root / "train" / "cat" / "deep.png").unlink()
    picture(root / "val" / "dog" / "wide.png", (8, 11, 3))
    refused(root, "wide.png is 8 x 11, .*00.png 8 x 10; expected one size for all")


def test_folders_that_do_not_fit(own, tmp_path):
    root, _ = own
    refused(root / "nowhere", "nowhere/train cannot be read: No such file or directory; expected PATH/train/CLASS")
    refused("~nobody-here/x", "names no folder")
    refused(f"{root}\0", "cannot be read")
    refused("x" * 5000, "cannot be read: File name too long")
    refused(root / "train", "train/train cannot be read")
    (root / "val" / "zebra").mkdir()
    refused(root, "zebra is empty; expected at least one image a class")
    picture(root / "val" / "zebra" / "0.png")
    refused(root, "val/zebra is a class that .*train has not")
    (root / "other" / "train").mkdir(parents=True)
    refused(root / "other", "train holds no folders; expected PATH/train/CLASS/IMAGE")
    for split in ("train", "val"):
        picture(root / "few" / split / "a" / "0.png")
    refused(root / "few", "train is too small: one in ten of a class is kept for validation")
    assert not datasets.present(f"folder:{root / 'nowhere'}")


def test_too_much_for_memory(own, monkeypatch):
    root, _ = own
    monkeypatch.setattr(datasets.folder, "MOST", 5 * 240)
    refused(root, "holds more than 0 GB of images: too much for memory")


def test_a_model_is_trained_on_a_folder(tmp_path, monkeypatch):
    for split, count in (("train", 20), ("val", 2)):
        for label, shade in (("dark", 40), ("light", 200)):
            for i in range(count):
                path = tmp_path / "own" / split / label / f"{i}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                noise = RNG.integers(-20, 20, size=(32, 32, 3))
                Image.fromarray((shade + noise).astype(np.uint8)).save(path)
    monkeypatch.chdir(tmp_path)
    record = training.train("lenet5_simple", "folder:own", settings={"batch_size": 6}, epochs=3)
    assert record["test_accuracy"] == 1.0
    assert (record["data"], record["train_images"]) == ("folder:own", 36)
    assert os.path.exists("build/lenet5_simple-own-seed0/run.json")
