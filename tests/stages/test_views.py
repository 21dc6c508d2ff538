"""The plan follows the picture's size: small ones are enlarged, large ones covered by slices that overlap."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest

from autoremove.errors import RecipeError
from autoremove.stages.views import OVERLAP, SPEEDS, STEP, View, plan_views, slices

SIZES = [
    (1, 1),
    (48, 64),
    (432, 576),
    (1080, 810),
    (1080, 1920),
    (3000, 4000),
    (4000, 3000),
    (6000, 8660),
    (100, 9000),
]


def megapixels(views: list[View]) -> float:
    sides = [[math.ceil(side * view.scale / STEP) * STEP for side in _sides(view)] for view in views]
    return sum(height * width for height, width in sides) / 1e6


def _sides(view: View) -> tuple[int, int]:
    x1, y1, x2, y2 = view.window
    return y2 - y1, x2 - x1


@pytest.mark.parametrize("size_hw", SIZES)
@pytest.mark.parametrize("speed", SPEEDS)
def test_every_plan_sees_the_whole_picture_both_ways_and_stays_inside_it(
    size_hw: tuple[int, int], speed: str
) -> None:
    views = plan_views(size_hw, speed)
    height, width = size_hw
    whole = [view for view in views if view.window == (0, 0, width, height)]
    assert {view.mirror for view in whole} == {False, True}
    assert len(set(views)) == len(views)
    for view in views:
        x1, y1, x2, y2 = view.window
        assert 0 <= x1 < x2 <= width
        assert 0 <= y1 < y2 <= height
        assert view.imgsz % STEP == 0
        assert STEP <= view.imgsz <= 1280


@pytest.mark.parametrize("size_hw", SIZES)
def test_more_effort_sees_finer(size_hw: tuple[int, int]) -> None:
    plans = [plan_views(size_hw, speed) for speed in SPEEDS]
    finest = [max(view.scale for view in plan) for plan in plans]
    assert finest == sorted(finest)
    assert [megapixels(plan) for plan in plans] == sorted(megapixels(plan) for plan in plans)
    assert len(plans[0]) == (5 if max(size_hw) <= 1024 else 6)


def test_a_person_of_a_twelve_megapixel_photo_is_seen_large_enough_in_bounded_time() -> None:
    views = plan_views((3000, 4000))
    finest = max(view.scale for view in views)
    assert 64 * finest >= 48
    assert megapixels(views) < 13
    assert megapixels(plan_views((6000, 8000))) < 2.2 * megapixels(views)


def test_small_pictures_are_seen_enlarged_and_never_in_slices() -> None:
    views = plan_views((432, 576))
    assert {view.window for view in views} == {(0, 0, 576, 432)}
    assert sorted({view.imgsz for view in views}) == [256, 384, 512, 640, 768, 1024]


def test_fast_looks_finer_at_large_pictures_only() -> None:
    assert [view.imgsz for view in plan_views((768, 1024), "fast")] == [256, 384, 512, 640, 768]
    assert [view.imgsz for view in plan_views((768, 1025), "fast")] == [256, 384, 512, 640, 768, 1024]
    assert plan_views((3000, 4000), "fast")[-1] == View((0, 0, 4000, 3000), 1280, True)


def test_fast_leaves_out_the_dearest_look_at_small_pictures() -> None:
    assert megapixels(plan_views((480, 640), "fast")) < 0.6 * megapixels(plan_views((480, 640)))


def test_the_plan_is_continuous_in_the_size_of_the_picture() -> None:
    finest = [max(v.scale for v in plan_views((side * 3 // 4, side))) * side for side in range(500, 9000, 50)]
    steps = np.diff(np.log(finest))
    assert np.abs(steps).max() < 0.2, "one pixel more must not change what is seen"


@pytest.mark.parametrize("size_hw", [(3000, 4000), (4000, 3000), (1111, 777), (100, 9000), (2999, 4001)])
@pytest.mark.parametrize("scale", [0.37, 0.8, 1.5])
def test_slices_of_one_size_cover_the_picture_and_overlap(size_hw: tuple[int, int], scale: float) -> None:
    views = slices(size_hw, scale, 800)
    assert len({_sides(view) for view in views}) == 1
    assert max(_sides(views[0])) * scale <= 800 + 1
    for axis, length in ((0, size_hw[1]), (1, size_hw[0])):
        spans = sorted({(view.window[axis], view.window[axis + 2]) for view in views})
        assert spans[0][0] == 0
        assert spans[-1][1] == length
        shared = [(one[1] - other[0]) * scale for one, other in pairwise(spans)]
        assert all(pixels >= OVERLAP - 2 * scale for pixels in shared)
    assert {view.imgsz for view in views} == {views[0].imgsz}


def test_an_unknown_speed_is_refused_with_those_there_are() -> None:
    with pytest.raises(RecipeError, match="fast, normal, max"):
        plan_views((100, 100), "slow")
