"""The map of structural similarity, of which every SSIM here is a mean."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray


def similarity(first: NDArray[Any], second: NDArray[Any]) -> NDArray[np.float64]:
    """Structural similarity of two pictures of 0..255 at every pixel and channel, in their shape.

    Wang et al., "Image Quality Assessment" (2004): Gaussian window of 11 with sigma 1.5.
    """
    a, b = first.astype(np.float64), second.astype(np.float64)
    mean_a, mean_b = _blur(a), _blur(b)
    var_a, var_b, both = _blur(a * a) - mean_a**2, _blur(b * b) - mean_b**2, _blur(a * b) - mean_a * mean_b
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    upper = (2 * mean_a * mean_b + c1) * (2 * both + c2)
    return np.asarray(upper / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2)), np.float64)


def _blur(plane: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(cv2.GaussianBlur(plane, (11, 11), 1.5), np.float64)
