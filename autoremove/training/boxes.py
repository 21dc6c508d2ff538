"""Detector data: pictures with boxes in memory, mosaic and affine augmentation, and where labels lack."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage

from autoremove.errors import InputError
from autoremove.training.instances import IGNORE, LabelledPicture, find_picture, read_instances
from autoremove.types import Image

GREY = 114
"""The padding value of the YOLO family."""

CELL = 8
"""Side in pixels of a cell of the map of unlabelled places: the finest stride of the network."""

EVERY = (1 << 62) - 1
"""The bits of all classes."""

CLOSE_UP = 0.3
"""Of the pictures that are shown alone, the share of which only a part is seen."""

SPARSE = {"CamVid": ("person", "car")}
"""Sources that label only some classes, by a part of their name; of the others nothing is known there."""


@dataclass(frozen=True)
class BoxedPicture:
    """One picture: ``xyxy`` N x 4 float32 in its pixels, ``kind`` N class indices.

    ``unknown``: bits of the classes that may be in it without a label; their absence must not be taught.
    ``unclear``: H x W bool or None, where nothing is known of any class.
    """

    image: Image
    xyxy: NDArray[np.float32]
    kind: NDArray[np.int64]
    weight: float = 1.0
    unknown: int = 0
    unclear: NDArray[np.bool_] | None = None


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


def bits_of(kinds: Iterable[int]) -> int:
    """Class indices as bits."""
    return sum(1 << int(kind) for kind in set(kinds))


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
        yield shrunk(_from_yolo(image, path, len(labels)), max_side)


def _from_yolo(image: Image, path: Path, classes: int) -> BoxedPicture:
    rows = np.array(
        [line.split() for line in path.read_text().splitlines() if line.strip()], np.float32
    ).reshape(-1, 5)
    height, width = image.shape[:2]
    centre, half = rows[:, 1:3], rows[:, 3:5] / 2
    xyxy = np.concatenate([centre - half, centre + half], 1) * np.array([width, height] * 2, np.float32)
    # Person boxes: of all further classes such a folder says nothing.
    unknown = bits_of(range(1, classes))
    return BoxedPicture(image, xyxy.astype(np.float32), rows[:, 0].astype(np.int64), 1.0, unknown)


def _from_instances(picture: LabelledPicture, labels: tuple[str, ...]) -> BoxedPicture:
    unclear = picture.ids == IGNORE
    boxes, kinds = [], []
    for identity, label in picture.objects:
        if "+" in label:  # two objects in one region, without a box of their own
            unclear = unclear | (picture.ids == identity)
        elif label in labels and (box := picture.box(identity)) is not None:
            boxes.append(box)
            kinds.append(labels.index(label))
    labelled = next((names for part, names in SPARSE.items() if part in picture.source), labels)
    unknown = bits_of(number for number, label in enumerate(labels) if label not in labelled)
    if not picture.fully_labelled:
        unknown = bits_of(range(len(labels))) & ~bits_of(kinds)
    weight = 1.0 if picture.fully_labelled else 0.3
    xyxy = np.array(boxes, np.float32).reshape(-1, 4)
    return BoxedPicture(
        picture.image, xyxy, np.array(kinds, np.int64), weight, unknown, unclear if unclear.any() else None
    )


HARD = 1.0
EASY = 0.5
"""Weights of pictures without people: those in which a detector nonetheless found some teach more."""


def read_backgrounds(
    folder: Path, found: Path | None, empty: Path | None, classes: int, max_side: int
) -> Iterator[BoxedPicture]:
    """Pictures without people, which teach what is none.

    ``found``: the coco.json of ``autoremove mask`` on that folder; pictures in which it found anything are
    left out, unless ``empty`` names them: a text file of names, one a line, of pictures that were looked at
    and show nobody. Those are the hard ones. Of all classes but the first nothing is known in any of them.
    Raises InputError where one is missing.
    """
    for place in filter(None, (folder, found, empty)):
        if not place.exists():
            raise InputError(
                f"There is no {place}.", hint="Check the settings that begin with `backgrounds`."
            )
    told = json.loads(found.read_text()) if found else {"images": [], "annotations": []}
    names = {row["id"]: row["file_name"] for row in told["images"]}
    seen = {names[row["image_id"]] for row in told["annotations"]}
    looked_at = set(empty.read_text().splitlines()) if empty else set()
    for path in sorted(folder.iterdir()):
        if path.is_file() and (path.name not in seen or path.name in looked_at):
            with PillowImage.open(path) as opened:
                image = np.asarray(opened.convert("RGB"))
            none = np.zeros((0, 4), np.float32), np.zeros(0, np.int64)
            weight = HARD if path.name in seen else EASY
            yield shrunk(BoxedPicture(image, *none, weight, bits_of(range(1, classes))), max_side)


def shrunk(picture: BoxedPicture, max_side: int) -> BoxedPicture:
    """The picture with its longer side at most ``max_side``."""
    scale = min(1.0, max_side / max(picture.image.shape[:2]))
    if scale == 1.0:
        return picture
    size = (max(1, round(picture.image.shape[1] * scale)), max(1, round(picture.image.shape[0] * scale)))
    image = np.asarray(cv2.resize(picture.image, size, interpolation=cv2.INTER_AREA), np.uint8)
    unclear = picture.unclear
    if unclear is not None:
        unclear = cv2.resize(unclear.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
    return replace(picture, image=image, xyxy=picture.xyxy * np.float32(scale), unclear=unclear)


def placed(
    picture: BoxedPicture,
    canvas: Canvas,
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
    canvas.pixels[y1:y2, x1:x2] = drawn
    canvas.doubt(np.array(region, np.float32), picture.unknown)
    if picture.unclear is not None:
        hidden = cv2.warpAffine(
            picture.unclear.astype(np.uint8), matrix, (x2 - x1, y2 - y1), flags=cv2.INTER_NEAREST
        )
        for cy, cx in {(y // CELL, x // CELL) for y, x in np.argwhere(hidden) + np.array([y1, x1])}:
            canvas.unknown[cy, cx] |= EVERY
    columns = [2, 1, 0, 3] if flip else [0, 1, 2, 3]
    scaled = picture.xyxy[:, columns] * np.array([matrix[0, 0], sy] * 2) + np.array([matrix[0, 2], ty] * 2)
    return _clipped(scaled.astype(np.float32), picture.kind, canvas, region)


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
) -> tuple[Canvas, NDArray[np.float32], NDArray[np.int64]]:
    """One training picture, ``size`` x ``size``: a mosaic of four (Bochkovskiy et al. 2020) or one alone."""
    canvas = Canvas.of(size)
    if rng.random() < mosaic:
        cx, cy = (int(v) for v in rng.integers(size // 4, size - size // 4, 2))
        regions = [(0, 0, cx, cy), (cx, 0, size, cy), (0, cy, cx, size), (cx, cy, size, size)]
        zoom = (0.7, 1.5)
    else:
        # Now and then close up: people who fill the picture and whom its border cuts off.
        regions, zoom = [(0, 0, size, size)], (1.2, 2.4) if rng.random() < CLOSE_UP else (0.5, 1.3)
    parts = [
        placed(pictures[int(i)], canvas, region, rng, float(rng.uniform(*zoom)))
        for i, region in zip(rng.choice(len(pictures), len(regions), p=chances), regions, strict=True)
    ]
    boxes, kinds = (np.concatenate(column) for column in zip(*parts, strict=True))
    return canvas, boxes, kinds


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


def letterboxed(picture: BoxedPicture, size: int) -> tuple[Image, NDArray[np.float32]]:
    """The picture fitted into a grey square, top left, as validation sees it; its boxes there."""
    height, width = picture.image.shape[:2]
    scale = size / max(height, width)
    target = (max(1, round(width * scale)), max(1, round(height * scale)))
    canvas = np.full((size, size, 3), GREY, np.uint8)
    canvas[: target[1], : target[0]] = cv2.resize(picture.image, target, interpolation=cv2.INTER_LINEAR)
    return canvas, picture.xyxy * np.float32(scale)
