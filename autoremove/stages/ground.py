"""What the ground round an object's feet looks like, and how much darker it is there than further off."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from autoremove.types import Image, Mask, ObjectMask

Plane = NDArray[np.float32]

SIDE = 96
"""Pixels of an object's length at which its ground is looked at: shadows are large and soft."""

LEAST_PIXELS = 64
"""Objects of fewer pixels cast nothing that could be told from noise."""

LIFT = 12.0
"""Added to levels of 255 before the logarithm: near black, noise would pass for a change of colour."""

LUMA = np.array([0.3, 0.5, 0.2], np.float32)

FEET = 0.18
"""The lower edge of an object counts as standing where it is this near to its lowest point, in lengths."""

CROSS = np.ones((3, 3), np.uint8)


@dataclass(frozen=True)
class Ground:
    """The surroundings of one object's feet, at a scale where the object is about SIDE pixels long.

    All planes are h x w of the working scale. ``log``: h x w x 3, logarithm of the levels. ``free``: no
    object. ``hole``: to be filled anyway. ``own``: the object itself. ``feet``: distance from the lower edge
    where the object stands, in its lengths. ``length``: that of the object in pixels of this scale. ``area``:
    its pixels at this scale. ``low``: the row of its lowest point. ``window``: x1, y1, x2, y2 in the picture;
    ``ends``: which of these sides lie inside the picture, so that the ground goes on beyond.
    """

    log: Plane
    free: Mask
    hole: Mask
    own: Mask
    feet: Plane
    length: float
    area: float
    low: int
    window: tuple[int, int, int, int] = (0, 0, 0, 0)
    ends: tuple[bool, bool, bool, bool] = (True, True, True, True)

    @cached_property
    def even(self) -> Plane:
        """The logarithms smoothed over the ground's texture; no object leaks in."""
        return smooth(self.log, self.free, 0.03 * self.length)

    @cached_property
    def reference(self) -> Plane:
        """The ground without the object: a plane through each colour, robust, near the feet first."""
        height, width = self.own.shape
        y, x = np.mgrid[:height, :width].astype(np.float32) / np.float32(self.length)
        terms = np.stack([np.ones_like(x), x, y], -1)
        fit = _planes(terms[self.bare], self.even[self.bare], self.weight[self.bare])
        return np.asarray(terms @ fit, np.float32)

    @cached_property
    def change(self) -> Plane:
        """h x w x 3: logarithm of what is there over the reference; a shadow is -0.1 to -1.2 in all three."""
        return self.even - self.reference

    @cached_property
    def luma(self) -> Plane:
        """h x w: the change in brightness."""
        return np.asarray(self.change @ LUMA, np.float32)

    @cached_property
    def noise(self) -> float:
        """How much the bare ground differs from its planes: a robust standard deviation."""
        off, weight = np.abs(self.luma[self.bare]), self.weight[self.bare]
        order = np.argsort(off, kind="stable")
        total = np.cumsum(weight[order])
        return float(1.48 * off[order][np.searchsorted(total, total[-1] / 2)])

    @cached_property
    def bare(self) -> Mask:
        """Ground to compare with: beside and below the object, not next to it."""
        away = self.near(self.own) > 0.12
        rows = np.arange(self.own.shape[0])[:, None] > self.low - 0.12 * self.length
        return self.free & ~self.hole & away & rows

    @cached_property
    def weight(self) -> Plane:
        """Ground near the feet says more about them."""
        return np.asarray(np.exp(-((self.feet / 0.5) ** 2)) + 0.02, np.float32)

    @cached_property
    def brink(self) -> Mask:
        """The window's edge where the picture goes on beyond it."""
        edge = np.zeros_like(self.own)
        left, top, right, bottom = self.ends
        edge[0] |= top
        edge[-1] |= bottom
        edge[:, 0] |= left
        edge[:, -1] |= right
        return edge

    def near(self, mask: Mask) -> Plane:
        """Distance of every pixel from a mask, in lengths of the object."""
        return np.asarray(distance(mask) / self.length, np.float32)


