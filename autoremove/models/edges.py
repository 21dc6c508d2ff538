"""Edges brought back: a coarse probability map follows the edges of the photo it was made from.

The guided filter (He et al. 2013) in its fast form (He and Sun 2015): in small windows the map is explained
as a linear function of the colours. The factors are found on a small grid; with the photo at full resolution
they give a map whose edges are as sharp as the photo's.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from autoremove.types import Image

Plane = NDArray[np.float32]

Exact = NDArray[np.float64]
"""Variances are small differences of large numbers; in single precision grey photos give nonsense."""

GRID = 256
"""Longest side of the grid on which the factors are found: the time is bounded, however large the object."""

REACH = 5.0
"""Radius of the windows in cells of the map: the colours' say from how far around counts."""

EPSILON = 1e-4
"""Variance of a colour (0..1) up to which a difference is taken for noise: a hundredth, squared."""

LEAST_CELL = 1.25
"""Pixels that a cell of the map must cover: below, its edges are as sharp as the photo's."""

_STRIP = 1 << 20
"""Pixels computed together at full resolution: five planes of them are 20 MB."""


def resampled(chance: Plane, to_map: Exact, size_hw: tuple[int, int]) -> Plane:
    """A map bilinearly at ``size_hw``; ``to_map`` 2 x 3 leads from those pixels to its own."""
    size = size_hw[1], size_hw[0]
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    warped = cv2.warpAffine(chance, to_map, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(warped, np.float32).reshape(*size_hw, *chance.shape[2:])


def sharpened(chance: Plane, to_map: Exact, part: Image) -> Plane:
    """A probability map at the resolution of the photo, its edges where the photo has them.

    ``chance``: the map, 0..1. ``part`` h x w x 3: the photo it speaks of. ``to_map`` 2 x 3: from the photo's
    pixels to the map's, without a turn. Returns h x w, 0..1. Where the colours do not explain the map (no
    edge, or texture) it stays as it is, and so it does where its cells are hardly larger than pixels.
    """
    size_hw = part.shape[0], part.shape[1]
    cell = 1 / to_map[0, 0], 1 / to_map[1, 1]
    if min(cell) < LEAST_CELL:
        return resampled(chance, to_map, size_hw)
    shrink = min(1.0, GRID / max(size_hw))
    grid_hw = max(1, round(size_hw[0] * shrink)), max(1, round(size_hw[1] * shrink))
    step = size_hw[1] / grid_hw[1], size_hw[0] / grid_hw[0]
    guide = cv2.resize(part, (grid_hw[1], grid_hw[0]), interpolation=cv2.INTER_AREA)
    plane = resampled(chance, _in_steps(to_map, step), grid_hw)
    radius = max(1, round(REACH * cell[0] / step[0])), max(1, round(REACH * cell[1] / step[1]))
    factors = explained(np.asarray(guide, np.float64) / 255, plane.astype(np.float64), radius)
    return _applied(factors, part, step)


def explained(guide: Exact, plane: Exact, radius: tuple[int, int], epsilon: float = EPSILON) -> Plane:
    """Factors (h, w, 4): round each pixel the plane is about ``guide @ factors[..., :3] + factors[..., 3]``.

    ``guide`` h x w x 3, 0..1; ``plane`` h x w; ``radius``: columns and rows on each side of a pixel.
    The guided filter has as much of the say as the colours explain of the plane's variance, the plane itself
    has the rest: on a flat guide the filter would only blur.
    """

    def mean(values: Exact) -> Exact:
        size = 2 * radius[0] + 1, 2 * radius[1] + 1
        return np.asarray(cv2.blur(values, size, borderType=cv2.BORDER_REFLECT), np.float64)

    guide_mean, plane_mean = mean(guide), mean(plane)
    shared = mean(guide * plane[..., None]) - guide_mean * plane_mean[..., None]
    slope = _slope(_covariance(guide, guide_mean, mean, epsilon), shared)
    offset = plane_mean - (slope * guide_mean).sum(2)
    variance = (mean(plane * plane) - plane_mean**2).clip(0)
    say = mean(((slope * shared).sum(2) / (variance + 1e-6)).clip(0, 1))[..., None]
    own = np.dstack([np.zeros_like(guide), plane])
    return np.asarray(say * mean(np.dstack([slope, offset])) + (1 - say) * own, np.float32)


def _covariance(guide: Exact, average: Exact, mean: Callable[[Exact], Exact], epsilon: float) -> list[Exact]:
    """rr, rg, rb, gg, gb, bb of the windows, ``epsilon`` added to the variances."""
    pairs = [(i, j) for i in range(3) for j in range(i, 3)]
    products = [mean(guide[..., i] * guide[..., j]) - average[..., i] * average[..., j] for i, j in pairs]
    return [product + (epsilon if i == j else 0.0) for (i, j), product in zip(pairs, products, strict=True)]


def _slope(covariance: list[Exact], shared: Exact) -> Exact:
    """The symmetric 3 x 3 systems of all pixels solved by their adjugates."""
    rr, rg, rb, gg, gb, bb = covariance
    r, g, b = gg * bb - gb * gb, gb * rb - rg * bb, rg * gb - gg * rb
    middle, side, last = rr * bb - rb * rb, rb * rg - rr * gb, rr * gg - rg * rg
    x, y, z = shared[..., 0], shared[..., 1], shared[..., 2]
    rows = np.dstack([r * x + g * y + b * z, g * x + middle * y + side * z, b * x + side * y + last * z])
    return np.asarray(rows / (rr * r + rg * g + rb * b)[..., None], np.float64)


def _in_steps(to_map: Exact, step: tuple[float, float]) -> Exact:
    """The same map seen from a grid whose pixels are ``step`` of the photo's wide and high."""
    first = to_map[:, :2] @ (np.array(step) / 2 - 0.5) + to_map[:, 2]  # pixel centres lie at .5
    return np.column_stack([to_map[:, :2] * np.array(step), first])


def _applied(factors: Plane, part: Image, step: tuple[float, float]) -> Plane:
    """The factors, bilinear between the grid's pixels, times the photo: strip by strip."""
    height, width = part.shape[:2]
    out = np.empty((height, width), np.float32)
    rows = max(1, _STRIP // width)
    for top in range(0, height, rows):
        strip = part[top : top + rows]
        x, y = 0.5 / step[0] - 0.5, (top + 0.5) / step[1] - 0.5
        to_grid = np.array([[1 / step[0], 0, x], [0, 1 / step[1], y]])
        local = resampled(factors, to_grid, (strip.shape[0], width))
        colours = strip.astype(np.float32) / 255
        out[top : top + rows] = np.einsum("hwc,hwc->hw", local[..., :3], colours) + local[..., 3]
    return out.clip(0, 1)
