"""Which crops to fill: pure geometry from a mask to windows with context round each group of holes."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from autoremove.types import Image, Mask

Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class Crop:
    """One job of the inpainter.

    ``window``: what the network sees, ``hole``: the extent of the group it is asked to fill (both xyxy in
    picture pixels, right and bottom exclusive); ``own``: the group's mask inside ``hole``.
    """

    window: Box
    hole: Box
    own: Mask


def plan(mask: Mask, *, context: float, least: int) -> list[Crop]:
    """Group the holes of a mask and put a window round each group.

    Holes nearer to each other than 2 % of the picture's shorter side are one group, for they would be each
    other's context. A window extends the group by ``context`` times its longer side on every side, is at
    least ``least`` pixels wide and high where the picture allows, and as square as the picture allows.
    """
    size_hw = (mask.shape[0], mask.shape[1])
    reach = max(1, round(min(size_hw) * 0.01))
    kernel = np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
    joined = cv2.dilate(mask.astype(np.uint8), kernel)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(joined, connectivity=8)
    crops = []
    for number in range(1, count):
        x, y, width, height = (int(v) for v in stats[number, :4])
        own = (labels[y : y + height, x : x + width] == number) & mask[y : y + height, x : x + width]
        ys, xs = np.nonzero(own.any(1))[0], np.nonzero(own.any(0))[0]
        hole = (x + int(xs[0]), y + int(ys[0]), x + int(xs[-1]) + 1, y + int(ys[-1]) + 1)
        own = own[ys[0] : ys[-1] + 1, xs[0] : xs[-1] + 1]
        crops.append(Crop(_window(hole, size_hw, context, least), hole, own))
    return crops


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


def shrink(image: Image, mask: Mask, size_hw: tuple[int, int]) -> tuple[Image, Mask]:
    """Resample a crop so that nothing of a hole bleeds into what stays known.

    Plain resizing averages an object's pixels into its surroundings, where the network would see the rest of
    a person and paint one; so only known pixels are averaged, and a pixel with any hole in it is hole.
    """
    if image.shape[:2] == size_hw:
        return image, mask
    size = (size_hw[1], size_hw[0])
    larger = size_hw[0] > image.shape[0] or size_hw[1] > image.shape[1]
    how = cv2.INTER_LINEAR if larger else cv2.INTER_AREA
    known = (~mask).astype(np.float32)
    weight = cv2.resize(known, size, interpolation=how)
    total = cv2.resize(image.astype(np.float32) * known[..., None], size, interpolation=how)
    pixels = np.asarray(total) / np.maximum(weight, 1e-6)[..., None]
    return np.rint(pixels).clip(0, 255).astype(np.uint8), np.asarray(weight) < 0.999


def net_size(window: Box, side: int) -> tuple[int, int]:
    """The (height, width) at which the network sees a window: longer side ``side``, multiples of 8."""
    width, height = window[2] - window[0], window[3] - window[1]
    scale = min(1.0, side / max(width, height))
    return max(16, round(height * scale / 8) * 8), max(16, round(width * scale / 8) * 8)


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
