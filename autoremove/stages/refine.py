"""Stage refine: boxes in, tight masks and their grown union out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray

from autoremove.errors import RecipeError
from autoremove.stages.base import StageFields
from autoremove.types import Detections, Image, Mask, ObjectMask

Cutout = tuple[tuple[int, int, int, int], Mask]
"""A window (x1, y1, x2, y2) in whole pixels, right and bottom exclusive, and the mask inside it."""

GRABCUT_SIDE = 320
"""GrabCut works on crops of at most this side: its time grows faster than the picture."""

LEAST = 0.05
"""A mask that fills less of its box than this is taken for a failure of the network."""


@dataclass(frozen=True)
class Refine(StageFields):
    """Turn boxes into masks and grow them.

    ``method``: ``network`` (the embedded MaskNet), ``box`` (the box itself), ``grabcut`` (Rother et al.
    2004), ``sam`` (Segment Anything, Kirillov et al. 2023; set ``weights``), ``detector`` (the masks that a
    -seg detector found). ``threshold``: probability from which a pixel belongs to the object (``network``).
    ``grow``: growth as a share of the object's size (the root of its box's area), kept between ``grow_min``
    and ``grow_max`` pixels.
    """

    method: str = "network"
    weights: str = "embedded"
    threshold: float = 0.35
    grow: float = 0.08
    grow_min: int = 3
    grow_max: int = 80

    name: ClassVar[str] = "refine"
    version: ClassVar[int] = 1
    needs: ClassVar[tuple[str, ...]] = ("image", "detections")
    gives: ClassVar[str] = "mask"

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise RecipeError(f"refine.method: {self.method!r} is none of {', '.join(METHODS)}.")

    def weights_digest(self) -> str | None:
        from autoremove.models import weights

        kinds = {"network": "masknet", "sam": "segmenter"}
        return weights.digest(self.weights, kinds[self.method]) if self.method in kinds else None

    def __call__(self, image: list[Image], detections: list[Detections]) -> list[ObjectMask]:
        return [self._one(pixels, found) for pixels, found in zip(image, detections, strict=True)]

    def _one(self, image: Image, found: Detections) -> ObjectMask:
        grown = np.zeros(image.shape[:2], bool)
        ids = np.zeros(image.shape[:2], np.uint16)
        cutouts = METHODS[self.method](self, image, found)
        # Large objects first: where masks overlap, the smaller, nearer-to-vanish one keeps its id.
        for row in sorted(range(len(found)), key=lambda i: -int(cutouts[i][1].sum())):
            (x1, y1, x2, y2), mask = cutouts[row]
            ids[y1:y2, x1:x2][mask] = row + 1
            add_grown(grown, cutouts[row], self.radius(found.xyxy[row]))
        return ObjectMask(grown, ids)

    def radius(self, xyxy: NDArray[np.float32]) -> int:
        """Growth in pixels for an object of that box."""
        size = float(np.sqrt(max(0.0, (xyxy[2] - xyxy[0]) * (xyxy[3] - xyxy[1]))))
        return int(np.clip(round(self.grow * size), self.grow_min, self.grow_max))


def add_grown(target: Mask, cutout: Cutout, radius: int) -> None:
    """Mark a cutout, dilated by ``radius`` pixels in every direction, in a full-size mask."""
    (x1, y1, x2, y2), mask = cutout
    padded = np.pad(mask, radius).astype(np.uint8)
    if radius:
        # A distance test is an exact disc at any radius; a kernel of 160 x 160 would take seconds.
        padded = (cv2.distanceTransform(1 - padded, cv2.DIST_L2, cv2.DIST_MASK_PRECISE) <= radius).astype(
            np.uint8
        )
        if not mask.any():
            return
    left, top = max(0, radius - x1), max(0, radius - y1)
    right, bottom = min(target.shape[1], x2 + radius), min(target.shape[0], y2 + radius)
    rows = slice(y1 - radius + top, bottom)
    columns = slice(x1 - radius + left, right)
    part = padded[top : top + rows.stop - rows.start, left : left + columns.stop - columns.start]
    target[rows, columns] |= part.astype(bool)


def _window(box: NDArray[np.float32], size_hw: tuple[int, int]) -> tuple[int, int, int, int]:
    """The box in whole pixels inside the picture."""
    low = np.floor(box[:2]).clip(0).astype(int)
    high = np.minimum(np.ceil(box[2:]).astype(int), [size_hw[1], size_hw[0]])
    return int(low[0]), int(low[1]), int(max(low[0], high[0])), int(max(low[1], high[1]))


def by_network(stage: Refine, image: Image, found: Detections) -> list[Cutout]:
    """The embedded MaskNet; where it sees next to nothing, the box: an object must not stay unseen."""
    from autoremove.models import cache, masknet

    net = cache.load("masknet", stage.weights, stage.device)
    masks = masknet.predict(net, image, found.xyxy, threshold=stage.threshold)
    boxes = by_box(stage, image, found)
    return [m if m[1].sum() >= LEAST * b[1].size else b for m, b in zip(masks, boxes, strict=True)]


def by_box(stage: Refine, image: Image, found: Detections) -> list[Cutout]:
    """The whole box, as the first write-ups of automatic removal did."""
    windows = [_window(box, (image.shape[0], image.shape[1])) for box in found.xyxy]
    return [((x1, y1, x2, y2), np.ones((y2 - y1, x2 - x1), bool)) for x1, y1, x2, y2 in windows]


def by_grabcut(stage: Refine, image: Image, found: Detections) -> list[Cutout]:
    """Colour models inside and outside the box, cut by a graph."""
    return [_grabcut(image, _window(box, (image.shape[0], image.shape[1]))) for box in found.xyxy]


def _grabcut(image: Image, window: tuple[int, int, int, int]) -> Cutout:
    x1, y1, x2, y2 = window
    dx, dy = max(2, (x2 - x1) // 4), max(2, (y2 - y1) // 4)
    left, top = max(0, x1 - dx), max(0, y1 - dy)
    crop = image[top : min(image.shape[0], y2 + dy), left : min(image.shape[1], x2 + dx)]
    scale = min(1.0, GRABCUT_SIDE / max(crop.shape[:2]))
    small = cv2.resize(crop, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else crop
    labels = np.full(small.shape[:2], cv2.GC_BGD, np.uint8)
    inner = [round(v * scale) for v in (x1 - left, y1 - top, x2 - left, y2 - top)]
    labels[inner[1] : inner[3], inner[0] : inner[2]] = cv2.GC_PR_FGD
    if (labels == cv2.GC_PR_FGD).sum() < 16 or (labels == cv2.GC_BGD).sum() < 16:
        return window, np.ones((y2 - y1, x2 - x1), bool)  # nothing outside to learn from: the box stands
    cv2.setRNGSeed(0)  # its clustering starts at random; the same input must give the same mask
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(np.ascontiguousarray(small), labels, (0, 0, 1, 1), *models, 5, cv2.GC_INIT_WITH_MASK)
    found = ((labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD)).astype(np.uint8)
    full = cv2.resize(found, (crop.shape[1], crop.shape[0]), interpolation=cv2.INTER_NEAREST)
    return window, full[y1 - top : y2 - top, x1 - left : x2 - left].astype(bool)


def by_sam(stage: Refine, image: Image, found: Detections) -> list[Cutout]:
    """Segment Anything, prompted with the boxes."""
    from autoremove.models import cache

    if not len(found):
        return []
    masks = cache.load("segmenter", stage.weights, stage.device).masks(image, found.xyxy)
    return [_trimmed(mask) for mask in masks]


def by_detector(stage: Refine, image: Image, found: Detections) -> list[Cutout]:
    """The masks that a -seg detector gave with its boxes."""
    if not len(found):
        return []  # several views that agree on nothing leave no masks either
    if found.masks is None:
        raise RecipeError(
            "refine.method: detector needs a detector that gives masks.",
            hint="Set detect.weights to yolo11n-seg.",
        )
    return [_trimmed(mask) for mask in found.masks]


def _trimmed(mask: Mask) -> Cutout:
    """A full-size mask as a cutout of its own extent."""
    ys, xs = np.nonzero(mask.any(1))[0], np.nonzero(mask.any(0))[0]
    if not len(ys):
        return (0, 0, 0, 0), np.zeros((0, 0), bool)
    x1, y1, x2, y2 = int(xs[0]), int(ys[0]), int(xs[-1]) + 1, int(ys[-1]) + 1
    return (x1, y1, x2, y2), mask[y1:y2, x1:x2]


METHODS: dict[str, Callable[[Refine, Image, Detections], list[Cutout]]] = {
    "network": by_network,
    "box": by_box,
    "grabcut": by_grabcut,
    "sam": by_sam,
    "detector": by_detector,
}
