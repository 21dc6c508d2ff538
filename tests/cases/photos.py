"""A folder of photos as people have them: good, broken and misnamed ones, in folders within folders."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image as PilImage

from tests import builders

GOOD = ("a.jpg", "sub/b.png", "sub/deep/c.png", "grey.png")
"""A person in each; the grey one is red in no place, so it stays as it is."""

EMPTY_OF_PEOPLE = ("landscape.jpg", "sub/empty-room.png", "grey.png")
BROKEN = ("truncated.jpg", "empty.png", "letter.jpg")


def png(person: bool = True, size_hw: tuple[int, int] = builders.SIZE_HW) -> bytes:
    return builders.save(PilImage.fromarray(builders.scene(size_hw, person=person)), "PNG")


def write(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def folder(root: Path) -> Path:
    """Ten pictures or things called so, and two files that are none of our business."""
    grey = builders.save(PilImage.fromarray(builders.scene()).convert("L"), "PNG")
    files = {
        "a.jpg": builders.jpeg(6),
        "sub/b.png": png(),
        "sub/deep/c.png": png(size_hw=(96, 144)),
        "grey.png": grey,
        "landscape.jpg": builders.jpeg(rgb=builders.scene(person=False)),
        "sub/empty-room.png": png(person=False),
        "truncated.jpg": builders.jpeg()[:900],
        "empty.png": b"",
        "letter.jpg": b"Dear all,\nno picture here.\n",
        "notes.txt": b"not to be touched",
        ".hidden.jpg": builders.jpeg(),
    }
    for name, data in files.items():
        write(root / name, data)
    return root


def people_in(path: Path) -> int:
    """How many clearly red pixels a picture has."""
    from tests.cases.chain import red

    with PilImage.open(path) as picture:
        return int(red(np.asarray(picture.convert("RGB"))).sum())
