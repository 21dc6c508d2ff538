"""Shrinking lets nothing of a hole through; padding gives few sizes; enlarging puts things back in place."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from autoremove.stages.shrinking import BLANK, bucket, covered, enlarged, fitted, padded, shrink

GROUND = (40, 90, 60)


@pytest.mark.parametrize(
    "size_hw", [(16, 16), (33, 41), (64, 64), (120, 90), (97, 130), (200, 220), (16, 200)]
)
def test_shrinking_never_leaks_the_colour_of_a_hole(size_hw: tuple[int, int]) -> None:
    rng = np.random.default_rng(1)
    for _ in range(8):
        mask = np.zeros((97, 130), bool)
        for _ in range(4):
            x, y = int(rng.integers(0, 130)), int(rng.integers(0, 97))
            mask[y : y + int(rng.integers(1, 40)), x : x + int(rng.integers(1, 40))] = True
        image = np.full((97, 130, 3), GROUND, np.uint8)
        image[mask] = (255, 0, 0)
        small, holes = shrink(image, mask, size_hw)
        assert small.shape == (*size_hw, 3)
        assert holes.shape == size_hw
        assert np.abs(small[~holes].astype(int) - GROUND).max(initial=0) <= 1
        assert (small[holes] == BLANK).all()


@pytest.mark.parametrize("size_hw", [(24, 26), (37, 41), (95, 129), (7, 130)])
def test_a_pixel_with_any_hole_in_it_is_hole_and_no_other(size_hw: tuple[int, int]) -> None:
    for y, x in ((0, 0), (50, 77), (95, 129), (41, 3)):
        mask = np.zeros((96, 130), bool)
        mask[y, x] = True
        share = cv2.resize(mask.astype(np.float64), size_hw[::-1], interpolation=cv2.INTER_AREA)
        holes = covered(mask, size_hw)
        assert holes[y * size_hw[0] // 96, x * size_hw[1] // 130]
        assert not (share[~holes] > 1e-6).any()
        assert holes.sum() <= 4


def test_shrinking_averages_what_is_known() -> None:
    image = np.zeros((8, 8, 3), np.uint8)
    image[:, 4:] = 200
    mask = np.zeros((8, 8), bool)
    mask[0, 0] = True
    small, holes = shrink(image, mask, (4, 4))
    assert (small[1:, :2] == 0).all()
    assert (small[:, 2:] == 200).all()
    assert holes.sum() == 1


def test_what_was_given_is_left_alone() -> None:
    image, mask = np.full((8, 8, 3), 9, np.uint8), np.eye(8, dtype=bool)
    small, holes = shrink(image, mask, (8, 8))
    assert (image == 9).all()
    assert (small[mask] == BLANK).all()
    holes[:] = True
    assert mask.sum() == 8


@pytest.mark.parametrize(
    ("window", "size_hw"),
    [
        ((0, 0, 256, 256), (256, 256)),
        ((10, 10, 522, 522), (256, 256)),
        ((0, 0, 1000, 500), (128, 256)),
        ((0, 0, 100, 60), (60, 100)),
        ((0, 0, 3, 4000), (256, 1)),
    ],
)
def test_windows_keep_their_form(window: tuple[int, int, int, int], size_hw: tuple[int, int]) -> None:
    assert fitted(window, 256) == size_hw


def test_there_are_few_sizes_and_all_suit_the_network() -> None:
    sizes = {bucket((height, 256), 256) for height in range(1, 257)}
    assert len(sizes) == 8
    assert all(height % 8 == 0 and width == 256 for height, width in sizes)
    for side in (16, 24, 60, 100, 512):
        height, width = bucket((side, max(1, side - 7)), side)
        assert height >= side and width >= side - 7
        assert height % 8 == width % 8 == 0


@pytest.mark.parametrize("size_hw", [(1, 1), (5, 3), (30, 17)])
def test_padding_mirrors_picture_and_holes_alike(size_hw: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    holes = rng.random(size_hw) < 0.3
    image = np.where(holes[..., None], np.uint8(BLANK), rng.integers(0, 100, (*size_hw, 3), np.uint8))
    more, mask = padded(image, holes, (32, 32))
    assert more.shape == (32, 32, 3)
    assert np.array_equal(more[: size_hw[0], : size_hw[1]], image)
    assert np.array_equal((more == BLANK).all(2), mask)


@pytest.mark.parametrize("window", [(0, 0, 64, 48), (100, 50, 740, 530), (7, 9, 337, 256)])
def test_enlarging_a_part_is_the_part_of_the_enlarged(window: tuple[int, int, int, int]) -> None:
    rng = np.random.default_rng(0)
    fill = cv2.GaussianBlur(rng.integers(0, 255, (48, 64, 3), np.uint8), (0, 0), 2)
    size = (window[2] - window[0], window[3] - window[1])
    whole = cv2.resize(fill, size, interpolation=cv2.INTER_CUBIC)
    box = window[0] + size[0] // 4, window[1] + size[1] // 3, window[2] - 3, window[3]
    part = enlarged(fill, window, box)
    expected = whole[box[1] - window[1] :, box[0] - window[0] : -3]
    assert part.shape == expected.shape
    assert np.abs(part.astype(int) - expected)[:, :-8].max() <= 3
