"""Crops at the size at which a network sees them: nothing of a hole bleeds out, and few sizes come up."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from autoremove.stages.plan import Box
from autoremove.types import Image, Mask

BLANK = 127
"""Level of a hole's pixels in what a network is shown."""

SIZES = 8
"""Sides in the network are multiples of its longest over this: few shapes, so that crops go together."""


def fitted(window: Box, side: int) -> tuple[int, int]:
    """The (height, width) of a window scaled so that its longer side is at most ``side``."""
    width, height = window[2] - window[0], window[3] - window[1]
    scale = min(1.0, side / max(width, height))
    return max(1, round(height * scale)), max(1, round(width * scale))


def bucket(size_hw: tuple[int, int], side: int) -> tuple[int, int]:
    """The size to which a crop of at most ``side`` is padded, so that it shares it with others.

    Multiples of 8, which is what the network halves three times.
    """
    unit = max(8, side // SIZES // 8 * 8)
    return -(-size_hw[0] // unit) * unit, -(-size_hw[1] // unit) * unit


def padded(image: Image, holes: Mask, size_hw: tuple[int, int]) -> tuple[Image, Mask]:
    """A crop continued to the right and below by its mirror image; the holes are mirrored with it."""
    down, right = size_hw[0] - image.shape[0], size_hw[1] - image.shape[1]
    if not down and not right:
        return image, holes
    planes = (
        cv2.copyMakeBorder(plane, 0, down, 0, right, cv2.BORDER_REFLECT)
        for plane in (image, holes.astype(np.uint8))
    )
    more, mask = planes
    return np.asarray(more, np.uint8), np.asarray(mask, bool)


def shrink(image: Image, mask: Mask, size_hw: tuple[int, int]) -> tuple[Image, Mask]:
    """Resample a crop so that nothing of a hole is left in it, nor bleeds into what stays known.

    Plain resizing averages an object's pixels into its surroundings, where the network would see the rest of
    a person and paint one; so a pixel with any hole in it is hole, and BLANK.
    """
    size = (size_hw[1], size_hw[0])
    if image.shape[:2] == size_hw:
        holes, pixels = mask.copy(), image.copy()
    elif size_hw[0] > image.shape[0] or size_hw[1] > image.shape[1]:
        holes = np.asarray(cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_LINEAR)) > 1e-3
        pixels = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_LINEAR), np.uint8)
    else:
        holes = covered(mask, size_hw)
        pixels = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
    pixels[holes] = BLANK
    return pixels, holes


def covered(mask: Mask, size_hw: tuple[int, int]) -> Mask:
    """A smaller mask that is set wherever a pixel covers any of the larger one, however little."""
    cells, ends = [], []
    for small, large in zip(size_hw, mask.shape, strict=True):
        edges = np.arange(small + 1) * large
        cells.append(edges[:-1] // small)
        ends.append(-(-edges[1:] // small) - 1)
    rows = np.logical_or.reduceat(mask, cells[0], 0) | mask[ends[0]]
    return np.asarray(np.logical_or.reduceat(rows, cells[1], 1) | rows[:, ends[1]], bool)


def at(window: Box, box: Box, small_hw: tuple[int, int]) -> NDArray[np.float64]:
    """The 2 x 3 matrix from pixels (x, y) of a box in the picture to those of its window, shrunk."""
    fx = small_hw[1] / (window[2] - window[0])
    fy = small_hw[0] / (window[3] - window[1])
    dx, dy = box[0] - window[0] + 0.5, box[1] - window[1] + 0.5
    return np.array([[fx, 0, dx * fx - 0.5], [0, fy, dy * fy - 0.5]], np.float64)


def enlarged(fill: Image, window: Box, box: Box) -> Image:
    """The part in a box of a fill of a window, at the picture's own resolution."""
    size = (box[2] - box[0], box[3] - box[1])
    if fill.shape[:2] == (window[3] - window[1], window[2] - window[0]):
        left, top = box[0] - window[0], box[1] - window[1]
        return np.ascontiguousarray(fill[top : top + size[1], left : left + size[0]])
    return np.asarray(
        cv2.warpAffine(
            fill,
            at(window, box, (fill.shape[0], fill.shape[1])),
            size,
            flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        ),
        np.uint8,
    )
