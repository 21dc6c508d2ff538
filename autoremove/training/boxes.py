"""Detector data: pictures with boxes in memory, mosaic and affine augmentation, fixed-size batches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage

from autoremove.training.instances import IGNORE, LabelledPicture, find_picture, read_instances
from autoremove.types import Image

GREY = 114
"""The padding value of the YOLO family."""

AMBIGUOUS = ("bicycle+rider",)
"""Labels whose region holds a wanted class without a box of its own; painted over: they teach nothing."""


@dataclass(frozen=True)
class BoxedPicture:
    """One picture: ``xyxy`` N x 4 float32 in its pixels, ``kind`` N class indices."""

    image: Image
    xyxy: NDArray[np.float32]
    kind: NDArray[np.int64]
    weight: float = 1.0


def read_boxed(folder: Path, labels: tuple[str, ...], max_side: int) -> Iterator[BoxedPicture]:
    """Read a data set in the YOLO form (images/, labels/) or the `instances` form (instances.jsonl)."""
    if (folder / "instances.jsonl").exists():
        for picture in read_instances(folder):
            if "object only" not in picture.source:
                yield shrunk(_from_instances(picture, labels), max_side)
        return
    for path in sorted((folder / "labels").glob("*.txt")):
        with PillowImage.open(find_picture(folder / "images", path.stem)) as opened:
            image = np.asarray(opened.convert("RGB"))
        yield shrunk(_from_yolo(image, path), max_side)


def _from_yolo(image: Image, path: Path) -> BoxedPicture:
    rows = np.array(
        [line.split() for line in path.read_text().splitlines() if line.strip()], np.float32
    ).reshape(-1, 5)
    height, width = image.shape[:2]
    centre, half = rows[:, 1:3], rows[:, 3:5] / 2
    xyxy = np.concatenate([centre - half, centre + half], 1) * np.array([width, height] * 2, np.float32)
    return BoxedPicture(image, xyxy.astype(np.float32), rows[:, 0].astype(np.int64))


def _from_instances(picture: LabelledPicture, labels: tuple[str, ...]) -> BoxedPicture:
    image = picture.image.copy()
    image[picture.ids == IGNORE] = GREY
    boxes, kinds = [], []
    for identity, label in picture.objects:
        if label in AMBIGUOUS:
            image[picture.ids == identity] = GREY
        elif label in labels and (box := picture.box(identity)) is not None:
            boxes.append(box)
            kinds.append(labels.index(label))
    weight = 1.0 if picture.fully_labelled else 0.3
    return BoxedPicture(image, np.array(boxes, np.float32).reshape(-1, 4), np.array(kinds, np.int64), weight)


def shrunk(picture: BoxedPicture, max_side: int) -> BoxedPicture:
    """The picture with its longer side at most ``max_side``."""
    scale = min(1.0, max_side / max(picture.image.shape[:2]))
    if scale == 1.0:
        return picture
    size = (max(1, round(picture.image.shape[1] * scale)), max(1, round(picture.image.shape[0] * scale)))
    image = np.asarray(cv2.resize(picture.image, size, interpolation=cv2.INTER_AREA), np.uint8)
    return BoxedPicture(image, picture.xyxy * np.float32(scale), picture.kind, picture.weight)


def placed(
    picture: BoxedPicture,
    canvas: Image,
    region: tuple[int, int, int, int],
    rng: np.random.Generator,
    zoom: float,
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Draw a picture at random scale, aspect, position and mirror into a region; its boxes there."""
    x1, y1, x2, y2 = region
    height, width = picture.image.shape[:2]
    fit = max((x2 - x1) / width, (y2 - y1) / height) * zoom
    stretch = float(np.exp(rng.uniform(-0.25, 0.25)))
    sx, sy = fit * stretch, fit / stretch
    flip = rng.random() < 0.5
    tx = rng.uniform(min(0, x2 - x1 - sx * width), max(0, x2 - x1 - sx * width))
    ty = rng.uniform(min(0, y2 - y1 - sy * height), max(0, y2 - y1 - sy * height))
    matrix = np.array([[-sx if flip else sx, 0, tx + (sx * width if flip else 0)], [0, sy, ty]])
    drawn = cv2.warpAffine(
        picture.image, matrix, (x2 - x1, y2 - y1), flags=cv2.INTER_LINEAR, borderValue=(GREY, GREY, GREY)
    )
    canvas[y1:y2, x1:x2] = drawn
    columns = [2, 1, 0, 3] if flip else [0, 1, 2, 3]
    scaled = picture.xyxy[:, columns] * np.array([matrix[0, 0], sy] * 2) + np.array([matrix[0, 2], ty] * 2)
    return _clipped(scaled.astype(np.float32), picture.kind, region)


def _clipped(
    xyxy: NDArray[np.float32], kind: NDArray[np.int64], region: tuple[int, int, int, int]
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Boxes cut to the region; those mostly outside or too small to see are dropped."""
    x1, y1, x2, y2 = region
    inside = xyxy.clip(0, np.array([x2 - x1, y2 - y1] * 2, np.float32))
    area = (inside[:, 2] - inside[:, 0]) * (inside[:, 3] - inside[:, 1])
    full = (xyxy[:, 2] - xyxy[:, 0]) * (xyxy[:, 3] - xyxy[:, 1])
    sides = np.minimum(inside[:, 2] - inside[:, 0], inside[:, 3] - inside[:, 1])
    kept = (area > 0.3 * full) & (sides >= 3)
    return inside[kept] + np.array([x1, y1] * 2, np.float32), kind[kept]


def augmented(
    pictures: list[BoxedPicture],
    chances: NDArray[np.float64],
    size: int,
    mosaic: float,
    rng: np.random.Generator,
) -> tuple[Image, NDArray[np.float32], NDArray[np.int64]]:
    """One training picture, ``size`` x ``size``: a mosaic of four (Bochkovskiy et al. 2020) or one alone."""
    canvas = np.full((size, size, 3), GREY, np.uint8)
    if rng.random() < mosaic:
        cx, cy = (int(v) for v in rng.integers(size // 4, size - size // 4, 2))
        regions = [(0, 0, cx, cy), (cx, 0, size, cy), (0, cy, cx, size), (cx, cy, size, size)]
        zoom = (0.7, 1.5)
    else:
        regions, zoom = [(0, 0, size, size)], (0.5, 1.3)
    parts = [
        placed(pictures[int(i)], canvas, region, rng, float(rng.uniform(*zoom)))
        for i, region in zip(rng.choice(len(pictures), len(regions), p=chances), regions, strict=True)
    ]
    boxes, kinds = (np.concatenate(column) for column in zip(*parts, strict=True))
    return _recoloured(canvas, rng), boxes, kinds


def _recoloured(canvas: Image, rng: np.random.Generator) -> Image:
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


def letterboxed(picture: BoxedPicture, size: int) -> tuple[Image, NDArray[np.float32]]:
    """The picture fitted into a grey square, top left, as validation sees it; its boxes there."""
    height, width = picture.image.shape[:2]
    scale = size / max(height, width)
    target = (max(1, round(width * scale)), max(1, round(height * scale)))
    canvas = np.full((size, size, 3), GREY, np.uint8)
    canvas[: target[1], : target[0]] = cv2.resize(picture.image, target, interpolation=cv2.INTER_LINEAR)
    return canvas, picture.xyxy * np.float32(scale)
