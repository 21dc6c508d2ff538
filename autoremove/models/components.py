"""Patches of a picture in terms of their strongest principal components: a few numbers in place of 147."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]
Index = NDArray[np.int64]

PATCH = 7
"""Side of a patch in pixels."""

COUNT = 8
"""Components by which patches are compared; with more of them smooth sources win over sharp ones."""

SAMPLE = 3000
"""Patches from which the components are learnt, about."""

ROUNDS = 6
"""Steps of the iteration that finds the components; it works on twice as many as are kept."""


@dataclass(frozen=True)
class Components:
    """``mean`` (147), ``basis`` 147 x COUNT, scaled so that squared distances are means over a patch."""

    mean: Float
    basis: Float

    @classmethod
    def of(cls, pixels: Float, places: Index) -> Components:
        """Those of the patches round these places (flat indices) of an H x W x 3 picture."""
        if not len(places):
            size = 3 * PATCH * PATCH
            return cls(np.zeros(size, np.float32), np.zeros((size, COUNT), np.float32))
        rows = _patches(pixels, places[:: 1 + len(places) // SAMPLE])
        mean = rows.mean(0)
        vectors = _strongest((rows - mean).T @ (rows - mean))
        return cls(mean, np.asarray(vectors / np.sqrt(rows.shape[1]), np.float32))

    def describe(self, pixels: Float, places: Index) -> Float:
        """The patches round these places: n x COUNT."""
        return np.asarray((_patches(pixels, places) - self.mean) @ self.basis, np.float32)

    def everywhere(self, pixels: Float, places: Index) -> Float:
        """The same in a row for each pixel of the picture, 0 at all others: (H * W) x COUNT."""
        rows = np.zeros((pixels.shape[0] * pixels.shape[1], COUNT), np.float32)
        rows[places] = self.describe(pixels, places)
        return rows


def _strongest(covariance: Float) -> Float:
    """The first COUNT principal directions as columns, by orthogonal iteration, which is fast."""
    start = np.random.default_rng(0).standard_normal((len(covariance), 2 * COUNT)).astype(np.float32)
    directions, _ = np.linalg.qr(covariance @ start)
    for _ in range(ROUNDS):
        directions, _ = np.linalg.qr(covariance @ directions)
    return np.asarray(directions[:, :COUNT], np.float32)


def _patches(pixels: Float, places: Index) -> Float:
    """These pixels' patches as rows: n x (3 * PATCH^2)."""
    half = PATCH // 2
    padded = cv2.copyMakeBorder(pixels, half, half, half, half, cv2.BORDER_REFLECT)
    # Colours side by side, a row of a patch lies in one piece: copied at once, which is ten times as fast.
    rows = padded.reshape(len(padded), -1)
    every = np.lib.stride_tricks.sliding_window_view(rows, (PATCH, 3 * PATCH))[:, ::3]
    return np.asarray(every[np.divmod(places, pixels.shape[1])].reshape(-1, 3 * PATCH * PATCH), np.float32)
