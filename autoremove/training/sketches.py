"""Sketches to train a guided inpainter on: a picture's contours, drawn as unsteadily as people draw."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from autoremove.models.sketch import contours
from autoremove.types import Image, Mask


@dataclass(frozen=True)
class Sketches:
    """How often a sample gets a sketch (``share``, 0..1), and how far its lines stray.

    ``loss``: at most this share of the strokes is left out. ``stray``: at most so many pixels off, a slow
    wave over the whole drawing and a shift of each stroke.
    """

    share: float = 0.0
    loss: float = 0.6
    stray: float = 1.5

    def draw(self, picture: Image, hole: Mask, rng: np.random.Generator) -> Mask:
        """Lines inside ``hole`` of the complete picture (H x W x 3), or none for the samples without."""
        if rng.random() >= self.share:
            return np.zeros(hole.shape, bool)
        # Between a careful outline and a few bold strokes.
        lines = contours(
            picture,
            smoothing=float(rng.uniform(1.0, 2.4)),
            keep=float(rng.uniform(0.05, 0.2)),
            shortest=int(rng.integers(6, 25)),
        )
        drawn = self._by_hand(lines, rng)
        thick = rng.random() < 0.5
        return np.asarray(cv2.dilate(drawn, np.ones((2, 2), np.uint8)) if thick else drawn, bool) & hole

    def _by_hand(self, lines: Mask, rng: np.random.Generator) -> NDArray[np.uint8]:
        """The strokes that are kept, each a little off its place."""
        count, labels = cv2.connectedComponents(lines.astype(np.uint8), connectivity=8)
        kept = rng.random(count) >= rng.uniform(0, self.loss)
        shifts = rng.uniform(-0.5, 0.5, (count, 2)) * self.stray
        points = np.argwhere(lines & kept[labels])
        moved = points + shifts[labels[points[:, 0], points[:, 1]]] + self._waves(points, lines.shape[0], rng)
        rows, columns = np.rint(moved).astype(int).clip(0, np.array(lines.shape) - 1).T
        drawn = np.zeros(lines.shape, np.uint8)
        drawn[rows, columns] = 1
        return drawn

    def _waves(self, points: NDArray[np.intp], size: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """N x 2 offsets of one slow wave per direction, up to a wave and a half over the picture."""
        turns = rng.uniform(-1.5, 1.5, (2, 2)) * 2 * np.pi / size
        phases = rng.uniform(0, 2 * np.pi, 2)
        return np.asarray(0.5 * self.stray * rng.random() * np.sin(points @ turns + phases), np.float64)


def plain_sketch(picture: Image, hole: Mask) -> Mask:
    """The same lines for the same picture, all of them and in their place: what validation draws."""
    return contours(picture) & hole
