"""Copy-paste: labelled objects cut out of their pictures and set into others (Ghiasi et al. 2021)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from autoremove.training.augmentation import Canvas
from autoremove.training.boxes import bits_of
from autoremove.training.instances import IGNORE, LabelledPicture, read_instances
from autoremove.types import Image

LEAST_SIDE = 40
"""Smaller cut-outs have no sharp edge of their own."""

LEAST_FILL = 0.25
"""A mask that fills less of its box is mostly hidden behind something, or a crumb."""

COVERED = 0.7
"""A box of which a pasted object covers more is gone."""


@dataclass(frozen=True)
class Cutout:
    """One object without its surroundings: ``pixels`` h x w x 3, ``alpha`` h x w uint8, its class index."""

    pixels: Image
    alpha: NDArray[np.uint8]
    kind: int


def read_cutouts(folder: Path, labels: Sequence[str], max_side: int) -> list[Cutout]:
    """The objects of a data set in the `instances` form that are large and whole enough to be pasted."""
    return [
        cutout
        for picture in read_instances(folder)
        for identity, label in picture.objects
        if label in labels and (cutout := _cut(picture, identity, labels.index(label), max_side)) is not None
    ]


def _cut(picture: LabelledPicture, identity: int, kind: int, max_side: int) -> Cutout | None:
    box = picture.box(identity)
    if box is None:
        return None
    x1, y1, x2, y2 = (int(v) for v in box)
    mask = picture.ids[y1:y2, x1:x2] == identity
    shared = "CamVid" in picture.source  # touching objects share an id there
    if min(x2 - x1, y2 - y1) < LEAST_SIDE or mask.mean() < LEAST_FILL or shared:
        return None
    if (picture.ids[y1:y2, x1:x2] == IGNORE).mean() > 0.05:
        return None
    scale = min(1.0, max_side / max(mask.shape))
    size = (max(1, round(mask.shape[1] * scale)), max(1, round(mask.shape[0] * scale)))
    alpha = cv2.resize(mask.astype(np.uint8) * 255, size, interpolation=cv2.INTER_AREA)
    pixels = cv2.resize(picture.image[y1:y2, x1:x2], size, interpolation=cv2.INTER_AREA)
    return Cutout(np.asarray(pixels, np.uint8), np.asarray(alpha, np.uint8), kind)


def chances_of(cutouts: Sequence[Cutout]) -> NDArray[np.float64]:
    """How often each is drawn: classes by the root of their number, so that rare ones are seen at all."""
    kinds = np.array([cutout.kind for cutout in cutouts], np.int64)
    counts = np.bincount(kinds) if len(kinds) else np.zeros(1)
    weights = 1 / np.sqrt(counts[kinds]) if len(kinds) else np.zeros(0)
    return np.asarray(weights / max(weights.sum(), 1e-9), np.float64)


def paste(
    canvas: Canvas,
    boxes: NDArray[np.float32],
    kinds: NDArray[np.int64],
    cutout: Cutout,
    rng: np.random.Generator,
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Set a cut-out at random height, mirror and place onto the canvas; gives all boxes as they are then."""
    side = canvas.pixels.shape[0]
    height = float(np.exp(rng.uniform(np.log(12), np.log(0.9 * side))))
    scale = min(height / cutout.alpha.shape[0], 1.3, side / max(cutout.alpha.shape))
    size = (max(3, round(cutout.alpha.shape[1] * scale)), max(3, round(cutout.alpha.shape[0] * scale)))
    alpha, pixels = (
        np.asarray(cv2.resize(plane, size, interpolation=cv2.INTER_AREA))
        for plane in (cutout.alpha, cutout.pixels)
    )
    if rng.random() < 0.5:
        alpha, pixels = alpha[:, ::-1], pixels[:, ::-1]
    pixels = (pixels.astype(np.float32) * rng.uniform(0.7, 1.25)).clip(0, 255)
    # A third of an object may hang over the border, as people at the edge of photos do.
    x = int(rng.integers(-size[0] // 3, max(1, side - 2 * size[0] // 3)))
    y = int(rng.integers(-size[1] // 8, max(1, side - 2 * size[1] // 3)))
    x1, y1, x2, y2 = max(0, x), max(0, y), min(side, x + size[0]), min(side, y + size[1])
    cover = alpha[y1 - y : y2 - y, x1 - x : x2 - x].astype(np.float32)[..., None] / 255
    part = canvas.pixels[y1:y2, x1:x2]
    part[:] = np.rint(part * (1 - cover) + pixels[y1 - y : y2 - y, x1 - x : x2 - x] * cover)
    left = _left_over(canvas, boxes, kinds, (x1, y1, x2, y2), cover[..., 0] > 0.5)
    own = np.array([[x1, y1, x2, y2]], np.float32)
    return np.concatenate([boxes[left], own]), np.append(kinds[left], np.int64(cutout.kind))


def _left_over(
    canvas: Canvas,
    boxes: NDArray[np.float32],
    kinds: NDArray[np.int64],
    place: tuple[int, int, int, int],
    cover: NDArray[np.bool_],
) -> NDArray[np.bool_]:
    """Which boxes are still to be seen beside an object pasted at ``place``; the others are left in doubt."""
    left = np.ones(len(boxes), bool)
    for row, box in enumerate(boxes):
        x1, y1 = (max(0, int(v) - p) for v, p in zip(box[:2], place[:2], strict=True))
        x2, y2 = (max(0, int(v) - p) for v, p in zip(box[2:], place[:2], strict=True))
        area = max(1.0, float((box[2] - box[0]) * (box[3] - box[1])))
        if cover[y1:y2, x1:x2].sum() > COVERED * area:
            left[row] = False
            canvas.doubt(box, bits_of([int(kinds[row])]))
    return left
