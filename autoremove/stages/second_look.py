"""Looking once more at filled places: windows round what was removed, and which finds are rests of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from autoremove.models.boxes import overlap
from autoremove.stages.fuse import fused, mirrored
from autoremove.types import Detections, Image, Mask

Box = tuple[int, int, int, int]

CONTEXT = 1.5
"""A window's side over the longer side of the object in its middle."""

LEAST_SIDE = 150
"""Least side of a window in pixels: a small object is not seen larger than this makes it."""

SMALLEST = 0.4
"""An object has no window of its own if one shows it whole at this share of its largest object's size."""

WEAK = 0.02
"""Least score of a box in one of several views."""

SAME, EXTENT = 0.5, 0.4
"""Overlap (IoU) from which two boxes are one object, and from which one is a removed object's full extent."""

PART = 0.8
"""The share of a box that lies in another one from which it is a part of it."""

TOUCHES = 0.2
"""The share of a new find that lies in a hole or a removed object's box, from which it is a rest of it."""

LARGER = 1.5
"""Times the area of what was removed there, from which a find is no rest but a form in a large fill."""


@dataclass(frozen=True)
class Looking:
    """How to look: the detector, for which labels, at which sizes in pixels, how many crops at once."""

    detector: Any
    labels: tuple[str, ...]
    sizes: tuple[int, ...]
    mirror: bool
    crops: int


def windows_round(boxes: NDArray[np.float32], size_hw: tuple[int, int]) -> list[Box]:
    """Square windows that show every box of N x 4 whole at a good size, none more often than it must."""
    windows: list[tuple[Box, float]] = []
    sides = (boxes[:, 2:] - boxes[:, :2]).max(1) if len(boxes) else np.zeros(0)
    for row in np.argsort(-sides, kind="stable").tolist():
        x1, y1, x2, y2 = boxes[row].tolist()
        shown = any(
            w[0] <= x1 and w[1] <= y1 and x2 <= w[2] and y2 <= w[3] and sides[row] >= SMALLEST * largest
            for w, largest in windows
        )
        if not shown:
            side = max(LEAST_SIDE, round(CONTEXT * float(sides[row])))
            (left, right), (top, bottom) = _span(x1, x2, side, size_hw[1]), _span(y1, y2, side, size_hw[0])
            windows.append(((left, top, right, bottom), float(sides[row])))
    return [window for window, _ in windows]


def _span(low: float, high: float, side: int, limit: int) -> tuple[int, int]:
    """An interval of ``side`` pixels round low..high, pushed inside 0..limit."""
    side = min(side, limit)
    start = int(min(max(0.0, (low + high - side) / 2), limit - side))
    return start, start + side


def look(image: Image, windows: Sequence[Box], how: Looking, confidence: float) -> Detections:
    """What is seen in the windows, in pixels of the picture, each thing once."""
    parts: list[Detections] = []
    for start in range(0, len(windows), how.crops):
        chosen = windows[start : start + how.crops]
        crops = [_shrunk(image[y1:y2, x1:x2], max(how.sizes)) for x1, y1, x2, y2 in chosen]
        views = list(_views(crops, how))
        for window, crop, seen in zip(chosen, crops, zip(*views, strict=True), strict=True):
            found = fused(seen, confidence)
            size = np.array([window[2] - window[0], window[3] - window[1]] * 2, np.float32)
            scale = size / np.array([crop.shape[1], crop.shape[0]] * 2, np.float32)
            offset = np.array([window[0], window[1]] * 2, np.float32)
            boxes = np.asarray(found.xyxy * scale + offset, np.float32)
            parts.append(Detections(boxes, found.score, found.label))
    return _each_once(parts)


def _shrunk(crop: Image, side: int) -> Image:
    """A crop no larger than the network will see it, once for all views."""
    scale = side / max(crop.shape[:2])
    if scale >= 1:
        return np.ascontiguousarray(crop)
    size = (max(1, round(crop.shape[1] * scale)), max(1, round(crop.shape[0] * scale)))
    return np.asarray(cv2.resize(crop, size, interpolation=cv2.INTER_AREA), np.uint8)


def _views(crops: list[Image], how: Looking) -> Iterator[list[Detections]]:
    """Every crop at every size, and mirrored; only boxes count."""
    for size in how.sizes:
        for turned in (False, True) if how.mirror else (False,):
            seen = [np.ascontiguousarray(crop[:, ::-1]) for crop in crops] if turned else crops
            found = how.detector.detect(seen, labels=how.labels, confidence=WEAK, iou=0.6, imgsz=size)
            plain = [Detections(one.xyxy, one.score, one.label) for one in found]
            pairs = zip(plain, crops, strict=True)
            yield [mirrored(one, crop.shape[1]) for one, crop in pairs] if turned else plain


