"""What a network refuses: images of a size that it cannot take, a width that is none."""

from torch import Tensor


def check_images(x: Tensor, name: str, in_channels: int, least: int, most: int | None = None) -> None:
    """Raises ValueError for anything but N x in_channels x H x W, H and W from `least` to `most` (None: no limit).

    For the forward of the model called `name`: one line with the shape that came and those that work.
    """
    fits = x.ndim == 4 and x.shape[1] == in_channels and min(x.shape[2:]) >= least
    if fits and (most is None or max(x.shape[2:]) <= most):
        return
    smallest, largest = (f"N x {in_channels} x {side} x {side}" for side in (least, most))
    up_to = " or larger" if most is None else f" to {largest}" if most > least else ""
    raise ValueError(f"the images are {' x '.join(map(str, x.shape))}; {name} takes {smallest}{up_to}")


def check_width(width: int) -> None:
    """Raises ValueError for a width, the channels of a small network's first stage, that is not 1 to 1,024."""
    if not 1 <= width <= 1024:
        raise ValueError(f"width is {width!r}; expected at least 1 and at most 1024")
