"""Tiny labelled data sets: people are red boxes and dogs are blue ones on green ground."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image as PilImage

COLOURS = {"person": (230, 20, 20), "dog": (20, 20, 230), "bicycle+rider": (230, 20, 230)}
GROUND = (20, 160, 20)
SIZE_HW = (96, 128)

Object = tuple[str, tuple[int, int, int, int]]

PICTURES: tuple[tuple[Object, ...], ...] = (
    (("person", (10, 12, 50, 84)),),
    (("person", (60, 20, 100, 90)), ("dog", (8, 50, 44, 88))),
    (("dog", (30, 30, 90, 70)),),
    (("person", (40, 8, 90, 88)),),
)


def drawn(objects: tuple[Object, ...]) -> tuple[np.ndarray, np.ndarray]:
    """The picture, and its ids: 1 for the first object."""
    image = np.full((*SIZE_HW, 3), GROUND, np.uint8)
    ids = np.zeros(SIZE_HW, np.uint8)
    for number, (label, (x1, y1, x2, y2)) in enumerate(objects, 1):
        image[y1:y2, x1:x2] = COLOURS[label]
        ids[y1:y2, x1:x2] = number
    return image, ids


def instances(
    folder: Path, pictures: tuple[tuple[Object, ...], ...] = PICTURES, source: str = "COCO"
) -> Path:
    """A data set in the `instances` form."""
    for part in ("images", "masks"):
        (folder / part).mkdir(parents=True)
    rows = []
    for number, objects in enumerate(pictures):
        image, ids = drawn(objects)
        name = f"picture{number}"
        PilImage.fromarray(image).save(folder / "images" / f"{name}.png")
        PilImage.fromarray(ids).save(folder / "masks" / f"{name}.png")
        listed = [{"id": i, "label": label} for i, (label, _) in enumerate(objects, 1)]
        rows.append(json.dumps({"name": name, "source": source, "instances": listed}))
    (folder / "instances.jsonl").write_text("\n".join(rows) + "\n")
    return folder


def yolo(folder: Path, pictures: tuple[tuple[Object, ...], ...] = PICTURES) -> Path:
    """A data set in the YOLO form: class, centre and size as shares of the picture; people only."""
    for part in ("images", "labels"):
        (folder / part).mkdir(parents=True)
    height, width = SIZE_HW
    for number, objects in enumerate(pictures):
        PilImage.fromarray(drawn(objects)[0]).save(folder / "images" / f"picture{number}.png")
        lines = [
            f"0 {(x1 + x2) / 2 / width} {(y1 + y2) / 2 / height} {(x2 - x1) / width} {(y2 - y1) / height}"
            for label, (x1, y1, x2, y2) in objects
            if label == "person"
        ]
        (folder / "labels" / f"picture{number}.txt").write_text("\n".join(lines) + "\n")
    return folder
