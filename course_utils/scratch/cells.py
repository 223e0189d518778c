"""Cells of the visual cortex, after Hubel & Wiesel: what they look for, and what is shown to them. Plain NumPy.

Angles are in radians. `angle` turns the direction across the stripes; stripes at angle 0 stand upright.
"""

import numpy as np


def grating(size, angle=0.0, phase=0.0, wavelength=8.0):
    """Stripes of light and dark, size x size, from -1 to 1: a cosine across them. `wavelength` is in pixels."""
    across, _ = _axes(size, angle)
    return np.cos(2 * np.pi * across / wavelength + phase)


def gabor(size, angle=0.0, phase=0.0, wavelength=8.0):
    """A grating under a bell: the receptive field of a simple cell (Marcelja 1980; Daugman 1985), size x size.

    Its weights add up to 0, so that even light leaves the cell silent; their squares add up to 1.
    """
    across, along = _axes(size, angle)
    bell = np.exp(-(across**2 + along**2) / (2 * (wavelength / 2) ** 2))
    weights = bell * grating(size, angle, phase, wavelength)
    weights -= bell * weights.sum() / bell.sum()
    return weights / np.sqrt((weights**2).sum())


def bar(size, length, width=4.0, angle=0.0):
    """A bar of light in the middle of size x size, 1 on a ground of 0, along the stripes of that angle."""
    across, along = _axes(size, angle)
    edge = 1e-9  # so that rounding decides nothing on the rim
    return ((abs(across) <= width / 2 + edge) & (abs(along) <= length / 2 + edge)).astype(float)


def _axes(size, angle):
    """How far each pixel lies from the middle, across the stripes and along them."""
    if size < 1 or size % 2 == 0:
        raise ValueError(f"size is {size!r}; expected an odd number, for an image with a pixel in the middle")
    rows, columns = np.mgrid[:size, :size] - size // 2
    return columns * np.cos(angle) + rows * np.sin(angle), rows * np.cos(angle) - columns * np.sin(angle)
