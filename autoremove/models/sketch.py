"""Lines for the sketch channel: the contours of a picture, and drawn lines at the size a network sees."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from autoremove.types import Image, Mask

FAINTEST = 24.0
"""Slope (sum of a Sobel window, grey levels 0..255) below which nothing is a contour: grain, sky, paper."""


def contours(image: Image, *, smoothing: float = 1.4, keep: float = 0.12, shortest: int = 12) -> Mask:
    """The contours of an H x W x 3 picture as lines one pixel wide, H x W.

    Canny (1986) on the strongest colour channel of the smoothed picture, instead of the HED network of the
    DeepFillv2 paper. ``smoothing``: standard deviation in pixels. ``keep``: share 0..1 of pixels steep enough
    to begin a contour. Contours of fewer than ``shortest`` pixels are texture and left out.
    """
    across, down = _slopes(image, smoothing)
    steepness = np.hypot(across.astype(np.float32), down.astype(np.float32))
    high = max(float(np.quantile(steepness, 1 - keep)), FAINTEST)
    thin = cv2.Canny(across, down, 0.5 * high, high, L2gradient=True)
    _, labels, figures, _ = cv2.connectedComponentsWithStats(thin, connectivity=8)
    long = figures[:, cv2.CC_STAT_AREA] >= shortest
    long[0] = False
    return np.asarray(long[labels], bool)


def _slopes(image: Image, smoothing: float) -> tuple[NDArray[np.int16], NDArray[np.int16]]:
    """Slope to the right and downwards of the colour channel that is steepest at each pixel."""
    smooth = cv2.GaussianBlur(image, (0, 0), smoothing)
    pair: list[NDArray[Any]] = [
        np.asarray(cv2.Sobel(smooth, cv2.CV_16S, dx, 1 - dx), np.int16) for dx in (1, 0)
    ]
    best = (np.abs(pair[0]) + np.abs(pair[1])).argmax(2)[..., None]
    across, down = (np.take_along_axis(slope, best, 2)[..., 0] for slope in pair)
    return np.ascontiguousarray(across), np.ascontiguousarray(down)


def shrunk_lines(lines: Mask, size_hw: tuple[int, int]) -> Mask:
    """``lines`` H x W at a smaller size: a pixel is set where any of those it covers is, so none breaks."""
    if lines.shape == size_hw:
        return lines
    small = np.zeros(size_hw, bool)
    rows, columns = np.nonzero(lines)
    small[rows * size_hw[0] // lines.shape[0], columns * size_hw[1] // lines.shape[1]] = True
    return small


def drawn_lines(drawing: NDArray[Any]) -> Mask:
    """The lines of a drawing: H x W, or H x W x C with C = 2 or 4 for one with alpha; H x W bool.

    Bool is taken as it is. Of a drawing that is transparent somewhere all that is opaque is line. Else the
    paper is the commonest colour, and line is what differs from it by half of the greatest difference
    there is, and by a tenth of white at least: white on black, black on white, or red on yellow.
    """
    if drawing.dtype == bool:
        return np.asarray(drawing.any(2) if drawing.ndim == 3 else drawing)
    planes = drawing.astype(np.float32)
    planes = planes[..., None] if planes.ndim == 2 else planes
    white = _white(drawing)
    if planes.shape[2] in (2, 4):
        alpha, planes = planes[..., -1], planes[..., :-1]
        if alpha.min() < 0.5 * white:
            return np.asarray(alpha > 0.5 * white)
    paper = np.median(planes.reshape(-1, planes.shape[2]), axis=0)
    apart = np.abs(planes - paper).max(2)
    return np.asarray(apart > max(0.5 * float(apart.max(initial=0)), 0.1 * white))


def _white(drawing: NDArray[Any]) -> float:
    if drawing.dtype.kind == "f" or drawing.max(initial=0) <= 1:
        return 1.0
    return 65535.0 if drawing.dtype == np.uint16 else 255.0
