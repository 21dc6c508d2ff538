"""Square crops of a picture for an inpainter to learn from, and what is varied in them."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
"""H x W x 4: RGB, and 255 where a labelled object must stay out of holes and losses."""


def random_crop(
    pixels: Pixels, size: int, rng: np.random.Generator, *, zoom: float, vary: float = 0.0
) -> Pixels:
    """A crop scaled to ``size`` x ``size``, flipped half the time.

    Its side in the source is log-uniform between ``size`` x 0.9 (or the whole short side) and ``zoom``
    times ``size``: large crops show layout, small ones texture. ``vary`` 0..1: how far shape and colour may
    depart from the source; at 1 the one side is up to 1.35 times the other before it is scaled to a square,
    and colours are those of `recoloured`. A small set of pictures is learnt by heart without it.
    """
    short = min(pixels.shape[:2])
    low, high = min(size * 0.9, short), min(size * zoom, short)
    side = int(np.exp(rng.uniform(np.log(low), np.log(high))))
    tall, wide = side, side
    if vary:
        shape = float(np.exp(rng.uniform(-0.3, 0.3) * vary))
        tall, wide = min(side, round(side * shape)), min(side, round(side / shape))
    top, left = (
        int(rng.integers(0, extent - of + 1))
        for extent, of in zip(pixels.shape[:2], (tall, wide), strict=True)
    )
    part = pixels[top : top + tall, left : left + wide]
    interpolation = cv2.INTER_AREA if side > size else cv2.INTER_LINEAR
    scaled = cv2.resize(part, (size, size), interpolation=interpolation)
    crop: Pixels = np.array(scaled[:, ::-1] if rng.random() < 0.5 else scaled, np.uint8)
    if vary:
        crop[..., :3] = recoloured(crop[..., :3], rng, vary)
    return crop


def recoloured(picture: NDArray[np.uint8], rng: np.random.Generator, vary: float) -> NDArray[np.uint8]:
    """Another light: at ``vary`` 1 exposure by up to a third, each channel by a sixth, gamma 0.7 to 1.4."""
    steps = np.arange(256) / 255
    gamma = float(np.exp(rng.uniform(-0.35, 0.35) * vary))
    gains = np.exp((rng.uniform(-0.3, 0.3) + rng.uniform(-0.15, 0.15, 3)) * vary)
    table = (255 * (steps[:, None] ** gamma * gains)).clip(0, 255)
    order = rng.permutation(3) if rng.random() < 0.2 * vary else np.arange(3)
    return np.asarray(cv2.LUT(picture[..., order], np.rint(table).astype(np.uint8)[:, None]), np.uint8)


def centre_crop(pixels: Pixels, size: int) -> NDArray[np.uint8]:
    """The largest square in the middle, scaled to ``size``; RGB."""
    side = min(pixels.shape[:2])
    top, left = ((extent - side) // 2 for extent in pixels.shape[:2])
    part = np.ascontiguousarray(pixels[top : top + side, left : left + side, :3])
    interpolation = cv2.INTER_AREA if side > size else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(part, (size, size), interpolation=interpolation), np.uint8)
