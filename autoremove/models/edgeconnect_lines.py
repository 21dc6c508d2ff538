"""Edges to put into holes: the lines of a drawing, or the Canny edges of any other picture."""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from autoremove.models.canny import canny, grey
from autoremove.types import Image, Mask

SIDE, CONTEXT = 256, 0.5
"""Longer side in pixels at which a network sees a hole, and how much lies round it: so edges are found."""

PAPER = 2 / 3
"""Share of a picture that must have one colour for the picture to be a drawing."""

ALIKE = 0.05
"""Shares of white by which colours of one paper differ."""

RING = ((-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1))
"""Rows and columns to the neighbours of a pixel, clockwise from the one above."""

SIDES = (((0, 2, 4), (2, 4, 6)), ((0, 2, 6), (0, 4, 6)))
"""Neighbours of which one must be paper, in the first and the second half of each round."""


def is_drawing(picture: NDArray[Any]) -> bool:
    """Whether an H x W or H x W x C array (C = 2 or 4: with alpha) is lines on paper, transparent or not."""
    if picture.dtype == bool:
        return True
    planes = picture[..., None] if picture.ndim == 2 else picture
    small = picture.dtype.kind == "f" or picture.max(initial=0) <= 1
    white = 1.0 if small else float(np.iinfo(picture.dtype).max)
    if planes.shape[2] in (2, 4):
        if (planes[..., -1] < 0.5 * white).any():
            return True
        planes = planes[..., :-1]
    paper = np.median(planes.reshape(-1, planes.shape[2]), axis=0)
    same = (np.abs(planes - paper) <= ALIKE * white).all(2)
    return bool(same.mean() >= PAPER)


def edges_of(photo: Image, holes: Mask) -> Mask:
    """The Canny edges of another picture, H x W as ``holes``, as fine as a network sees the largest hole.

    ``photo`` h x w x 3: it is scaled to cover the picture, and its middle is taken. Where the picture is
    larger than the network sees it the lines are that much wider, so that none is lost when they are shrunk.
    """
    coarser = max(1.0, _longest(holes) * (1 + 2 * CONTEXT) / SIDE)
    small_hw = math.ceil(holes.shape[0] / coarser), math.ceil(holes.shape[1] / coarser)
    found = canny(grey(_covering(photo, small_hw)))
    size = holes.shape[1], holes.shape[0]
    return np.asarray(cv2.resize(found.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST), bool)


def thinned(lines: Mask) -> Mask:
    """Lines H x W of any width as lines about one pixel wide, as Canny's are.

    Peeled from both sides in turn (Zhang and Suen 1984), with the change that keeps slanted ends (Lu and
    Wang 1986).
    """
    kept = np.pad(lines, 1).astype(np.uint8)
    left = -1
    while left != (left := int(np.count_nonzero(kept))):
        for triples in SIDES:
            kept[1:-1, 1:-1][_peelable(kept, triples)] = 0
    return np.asarray(kept[1:-1, 1:-1], bool)


def _peelable(lines: NDArray[np.uint8], triples: tuple[tuple[int, int, int], ...]) -> Mask:
    """Pixels of padded ``lines`` at the rim of a stroke that neither hold it together nor end it."""
    height, width = lines.shape
    ring = [lines[1 + y : height - 1 + y, 1 + x : width - 1 + x] for y, x in RING]
    neighbours = np.sum(ring, axis=0)
    parts = np.sum([(a == 0) & (b == 1) for a, b in zip(ring, [*ring[1:], ring[0]], strict=True)], axis=0)
    gone = (neighbours >= 3) & (neighbours <= 6) & (parts == 1)
    for a, b, c in triples:
        gone &= (ring[a] & ring[b] & ring[c]) == 0
    return np.asarray(gone, bool)


def _longest(holes: Mask) -> int:
    """The longer side of the largest hole, in pixels."""
    _, _, figures, _ = cv2.connectedComponentsWithStats(holes.astype(np.uint8), connectivity=8)
    sides = figures[1:, [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]]
    return int(sides.max(initial=1))


def _covering(photo: Image, size_hw: tuple[int, int]) -> Image:
    """The middle of a picture, scaled so that it just covers ``size_hw``."""
    scale = max(size_hw[0] / photo.shape[0], size_hw[1] / photo.shape[1])
    height, width = (
        max(side, round(scale * own)) for side, own in zip(size_hw, photo.shape[:2], strict=True)
    )
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    whole = cv2.resize(photo, (width, height), interpolation=how)
    top, left = (height - size_hw[0]) // 2, (width - size_hw[1]) // 2
    return np.asarray(whole[top : top + size_hw[0], left : left + size_hw[1]], np.uint8)
