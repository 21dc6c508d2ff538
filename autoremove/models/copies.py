"""Copies of known pixels at full size, from a map of sources that was found on a small picture."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Index = NDArray[np.int64]

CHUNK = 1 << 18
"""Pixels of a full-size picture that are fetched at once."""


@dataclass(frozen=True)
class Field:
    """Where pixels come from. ``source`` H x W x 2 (row, column).

    It reaches half a patch beyond the hole, so that a copy can be compared with what is known there; other
    known pixels name themselves.
    """

    source: Index
    pixels: Image


def at_full_size(image: Image, holes: Mask, field: Field) -> Image:
    """The field's copies, fetched from the full-size picture, in the holes and in a narrow ring round them.

    ``image`` H x W x 3 with its ``holes`` H x W; the field is of the same picture, smaller. Within a quarter
    of a cell of the field from its border a pixel is the mean of what the cells on both sides fetch, which
    hides where shifts meet. The ring tells how far the copies differ from what is known, for whoever blends
    them.
    """
    height, width = holes.shape
    small_h, small_w = field.source.shape[:2]
    reach = 2 * math.ceil(2 * max(height / small_h, width / small_w)) + 1
    places = np.flatnonzero(cv2.dilate(holes.astype(np.uint8), np.ones((reach, reach), np.uint8)))
    out: Image = image.copy()
    for start in range(0, len(places), CHUNK):
        chunk = places[start : start + CHUNK]
        out.reshape(-1, 3)[chunk] = _fetched(image, holes, field, chunk)
    return out


def _fetched(image: Image, holes: Mask, field: Field, places: Index) -> Image:
    """What the field says of some pixels: n x 3. Where all it names is hole, its own pixels stand."""
    height, width = holes.shape
    flat, hole = image.reshape(-1, 3), holes.ravel()
    total, count = np.zeros((len(places), 3), np.float32), np.zeros(len(places), np.float32)
    cell = np.zeros_like(places)
    for cell, source in _sources((height, width), field, places):  # noqa: B007 - the last one serves below
        usable = ~hole[source]
        total += flat[source] * usable[:, None]
        count += usable
    missing = count == 0
    total[missing], count[missing] = field.pixels.reshape(-1, 3)[cell[missing]], 1
    return np.asarray(np.rint(total / count[:, None]), np.uint8)


def _sources(size_hw: tuple[int, int], field: Field, places: Index) -> Iterator[tuple[Index, Index]]:
    """Four times a cell of the field for each place, and the place that its shift leads to."""
    small_h, small_w = field.source.shape[:2]
    fy, fx = size_hw[0] / small_h, size_hw[1] / small_w
    own = np.stack(list(np.mgrid[:small_h, :small_w]), -1)
    shift = np.rint((field.source - own) * np.array([fy, fx])).astype(np.int64).reshape(-1, 2)
    y, x = np.divmod(places, size_hw[1])
    for dy in (-0.25, 0.25):
        rows = ((y + 0.5) / fy + dy).astype(np.int64).clip(0, small_h - 1) * small_w
        for dx in (-0.25, 0.25):
            cell = rows + ((x + 0.5) / fx + dx).astype(np.int64).clip(0, small_w - 1)
            sy, sx = (
                (y + shift[cell, 0]).clip(0, size_hw[0] - 1),
                (x + shift[cell, 1]).clip(0, size_hw[1] - 1),
            )
            yield cell, sy * size_hw[1] + sx
