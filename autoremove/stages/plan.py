"""Which crops to fill: pure geometry from a mask to windows with context round each group of holes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from autoremove.types import Mask

Box = tuple[int, int, int, int]

LOOK = 2048
"""Longer side at which holes are grouped: of larger masks cells are looked at, each hole if any of it is."""

ROOMIER, COARSER = 1.15, 2.0
"""Groups share a window that is at most so many times larger than the largest, the smallest of their own."""

THIN = 8
"""A group this many times longer than it is thick is filled in parts."""

PART = 4
"""Longer side of such a part, over the group's thickness."""

MOST_PARTS = 12
"""Parts along one side of a group at most: a cable across a panorama would become hundreds."""


@dataclass(frozen=True)
class Crop:
    """One job of the inpainter.

    ``window``: what the network sees, ``hole``: the extent of what it is asked to fill (both xyxy in picture
    pixels, right and bottom exclusive); ``own``: the mask of that inside ``hole``. A ``group`` of several
    ``parts`` is one long hole, whose parts' fills are to go over into each other.
    """

    window: Box
    hole: Box
    own: Mask
    group: int = 0
    parts: int = 1


class Planes(NamedTuple):
    """A mask, and its connected groups numbered from 1 on cells of ``step`` x ``step`` pixels."""

    mask: Mask
    labels: NDArray[np.int32]
    step: int

    def part(self, box: Box, numbers: Sequence[int]) -> tuple[Box, Mask]:
        """The pixels of these groups inside a box of whole cells: their extent and their mask."""
        x1, y1, x2, y2 = box
        cells = self.labels[y1 // self.step : -(-y2 // self.step), x1 // self.step : -(-x2 // self.step)]
        chosen = np.isin(cells, numbers)
        own = chosen.repeat(self.step, 0).repeat(self.step, 1) if self.step > 1 else chosen
        return tight((x1, y1, x2, y2), own[: y2 - y1, : x2 - x1] & self.mask[y1:y2, x1:x2])


def plan(mask: Mask, *, context: float, least: int) -> list[Crop]:
    """Group the holes of a mask and put a window round each group.

    Holes nearer to each other than 2 % of the picture's shorter side are one group, for they would be each
    other's context; so are holes that a window not much larger shows together. A group much longer than it
    is thick (a queue, a cable, a fence) is cut into parts, for what is right for its length would show
    nothing of its width. A window extends its hole by ``context`` times its longer side on every side, is at
    least ``least`` pixels wide and high where the picture allows, and as square as the picture allows.
    """
    size_hw = (mask.shape[0], mask.shape[1])
    planes, boxes = grouped(mask)
    crops: list[Crop] = []
    for number, (box, members) in enumerate(_together(boxes, size_hw, context, least)):
        hole, own = planes.part(box, members)
        parts = list(_parts(hole, own, context, least))
        crops += [
            Crop(_window(place, size_hw, context, least), place, part, number, len(parts))
            for place, part in parts
        ]
    return crops


def grouped(mask: Mask) -> tuple[Planes, NDArray[np.int64]]:
    """The groups of near holes, and their boxes N x 4 in picture pixels, of whole cells and so not tight."""
    height, width = mask.shape
    step = max(1, -(-max(height, width) // LOOK))
    cells = touched(mask, np.arange(0, height, step), np.arange(0, width, step))
    reach = max(1, round(min(height, width) * 0.01 / step))
    kernel = np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(
        cv2.dilate(cells.view(np.uint8), kernel), connectivity=8
    )
    x, y, wide, high = (stats[1:count, column].astype(np.int64) * step for column in range(4))
    boxes = np.stack([x, y, np.minimum(x + wide, width), np.minimum(y + high, height)], 1)
    return Planes(mask, np.asarray(labels, np.int32), step), boxes


def touched(mask: Mask, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> Mask:
    """Which cells hold any of a mask, for cells that begin at these rows and columns and end at the next."""
    return np.asarray(np.logical_or.reduceat(np.logical_or.reduceat(mask, rows, 0), columns, 1), bool)


def _together(
    boxes: NDArray[np.int64], size_hw: tuple[int, int], context: float, least: int
) -> list[tuple[Box, list[int]]]:
    """Groups that one window serves nearly as well as two: (box round them, their numbers), in order."""
    joined, smallest = np.zeros((0, 4), np.int64), np.zeros(0)
    members: list[list[int]] = []
    for number, box in enumerate(boxes, 1):
        low, high = np.minimum(joined[:, :2], box[:2]), np.maximum(joined[:, 2:], box[2:])
        both = _sides(np.concatenate([low, high], 1), context, least)
        theirs, own = _sides(joined, context, least), float(_sides(box[None], context, least)[0])
        fits = (both <= ROOMIER * np.maximum(theirs, own)) & (both <= COARSER * np.minimum(smallest, own))
        if fits.any():
            best = int(np.where(fits, both, np.inf).argmin())
            joined[best] = [*low[best], *high[best]]
            members[best].append(number)
            smallest[best] = min(smallest[best], own)
        else:
            joined, smallest = np.concatenate([joined, box[None]]), np.append(smallest, own)
            members.append([number])
    return [(_box(row), numbers) for row, numbers in zip(joined, members, strict=True)]


def _sides(boxes: NDArray[np.int64], context: float, least: int) -> NDArray[np.float64]:
    """The sides that windows of N x 4 boxes have where the picture is large enough."""
    return np.asarray(np.maximum(least, (boxes[:, 2:] - boxes[:, :2]).max(1) * (1 + 2 * context)), np.float64)


def _box(row: NDArray[np.int64]) -> Box:
    return int(row[0]), int(row[1]), int(row[2]), int(row[3])


def _parts(hole: Box, own: Mask, context: float, least: int) -> Iterator[tuple[Box, Mask]]:
    """The group whole, or in parts of a regular grid if it is thin and more than a window of ``least``."""
    height, width = own.shape
    longer = max(height, width)
    if longer * (1 + 2 * context) <= least or longer < THIN * (thick := thickness(own)):
        yield hole, own
        return
    side = max(PART * thick, least / (1 + 2 * context), longer / MOST_PARTS)
    down, across = (np.linspace(0, n, max(1, round(n / side)) + 1).astype(int) for n in (height, width))
    for top, bottom in pairwise(down.tolist()):
        for left, right in pairwise(across.tolist()):
            part = own[top:bottom, left:right]
            if part.any():
                x, y = hole[0] + left, hole[1] + top
                yield tight((x, y, x + part.shape[1], y + part.shape[0]), part)


def thickness(own: Mask) -> float:
    """The diameter of the largest disc inside a mask, in pixels (up to some, for large masks)."""
    step = max(1, max(own.shape) // LOOK)
    inner = np.pad(own[::step, ::step], 1).astype(np.uint8)
    depth = np.asarray(cv2.distanceTransform(inner, cv2.DIST_L2, 3))
    return float(2 * step * depth.max())


def tight(box: Box, own: Mask) -> tuple[Box, Mask]:
    """A mask in a box cut down to what of it is set; something must be."""
    ys, xs = np.flatnonzero(own.any(1)), np.flatnonzero(own.any(0))
    top, bottom, left, right = int(ys[0]), int(ys[-1]) + 1, int(xs[0]), int(xs[-1]) + 1
    return (box[0] + left, box[1] + top, box[0] + right, box[1] + bottom), own[top:bottom, left:right]


def _window(hole: Box, size_hw: tuple[int, int], context: float, least: int) -> Box:
    side = max(least, round(max(hole[2] - hole[0], hole[3] - hole[1]) * (1 + 2 * context)))
    x1, x2 = _span(hole[0], hole[2], side, size_hw[1])
    y1, y2 = _span(hole[1], hole[3], side, size_hw[0])
    return x1, y1, x2, y2


def _span(low: int, high: int, side: int, limit: int) -> tuple[int, int]:
    """An interval of ``side`` pixels round low..high, pushed inside 0..limit."""
    side = min(side, limit)
    start = min(max(0, (low + high - side) // 2), limit - side)
    return start, start + side


def grown_box(box: Box, margin: int, inside: Box) -> Box:
    """A box with a margin on every side, kept inside another."""
    return (
        max(inside[0], box[0] - margin),
        max(inside[1], box[1] - margin),
        min(inside[2], box[2] + margin),
        min(inside[3], box[3] + margin),
    )


def part(array: NDArray[np.uint8], box: Box) -> NDArray[np.uint8]:
    """The view of an array inside a box."""
    return array[box[1] : box[3], box[0] : box[2]]
