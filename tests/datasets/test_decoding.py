"""Every kind of file: the picture that it holds, or one line that names it."""

import io
import os

import numpy as np
import pytest
from PIL import Image, ImageOps

from course_utils.datasets import DataUnavailable
from course_utils.datasets.decoding import picture

RNG = np.random.default_rng(0)
PATCHES = np.kron(RNG.integers(256, size=(3, 5, 3)), np.ones((16, 16, 1))).astype(np.uint8)  # 48 x 80, JPEG's blocks


def whole(width, height):
    return (0, 0, width, height), 8


def saved(path, image, **options):
    (Image.fromarray(image) if isinstance(image, np.ndarray) else image).save(path, **options)
    return path


def refused(path, message):
    with pytest.raises(DataUnavailable, match=message) as refusal:
        picture(path, whole)
    assert "\n" not in str(refusal.value) and path.name in str(refusal.value)


@pytest.mark.parametrize("mode, kind", [("RGB", "png"), ("RGB", "webp"), ("CMYK", "tif"), ("CMYK", "jpg")])
def test_colours_are_those_that_were_saved(tmp_path, mode, kind):
    path = saved(tmp_path / f"x.{kind}", Image.fromarray(PATCHES).convert(mode), lossless=True, quality=100)
    assert np.abs(np.array(picture(path)).astype(int) - PATCHES).max() <= (2 if kind == "jpg" else 0)


@pytest.mark.parametrize("mode", ["1", "L", "LA"])
def test_grey_is_grey_in_all_channels(tmp_path, mode):
    path = saved(tmp_path / "x.png", Image.fromarray(PATCHES).convert(mode))
    expected = np.array(Image.fromarray(PATCHES).convert(mode).convert("L"))
    pixels = np.array(picture(path).convert("RGB"))
    assert np.array_equal(pixels, np.stack([expected] * 3, 2))


def test_transparency_is_left_out(tmp_path):
    alpha = np.full((48, 80, 1), 100, np.uint8)
    assert np.array_equal(picture(saved(tmp_path / "x.png", np.concatenate([PATCHES, alpha], 2))), PATCHES)
    few = Image.fromarray(PATCHES).quantize(15)
    path = saved(tmp_path / "few.png", few, transparency=bytes(range(15)))
    assert np.array_equal(picture(path), few.convert("RGB"))


@pytest.mark.parametrize("kind", ["png", "tif"])
def test_sixteen_bits_become_eight(tmp_path, kind):
    deep = np.array([[0, 128, 129, 257 * 100, 65535]], np.uint16)
    assert np.array(picture(saved(tmp_path / f"x.{kind}", deep))).tolist() == [[0, 0, 1, 100, 255]]
    path = saved(tmp_path / "wide.tif", deep.astype(np.int32) * 2)
    refused(path, "wide.tif has pixels of mode I; expected 8 bits a channel, or 16 of grey")


