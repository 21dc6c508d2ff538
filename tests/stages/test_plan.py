"""Windows lie in the picture, hold their holes, and share them out; long holes come in parts."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from autoremove.stages import plan as planning
from autoremove.stages.plan import Crop, grown_box, plan, thickness


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


def person(mask: np.ndarray, x: int, y: int, height: int) -> None:
    """Somebody who stands, a third as wide as high."""
    mask[y : y + height, x : x + height // 3] = True


@pytest.fixture(params=[64, 2048])
def look(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Large pictures are grouped on cells; so are these where the limit is low."""
    monkeypatch.setattr(planning, "LOOK", request.param)
    return int(request.param)


def test_on_cells_too_each_pixel_is_somebodys(look: int) -> None:
    for mask, context, least in random_masks():
        covered = np.zeros(mask.shape, int)
        for crop in plan(mask, context=context, least=least):
            x1, y1, x2, y2 = crop.hole
            covered[y1:y2, x1:x2] += crop.own
        assert np.array_equal(covered, mask.astype(int))


def test_a_single_pixel_of_a_large_mask_is_not_overlooked(look: int) -> None:
    mask = np.zeros((301, 407), bool)
    mask[17, 399] = mask[300, 3] = True
    crops = plan(mask, context=0.5, least=32)
    assert sorted(crop.hole for crop in crops) == [(3, 300, 4, 301), (399, 17, 400, 18)]


def test_people_are_filled_whole(look: int) -> None:
    mask = np.zeros((900, 1200), bool)
    person(mask, 100, 100, 600)
    person(mask, 700, 400, 450)
    crops = plan(mask, context=0.5, least=128)
    assert [crop.parts for crop in crops] == [1, 1]
    assert {crop.hole for crop in crops} == {(100, 100, 300, 700), (700, 400, 850, 850)}


def test_a_queue_is_filled_in_parts_of_one_group() -> None:
    mask = np.zeros((600, 2000), bool)
    for x in range(40, 1950, 50):
        person(mask, x, 250, 120)
    crops = plan(mask, context=0.5, least=128)
    assert len({crop.group for crop in crops}) == 1
    assert len(crops) == crops[0].parts > 4
    for crop in crops:
        width, height = crop.hole[2] - crop.hole[0], crop.hole[3] - crop.hole[1]
        assert max(width, height) < 3 * min(width, height)


@pytest.mark.parametrize("straight", [True, False])
def test_a_cable_is_filled_in_few_parts_that_show_its_width(straight: bool) -> None:
    mask = np.zeros((1500, 1500), bool)
    for x in range(1500):
        mask[700 if straight else x, x] = True
    crops = plan(mask, context=0.5, least=64)
    assert 6 <= len(crops) <= 3 * planning.MOST_PARTS
    assert max(crop.window[2] - crop.window[0] for crop in crops) <= 300


def test_a_thin_hole_that_a_small_window_shows_whole_is_left_whole() -> None:
    mask = np.zeros((400, 400), bool)
    mask[200, 150:250] = True
    assert len(plan(mask, context=0.5, least=256)) == 1


def test_many_specks_share_windows() -> None:
    mask = np.zeros((1000, 1000), bool)
    mask[20::50, 20::50] = True
    crops = plan(mask, context=0.5, least=256)
    assert len(crops) <= 100
    assert max(crop.window[2] - crop.window[0] for crop in crops) <= 256


def test_a_hole_shares_the_window_of_its_like_and_not_that_of_a_much_larger_one() -> None:
    mask = np.zeros((1000, 1000), bool)
    person(mask, 300, 300, 300)
    person(mask, 430, 320, 270)
    person(mask, 800, 320, 270)
    mask[340:350, 555:565] = True
    crops = plan(mask, context=0.5, least=64)
    expected = [(300, 300, 520, 600), (555, 340, 565, 350), (800, 320, 890, 590)]
    assert sorted(crop.hole for crop in crops) == expected
    assert {crop.parts for crop in crops} == {1}


def test_thickness_is_that_of_the_thickest_place() -> None:
    mask = np.zeros((90, 200), bool)
    mask[40:44] = True
    assert 3 <= thickness(mask) <= 6
    mask[20:60, 80:120] = True
    assert 35 <= thickness(mask) <= 45
    assert thickness(np.ones((50, 70), bool)) == pytest.approx(50, abs=4)


def test_a_margin_stops_at_the_window() -> None:
    assert grown_box((10, 10, 20, 20), 5, (0, 8, 22, 100)) == (5, 8, 22, 25)
