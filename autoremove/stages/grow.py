"""Growth of tight masks: by how many pixels an object's mask is widened before it is filled."""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from autoremove.labels import ANIMALS, CARRIED, PEOPLE, VEHICLES
from autoremove.types import Cutout, Mask

CYCLES = ("bicycle", "motorcycle")

GROW_OF: Mapping[str, float] = {
    # Where one more pixel of growth buys the same share of covered object for the same area. Around spokes,
    # frames and straps every pixel costs twice; fur shades off, but its masks are good; hair and hands, no.
    **dict.fromkeys(PEOPLE, 1.2),
    **dict.fromkeys(VEHICLES, 0.8),
    **dict.fromkeys(CYCLES, 0.6),
    **dict.fromkeys(ANIMALS, 0.5),
    **dict.fromkeys(CARRIED, 0.4),
}
"""Factors on the growth by class, 1 for all others."""


def radius(
    xyxy: NDArray[np.float32], label: str, share: float, least: int, most: int, factors: Mapping[str, float]
) -> int:
    """Growth in pixels for an object of that box and class.

    ``share`` of the object's size (the root of its box's area), times the class's factor: from ``factors``,
    else from GROW_OF. Between ``least`` and ``most``.
    """
    size = float(np.sqrt(max(0.0, float((xyxy[2] - xyxy[0]) * (xyxy[3] - xyxy[1])))))
    factor = factors.get(label, GROW_OF.get(label, 1.0))
    return int(np.clip(round(share * factor * size), least, most))


def add_grown(target: Mask, cutout: Cutout, radius: int) -> None:
    """Mark a cutout, dilated by ``radius`` pixels in every direction, in a full-size mask."""
    (x1, y1, x2, y2), mask = cutout
    if not mask.any():
        return
    if radius:
        # A distance test is an exact disc at any radius; a kernel of 160 x 160 would take seconds.
        outside = 1 - np.pad(mask, radius).astype(np.uint8)
        mask = np.asarray(cv2.distanceTransform(outside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE) <= radius)
    left, top = max(0, radius - x1), max(0, radius - y1)
    right, bottom = min(target.shape[1], x2 + radius), min(target.shape[0], y2 + radius)
    rows = slice(y1 - radius + top, bottom)
    columns = slice(x1 - radius + left, right)
    target[rows, columns] |= mask[
        top : top + rows.stop - rows.start, left : left + columns.stop - columns.start
    ]
