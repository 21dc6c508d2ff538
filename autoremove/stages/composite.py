"""Stage composite: fills matched in colour to their surroundings and feathered inside the grown ring."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray

from autoremove.stages.base import SHARE, Range, StageFields
from autoremove.stages.grain import grained
from autoremove.types import Image, Mask, ObjectMask, Patch

BESIDE = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
"""A pixel and its neighbours: a fill is compared with the picture in the known pixels right beside it."""

LARGEST = 64.0
"""Most that is taken for a colour difference at the border, in levels of 255."""

RING, LEAST_RING = 0.12, 8.0
"""Widest ring that a fill fades in over, as a share of the object's size, and in pixels at least."""

LET_IN, BAND = 1.0, 4
"""How far the first pixels inside a hole follow their neighbours in the ring and not the membrane, if the
fill is as rough as the picture; and the pixels round the hole in which that is judged."""

RELAXATIONS = 6
"""Steps on each level of the membrane."""


@dataclass(frozen=True)
class Composite(StageFields):
    """Fit each fill into its picture.

    ``match``: how much of the colour difference at the border is taken out, 0..1. ``reach``: how far inwards,
    as a share of the hole's size, so that a rest of the object at the border does not tint all of the fill;
    0 = all the way. ``feather``: the share of the grown ring over which the fill fades in, 0..1; the object
    itself is always replaced whole. ``grain``: how much of the picture's noise is added where a fill is
    smoother than that, 0..1.
    """

    match: float = 1.0
    reach: float = 0.3
    feather: float = 0.35
    grain: float = 1.0

    name: ClassVar[str] = "composite"
    version: ClassVar[int] = 3
    needs: ClassVar[tuple[str, ...]] = ("image", "mask", "patches")
    gives: ClassVar[str] = "patches"
    ranges: ClassVar[Mapping[str, Range]] = {
        "match": SHARE,
        "reach": Range(),
        "feather": SHARE,
        "grain": SHARE,
    }

    def __call__(
        self, image: list[Image], mask: list[ObjectMask], patches: list[list[Patch]]
    ) -> list[list[Patch]]:
        rows = zip(image, mask, patches, strict=True)
        return [[self._one(pixels, objects, patch) for patch in row] for pixels, objects, row in rows]

    def _one(self, image: Image, objects: ObjectMask, patch: Patch) -> Patch:
        x1, y1, x2, y2 = patch.xyxy
        holes = objects.grown[y1:y2, x1:x2]
        tight = objects.ids[y1:y2, x1:x2] > 0
        pixels = self._matched(image[y1:y2, x1:x2], patch.pixels, ~holes)
        if self.grain:
            pixels = grained(image[y1:y2, x1:x2], pixels, holes, self.grain)
        # Another group's hole inside this patch has a patch of its own: alpha says what is ours.
        alpha = feathered(holes, tight, self.feather)
        return Patch(patch.xyxy, pixels, np.where(patch.alpha > 0, alpha, 0).astype(np.uint8))

    def _matched(self, own: Image, fill: Image, known: Mask) -> Image:
        """The fill with the colour difference at the border, continued inwards, taken out of it."""
        ring = known & (cv2.dilate((~known).astype(np.uint8), BESIDE) > 0)
        if not self.match or not ring.any():
            return fill
        # Pixel by pixel: in a membrane fine differences fade within their own size, and leave no step behind.
        difference = own.astype(np.float32) - fill
        membrane = spread(difference.clip(-LARGEST, LARGEST), ring)
        offset = self.match * _let_in(membrane, ring, known, _texture(own, fill, known))
        if self.reach > 0:
            far = max(8.0, self.reach * float(np.sqrt((~known).sum())))
            inside = cv2.distanceTransform((~known).astype(np.uint8), cv2.DIST_L2, 5)
            offset = offset * np.exp(-np.asarray(inside) / far)[..., None]
        return np.asarray(np.rint(fill + offset).clip(0, 255), np.uint8)


