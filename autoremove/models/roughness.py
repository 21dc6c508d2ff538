"""How rough a picture is at each place, and how rough its holes should become by their surroundings."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from autoremove.models.components import PATCH

Mask = NDArray[np.bool_]
Float = NDArray[np.float32]

LEAST = 2.0
"""Levels of 255 added before the logarithm: below them roughness cannot be seen."""

NEAR = ((0.03, 1.0), (0.1, 0.05), (0.4, 0.002))
"""Sigmas of the means over what is known, as shares of the longer side, with what each counts: the nearest
decide where there are any, deep inside a hole the wider ones."""


def roughness(pixels: Float, holes: Mask) -> tuple[Float, Float]:
    """Log of the local strength of the Laplacian of an H x W x 3 picture (0..255), and what is expected.

    Both H x W. A place is expected to be as rough as the known places round it are, also in the holes; what
    the holes now hold counts for nothing there.
    """
    grey = cv2.cvtColor(np.clip(pixels, 0, 255).astype(np.float32), cv2.COLOR_RGB2GRAY)
    fine = cv2.Laplacian(grey, cv2.CV_32F, ksize=1)
    # The sliding sums of a blur leave a little less than nothing where nothing stirs.
    own = np.log(np.sqrt(np.maximum(cv2.blur(fine * fine, (PATCH, PATCH)), 0)) + LEAST)
    around = np.ones((PATCH + 2, PATCH + 2), np.uint8)
    known = (cv2.dilate(holes.astype(np.uint8), around) == 0).astype(np.float32)
    total, weight = np.zeros_like(own), np.zeros_like(own)
    for share, counts in NEAR:
        sigma = max(1.0, share * max(holes.shape))
        total += counts * cv2.GaussianBlur(own * known, (0, 0), sigma)
        weight += counts * cv2.GaussianBlur(known, (0, 0), sigma)
    expected = np.where(weight > 1e-7, total / np.maximum(weight, 1e-9), np.log(LEAST))
    return own.astype(np.float32), expected.astype(np.float32)
