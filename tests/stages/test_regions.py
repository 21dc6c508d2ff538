"""Protected regions: rectangles and polygons, in pixels and in shares."""

from __future__ import annotations

import numpy as np
import pytest

from autoremove.errors import RecipeError
from autoremove.stages.regions import check_regions, protected

BOXES = np.array([[0, 0, 20, 20], [40, 40, 60, 60], [90, 0, 110, 20], [10, 10, 190, 94]], np.float32)


@pytest.mark.parametrize(
    ("regions", "inside"),
    [
        ([], [0, 0, 0, 0]),
        ([(0, 0, 30, 30)], [1, 0, 0, 0]),
        ([(0, 0, 0.45, 1)], [1, 1, 0, 0]),
        ([(0, 0, 1, 1)], [1, 1, 1, 1]),
        ([(0, 0, 11, 11)], [1, 0, 0, 0]),  # its centre
        ([(0, 0, 9, 20)], [0, 0, 0, 0]),  # less than half of it
        ([(0, 0, 9, 20), (11, 0, 9, 20)], [1, 0, 0, 0]),  # both together more than half, the centre between
        ([(39, 39, 22, 22), (89, 0, 22, 22)], [0, 1, 1, 0]),
        ([(0, 0, 200, 0, 0, 100)], [1, 1, 1, 0]),  # a triangle
        ([(0, 0, 1, 0, 0, 1)], [1, 1, 1, 0]),
        ([(0, 100, 0, 0, 200, 0)], [1, 1, 1, 0]),  # the other way round
        ([(0, 0, 200, 0, 200, 100, 0, 100, 0, 90, 190, 90, 190, 30, 0, 30)], [1, 0, 1, 0]),  # a bracket
        ([(-50, -50, 60.5, 60.5)], [1, 0, 0, 0]),
    ],
)
def test_what_lies_within(regions: list[tuple[float, ...]], inside: list[int]) -> None:
    assert protected(BOXES, regions, (100, 200)).tolist() == [bool(value) for value in inside]


def test_no_boxes() -> None:
    assert protected(np.zeros((0, 4), np.float32), [(0, 0, 1, 1)], (5, 5)).shape == (0,)


@pytest.mark.parametrize(
    "wrong", [(), (1, 2, 3), (1, 2, 3, 4, 5), (0, 0, 0, 5), (0, 0, 5, -1), (0, 0, float("nan"), 1)]
)
def test_what_is_no_region_is_refused(wrong: tuple[float, ...]) -> None:
    with pytest.raises(RecipeError, match=r"select\.keep_region"):
        check_regions("select.keep_region", [(0, 0, 1, 1), wrong])
