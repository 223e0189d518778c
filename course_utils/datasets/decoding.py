"""An image file as a picture of 8 bits a channel, turned the way its camera says: all of it, or a part at some size.

| what a file holds | what is made of it |
|---|---|
| 1 bit, grey | grey |
| RGB, palette, YCbCr, CMYK (of a JPEG inverted, as Adobe writes them) | RGB |
| transparency | left out: the colours below it, as torchvision's loader has them |
| 16-bit grey | divided by 257, rounded: 65,535 is 255 |
| several frames | the first |
| floats, Lab, more than 89 million pixels (Pillow's limit), no image, a damaged or cut-off one | DataUnavailable |
"""

import math
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from course_utils.datasets.finding import DataUnavailable, shown

Box = tuple[float, float, float, float]  # left, upper, right, lower, in pixels
# Of a picture's width and height: the part to show, the side it shall have.
View = Callable[[int, int], tuple[Box, int]]

GREY, COLOUR = ("1", "L"), ("P", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "LA", "PA")  # Pillow's modes of 8 bits
DEEP = ("I;16", "I;16B", "I;16L", "I;16N", "I")  # of 16; Pillow 10 has them as I, whole numbers of 32
TURNS = {  # what undoes each value of Exif's Orientation
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def picture(path: Path, view: View | None = None) -> Image.Image:
    """A file as a picture, of mode L or RGB. With a view, that part of it, side x side, bilinear and antialiased.

    A JPEG of which a part is shown is decoded at the least of 1/1, 1/2, 1/4 and 1/8 of its size at which the part is
    not smaller than it shall be. Raises DataUnavailable, one line that names the file.
    """
    try:
        if not path.is_file():  # a pipe would wait for ever
            raise DataUnavailable(f"{shown(path)} is no file")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # at odd metadata
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                return _eight_bits(_turned(image), path) if view is None else _part(image, view, path)
    except DataUnavailable:
        raise
    except UnidentifiedImageError:
        raise DataUnavailable(f"{shown(path)} is no image that Pillow can read") from None
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise DataUnavailable(f"{shown(path)} has too many pixels, more than {Image.MAX_IMAGE_PIXELS:,}") from None
    except Exception as error:  # Pillow's decoders raise almost anything at a damaged file
        reason = " ".join(str(getattr(error, "strerror", None) or error).split()) or type(error).__name__
        raise DataUnavailable(f"{shown(path)} is damaged or cut off: {reason}") from None


def _part(image, view, path):
    sides = image.size
    width, height = sides if _turn(image) not in SIDEWAYS else sides[::-1]
    box, side = view(width, height)
    least = max(side / (box[2] - box[0]), side / (box[3] - box[1]))  # of the picture's size, to have enough pixels
    reduced = image.draft(None, (math.ceil(least * sides[0]), math.ceil(least * sides[1])))
    scale = sides[0] / reduced[1][2] if reduced else 1
    whole = _eight_bits(_turned(image), path)
    left, upper, right, lower = (edge / scale for edge in box)
    return whole.resize((side, side), Image.Resampling.BILINEAR, (left, upper, right, lower))


SIDEWAYS = (TURNS[5], TURNS[6], TURNS[7], TURNS[8])  # width and height change places


def _turned(image):
    turn = _turn(image)
    image.load()
    return image if turn is None else image.transpose(turn)


def _turn(image):
    """How the picture is to be turned, or None. Only a JPEG says so before it is decoded."""
    if image.format not in ("JPEG", "MPO"):
        image.load()
    try:
        return TURNS.get(image.getexif().get(ExifTags.Base.Orientation))
    except Exception:  # metadata that make no sense: the picture may still be whole
        return None


def _eight_bits(image, path):
    if image.mode in GREY:
        return image.convert("L")
    if image.mode in COLOUR:
        return image.convert("RGB")
    deep = np.asarray(image).astype(np.int64) if image.mode in DEEP else np.array([-1])
    if deep.min() < 0 or deep.max() > 65535:
        raise DataUnavailable(
            f"{shown(path)} has pixels of mode {image.mode}; expected 8 bits a channel, or 16 of grey"
        )
    return Image.fromarray(((deep + 128) // 257).astype(np.uint8))
