"""Windows lie in the picture, hold their holes, and share them out; shrinking lets no hole bleed."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from autoremove.stages.plan import Crop, grown_box, net_size, plan, shrink


def random_masks() -> Iterator[tuple[np.ndarray, float, int]]:
    """Pictures of all shapes with boxes, specks and stripes to be filled."""
    rng = np.random.default_rng(0)
    for _ in range(150):
        height, width = (int(v) for v in rng.integers(1, 260, 2))
        mask = np.zeros((height, width), bool)
        for _ in range(int(rng.integers(0, 6))):
            x, y = int(rng.integers(0, width)), int(rng.integers(0, height))
            mask[y : y + int(rng.integers(1, 90)), x : x + int(rng.integers(1, 90))] = True
        if rng.random() < 0.3:
            mask |= rng.random(mask.shape) < 0.01
        yield mask, float(rng.choice([0.0, 0.25, 0.5, 2.0])), int(rng.choice([8, 64, 256]))


def test_every_pixel_of_the_mask_is_somebodys_and_nobody_elses() -> None:
    for mask, context, least in random_masks():
        covered = np.zeros(mask.shape, int)
        for crop in plan(mask, context=context, least=least):
            x1, y1, x2, y2 = crop.hole
            assert crop.own.shape == (y2 - y1, x2 - x1)
            covered[y1:y2, x1:x2] += crop.own
        assert np.array_equal(covered, mask.astype(int))


def test_windows_lie_in_the_picture_hold_their_hole_and_are_large_enough() -> None:
    for mask, context, least in random_masks():
        height, width = mask.shape
        for crop in plan(mask, context=context, least=least):
            (x1, y1, x2, y2), (hx1, hy1, hx2, hy2) = crop.window, crop.hole
            assert 0 <= x1 <= hx1 < hx2 <= x2 <= width
            assert 0 <= y1 <= hy1 < hy2 <= y2 <= height
            side = max(least, round(max(hx2 - hx1, hy2 - hy1) * (1 + 2 * context)))
            assert (x2 - x1, y2 - y1) == (min(side, width), min(side, height))


def test_holes_are_tight() -> None:
    for mask, context, least in random_masks():
        for crop in plan(mask, context=context, least=least):
            for edge in (crop.own[0], crop.own[-1], crop.own[:, 0], crop.own[:, -1]):
                assert edge.any()


def test_near_holes_are_one_group_and_far_ones_are_not() -> None:
    mask = np.zeros((400, 400), bool)
    mask[100:120, 100:120] = mask[100:120, 126:140] = mask[300:310, 300:310] = True
    crops = plan(mask, context=0.5, least=64)
    assert sorted(crop.hole for crop in crops) == [(100, 100, 140, 120), (300, 300, 310, 310)]


def test_nothing_to_fill_is_no_crop() -> None:
    assert plan(np.zeros((30, 40), bool), context=0.5, least=64) == []


def test_the_whole_picture_is_one_crop() -> None:
    (crop,) = plan(np.ones((30, 40), bool), context=0.5, least=64)
    assert isinstance(crop, Crop)
    assert crop.window == crop.hole == (0, 0, 40, 30)


@pytest.mark.parametrize("size_hw", [(16, 16), (33, 41), (64, 64), (120, 90), (200, 220), (16, 200)])
def test_shrinking_never_leaks_the_colour_of_a_hole(size_hw: tuple[int, int]) -> None:
    rng = np.random.default_rng(1)
    for _ in range(8):
        mask = np.zeros((97, 130), bool)
        for _ in range(4):
            x, y = int(rng.integers(0, 130)), int(rng.integers(0, 97))
            mask[y : y + int(rng.integers(1, 40)), x : x + int(rng.integers(1, 40))] = True
        image = np.full((97, 130, 3), (40, 90, 60), np.uint8)
        image[mask] = (255, 0, 0)
        small, holes = shrink(image, mask, size_hw)
        assert small.shape == (*size_hw, 3)
        assert holes.shape == size_hw
        known = small[~holes].astype(int)
        assert np.abs(known - (40, 90, 60)).max(initial=0) <= 1


def test_a_pixel_with_any_hole_in_it_is_hole() -> None:
    for y, x in ((0, 0), (50, 77), (95, 129)):
        mask = np.zeros((96, 130), bool)
        mask[y, x] = True
        _, holes = shrink(np.zeros((96, 130, 3), np.uint8), mask, (24, 26))
        assert holes[y // 4, x // 5]
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


def test_at_its_own_size_a_crop_stays_as_it_is() -> None:
    image, mask = np.zeros((8, 8, 3), np.uint8), np.ones((8, 8), bool)
    assert shrink(image, mask, (8, 8))[0] is image


@pytest.mark.parametrize(
    ("window", "side", "size_hw"),
    [
        ((0, 0, 256, 256), 256, (256, 256)),
        ((10, 10, 522, 522), 256, (256, 256)),
        ((0, 0, 1000, 500), 256, (128, 256)),
        ((0, 0, 100, 60), 256, (64, 96)),
        ((0, 0, 3, 400), 256, (256, 16)),
        ((0, 0, 1, 1), 256, (16, 16)),
    ],
)
def test_the_network_sees_windows_in_multiples_of_eight(window, side: int, size_hw: tuple[int, int]) -> None:
    assert net_size(window, side) == size_hw


def test_a_margin_stops_at_the_window() -> None:
    assert grown_box((10, 10, 20, 20), 5, (0, 8, 22, 100)) == (5, 8, 22, 25)