def _texture(own: Image, fill: Image, known: Mask) -> float:
    """How rough the fill is beside the picture, 0..1: mean steps within BAND pixels of the border."""
    near = cv2.dilate((~known).astype(np.uint8), np.ones((2 * BAND + 1, 2 * BAND + 1), np.uint8)) > 0
    steps = [
        float(np.abs(cv2.Laplacian(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), cv2.CV_32F))[place].mean())
        for pixels, place in ((fill, ~known), (own, known & near))
    ]
    return min(1.0, (steps[0] + 1) / (steps[1] + 1))


def _let_in(offset: NDArray[np.float32], ring: Mask, known: Mask, texture: float) -> NDArray[np.float32]:
    """More of the ring in the pixels right inside it: the membrane alone is steepest at the border.

    A smooth fill brings no step of its own to the border, so that it needs less of this than a rough one.
    """
    cross = BESIDE.astype(np.float32)
    weight = ring.astype(np.float32)
    count = cv2.filter2D(weight, -1, cross, borderType=cv2.BORDER_CONSTANT)
    total = cv2.filter2D(offset * weight[..., None], -1, cross, borderType=cv2.BORDER_CONSTANT)
    mean = np.asarray(total) / np.maximum(count, 1)[..., None]
    inside = ~known & (count > 0)
    return np.where(inside[..., None], offset + LET_IN * texture * (mean - offset), offset).astype(np.float32)


def spread(values: NDArray[np.float32], known: Mask) -> NDArray[np.float32]:
    """Continue H x W x C values from the known pixels smoothly into all others: a membrane.

    Push-pull on an image pyramid (Gortler et al. 1996) gives the large forms; a few relaxation steps on every
    level make them meet the known values, which is what Poisson blending (Perez et al. 2003) solves for.
    """
    weight = known.astype(np.float32)
    return _pull(values * weight[..., None], weight)


def _pull(total: NDArray[np.float32], weight: NDArray[np.float32]) -> NDArray[np.float32]:
    height, width = weight.shape
    mean = total / np.maximum(weight, 1e-6)[..., None]
    if min(height, width) <= 2 or float(weight.min()) > 0.999:
        everywhere = total.sum((0, 1)) / max(float(weight.sum()), 1e-6)
        return np.asarray(np.where(weight[..., None] > 1e-6, mean, everywhere), np.float32)
    half = ((width + 1) // 2, (height + 1) // 2)
    smaller = (cv2.resize(plane, half, interpolation=cv2.INTER_AREA) for plane in (total, weight))
    coarse = _pull(*(np.asarray(plane, np.float32) for plane in smaller))
    values = np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)
    fixed = (weight > 1e-6).astype(np.uint8)
    for _ in range(RELAXATIONS):
        values = np.asarray(cv2.copyTo(mean, fixed, cv2.blur(values, (3, 3))))
    return values


def feathered(holes: Mask, tight: Mask, share: float) -> NDArray[np.uint8]:
    """Alpha 0..255: 0 outside the holes, 255 on the object, a ramp over the outer ``share`` of the ring."""
    if share <= 0 or not tight.any():
        return holes.astype(np.uint8) * 255
    outside = cv2.distanceTransform(np.pad(holes, 1, mode="edge").astype(np.uint8), cv2.DIST_L2, 5)[
        1:-1, 1:-1
    ]
    inside = cv2.distanceTransform((~tight).astype(np.uint8), cv2.DIST_L2, 5)
    # A joined shadow reaches far from the object, and all of it is to go: the ramp stays a border.
    widest = max(LEAST_RING, RING * float(np.sqrt(tight.sum())))
    ramp = outside / np.maximum(share * np.minimum(outside + inside, widest), 1e-6)
    return np.asarray(np.rint(np.where(holes, np.clip(ramp, 0, 1), 0) * 255), np.uint8)
