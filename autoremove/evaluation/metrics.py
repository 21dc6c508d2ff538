"""Figures that compare a filled picture with the true one, or a fill with its surroundings."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from autoremove.training.similarity import similarity
from autoremove.types import Image, Mask

MOST_PSNR = 100.0
"""dB given to an exact copy, which would otherwise be infinite."""

SEAM_RANGE = (0.9, 1.15)
"""Seam ratios at which no border shows."""

SHARPNESS_RANGE = (0.7, 1.4)
"""Sharpness ratios at which a fill looks as sharp as what is round it."""


def errors(result: Image, truth: Image, where: Mask | None = None) -> tuple[float, float]:
    """Mean absolute and mean squared difference in per cent of the full range, inside ``where``.

    ``result`` and ``truth``: H x W x 3 uint8. NaN where there is no pixel.
    """
    difference = result.astype(np.float32) - truth
    inside = difference if where is None else difference[where]
    if not inside.size:
        return float("nan"), float("nan")
    scaled = inside.astype(np.float64) / 255
    return float(np.abs(scaled).mean() * 100), float((scaled**2).mean() * 100)


def psnr(result: Image, truth: Image, where: Mask | None = None) -> float:
    """Peak signal-to-noise ratio in dB, peak 255, over RGB inside ``where``; NaN where there is no pixel."""
    _, squared = errors(result, truth, where)
    if np.isnan(squared):
        return float("nan")
    return float(min(MOST_PSNR, -10 * np.log10(max(squared / 100, 1e-12))))


def ssim(result: Image, truth: Image, where: Mask | None = None) -> float:
    """Structural similarity (Wang et al. 2004), Gaussian 11 with sigma 1.5, mean over RGB inside ``where``.

    NaN where there is no pixel.
    """
    similar = similarity(result, truth)
    inside = similar if where is None else similar[where]
    return float(inside.mean()) if inside.size else float("nan")


def mask_iou(found: Mask, truth: Mask, ignore: Mask | None = None) -> float:
    """Pixels in both over pixels in either, 0..1; pixels of ``ignore`` never count. 1 when both are empty."""
    if ignore is not None:
        found, truth = found & ~ignore, truth & ~ignore
    either = int((found | truth).sum())
    return float((found & truth).sum() / either) if either else 1.0


def within(values: NDArray[np.float64], limits: tuple[float, float]) -> float:
    """Share of the values that lie between the limits; NaN values are left out."""
    known = values[~np.isnan(values)]
    if not known.size:
        return float("nan")
    return float(((known >= limits[0]) & (known <= limits[1])).mean())
