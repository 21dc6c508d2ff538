"""Which found box is which true one: overlaps, greedy matching, and finds that count neither way."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from autoremove.types import Mask

Boxes = NDArray[np.float32]
"""N x 4 float32, xyxy in pixels."""


def box_iou(a: Boxes, b: Boxes) -> NDArray[np.float64]:
    """Overlap of every box of ``a`` (N) with every box of ``b`` (M): N x M, 0..1."""
    first, second = a[:, None].astype(np.float64), b[None].astype(np.float64)
    low, high = np.maximum(first[..., :2], second[..., :2]), np.minimum(first[..., 2:], second[..., 2:])
    both = np.prod((high - low).clip(0), axis=2)
    areas = [np.prod((boxes[..., 2:] - boxes[..., :2]).clip(0), axis=2) for boxes in (first, second)]
    return np.asarray(both / np.maximum(areas[0] + areas[1] - both, 1e-9))


def match(found: Boxes, truth: Boxes, iou: float = 0.5) -> NDArray[np.int64]:
    """For each found box, best first, the true one it takes (-1 = none).

    Each takes the free true box that it overlaps most, if by at least ``iou``; each true box is taken once.
    """
    overlaps = box_iou(found, truth)
    taken = np.full(len(found), -1, np.int64)
    for row in range(len(found) if len(truth) else 0):
        best = int(overlaps[row].argmax())
        if overlaps[row, best] >= iou:
            taken[row] = best
            overlaps[:, best] = -1
    return taken


def share_inside(xyxy: Boxes, region: Mask) -> NDArray[np.float64]:
    """The share of each box's area that lies in the region, 0..1."""
    shares = []
    for box in xyxy:
        x1, y1 = np.floor(box[:2]).clip(0).astype(int)
        x2, y2 = np.ceil(box[2:]).astype(int)
        part = region[y1:y2, x1:x2]
        shares.append(float(part.mean()) if part.size else 0.0)
    return np.array(shares, np.float64)
