"""Canny edges of the known part of a picture: a hole, and its border, leave no trace in them."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from autoremove.types import Mask

Plane = NDArray[np.float32]

SIGMA = 2.0
"""Standard deviation of the smoothing in pixels, as EdgeConnect was trained."""

LUMA = (0.2125, 0.7154, 0.0721)
"""Shares of red, green and blue in grey."""

LOW, HIGH = 0.1, 0.2
"""Slopes (Sobel sums of grey levels 0..1) at which an edge goes on, and at which it may begin."""


def grey(image: NDArray[Any]) -> Plane:
    """Luma of an H x W x 3 RGB picture: H x W, in 0..1 for uint8, in the picture's own unit for floats."""
    luma = np.asarray(image.astype(np.float32) @ np.array(LUMA, np.float32), np.float32)
    return np.asarray(luma / 255, np.float32) if image.dtype == np.uint8 else luma


def canny(luma: Plane, known: Mask | None = None, *, sigma: float = SIGMA) -> Mask:
    """Edges one pixel wide (Canny 1986) of an H x W plane in 0..1.

    ``known`` H x W: what may be looked at; what lies outside has no say in the smoothing, and no edge touches
    it. ``sigma``: smoothing in pixels; 0 or less smooths nothing. The rules, among them the fixed thresholds,
    are those of the edges that EdgeConnect (Nazeri et al. 2019) was trained with.
    """
    seen = np.ones(luma.shape, np.float32) if known is None else known.astype(np.float32)
    smooth = _smoothed(luma, seen, sigma)
    across, down = (cv2.Sobel(smooth, cv2.CV_32F, dx, 1 - dx) for dx in (1, 0))
    steep = np.hypot(across, down)
    inner = cv2.erode(seen, np.ones((3, 3), np.uint8), borderType=cv2.BORDER_CONSTANT, borderValue=0)
    rows, columns = np.nonzero((inner > 0) & (steep >= LOW))
    peak = _is_peak(steep, np.asarray(across), np.asarray(down), rows, columns)
    thin = np.zeros(luma.shape, np.uint8)
    thin[rows[peak], columns[peak]] = 1
    return _begun(thin, steep >= HIGH)


def _smoothed(luma: Plane, seen: Plane, sigma: float) -> Plane:
    """A Gaussian mean of what is seen alone; past the picture's border nothing is."""
    if sigma <= 0:
        return np.asarray(luma * seen, np.float32)
    reach = 2 * int(4 * sigma + 0.5) + 1
    total, share = (
        cv2.GaussianBlur(plane, (reach, reach), sigma, borderType=cv2.BORDER_CONSTANT)
        for plane in (np.asarray(luma * seen, np.float32), seen)
    )
    return np.asarray(total / (share + np.finfo(np.float32).eps), np.float32)


def _is_peak(
    steep: NDArray[Any], across: Plane, down: Plane, rows: NDArray[np.intp], columns: NDArray[np.intp]
) -> NDArray[np.bool_]:
    """Which of the pixels are no less steep than the slope's line on both sides of them.

    The line meets the next row or column between two pixels: their steepness is interpolated.
    """
    x, y = across[rows, columns], down[rows, columns]
    flat, turn = np.abs(x) >= np.abs(y), np.where(x * y < 0, -1, 1)
    share = np.minimum(np.abs(x), np.abs(y)) / np.maximum(np.abs(x), np.abs(y))
    straight = np.where(flat, 0, 1), np.where(flat, 1, 0)
    diagonal = np.where(flat, turn, 1), np.where(flat, 1, turn)
    own = steep[rows, columns]
    peak = np.ones(rows.shape, bool)
    for sign in (1, -1):
        next_to, aslant = (
            steep[rows + sign * step[0], columns + sign * step[1]] for step in (straight, diagonal)
        )
        peak &= aslant * share + next_to * (1 - share) <= own
    return peak


def _begun(thin: NDArray[np.uint8], strong: Mask) -> Mask:
    """The lines of ``thin`` that have a strong pixel somewhere."""
    count, labels = cv2.connectedComponents(thin, connectivity=8)
    kept = np.zeros(count, bool)
    kept[labels[strong & (thin > 0)]] = True
    kept[0] = False
    return np.asarray(kept[labels], bool)