def ground_of(
    image: Image, objects: ObjectMask, own: Mask, corner: tuple[int, int], reach: float
) -> Ground | None:
    """The ground of an object, as far as ``reach`` of its length away.

    ``own``: the object's tight mask in a part of the picture whose top left corner is ``corner`` (x, y).
    None where there is none to be seen: the object is tiny, or cut off by the lower border.
    """
    ys, xs = np.nonzero(own)
    if len(ys) < LEAST_PIXELS:
        return None
    x1, x2 = int(xs.min()) + corner[0], int(xs.max()) + 1 + corner[0]
    y1, y2 = int(ys.min()) + corner[1], int(ys.max()) + 1 + corner[1]
    height, width = image.shape[:2]
    if y2 >= height - max(2, 0.005 * (y2 - y1)):
        return None
    length = float(min(y2 - y1, 2 * (x2 - x1)))
    far = reach * length
    left, right = int(max(0, x1 - far)), int(min(width, x2 + far))
    top, bottom = int(max(0, y2 - 0.3 * length - 4)), int(min(height, y2 + 0.6 * far))
    body = np.zeros((bottom - top, right - left), bool)
    rows, columns = ys + corner[1] - top, xs + corner[0] - left
    body[rows[rows >= 0], columns[rows >= 0]] = True
    part = np.s_[top:bottom, left:right]
    ground = _seen(
        image[part], ObjectMask(objects.grown[part], objects.ids[part]), body, min(1.0, SIDE / length), length
    )
    if ground is None:
        return None
    ends = left > 0, top > 0, right < width, bottom < height
    return replace(ground, window=(left, top, right, bottom), ends=ends, area=ground.area * len(ys))


def _seen(image: Image, objects: ObjectMask, body: Mask, scale: float, length: float) -> Ground | None:
    """The planes at the working scale."""
    size = max(8, round(body.shape[1] * scale)), max(8, round(body.shape[0] * scale))

    def small(plane: NDArray[np.generic]) -> Plane:
        return np.asarray(
            cv2.resize(plane.astype(np.float32), size, interpolation=cv2.INTER_AREA), np.float32
        )

    own = small(body) > 0.5
    if not own.any():
        return None
    columns = np.nonzero(own.any(0))[0]
    lowest = own.shape[0] - 1 - np.argmax(own[::-1, columns], 0)
    standing = lowest >= lowest.max() - FEET * length * scale
    feet = np.zeros(own.shape, bool)
    feet[lowest[standing], columns[standing]] = True
    taken = cv2.dilate((small(objects.ids > 0) > 0.02).astype(np.uint8), CROSS)
    return Ground(
        log=np.asarray(np.log(small(image) + LIFT), np.float32),
        free=np.asarray(taken == 0),
        hole=small(objects.grown) > 0.5,
        own=own,
        feet=distance(feet) / np.float32(length * scale),
        length=length * scale,
        area=scale**2,
        low=int(lowest.max()),
    )


def distance(mask: Mask) -> Plane:
    """Distance of every pixel from a mask, in pixels; far away where it is empty."""
    if not mask.any():
        return np.full(mask.shape, 1e6, np.float32)
    return np.asarray(cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 5), np.float32)


def smooth(values: Plane, known: Mask, sigma: float) -> Plane:
    """Gaussian mean over the known pixels only."""
    sigma = max(0.8, sigma)
    weight = known.astype(np.float32)
    total = cv2.GaussianBlur(values * weight[..., None], (0, 0), sigma)
    return np.asarray(
        total / np.maximum(cv2.GaussianBlur(weight, (0, 0), sigma), 1e-3)[..., None], np.float32
    )


def _planes(terms: Plane, values: Plane, weight: Plane) -> Plane:
    """Least squares with outliers (kerbs, markings, the shadow itself) weighed down in turns."""
    step = max(1, len(terms) // 1500)
    terms, values, weight = terms[::step], values[::step], weight[::step]
    trust = weight.copy()
    fit = np.zeros((terms.shape[1], values.shape[1]), np.float32)
    for _ in range(8):
        root = np.sqrt(trust)[:, None]
        fit = np.asarray(np.linalg.lstsq(terms * root, values * root, rcond=None)[0], np.float32)
        off = np.abs(values - terms @ fit).max(1)
        trust = weight / (1 + (off / (1.5 * np.median(off) + 0.01)) ** 4)
    return fit
