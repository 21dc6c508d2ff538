"""Crops to learn from: square, inside the picture, and varied only in what may vary."""

from __future__ import annotations

import numpy as np
import pytest

from autoremove.training.crops import centre_crop, random_crop, recoloured

RAMP = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, 2)


def noise(height: int, width: int) -> np.ndarray:
    rgb = np.random.default_rng(0).integers(0, 255, (height, width, 3), dtype=np.uint8)
    return np.dstack([rgb, np.zeros((height, width), np.uint8)])


@pytest.mark.parametrize("vary", [0.0, 1.0])
def test_crops_are_square_and_stay_inside_small_pictures(vary: float) -> None:
    pixels = noise(20, 50)
    crops = [random_crop(pixels, 64, np.random.default_rng(i), zoom=4.5, vary=vary) for i in range(20)]
    assert {crop.shape for crop in crops} == {(64, 64, 4)}
    assert centre_crop(pixels, 16).shape == (16, 16, 3)


def test_without_variation_a_crop_shows_the_picture_as_it_is() -> None:
    pixels = np.full((64, 64, 4), (200, 100, 50, 0), np.uint8)
    assert (random_crop(pixels, 32, np.random.default_rng(0), zoom=2.0) == pixels[0, 0]).all()


def test_varied_shapes_are_stretched_within_bounds() -> None:
    """The channel of objects is never recoloured: a ramp in it tells how wide and how high a crop was."""
    ramp = np.repeat(np.arange(200, dtype=np.uint8)[None], 200, 0)
    spans = []
    for lines in (ramp, ramp.T):
        pixels = np.dstack([lines] * 4)
        crops = [random_crop(pixels, 64, np.random.default_rng(i), zoom=0.9, vary=1.0) for i in range(60)]
        spans.append([int(np.ptp(crop[..., 3])) + 1 for crop in crops])
    wide, tall = np.array(spans)
    assert (np.maximum(wide, tall) >= 55).all()  # of 57 at least one side stays
    assert min(wide.min(), tall.min()) >= 57 / 1.4
    assert wide.min() < 48 and tall.min() < 48


def test_other_light_keeps_order_and_says_nothing_at_zero() -> None:
    changed = [recoloured(RAMP, np.random.default_rng(i), 1.0) for i in range(30)]
    for picture in changed:
        assert (np.diff(picture.astype(int), axis=1) >= 0).all()
    assert max(abs(int(picture[0, 128, 0]) - 128) for picture in changed) > 30
    np.testing.assert_array_equal(recoloured(RAMP, np.random.default_rng(0), 0.0), RAMP)
