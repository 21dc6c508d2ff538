"""Each fill beside its surroundings: which pixels count for it."""

from __future__ import annotations

import numpy as np
import pytest

from autoremove.stages import quality
from autoremove.types import Patch


def flat(value: int, side: int = 32) -> np.ndarray:
    return np.full((side, side, 3), value, np.uint8)


def noise(side: int = 64, spread: float = 20.0) -> np.ndarray:
    values = np.random.default_rng(5).normal(128, spread, (side, side, 1))
    return np.repeat(values, 3, 2).clip(0, 255).astype(np.uint8)


def patch_at(left: int, top: int, side: int, margin: int = 4) -> Patch:
    """A patch whose fill is a square of ``side`` pixels at that place."""
    alpha = np.pad(np.full((side, side), 255, np.uint8), margin)
    box = (left - margin, top - margin, left + side + margin, top + side + margin)
    return Patch(box, np.zeros((*alpha.shape, 3), np.uint8), alpha)


def holes_of(patches: list[Patch], side: int) -> np.ndarray:
    holes = np.zeros((side, side), bool)
    for patch in patches:
        x1, y1, x2, y2 = patch.xyxy
        holes[y1:y2, x1:x2] |= patch.alpha > 0
    return holes


def test_each_fill_is_judged_on_its_own():
    image, patches = noise(200), [patch_at(20, 30, 50), patch_at(110, 100, 60)]
    image[100:160, 110:170] = 128
    good, blurred = quality.fill_figures(image, holes_of(patches, 200), patches)
    assert (good.xyxy, blurred.xyxy) == ((20, 30, 70, 80), (110, 100, 170, 160))
    assert good.sharpness == pytest.approx(1.0, abs=0.15)
    assert good.seam == pytest.approx(1.0, abs=0.15)
    assert blurred.sharpness is not None and blurred.sharpness < 0.1


def test_another_fill_next_door_is_no_surroundings():
    image, patches = noise(200), [patch_at(40, 40, 60), patch_at(104, 40, 60)]
    image[holes_of(patches, 200)] = 128
    one, _ = quality.fill_figures(image, holes_of(patches, 200), patches)
    alone, _ = quality.fill_figures(image, holes_of(patches[:1], 200), patches)
    assert one.sharpness is not None and alone.sharpness is not None
    assert one.sharpness < alone.sharpness


def test_a_fill_of_the_whole_picture_has_no_figures():
    whole = Patch((0, 0, 20, 20), np.zeros((20, 20, 3), np.uint8), np.full((20, 20), 255, np.uint8))
    nothing = Patch((0, 0, 20, 20), whole.pixels, np.zeros((20, 20), np.uint8))
    (told,) = quality.fill_figures(flat(3, 20), np.ones((20, 20), bool), [whole, nothing])
    assert (told.seam, told.sharpness) == (None, None)


def test_a_large_fill_is_judged_on_a_smaller_picture():
    image, side = noise(3000), 1600
    patches = [patch_at(700, 700, side)]
    image[700 : 700 + side, 700 : 700 + side] = 128
    (told,) = quality.fill_figures(image, holes_of(patches, 3000), patches)
    assert told.xyxy == (700, 700, 2300, 2300)
    assert told.sharpness is not None and told.sharpness < 0.2


def test_dilation_is_a_disc():
    dot = np.zeros((21, 21), bool)
    dot[10, 10] = True
    disc = quality.dilated(dot, 6)
    y, x = np.mgrid[-10:11, -10:11]
    assert np.array_equal(disc, x * x + y * y <= 36)
    assert not quality.dilated(np.zeros((4, 4), bool), 3).any()
