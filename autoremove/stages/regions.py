"""Protected parts of a picture: rectangles and polygons, and which objects lie within."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from autoremove.errors import RecipeError

Region = tuple[float, ...]
"""Four numbers are a rectangle x, y, width, height; six or more a polygon x1, y1, x2, y2, x3, y3 ..."""

GRID = 16
"""A box is judged by so many points a side."""


def check_regions(where: str, regions: Sequence[Region]) -> None:
    """Raise RecipeError, which names ``where``, for what is neither rectangle nor polygon."""
    for region in regions:
        if len(region) < 4 or len(region) % 2 or not np.isfinite(region).all():
            raise RecipeError(
                f"{where}: {list(region)} is no region.",
                hint="Write x, y, width, height, or three or more points x1, y1, x2, y2, x3, y3 ...",
            )
        if len(region) == 4 and min(region[2:]) <= 0:
            raise RecipeError(f"{where}: {list(region)} has no area.", hint="Write x, y, width, height.")


def protected(
    xyxy: NDArray[np.float32], regions: Sequence[Region], size_hw: tuple[int, int]
) -> NDArray[np.bool_]:
    """N bool: whose centre lies in one of the regions, or half of whose N x 4 box lies in them together.

    Regions are in pixels of the upright picture of ``size_hw``, or, where no number of a region is over 1, in
    shares of its width and height.
    """
    centre, covered = np.zeros(len(xyxy), bool), np.zeros((len(xyxy), GRID * GRID), bool)
    if not regions or not len(xyxy):
        return centre
    middles = (xyxy[:, None, :2] + xyxy[:, None, 2:]) / 2
    points = _points(xyxy)
    for region in regions:
        corners = _corners(region, size_hw)
        centre |= _inside(middles, corners)[:, 0]
        covered |= _inside(points, corners)
    return np.asarray(centre | (covered.mean(1) >= 0.5))


def _points(xyxy: NDArray[np.float32]) -> NDArray[np.float64]:
    """N x GRID² x 2: an even grid over each box."""
    steps = (np.arange(GRID) + 0.5) / GRID
    shares = np.stack(np.meshgrid(steps, steps), -1).reshape(1, -1, 2)
    low, high = xyxy[:, None, :2].astype(np.float64), xyxy[:, None, 2:].astype(np.float64)
    return np.asarray(low + shares * (high - low), np.float64)


def _corners(region: Region, size_hw: tuple[int, int]) -> NDArray[np.float64]:
    """K x 2 in pixels."""
    numbers = np.array(region, np.float64)
    if len(region) == 4:
        x, y, width, height = numbers
        numbers = np.array([x, y, x + width, y, x + width, y + height, x, y + height])
    corners = numbers.reshape(-1, 2)
    return corners * [size_hw[1], size_hw[0]] if max(region) <= 1 else corners


def _inside(points: NDArray[np.float64], corners: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which of the ... x 2 points lie in the polygon: a ray from them crosses it an odd number of times."""
    x, y = points[..., 0], points[..., 1]
    odd = np.zeros(x.shape, bool)
    for (x1, y1), (x2, y2) in zip(corners, np.roll(corners, -1, 0), strict=True):
        if y1 != y2:
            odd ^= ((y1 > y) != (y2 > y)) & (x < x1 + (y - y1) * (x2 - x1) / (y2 - y1))
    return odd
