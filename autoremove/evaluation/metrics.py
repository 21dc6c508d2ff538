"""Figures that compare a filled picture with the true one, or a fill with its surroundings."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from autoremove.types import Image, Mask

MOST_PSNR = 100.0
"""dB given to an exact copy, which would otherwise be infinite."""

SEAM_RANGE = (0.9, 1.15)
"""Seam ratios at which no border shows."""

SHARPNESS_RANGE = (0.7, 1.4)
"""Sharpness ratios at which a fill looks as sharp as what is round it."""

_LEAST_GREY = 1.0
"""Grey levels added to both sides of a ratio: differences below one level cannot be seen."""


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
    return float(min(MOST_PSNR, -10 * np.log10(max(squared / 100, 1e-12))))


def ssim(result: Image, truth: Image) -> float:
    """Structural similarity (Wang et al. 2004), Gaussian 11 with sigma 1.5, mean over RGB and the picture."""
    a, b = result.astype(np.float64), truth.astype(np.float64)
    mean_a, mean_b = _blur(a), _blur(b)
    var_a, var_b = _blur(a * a) - mean_a**2, _blur(b * b) - mean_b**2
    both = _blur(a * b) - mean_a * mean_b
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    upper = (2 * mean_a * mean_b + c1) * (2 * both + c2)
    return float((upper / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2))).mean())


def _blur(plane: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(cv2.GaussianBlur(plane, (11, 11), 1.5), np.float64)


def mask_iou(found: Mask, truth: Mask, ignore: Mask | None = None) -> float:
    """Pixels in both over pixels in either, 0..1; pixels of ``ignore`` never count. 1 when both are empty."""
    if ignore is not None:
        found, truth = found & ~ignore, truth & ~ignore
    either = int((found | truth).sum())
    return float((found & truth).sum() / either) if either else 1.0


def seam_ratio(image: Image, hole: Mask, band: int = 4) -> float:
    """Mean step between neighbours on the two sides of the hole's border, over that of neighbours near it.

    Near: both pixels on one side and within ``band`` pixels of the border, fill and known side alike.
    1 = the border does not stand out; higher = a visible seam; lower = blurred across. NaN without a border.
    """
    grey = _grey(image)
    near = _dilated(hole, band) & _dilated(~hole, band)
    across, around = [], []
    for axis in (0, 1):
        step = np.abs(np.diff(grey, axis=axis))
        first, second = _neighbours(hole, axis)
        both_near = np.logical_and(*_neighbours(near, axis))
        across.append(step[first != second])
        around.append(step[(first == second) & both_near])
    crossing, beside = np.concatenate(across), np.concatenate(around)
    if not crossing.size or not beside.size:
        return float("nan")
    return float((crossing.mean() + _LEAST_GREY) / (beside.mean() + _LEAST_GREY))


def _neighbours(plane: Mask, axis: int) -> tuple[Mask, Mask]:
    """Each pixel and the next one along the axis."""
    return (plane[:-1], plane[1:]) if axis == 0 else (plane[:, :-1], plane[:, 1:])


def sharpness_ratio(image: Image, hole: Mask) -> float:
    """Standard deviation of the Laplacian inside the fill, over that in a ring round it.

    (The root of the ratio of variances: a blur scores 0.1 to 0.2, the true picture mostly 0.7 to 1.4.)
    Two pixels on each side of the border are left out, so that a seam does not count as detail. The ring is a
    quarter of the root of the hole's area wide, at least 8 pixels. NaN where either part has no pixel.
    """
    detail = cv2.Laplacian(_grey(image), cv2.CV_64F, ksize=1)
    width = max(8, round(float(np.sqrt(hole.sum())) / 4))
    inner = hole & ~_dilated(~hole, 2)
    ring = _dilated(hole, 2 + width) & ~_dilated(hole, 2)
    if not inner.any() or not ring.any():
        return float("nan")
    return float((detail[inner].std() + _LEAST_GREY) / (detail[ring].std() + _LEAST_GREY))


def _grey(image: Image) -> NDArray[np.float64]:
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.float64)


def _dilated(mask: Mask, radius: int) -> Mask:
    side = 2 * radius + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    return np.asarray(cv2.dilate(mask.astype(np.uint8), kernel), bool)


def within(values: NDArray[np.float64], limits: tuple[float, float]) -> float:
    """Share of the values that lie between the limits; NaN values are left out."""
    known = values[~np.isnan(values)]
    if not known.size:
        return float("nan")
    return float(((known >= limits[0]) & (known <= limits[1])).mean())
