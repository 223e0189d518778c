"""Cells of the visual cortex: what the patches and the stimuli are, by their formulas."""

import numpy as np
import pytest

from course_utils.scratch.cells import bar, gabor, grating


def test_a_grating_repeats_after_a_wavelength_across_and_stays_along():
    x = grating(33, wavelength=8)
    np.testing.assert_allclose(x[:, 8:], x[:, :-8], atol=1e-12)
    np.testing.assert_allclose(x, np.tile(x[16], (33, 1)), atol=1e-12)
    assert x[16, 16] == 1
    np.testing.assert_allclose(grating(33, np.pi / 2), x.T, atol=1e-12)
    np.testing.assert_allclose(grating(33, phase=np.pi), -x, atol=1e-12)


@pytest.mark.parametrize("angle", [0.0, 0.6, 2.0])
@pytest.mark.parametrize("phase", [0.0, 1.0, np.pi / 2])
def test_a_patch_is_blind_to_even_light_and_has_length_1(angle, phase):
    patch = gabor(33, angle, phase)
    assert abs(patch.sum()) < 1e-12 and (patch**2).sum() == pytest.approx(1)
    assert abs(patch[[0, -1]]).max() < 1e-3 * abs(patch).max()  # the bell has ended at the border


def test_the_two_patches_of_a_complex_cell_are_even_odd_and_orthogonal():
    even, odd = gabor(33), gabor(33, phase=np.pi / 2)
    np.testing.assert_allclose(even[::-1, ::-1], even, atol=1e-12)
    np.testing.assert_allclose(odd[::-1, ::-1], -odd, atol=1e-12)
    assert abs((even * odd).sum()) < 1e-12


def test_a_bar_lies_along_the_stripes():
    upright = bar(21, length=10, width=4)
    assert upright.sum() == 11 * 5 and upright[:, 10].sum() == 11 and upright[10].sum() == 5
    np.testing.assert_array_equal(bar(21, 10, 4, np.pi / 2), upright.T)
    assert (upright * grating(21, wavelength=20)).sum() > 0.9 * upright.sum()


@pytest.mark.parametrize("make", [grating, gabor, lambda size: bar(size, 3)])
@pytest.mark.parametrize("size", [0, 8, -3])
def test_a_size_without_a_middle_is_refused(make, size):
    with pytest.raises(ValueError, match=f"size is {size}; expected an odd number"):
        make(size)
