"""Made scenes: boxes of people and things on pictures that are sharp where they are told to be."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import cv2
import numpy as np

from autoremove.types import Detections, Image

SIZE_HW = (600, 900)

Box = tuple[float, float, float, float]


def standing(x: float, feet: float, height: float, width: float = 0.35) -> Box:
    """The box of a person whose feet are at ``feet``, ``height`` pixels high, with the middle at ``x``."""
    return (x - width * height / 2, feet - height, x + width * height / 2, feet)


def boxes(rows: Sequence[Box]) -> np.ndarray:
    """N x 4, cut at the border of the picture as a detector's are."""
    limit = [SIZE_HW[1], SIZE_HW[0], SIZE_HW[1], SIZE_HW[0]]
    return np.clip(np.array(rows, np.float32).reshape(-1, 4), 0, limit).astype(np.float32)


@lru_cache(maxsize=1)
def noise() -> tuple[Image, Image]:
    """Sharp and smoothed."""
    sharp = np.random.default_rng(5).integers(0, 256, (*SIZE_HW, 3), np.uint8)
    return sharp, np.asarray(cv2.GaussianBlur(sharp, (0, 0), 4), np.uint8)


def sharp_but(blurred: Sequence[Box] = ()) -> Image:
    """Noise everywhere, smoothed in the given boxes."""
    image, soft = noise()
    image = image.copy()
    for x1, y1, x2, y2 in boxes(blurred).astype(int):
        image[y1:y2, x1:x2] = soft[y1:y2, x1:x2]
    return image


def found(*rows: tuple[str, Box, float]) -> Detections:
    """Detections of (label, box, score) rows."""
    return Detections(
        boxes([box for _, box, _ in rows]),
        np.array([score for _, _, score in rows], np.float32),
        tuple(label for label, _, _ in rows),
    )
