"""Exemplar-based filling: patterns go on, known pixels stay, and the same input gives the same fill."""

from __future__ import annotations

import numpy as np
import pytest

from autoremove.models import patchmatch


def stripes(height: int, width: int) -> np.ndarray:
    """Vertical stripes of eight pixels in two colours."""
    on = (np.arange(width) // 8 % 2).astype(bool)
    row = np.where(on[:, None], np.array([200, 60, 40]), np.array([30, 90, 180])).astype(np.uint8)
    return np.broadcast_to(row, (height, width, 3)).copy()


def hole(height: int, width: int, box: tuple[int, int, int, int]) -> np.ndarray:
    mask = np.zeros((height, width), bool)
    mask[box[1] : box[3], box[0] : box[2]] = True
    return mask


@pytest.mark.parametrize("size_hw", [(96, 96), (150, 131)])
def test_a_regular_pattern_goes_on_through_the_hole(size_hw):
    truth = stripes(*size_hw)
    mask = hole(*size_hw, (40, 36, 70, 62))
    blank = np.where(mask[..., None], 127, truth).astype(np.uint8)
    field = patchmatch.fill(blank, mask)
    error = np.abs(field.pixels[mask].astype(int) - truth[mask]).mean()
    assert error < 12, f"the stripes are off by {error:.1f} levels"


def test_known_pixels_stay_and_name_themselves():
    truth = stripes(96, 96)
    mask = hole(96, 96, (30, 30, 60, 60))
    field = patchmatch.fill(truth, mask)
    assert np.array_equal(field.pixels[~mask], truth[~mask])
    own = np.stack(np.mgrid[:96, :96], -1)
    reach = patchmatch.PATCH // 2
    far = ~hole(96, 96, (30 - reach, 30 - reach, 60 + reach, 60 + reach))
    assert np.array_equal(field.source[far], own[far])


@pytest.mark.parametrize("box", [(0, 20, 30, 60), (60, 0, 96, 40), (40, 60, 96, 96), (0, 0, 40, 96)])
def test_sources_are_known_pixels_also_for_holes_at_the_border(box):
    mask = hole(96, 96, box)
    field = patchmatch.fill(stripes(96, 96), mask)
    half = patchmatch.PATCH // 2
    inner = np.zeros_like(mask)
    inner[half:-half, half:-half] = True
    places = field.source[mask & inner]
    assert not mask[places[:, 0], places[:, 1]].any()


def test_the_guide_decides_between_two_textures():
    truth = stripes(96, 96)
    truth[:, 48:] = np.array([240, 240, 240])
    mask = hole(96, 96, (36, 30, 60, 66))
    white, striped = np.full_like(truth, 240), stripes(96, 96)
    bright = [patchmatch.fill(truth, mask, guide=g, start=80).pixels[mask].mean() for g in (white, striped)]
    assert bright[0] > bright[1] + 15


def test_nothing_to_copy_from_gives_none():
    assert patchmatch.fill(stripes(40, 40), np.ones((40, 40), bool)) is None


def test_the_same_input_gives_the_same_fill():
    image = np.random.default_rng(3).integers(0, 255, (140, 140, 3)).astype(np.uint8)
    mask = hole(140, 140, (50, 50, 90, 100))
    first, second = (patchmatch.fill(image, mask).pixels for _ in range(2))
    assert np.array_equal(first, second)


def test_full_size_fetches_sharp_pixels_of_the_picture():
    large = np.repeat(np.repeat(stripes(96, 96), 3, 0), 3, 1)
    mask = hole(96, 96, (40, 36, 66, 62))
    large_mask = np.repeat(np.repeat(mask, 3, 0), 3, 1)
    field = patchmatch.fill(np.where(mask[..., None], 127, stripes(96, 96)).astype(np.uint8), mask)
    blank = np.where(large_mask[..., None], 127, large).astype(np.uint8)
    filled = patchmatch.at_full_size(blank, large_mask, field)
    far = ~np.repeat(np.repeat(hole(96, 96, (36, 32, 70, 66)), 3, 0), 3, 1)
    assert np.array_equal(filled[far], large[far])
    assert np.abs(filled[large_mask].astype(int) - large[large_mask]).mean() < 20


def test_the_guide_keeps_its_large_forms():
    noise = np.random.default_rng(0).normal(0, 12, (128, 128, 1))
    slope = np.linspace(40, 210, 128)[None, :, None] + noise
    truth = np.repeat(slope, 3, 2).clip(0, 255).astype(np.uint8)
    mask = hole(128, 128, (40, 40, 90, 90))
    guide = np.full_like(truth, 120)
    found = patchmatch.fill(truth, mask, guide=guide, start=70).pixels[55:75, 50:80].astype(float)
    assert abs(found.mean() - 120) < 15
    assert np.ptp(found.mean((0, 2))) < 0.6 * np.ptp(slope[0, 50:80])


def test_copies_are_single_pixels_and_not_means():
    truth = np.random.default_rng(0).integers(0, 256, (96, 96, 3)).astype(np.uint8)
    mask = hole(96, 96, (40, 36, 60, 62))
    field = patchmatch.fill(truth, mask)
    filled = patchmatch.at_full_size(truth, mask, field)
    places = field.source[mask]
    assert np.array_equal(filled[mask], truth[places[:, 0], places[:, 1]])


def test_the_ring_goes_on_with_the_shift_beside_it():
    truth = stripes(96, 96)
    mask = hole(96, 96, (40, 36, 60, 62))
    source = patchmatch.fill(truth, mask).source
    own = np.stack(np.mgrid[:96, :96], -1)
    shift = source - own
    assert np.array_equal(shift[45, 38], shift[45, 40])
    assert np.array_equal(shift[34, 50], shift[36, 50])
