"""Tiny data folders in the forms that the evaluations read."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image as PilImage

PERSON = (20, 10, 50, 90)
"""xyxy of the person in every picture, 80 pixels high."""

SMALL = (80, 20, 90, 40)
"""xyxy of a small one, 20 pixels high."""

SIZE_HW = (100, 120)


def picture(*boxes: tuple[int, int, int, int], size_hw: tuple[int, int] = SIZE_HW) -> np.ndarray:
    """Grey noise with a red block for each box."""
    rgb = np.random.default_rng(1).integers(90, 130, (*size_hw, 3)).astype(np.uint8)
    for x1, y1, x2, y2 in boxes:
        rgb[y1:y2, x1:x2] = (220, 20, 30)
    return rgb


def save(rgb: np.ndarray, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    PilImage.fromarray(rgb).save(path)


def instances(folder: Path, rows: list[dict]) -> Path:
    """``rows``: name, source, objects [(label, xyxy)], ignore [xyxy], extra [xyxy] (unlabelled blocks)."""
    lines = []
    for row in rows:
        objects, ignore = row.get("objects", []), row.get("ignore", [])
        blocks = [box for _, box in objects] + row.get("extra", [])
        ids = np.zeros(SIZE_HW, np.uint8)
        for number, (_, (x1, y1, x2, y2)) in enumerate(objects):
            ids[y1:y2, x1:x2] = number + 1
        for x1, y1, x2, y2 in ignore:
            ids[y1:y2, x1:x2] = 255
        save(picture(*blocks), folder / "images" / f"{row['name']}.png")
        save(ids, folder / "masks" / f"{row['name']}.png")
        known = [{"id": number + 1, "label": label} for number, (label, _) in enumerate(objects)]
        lines.append(
            {"name": row["name"], "size_hw": SIZE_HW, "source": row.get("source", "ours"), "instances": known}
        )
    (folder / "instances.jsonl").write_text("\n".join(json.dumps(line) for line in lines) + "\n")
    return folder


def yolo(folder: Path, names: list[str] | None = None) -> Path:
    """One picture with the person and the small one as class 0 and, where there are names, class 1."""
    save(picture(PERSON, SMALL), folder / "images" / "a.webp")
    (folder / "labels").mkdir()
    height, width = SIZE_HW
    lines = []
    for number, (x1, y1, x2, y2) in enumerate((PERSON, SMALL)):
        kind = number if names else 0
        values = ((x1 + x2) / 2 / width, (y1 + y2) / 2 / height, (x2 - x1) / width, (y2 - y1) / height)
        lines.append(" ".join([str(kind), *(f"{value:.6f}" for value in values)]))
    (folder / "labels" / "a.txt").write_text("\n".join(lines) + "\n")
    if names:
        (folder / "classes.txt").write_text("\n".join(names) + "\n")
    return folder


def scenes(folder: Path, count: int = 4, size_hw: tuple[int, int] = (72, 96)) -> Path:
    """Smooth pictures with a little texture, of several formats."""
    y, x = np.mgrid[: size_hw[0], : size_hw[1]]
    for number in range(count):
        texture = np.random.default_rng(number).normal(0, 6, (*size_hw, 1))
        base = np.stack([x + 60, y + 80, (x + y) // 2 + 40 + 10 * number], 2) + texture
        suffix = ("png", "webp", "jpg")[number % 3]
        save(base.clip(0, 255).astype(np.uint8), folder / f"scene_{number}.{suffix}")
    return folder


def pairs(folder: Path) -> Path:
    """One view without and with the person, and its mask."""
    empty, marked = picture(), np.zeros((*SIZE_HW, 3), np.uint8)
    x1, y1, x2, y2 = PERSON
    marked[y1:y2, x1:x2] = 255
    full = empty.copy()
    full[y1:y2, x1:x2] = (220, 20, 30)
    for name, rgb in (("without", empty), ("with", full), ("object", marked)):
        save(rgb, folder / f"view_{name}.png")
    return folder