def _each_once(parts: Sequence[Detections]) -> Detections:
    """Finds of all windows, the surest of each; a part that a window cut off goes with the whole."""
    if not parts:
        return Detections.empty()
    boxes, scores = np.concatenate([p.xyxy for p in parts]), np.concatenate([p.score for p in parts])
    every = Detections(boxes, scores, tuple(label for part in parts for label in part.label))
    kept: list[int] = []
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(1)
    for row in np.lexsort((-areas, -scores)).tolist():
        own = [k for k in kept if every.label[k] == every.label[row]]
        same = own and overlap(boxes[row], boxes[own]).max() > SAME
        part = own and _covered(boxes[row], boxes[own]).max() > PART
        if not (same or part):
            kept.append(row)
    return every[kept]


def rests(
    found: Detections, before: Detections, removed: Detections, holes: Mask, confidence: float
) -> Detections:
    """Those of the finds that are rests of what was removed, or stand in what was filled.

    ``found``: seen in the filled picture; ``before``: with the same eyes, also weakly, in the picture as it
    was; ``removed``: what the holes were made for. What was there before and still is (somebody who stays, or
    whom nobody selected) is no rest; nor is what lies for the most part beside holes and removed objects,
    unless it touches them and nothing was seen there before: that is where a mask was too small.
    """
    extents, others = _told_apart(before, removed)
    region = holes.copy()
    for x1, y1, x2, y2 in _whole(extents):
        region[y1:y2, x1:x2] = True
    stayed = _stayed(before[others], extents, holes, confidence)
    shares, sizes = shares_inside(found.xyxy, region), _sizes(found.xyxy, extents)
    inside = (shares >= 0.5) & (sizes <= LARGER)
    touching = (shares >= TOUCHES) & (sizes <= 1)
    counts = [
        (inside[row] and not _among(found, row, stayed)) or (touching[row] and not _among(found, row, before))
        for row in range(len(found))
    ]
    return found[np.array(counts, bool)]


def _told_apart(before: Detections, removed: Detections) -> tuple[NDArray[np.float32], list[int]]:
    """Boxes that removed objects took up, as selected and as seen before, and the rows of all others."""
    extents, others = [removed.xyxy], list(range(len(before)))
    for row in range(len(removed)):
        own = [k for k in others if before.label[k] == removed.label[row]]
        overlaps = overlap(removed.xyxy[row], before.xyxy[own]) if own else np.zeros(0)
        if own and overlaps.max() >= EXTENT:
            extents.append(before.xyxy[own[int(overlaps.argmax())]][None])
            others.remove(own[int(overlaps.argmax())])
    return np.concatenate(extents), others


def _stayed(others: Detections, extents: NDArray[np.float32], holes: Mask, confidence: float) -> Detections:
    """Objects that were not removed. Weakly seen ones count too, but not as part of a removed one."""
    free = shares_inside(others.xyxy, holes) < 0.5
    parts = np.array(
        [max(map(float, _covered(box, extents)), default=0.0) > PART for box in others.xyxy], bool
    )
    return others[free & (~parts | (others.score >= confidence))]


def _covered(box: NDArray[np.float32], by: NDArray[np.float32]) -> NDArray[np.float32]:
    """The share of one box that each of N x 4 others covers."""
    low, high = np.maximum(box[:2], by[:, :2]), np.minimum(box[2:], by[:, 2:])
    return np.asarray((high - low).clip(0).prod(1) / max(float((box[2:] - box[:2]).prod()), 1e-6), np.float32)


def _sizes(boxes: NDArray[np.float32], extents: NDArray[np.float32]) -> NDArray[np.float64]:
    """The area of each box over that of the largest extent that it meets; infinite if it meets none."""
    areas = (extents[:, 2:] - extents[:, :2]).prod(1)
    met = [float(areas[_covered(box, extents) > 0].max(initial=0)) for box in boxes]
    own = (boxes[:, 2:] - boxes[:, :2]).prod(1)
    return np.array([a / m if m else np.inf for a, m in zip(own, met, strict=True)], np.float64)


def _among(found: Detections, row: int, others: Detections) -> bool:
    own = [k for k in range(len(others)) if others.label[k] == found.label[row]]
    return bool(own) and float(overlap(found.xyxy[row], others.xyxy[own]).max()) >= SAME


def _whole(boxes: NDArray[np.float32]) -> list[list[int]]:
    """Boxes in whole pixels, none below zero."""
    low, high = np.floor(boxes[:, :2]).clip(0), np.ceil(boxes[:, 2:]).clip(0)
    rows: list[list[int]] = np.concatenate([low, high], 1).astype(int).tolist()
    return rows


def shares_inside(boxes: NDArray[np.float32], region: Mask) -> NDArray[np.float64]:
    """The share of each box's pixels that lies in the region, 0..1."""
    parts = [region[y1:y2, x1:x2] for x1, y1, x2, y2 in _whole(boxes)]
    return np.array([float(part.mean()) if part.size else 0.0 for part in parts], np.float64)
