"""Hole shapes to train an inpainter on: brush strokes, rectangles, and silhouettes of real objects."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from autoremove.errors import InputError
from autoremove.types import Mask

REFERENCE_SIZE = 256
"""The crop size for which stroke widths and rectangle sides are stated; other sizes scale them."""


def rectangle(size: int, rng: np.random.Generator) -> Mask:
    """One rectangle of half the crop's side, each side then drawn in by up to a sixteenth of the crop.

    ``size`` is the side of the square crop in pixels. DeepFillv2 (Yu et al., 2019) at 256 pixels:
    128 x 128, top left uniform, shrunk by 0..16 on each side in both directions.
    """
    side, shrink = size // 2, size // 16
    top, left = (int(v) for v in rng.integers(0, size - side, 2))
    dy, dx = (int(v) for v in rng.integers(0, shrink + 1, 2))
    hole = np.zeros((size, size), bool)
    hole[top + dy : top + side - dy, left + dx : left + side - dx] = True
    return hole


def brush(size: int, rng: np.random.Generator) -> Mask:
    """One to three free-form strokes with round joints (DeepFillv2, Yu et al., 2019).

    ``size`` is the side of the square crop in pixels; widths are 12 to 40 pixels at 256.
    """
    hole = np.zeros((size, size), np.uint8)
    for _ in range(int(rng.integers(1, 4))):
        _stroke(hole, rng)
    return hole.astype(bool)


def _stroke(hole: NDArray[np.uint8], rng: np.random.Generator) -> None:
    """Draw one stroke in place: a zigzag whose every second segment turns back."""
    size = hole.shape[0]
    turn, spread = 2 * math.pi / 5, 2 * math.pi / 15
    low, high = turn - rng.uniform(0, spread), turn + rng.uniform(0, spread)
    width = max(1, int(rng.uniform(12, 40) * size / REFERENCE_SIZE))
    mean = math.hypot(size, size) / 8
    here = rng.uniform(0, size, 2)
    for vertex in range(int(rng.integers(4, 12))):
        angle = rng.uniform(low, high)
        angle = 2 * math.pi - angle if vertex % 2 == 0 else angle
        length = float(np.clip(rng.normal(mean, mean / 2), 0, 2 * mean))
        there = np.clip(here + length * np.array([math.cos(angle), math.sin(angle)]), 0, size)
        cv2.line(hole, _pixel(here), _pixel(there), 1, width)
        for joint in (here, there):
            cv2.circle(hole, _pixel(joint), width // 2, 1, -1)
        here = there


def _pixel(point: NDArray[np.float64]) -> tuple[int, int]:
    return int(point[0]), int(point[1])


@dataclass(frozen=True)
class Silhouettes:
    """Outlines of real objects: ``packed`` is N x bytes, each row the bits of one ``shape`` mask."""

    packed: NDArray[np.uint8]
    shape: tuple[int, int]

    @classmethod
    def load(cls, path: Path) -> Silhouettes:
        """Read an npz with ``packed`` (N x bytes, as np.packbits makes them) and ``shape``.

        ``shape`` ends in a row (height, width). Raises InputError when the file is absent or unlike this.
        """
        try:
            with np.load(path, allow_pickle=False) as arrays:
                height, width = (int(v) for v in np.asarray(arrays["shape"]).reshape(-1)[-2:])
                return cls(np.asarray(arrays["packed"], np.uint8), (height, width))
        except (OSError, KeyError, ValueError) as error:
            raise InputError(
                f"No silhouettes can be read from {path} ({error}).",
                hint="It must be an npz with `packed` and `shape`; or leave the setting `silhouettes` empty.",
            ) from error

    def __len__(self) -> int:
        return len(self.packed)

    def __getitem__(self, index: int) -> Mask:
        height, width = self.shape
        return np.unpackbits(self.packed[index])[: height * width].reshape(height, width).astype(bool)


def silhouette(size: int, outline: Mask, rng: np.random.Generator, *, extent: tuple[float, float]) -> Mask:
    """``outline`` scaled, flipped, grown a little and put somewhere on a square crop.

    Its longer side becomes a share ``extent`` (lowest, highest) of ``size``; growth is up to 4 % of the
    crop, as masks are grown before removal; up to a third of the shape may hang over the crop's edge.
    """
    rows, columns = np.flatnonzero(outline.any(1)), np.flatnonzero(outline.any(0))
    if not len(rows):
        return np.zeros((size, size), bool)
    shape = outline[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].astype(np.uint8)
    scale = rng.uniform(*extent) * size / max(shape.shape)
    stretch = math.exp(rng.uniform(-0.2, 0.2))
    height = int(np.clip(shape.shape[0] * scale * stretch, 3, size))
    width = int(np.clip(shape.shape[1] * scale / stretch, 3, size))
    shape = np.asarray(cv2.resize(shape * 255, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
    shape = shape[:, ::-1] if rng.random() < 0.5 else shape
    hole = _placed(size, shape, rng)
    grow = round(float(rng.uniform(0, 0.04)) * size)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * grow + 1, 2 * grow + 1))
    return cv2.dilate(hole, kernel).astype(bool)


def _placed(size: int, shape: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """A 0/1 crop with ``shape`` (0..255, thresholded) at a random place, at most a third of it cut off."""
    height, width = shape.shape
    top = int(rng.integers(-(height // 3), size - height + height // 3 + 1))
    left = int(rng.integers(-(width // 3), size - width + width // 3 + 1))
    hole = np.zeros((size, size), np.uint8)
    y, x = max(top, 0), max(left, 0)
    part = shape[y - top : size - top, x - left : size - left]
    hole[y : y + part.shape[0], x : x + part.shape[1]] = part > 127
    return hole


@dataclass(frozen=True)
class HoleMix:
    """How often each kind of hole is drawn; what is left after the two shares is brush + rectangle."""

    silhouettes: Silhouettes | None = None
    silhouette_share: float = 0.6
    brush_share: float = 0.2
    extent: tuple[float, float] = (0.25, 0.85)

    def draw(self, size: int, rng: np.random.Generator) -> Mask:
        """One hole for a square crop of ``size`` pixels; never empty."""
        hole = self._once(size, rng)
        while not hole.any():
            hole = self._once(size, rng)
        return hole

    def _once(self, size: int, rng: np.random.Generator) -> Mask:
        kind = rng.random()
        if self.silhouettes is not None and kind < self.silhouette_share:
            hole = self._object(size, rng)
            return hole | self._object(size, rng) if rng.random() < 0.2 else hole
        free = brush(size, rng)
        only_brush = rng.random() * (1 - self.silhouette_share) < self.brush_share
        return free if only_brush else free | rectangle(size, rng)

    def _object(self, size: int, rng: np.random.Generator) -> Mask:
        assert self.silhouettes is not None
        outline = self.silhouettes[int(rng.integers(len(self.silhouettes)))]
        return silhouette(size, outline, rng, extent=self.extent)
