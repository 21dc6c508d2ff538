"""Detector data: pictures with boxes in memory, and of what they say nothing."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from autoremove.errors import InputError
from autoremove.training.ahead import read_all
from autoremove.training.instances import (
    IGNORE,
    ONE_OBJECT,
    LabelledPicture,
    find_picture,
    read_instances,
    read_pixels,
)
from autoremove.training.yolo_labels import boxes_of, label_files, read_labels
from autoremove.types import Image

GREY = 114
"""The padding value of the YOLO family."""

SPARSE = {"CamVid": ("person", "car")}
"""Sources that label only some classes, by a part of their name; of the others nothing is known there."""


@dataclass(frozen=True)
class BoxedPicture:
    """One picture: ``xyxy`` N x 4 float32 in its pixels, ``kind`` N class indices.

    ``unknown``: bits of the classes that may be in it without a label; their absence must not be taught, but
    within the labelled boxes of the same class.
    ``unclear``: H x W bool or None, where nothing is known of any class. ``doubtful`` M x 4 and
    ``doubtful_kind`` M: boxes in which an object of that class may be without a label. ``name``: see
    :func:`key_of`.
    """

    image: Image
    xyxy: NDArray[np.float32]
    kind: NDArray[np.int64]
    weight: float = 1.0
    unknown: int = 0
    unclear: NDArray[np.bool_] | None = None
    doubtful: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 4), np.float32))
    doubtful_kind: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    name: str = ""

    def labels_all(self, kind: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Of N class indices, which have a label wherever they are in it."""
        return np.asarray(self.unknown >> kind & 1 == 0)


def key_of(folder: Path, name: str) -> str:
    """What a picture of a data set is called among those of several."""
    return f"{folder.name}/{name}"


def bits_of(kinds: Iterable[int]) -> int:
    """Class indices as bits."""
    return sum(1 << int(kind) for kind in set(kinds))


def read_boxed(folder: Path, labels: tuple[str, ...], max_side: int) -> Iterator[BoxedPicture]:
    """Read a data set in the YOLO form (images/, labels/) or the `instances` form (instances.jsonl)."""
    if (folder / "instances.jsonl").exists():
        for picture in read_instances(folder):
            if ONE_OBJECT not in picture.source:
                boxed = replace(_from_instances(picture, labels), name=key_of(folder, picture.name))
                yield shrunk(boxed, max_side)
        return
    paths = label_files(folder)
    yield from read_all(lambda path: shrunk(_from_yolo(folder, path, len(labels)), max_side), paths)


def _from_yolo(folder: Path, path: Path, classes: int) -> BoxedPicture:
    image = read_pixels(find_picture(folder / "images", path.stem))
    xyxy, kinds = boxes_of(read_labels(path), (image.shape[0], image.shape[1]))
    # Person boxes: of all further classes such a folder says nothing.
    unknown = bits_of(range(1, classes))
    return BoxedPicture(image, xyxy, kinds, 1.0, unknown, name=key_of(folder, path.stem))


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
        unknown = bits_of(range(len(labels)))
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
    none, unknown = (np.zeros((0, 4), np.float32), np.zeros(0, np.int64)), bits_of(range(1, classes))

    def read(path: Path) -> BoxedPicture:
        weight = HARD if path.name in seen else EASY
        return shrunk(BoxedPicture(read_pixels(path), *none, weight, unknown), max_side)

    kept = [path for path in sorted(folder.iterdir()) if path.name not in seen or path.name in looked_at]
    yield from read_all(read, [path for path in kept if path.is_file()])


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
    xyxy, doubtful = (boxes * np.float32(scale) for boxes in (picture.xyxy, picture.doubtful))
    return replace(picture, image=image, xyxy=xyxy, unclear=unclear, doubtful=doubtful)


def letterboxed(picture: BoxedPicture, size: int) -> tuple[Image, NDArray[np.float32]]:
    """The picture fitted into a grey square, top left, as validation sees it; its boxes there."""
    height, width = picture.image.shape[:2]
    scale = size / max(height, width)
    target = (max(1, round(width * scale)), max(1, round(height * scale)))
    canvas = np.full((size, size, 3), GREY, np.uint8)
    canvas[: target[1], : target[0]] = cv2.resize(picture.image, target, interpolation=cv2.INTER_LINEAR)
    return canvas, picture.xyxy * np.float32(scale)
