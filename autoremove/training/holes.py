"""Hole shapes to train an inpainter on: brush strokes, rectangles, and silhouettes of real objects."""

from __future__ import annotations

import math
from collections.abc import Sequence
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
    tight = _tight(outline)
    if tight is None:
        return np.zeros((size, size), bool)
    scale = rng.uniform(*extent) * size / max(tight.shape)
    stretch = math.exp(rng.uniform(-0.2, 0.2))
    height = int(np.clip(tight.shape[0] * scale * stretch, 3, size))
    width = int(np.clip(tight.shape[1] * scale / stretch, 3, size))
    shape = _resized(tight, (height, width), rng)
    top = int(rng.integers(-(height // 3), size - height + height // 3 + 1))
    left = int(rng.integers(-(width // 3), size - width + width // 3 + 1))
    hole = np.zeros((size, size), np.uint8)
    _put(hole, shape, top, left)
    return _grown(hole, rng)


def standing(size: int, outlines: Sequence[Mask], rng: np.random.Generator) -> Mask:
    """Objects as they are taken out of photos: upright on one ground, some further off, some cut by the edge.

    A third of them take a shadow at their feet along. The nearest is a quarter to nine tenths of the crop
    high (several: two thirds at most); feet may lie below the crop. No object is begun once two fifths of the
    crop are hole.
    """
    hole = np.zeros((size, size), np.uint8)
    ground = rng.uniform(0.6, 1.1) * size
    tallest = rng.uniform(0.25, 0.9 if len(outlines) == 1 else 0.67) * size
    for outline in outlines:
        tight = _tight(outline)
        if tight is None or hole.mean() > 0.4:
            continue
        near = rng.uniform(0.6, 1.0)
        height = max(3, round(tallest * near))
        width = int(np.clip(height * tight.shape[1] / tight.shape[0] * rng.uniform(0.85, 1.15), 3, size))
        feet = round(ground - (1 - near) * 0.4 * size)
        left = round(rng.uniform(-0.4 * width, size - 0.6 * width))
        _put(hole, _resized(tight, (height, width), rng), feet - height, left)
        if rng.random() < 1 / 3:
            _shadow(hole, (left + width // 2, feet), (height, width), rng)
    return _grown(hole, rng)


def _shadow(
    hole: NDArray[np.uint8], feet: tuple[int, int], size_hw: tuple[int, int], rng: np.random.Generator
) -> None:
    """A flat ellipse on the ground, to one side of the feet."""
    length, depth = rng.uniform(0.3, 0.8) * size_hw[1], rng.uniform(0.03, 0.08) * size_hw[0]
    middle = feet[0] + round(rng.uniform(-0.8, 0.8) * length), feet[1] - round(depth / 2)
    cv2.ellipse(hole, middle, (max(1, round(length)), max(1, round(depth))), 0, 0, 360, 1, -1)


def _tight(outline: Mask) -> NDArray[np.uint8] | None:
    """The outline (0 and 255) without the empty rows and columns round it; None for an empty one."""
    rows, columns = np.flatnonzero(outline.any(1)), np.flatnonzero(outline.any(0))
    if not len(rows):
        return None
    return outline[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].astype(np.uint8) * 255


def _resized(
    shape: NDArray[np.uint8], size_hw: tuple[int, int], rng: np.random.Generator
) -> NDArray[np.uint8]:
    """The shape at another size, mirrored half the time."""
    resized = np.asarray(cv2.resize(shape, size_hw[::-1], interpolation=cv2.INTER_AREA), np.uint8)
    return resized[:, ::-1] if rng.random() < 0.5 else resized


def _put(hole: NDArray[np.uint8], shape: NDArray[np.uint8], top: int, left: int) -> None:
    """Set where ``shape`` (0..255) is more than half; its corner, ``top`` and ``left``, may lie outside."""
    height, width = hole.shape
    y, x = max(top, 0), max(left, 0)
    part = shape[y - top : max(0, height - top), x - left : max(0, width - left)]
    hole[y : y + part.shape[0], x : x + part.shape[1]] |= part > 127


def _grown(hole: NDArray[np.uint8], rng: np.random.Generator) -> Mask:
    """Grown by up to 4 % of the crop, as masks are before removal."""
    grow = round(float(rng.uniform(0, 0.04)) * hole.shape[0])
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * grow + 1, 2 * grow + 1))
    return cv2.dilate(hole, kernel).astype(bool)


@dataclass(frozen=True)
class HoleMix:
    """How often each kind of hole is drawn; what is left after the two shares is brush + rectangle.

    ``standing_share``: of the silhouettes' share, how much is drawn by :func:`standing`.
    """

    silhouettes: Silhouettes | None = None
    silhouette_share: float = 0.6
    brush_share: float = 0.2
    extent: tuple[float, float] = (0.25, 0.85)
    standing_share: float = 0.0

    def draw(self, size: int, rng: np.random.Generator) -> Mask:
        """One hole for a square crop of ``size`` pixels; never empty."""
        hole = self._once(size, rng)
        while not hole.any():
            hole = self._once(size, rng)
        return hole

    def _once(self, size: int, rng: np.random.Generator) -> Mask:
        kind = rng.random()
        if self.silhouettes is not None and kind < self.silhouette_share:
            if self.standing_share and rng.random() < self.standing_share:
                return standing(size, [self._outline(rng) for _ in range(_how_many(rng))], rng)
            hole = self._object(size, rng)
            return hole | self._object(size, rng) if rng.random() < 0.2 else hole
        free = brush(size, rng)
        only_brush = rng.random() * (1 - self.silhouette_share) < self.brush_share
        return free if only_brush else free | rectangle(size, rng)

    def _object(self, size: int, rng: np.random.Generator) -> Mask:
        return silhouette(size, self._outline(rng), rng, extent=self.extent)

    def _outline(self, rng: np.random.Generator) -> Mask:
        assert self.silhouettes is not None
        return self.silhouettes[int(rng.integers(len(self.silhouettes)))]


def _how_many(rng: np.random.Generator) -> int:
    """One to four, one most often."""
    return 1 + int(rng.binomial(3, 0.3))
