"""Training pictures for the detector: mosaics, close-ups, other colours, and where labels lack in them."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from autoremove.training.boxes import GREY, BoxedPicture, bits_of
from autoremove.types import Image

CELL = 8
"""Side in pixels of a cell of the map of unlabelled places: the finest stride of the network."""

EVERY = (1 << 62) - 1
"""The bits of all classes."""

CLOSE_UP = 0.3
"""Of the pictures that are shown alone, the share of which only a part is seen."""

WELL_SEEN = (28.0, 160.0)
"""Sizes (root of the box's area, pixels of the canvas) of an object that a picture is brought near for."""

FARTHEST, NEAREST = 0.8, 6.0
"""The shorter side of a picture that is brought near, over that of the canvas: at least, and at most."""


@dataclass(frozen=True)
class Canvas:
    """A training picture in the making: ``pixels`` S x S x 3, ``unknown`` bits by cell, S/8 x S/8 int64."""

    pixels: Image
    unknown: NDArray[np.int64]

    @classmethod
    def of(cls, size: int) -> Canvas:
        cells = -(-size // CELL)
        return cls(np.full((size, size, 3), GREY, np.uint8), np.zeros((cells, cells), np.int64))

    def doubt(self, box: NDArray[np.float32], bits: int) -> None:
        """Say of a box that these classes may be in it or not."""
        x1, y1, x2, y2 = np.rint(box / CELL).astype(int).clip(0).tolist()
        self.unknown[y1 : max(y2, y1 + 1), x1 : max(x2, x1 + 1)] |= bits

    def settle(
        self, xyxy: NDArray[np.floating], kind: NDArray[np.int64], region: tuple[int, int, int, int]
    ) -> None:
        """Say of labelled boxes in a region, in its pixels, that nothing of their class is in doubt there."""
        for box, number in zip(_seen_in(region, xyxy), kind.tolist(), strict=True):
            x1, y1, x2, y2 = np.rint(box / CELL).astype(int).tolist()
            self.unknown[y1:y2, x1:x2] &= ~(1 << number)


def placed(
    picture: BoxedPicture,
    canvas: Canvas,
    region: tuple[int, int, int, int],
    rng: np.random.Generator,
    zoom: float,
    towards: tuple[float, float] | None = None,
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Draw a picture at random scale, aspect, position and mirror into a region; its boxes there.

    ``towards``: a place (x, y) in the picture that is not to be far from the middle of the region.
    """
    x1, y1, x2, y2 = region
    height, width = picture.image.shape[:2]
    fit = max((x2 - x1) / width, (y2 - y1) / height) * zoom
    stretch = float(np.exp(rng.uniform(-0.25, 0.25)))
    sx, sy = fit * stretch, fit / stretch
    flip = rng.random() < 0.5
    across = down = None
    if towards is not None:
        across, down = sx * (width - towards[0] if flip else towards[0]), sy * towards[1]
    tx = _begin(x2 - x1, sx * width, across, rng)
    ty = _begin(y2 - y1, sy * height, down, rng)
    matrix = np.array([[-sx if flip else sx, 0, tx + (sx * width if flip else 0)], [0, sy, ty]])
    drawn = cv2.warpAffine(
        picture.image, matrix, (x2 - x1, y2 - y1), flags=cv2.INTER_LINEAR, borderValue=(GREY, GREY, GREY)
    )
    canvas.pixels[y1:y2, x1:x2] = drawn
    columns = [2, 1, 0, 3] if flip else [0, 1, 2, 3]
    scaled, doubtful = (
        boxes[:, columns] * np.array([matrix[0, 0], sy] * 2) + np.array([matrix[0, 2], ty] * 2)
        for boxes in (picture.xyxy, picture.doubtful)
    )
    canvas.doubt(np.array(region, np.float32), picture.unknown)
    for box, kind in zip(_seen_in(region, doubtful), picture.doubtful_kind.tolist(), strict=True):
        canvas.doubt(box, bits_of([kind]) if (box[2:] - box[:2] >= 1).all() else 0)
    canvas.settle(scaled, picture.kind, region)
    if picture.unclear is not None:
        _hide(canvas, picture.unclear, matrix, region)
    return _clipped(scaled.astype(np.float32), picture.kind, canvas, region)


def _hide(
    canvas: Canvas, unclear: NDArray[np.bool_], matrix: NDArray[np.float64], region: tuple[int, int, int, int]
) -> None:
    """Say of what is unclear in a picture, drawn into a region by this map, that nothing is known there."""
    x1, y1, x2, y2 = region
    hidden = cv2.warpAffine(unclear.astype(np.uint8), matrix, (x2 - x1, y2 - y1), flags=cv2.INTER_NEAREST)
    for cy, cx in {(y // CELL, x // CELL) for y, x in np.argwhere(hidden) + np.array([y1, x1])}:
        canvas.unknown[cy, cx] |= EVERY


def _seen_in(region: tuple[int, int, int, int], xyxy: NDArray[np.floating]) -> NDArray[np.floating]:
    """What of boxes in the pixels of a region is seen there, as boxes of the canvas."""
    x1, y1, x2, y2 = region
    inside = xyxy.clip(0, np.array([x2 - x1, y2 - y1] * 2, xyxy.dtype))
    return inside + np.array([x1, y1] * 2, xyxy.dtype)


def _begin(room: float, length: float, towards: float | None, rng: np.random.Generator) -> float:
    """Where a picture of this length begins in the room: it fills the room, or lies in it whole."""
    low, high = min(0.0, room - length), max(0.0, room - length)
    if towards is None:
        return float(rng.uniform(low, high))
    return float(np.clip(rng.uniform(0.2, 0.8) * room - towards, low, high))


def _clipped(
    xyxy: NDArray[np.float32], kind: NDArray[np.int64], canvas: Canvas, region: tuple[int, int, int, int]
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Boxes cut to the region; those mostly outside or too small to see are dropped, and left in doubt."""
    x1, y1, x2, y2 = region
    inside = xyxy.clip(0, np.array([x2 - x1, y2 - y1] * 2, np.float32))
    area = (inside[:, 2] - inside[:, 0]) * (inside[:, 3] - inside[:, 1])
    full = (xyxy[:, 2] - xyxy[:, 0]) * (xyxy[:, 3] - xyxy[:, 1])
    sides = np.minimum(inside[:, 2] - inside[:, 0], inside[:, 3] - inside[:, 1])
    kept = (area > 0.3 * full) & (sides >= 3)
    inside = inside + np.array([x1, y1] * 2, np.float32)
    for row in np.nonzero(~kept & (area > 0))[0]:
        canvas.doubt(inside[row], bits_of([int(kind[row])]))
    return inside[kept], kind[kept]


def augmented(
    pictures: list[BoxedPicture],
    chances: NDArray[np.float64],
    size: int,
    mosaic: float,
    rng: np.random.Generator,
    focus: float = 0.0,
) -> tuple[Canvas, NDArray[np.float32], NDArray[np.int64]]:
    """One training picture, ``size`` x ``size``: a mosaic of four (Bochkovskiy et al. 2020) or one alone.

    ``focus``: of those alone, the share in which one object is brought to a size at which it is seen well, as
    the fine looks at a picture enlarge small ones (SNIPER, Singh et al. 2018).
    """
    canvas = Canvas.of(size)
    alone = rng.random() >= mosaic
    count = 1 if alone else 4
    chosen = [pictures[int(i)] for i in rng.choice(len(pictures), count, p=chances)]
    if alone:
        zoom, towards = _shown(chosen[0], size, rng, focus)
        return canvas, *placed(chosen[0], canvas, (0, 0, size, size), rng, zoom, towards)
    cx, cy = (int(v) for v in rng.integers(size // 4, size - size // 4, 2))
    regions = [(0, 0, cx, cy), (cx, 0, size, cy), (0, cy, cx, size), (cx, cy, size, size)]
    parts = [
        placed(picture, canvas, region, rng, float(rng.uniform(0.7, 1.5)))
        for picture, region in zip(chosen, regions, strict=True)
    ]
    boxes, kinds = (np.concatenate(column) for column in zip(*parts, strict=True))
    return canvas, boxes, kinds


def _shown(
    picture: BoxedPicture, size: int, rng: np.random.Generator, focus: float
) -> tuple[float, tuple[float, float] | None]:
    """The zoom of a picture that is shown alone, and the place that it goes to."""
    if len(picture.xyxy) and rng.random() < focus:
        x1, y1, x2, y2 = picture.xyxy[rng.integers(len(picture.xyxy))].tolist()
        wanted = float(np.exp(rng.uniform(*np.log(WELL_SEEN))))
        scale = wanted / max(1.0, float(np.sqrt((x2 - x1) * (y2 - y1))))
        zoom = scale * min(picture.image.shape[:2]) / size
        return float(np.clip(zoom, FARTHEST, NEAREST)), ((x1 + x2) / 2, (y1 + y2) / 2)
    # Now and then close up: people who fill the picture and whom its border cuts off.
    close = rng.random() < CLOSE_UP
    return float(rng.uniform(*((1.2, 2.4) if close else (0.5, 1.3)))), None


def recoloured(canvas: Image, rng: np.random.Generator) -> Image:
    """Random hue, saturation and value, in look-up tables."""
    gains = 1 + rng.uniform(-1, 1, 3) * np.array([0.015, 0.6, 0.4])
    hue, saturation, value = cv2.split(cv2.cvtColor(canvas, cv2.COLOR_RGB2HSV))
    steps = np.arange(256)
    tables = [(steps * gains[0] % 180), (steps * gains[1]).clip(0, 255), (steps * gains[2]).clip(0, 255)]
    planes = [
        cv2.LUT(plane, table.astype(np.uint8))
        for plane, table in zip((hue, saturation, value), tables, strict=True)
    ]
    return np.asarray(cv2.cvtColor(cv2.merge(planes), cv2.COLOR_HSV2RGB), np.uint8)


def degraded(canvas: Image, rng: np.random.Generator) -> Image:
    """Now and then softer, coarser, noisier, darker or more compressed, as photos are."""
    if rng.random() < 0.15:
        canvas = np.asarray(cv2.GaussianBlur(canvas, (0, 0), float(rng.uniform(0.4, 1.2))), np.uint8)
    if rng.random() < 0.15:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(25, 80))]
        canvas = np.asarray(
            cv2.imdecode(cv2.imencode(".jpg", canvas, quality)[1], cv2.IMREAD_COLOR), np.uint8
        )
    if rng.random() < 0.1:
        gamma = float(rng.uniform(1.2, 2.5))
        canvas = np.asarray(cv2.LUT(canvas, (255 * (np.arange(256) / 255) ** gamma).astype(np.uint8)))
    if rng.random() < 0.05:
        canvas = np.repeat(cv2.cvtColor(canvas, cv2.COLOR_RGB2GRAY)[..., None], 3, 2).astype(np.uint8)
    return canvas
