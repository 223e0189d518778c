"""Folders of images of one's own: what is read, and the one line for what cannot be."""

import os
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from course_utils import datasets, training
from course_utils.datasets import DataUnavailable, decoding, folder
from course_utils.training.ensembles import evaluate_runs

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
    assert "22 train + 2 validation + 6 test images, 2 classes" in datasets.describe(f"folder:{root}")


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


def test_other_pixels_and_other_sizes_are_named(own):
    root, _ = own
    Image.fromarray(np.zeros((8, 10), np.float32)).save(root / "train" / "cat" / "float.tif")
    refused(root, "float.tif has pixels of mode F; expected 8 bits a channel")
    (root / "train" / "cat" / "float.tif").unlink()
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


def test_a_class_folder_that_cannot_be_read_is_named(own, monkeypatch):
    root, _ = own

    def closed(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(folder.os, "listdir", closed)
    refused(root, "train/cat cannot be read: Permission denied; expected PATH/train/CLASS")
    with pytest.raises(DataUnavailable, match="train/cat cannot be read: Permission denied"):
        folder.listing(f"folder:{root}", "train")


def test_a_listing_has_the_splits_of_the_images_in_memory(own):
    root, _ = own
    for split in (*datasets.SPLITS, "all"):
        files, whole = folder.listing(f"folder:{root}", split), load(root, split)
        assert torch.equal(files.labels, whole.labels) and files.classes == whole.classes
        pixels = [np.array(Image.open(files.path(i))) for i in range(len(files))]
        assert np.array_equal(np.stack(pixels), whole.images.permute(0, 2, 3, 1))
    assert repr(files) == f"Files('folder:{root}', 'all', 24 images, 2 classes)"


def test_a_listing_measures_the_training_images_and_no_others(tmp_path):
    shades = np.arange(0, 240, 10)
    for split in ("train", "val"):
        for i, shade in enumerate(shades):
            path = tmp_path / split / "a" / f"{i:02d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            pixel = (shade, shade // 2, 255 - shade) if split == "train" else (255, 255, 255)
            Image.new("RGB", (5, 3), tuple(map(int, pixel))).save(path)
    train, test = (folder.listing(f"folder:{tmp_path}", split) for split in ("train", "test"))
    seen = np.array([Image.open(train.path(i)).getpixel((0, 0)) for i in range(len(train))]) / 255
    assert train.mean == pytest.approx(seen.mean(0)) and train.std == pytest.approx(seen.std(0))
    assert (test.mean, test.std) == (train.mean, train.std)


def test_a_listing_opens_a_sample_and_nothing_else(own, monkeypatch):
    root, _ = own
    opened = []
    monkeypatch.setattr(folder, "SAMPLE", 5)
    monkeypatch.setattr(folder, "picture", lambda path, view: opened.append(path) or decoding.picture(path, view))
    files = folder.listing(f"folder:{root}", "train")
    assert opened == [files.path(i) for i in (0, 5, 10, 15, 21)]
    assert folder.listing(f"folder:{root}", "validation").std == files.std and len(opened) == 5  # measured once
    bad = files.path(5)
    bad.write_text("no image")
    assert folder.listing(f"folder:{root}", "train").mean != files.mean  # a file that changed is measured anew
    for path in opened:
        path.write_text("no image")
    with pytest.raises(DataUnavailable, match=r"none of 5 images can be decoded; the first: .*00.png is no image"):
        folder.listing(f"folder:{root}", "train")
    for path in opened:
        Image.new("RGB", (4, 4), "red").save(path)
    with pytest.raises(DataUnavailable, match=r"5 images from .*00.png on have one value in all their pixels"):
        folder.listing(f"folder:{root}", "train")


def test_a_fingerprint_is_that_of_names_and_sizes(own):
    root, _ = own
    files = folder.listing(f"folder:{root}", "test")
    before = files.fingerprint()
    assert before == folder.listing(f"folder:{root}", "test").fingerprint()
    assert before != folder.listing(f"folder:{root}", "train").fingerprint()
    path = files.path(0)
    with path.open("ab") as file:
        file.write(b"\0")
    longer = files.fingerprint()
    assert longer != before
    path.rename(path.with_name("renamed.png"))
    assert folder.listing(f"folder:{root}", "test").fingerprint() not in (before, longer)
    assert files.fingerprint() not in (before, longer)  # the file that it names is gone


def test_a_listing_refuses_what_is_no_folder_and_no_split(own):
    root, _ = own
    with pytest.raises(ValueError, match="'mnist' names no folder of images; expected folder:PATH"):
        folder.listing("mnist", "train")
    with pytest.raises(ValueError, match="no split 'val'; there are train, validation, test, all"):
        folder.listing(f"folder:{root}", "val")
    (root / "val" / "zebra").mkdir()
    with pytest.raises(DataUnavailable, match="zebra is empty; expected at least one image a class"):
        folder.listing(f"folder:{root}", "train")
    (root / "val" / "zebra" / "0.png").touch()
    with pytest.raises(DataUnavailable, match=r"zebra is a class that .*train has not"):
        folder.listing(f"folder:{root}", "train")


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a file's name is text")
def test_a_name_that_is_no_text_is_listed_and_found(own):
    root, _ = own
    (root / "val" / "cat" / "00.png").rename(root / "val" / "cat" / "00 \udcff\n.png")
    files = folder.listing(f"folder:{root}", "test")
    assert all(files.path(i).is_file() for i in range(len(files)))


def test_a_model_is_trained_on_a_folder(tmp_path, monkeypatch):
    for split, count in (("train", 20), ("val", 2)):
        for label, shade in (("dark", 40), ("light", 200)):
            for i in range(count):
                path = tmp_path / "own" / split / label / f"{i}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                noise = RNG.integers(-20, 20, size=(32, 32, 3))
                Image.fromarray((shade + noise).astype(np.uint8)).save(path)
    monkeypatch.chdir(tmp_path)
    settings = {"batch_size": 6, "flip": True, "learning_rate": 0.02}
    record = training.train("lenet5_simple", "folder:own", settings=settings, epochs=6)
    assert record["test_accuracy"] == 1.0
    assert (record["data"], record["train_images"], record["validation_images"]) == ("folder:own", 36, 4)
    assert os.path.exists("build/lenet5_simple-own-seed0/run.json")
    (row,) = evaluate_runs(["build/lenet5_simple-own-seed0"], tta="flip")
    assert row["top1"] == 1.0 and row["top5"] is None
    again = training.train("lenet5_simple", "folder:own", settings=settings, epochs=6, resume=True)
    assert again == record
    with pytest.raises(ValueError, match="cutout is for images in memory; those of folder:own are cropped at random"):
        training.train("lenet5_simple", "folder:own", settings={"cutout": 8}, out="other")
    Image.fromarray(np.zeros((40, 60), np.uint8)).save("own/train/dark/20.png")  # of another size, and grey
    with pytest.raises(ValueError, match=r"holds another run: images \(CRC-32\) "):
        training.train("lenet5_simple", "folder:own", settings=settings, epochs=6, resume=True)
    assert "37 train + 4 validation + 4 test images, 2 classes" in datasets.describe("folder:own")
