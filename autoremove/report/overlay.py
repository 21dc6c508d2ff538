"""A mask as a small see-through PNG: the grown area tinted, each object outlined in a colour of its own."""

from __future__ import annotations

import io

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as PilImage

from autoremove.types import ObjectMask

TINT = (255, 64, 96, 90)
COLOURS = (
    (255, 230, 60),
    (80, 220, 255),
    (150, 255, 110),
    (255, 150, 60),
    (220, 150, 255),
    (255, 255, 255),
)
"""Outlines; neighbouring rows of the detections differ."""


def encode_overlay(mask: ObjectMask, max_side: int) -> bytes:
    """PNG with a palette, its longer side at most ``max_side`` pixels."""
    height, width = mask.grown.shape
    scale = min(1.0, max_side / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    grown = cv2.resize(
        mask.grown.astype(np.uint8), size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_NEAREST
    )
    ids = np.asarray(cv2.resize(mask.ids, size, interpolation=cv2.INTER_NEAREST))
    canvas = (np.asarray(grown) > 0).astype(np.uint8)
    for number in np.unique(ids[ids > 0]).tolist():
        _outline(canvas, ids == number, 2 + (number - 1) % len(COLOURS))
    return _png(canvas)


def _outline(canvas: NDArray[np.uint8], shape: NDArray[np.bool_], index: int) -> None:
    contours, _ = cv2.findContours(shape.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(canvas, contours, -1, index, 2)


def _png(indices: NDArray[np.uint8]) -> bytes:
    picture = PilImage.fromarray(indices)
    flat = [0, 0, 0, *TINT[:3]]
    for colour in COLOURS:
        flat += colour
    picture.putpalette(flat)  # turns grey values into places in the palette
    stream = io.BytesIO()
    picture.save(stream, "PNG", transparency=bytes([0, TINT[3], *[255] * len(COLOURS)]), optimize=True)
    return stream.getvalue()
