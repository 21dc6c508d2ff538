"""Boxes and what they share: areas, overlaps, and which of many are one."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Boxes = NDArray[np.float32]
"""N x 4, xyxy."""


def common(box: Boxes, boxes: Boxes) -> NDArray[np.float32]:
    """Area that one box (4,) shares with each of N x 4 others."""
    low, high = np.maximum(box[:2], boxes[:, :2]), np.minimum(box[2:], boxes[:, 2:])
    return np.asarray((high - low).clip(0).prod(1), np.float32)


def areas(boxes: Boxes) -> NDArray[np.float32]:
    """Areas of N x 4 boxes."""
    return np.asarray((boxes[:, 2:] - boxes[:, :2]).clip(0).prod(1), np.float32)


def overlap(box: Boxes, boxes: Boxes) -> NDArray[np.float32]:
    """IoU of one box (4,) with N x 4 others."""
    both = common(box, boxes)
    return np.asarray(both / np.maximum(areas(box[None]) + areas(boxes) - both, 1e-6), np.float32)


def apart(xyxy: Boxes, score: NDArray[np.float32], kind: NDArray[Any], iou: float) -> NDArray[np.int64]:
    """Greedy non-maximum suppression: rows best first, without those that a better one of their kind covers.

    ``kind``: N numbers or names. Covered is what overlaps a better one by more than ``iou``. As torchvision's
    ``batched_nms``, but importing that takes a second at every start, for it brings PyTorch's compiler.
    """
    order = np.argsort(-score, kind="stable")
    kept: list[int] = []
    while len(order):
        best, rest = int(order[0]), order[1:]
        kept.append(best)
        order = rest[(overlap(xyxy[best], xyxy[rest]) <= iou) | (kind[rest] != kind[best])]
    return np.array(kept, np.int64)