@pytest.mark.parametrize("kind", ["jpg", "png"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_is_turned_the_way_its_camera_says(tmp_path, orientation, kind):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = saved(tmp_path / f"x.{kind}", PATCHES.repeat(4, 0).repeat(4, 1), exif=exif, quality=100)
    expected = ImageOps.exif_transpose(Image.open(path)).convert("RGB")
    assert np.array_equal(picture(path), expected)
    seen = []

    def corner(width, height):  # of another size than the whole
        seen.append((width, height))
        return (0, 0, width / 2, height / 4), 8

    part = picture(path, corner)
    assert seen == [expected.size]
    cut = expected.crop((0, 0, expected.width // 2, expected.height // 4)).resize((8, 8), Image.Resampling.BILINEAR)
    assert np.abs(np.array(part).astype(int) - np.array(cut)).mean() < 6


def test_metadata_that_make_no_sense_do_no_harm(tmp_path):
    for exif in (b"Exif\0\0nonsense", b"Exif\0\0II*\0\x08\0\0\0\xff\xff", b"Exif\0\0"):
        assert picture(saved(tmp_path / "x.jpg", PATCHES, exif=exif), whole).size == (8, 8)


def test_of_several_frames_the_first(tmp_path):
    frames = [Image.new("RGB", (9, 7), colour) for colour in ("red", "blue", "white")]
    for kind in ("gif", "png", "tif", "webp"):
        options = {"save_all": True, "append_images": frames[1:], "lossless": True}
        assert picture(saved(tmp_path / f"x.{kind}", frames[0], **options)).convert("RGB").getpixel((3, 3)) == (
            255,
            0,
            0,
        )


@pytest.mark.parametrize("shape", [(1, 1), (1, 3000), (3000, 1)])
def test_odd_shapes(tmp_path, shape):
    image = np.full((*shape, 3), 77, np.uint8)
    assert (np.array(picture(saved(tmp_path / "x.png", image), whole)) == 77).all()
    inside = picture(tmp_path / "x.png", lambda width, height: ((0.1, 0.1, 0.9, 0.9), 5))
    assert np.array(inside).shape == (5, 5, 3) and (np.array(inside) == 77).all()


def test_a_part_without_reduction_is_the_crop_resized(tmp_path):
    smooth = np.array(Image.fromarray(RNG.integers(256, size=(30, 40, 3), dtype=np.uint8)).resize((80, 60)))
    path = saved(tmp_path / "x.png", smooth)
    part = picture(path, lambda width, height: ((10, 20, 42, 52), 16))
    cut = Image.fromarray(smooth[20:52, 10:42]).resize((16, 16), Image.Resampling.BILINEAR)
    assert np.array_equal(np.array(part)[1:-1, 1:-1], np.array(cut)[1:-1, 1:-1])


@pytest.mark.parametrize("side, scale", [(8, 8), (29, 8), (31, 4), (100, 2), (121, 1), (300, 1)])
def test_a_jpeg_is_decoded_no_finer_than_needed_and_never_too_coarse(tmp_path, monkeypatch, side, scale):
    """A part of 240 x 300 pixels, to be `side` each way: at 1/scale of its size it still has as many."""
    picked = Image.fromarray(PATCHES).resize((641, 479), Image.Resampling.BICUBIC)
    path = saved(tmp_path / "x.jpg", picked, quality=100)
    decoded = []
    before = Image.Image.resize

    def resize(image, *arguments, **options):
        decoded.append(image.size)
        return before(image, *arguments, **options)

    def view(width, height):
        return (100, 50, 340, 350), side

    with monkeypatch.context() as patch:
        patch.setattr(Image.Image, "resize", resize)
        part = picture(path, view)
    assert decoded == [(-(-641 // scale), -(-479 // scale))]
    monkeypatch.setattr("PIL.JpegImagePlugin.JpegImageFile.draft", lambda *_: None)
    fine = picture(path, view)
    assert np.abs(np.array(part).astype(int) - np.array(fine)).mean() < 2


def test_what_is_no_image_is_named(tmp_path, monkeypatch):
    (tmp_path / "empty.jpg").touch()
    refused(tmp_path / "empty.jpg", "empty.jpg is no image that Pillow can read")
    (tmp_path / "text.jpg").write_text("a list of names")
    refused(tmp_path / "text.jpg", "text.jpg is no image")
    (tmp_path / "folder.jpg").mkdir()
    refused(tmp_path / "folder.jpg", "folder.jpg is no file")
    (tmp_path / "link.jpg").symlink_to(tmp_path / "nowhere")
    refused(tmp_path / "link.jpg", "link.jpg is no file")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.jpg")
        refused(tmp_path / "pipe.jpg", "pipe.jpg is no file")
    refused(saved(tmp_path / "float.tif", np.ones((4, 4), np.float32)), "float.tif has pixels of mode F")
    for kind in ("jpg", "png", "gif", "webp"):
        path = saved(tmp_path / f"cut.{kind}", RNG.integers(256, size=(50, 60, 3), dtype=np.uint8))
        content = path.read_bytes()
        path.write_bytes(content[: len(content) * 2 // 3])
        refused(path, f"cut.{kind} is (damaged or cut off: |no image)")
    path = saved(tmp_path / "bomb.png", PATCHES)
    for most in (3000, 1500):  # Pillow warns above the one, and refuses above its double
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", most)
        refused(path, f"bomb.png has too many pixels, more than {most:,}")


@pytest.mark.parametrize("kind", ["jpeg", "png", "gif", "tiff", "webp", "bmp"])
def test_whatever_is_damaged_is_a_picture_or_one_line(tmp_path, kind):
    buffer = io.BytesIO()
    Image.fromarray(PATCHES[:24, :24]).save(buffer, kind)
    content, path, bad = bytearray(buffer.getvalue()), tmp_path / "x", 0
    for _ in range(60):
        damaged = content.copy()
        for place in RNG.integers(len(content), size=3):
            damaged[place] = RNG.integers(256)
        path.write_bytes(damaged)
        try:
            assert picture(path, whole).size == (8, 8)
        except DataUnavailable as error:
            bad += 1
            assert "\n" not in str(error)
    assert bad or kind == "bmp"
