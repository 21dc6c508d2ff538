"""Grain: the noise of a picture, added where a fill is smoother than the smoothest of its surroundings."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from autoremove.types import Image, Mask

Float = NDArray[np.float32]

FINE = 1.0
"""Sigma in pixels below which detail counts as grain."""

SMOOTH = 0.05
"""The share of the surroundings that is taken for smooth: what stirs there is grain and not texture."""

SIDE = 13
"""Side of the sample of grain, in pixels."""

LARGEST = 4.0
"""Most grain that is added, as a standard deviation in levels of 255: stronger detail is texture."""


def grained(own: Image, fill: Image, holes: Mask, amount: float) -> Image:
    """The fill (H x W x 3, like ``own``, the picture) with grain in the holes.

    Random phase noise (Galerne, Gousseau and Morel 2011) of a smooth sample of the surroundings, so of its
    spectrum and its colours, as strong as what is missing there. ``amount`` 0..1. Fills that stir as much,
    and pictures without a smooth known place, stay as they are. The same input gives the same grain.
    """
    sample = _sample(own, ~holes)
    if sample is None:
        return fill
    there = float(sample.mean(-1).std())
    missing = np.sqrt(np.maximum(there**2 - _stir(_fine(fill)) ** 2, 0)) / max(there, 1e-6)
    # What stirs more than grain does is texture: of that, ever less is added.
    strength = amount * min(1.0, (LARGEST / max(there, 1e-6)) ** 2) * missing * holes
    noise = _random_phase(sample, (holes.shape[0], holes.shape[1]))
    return np.asarray(np.rint(fill + strength[..., None] * noise).clip(0, 255), np.uint8)


def _sample(own: Image, known: Mask) -> Float | None:
    """The fine detail of a square of the picture that is as smooth as the smooth share of what is known."""
    whole = cv2.erode(known.astype(np.uint8), np.ones((SIDE + 2, SIDE + 2), np.uint8), borderValue=0) > 0
    places = np.flatnonzero(whole)
    if not len(places):
        return None
    fine = _fine(own)
    stir = _stir(fine).ravel()[places]
    chosen = places[np.argpartition(stir, int(SMOOTH * (len(stir) - 1)))[int(SMOOTH * (len(stir) - 1))]]
    y, x = (int(v) - SIDE // 2 for v in divmod(int(chosen), known.shape[1]))
    return fine[y : y + SIDE, x : x + SIDE]


def _fine(image: Image) -> Float:
    pixels = image.astype(np.float32)
    return np.asarray(pixels - cv2.GaussianBlur(pixels, (0, 0), FINE), np.float32)


def _stir(fine: Float) -> Float:
    """Local standard deviation of fine detail, its colours averaged."""
    # The sliding sums of a blur leave a little less than nothing where nothing stirs.
    return np.asarray(np.sqrt(np.maximum(cv2.blur(fine.mean(-1) ** 2, (SIDE, SIDE)), 0)), np.float32)


def _random_phase(sample: Float, size_hw: tuple[int, int]) -> Float:
    """H x W x 3 noise with the spectrum and the colours of a sample."""
    white = np.random.default_rng(0).standard_normal(size_hw).astype(np.float32)
    kernels = (sample - sample.mean((0, 1))) / SIDE
    planes = [cv2.filter2D(white, -1, np.ascontiguousarray(kernels[..., c])) for c in range(3)]
    return np.asarray(np.stack(planes, -1), np.float32)
