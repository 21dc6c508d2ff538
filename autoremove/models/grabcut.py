"""GrabCut (Rother et al. 2004): colour models inside and outside a box, cut by a graph; needs no training."""

from __future__ import annotations

import cv2
import numpy as np

from autoremove.models import edges
from autoremove.types import Cutout, Image

SIDE = 320
"""It works on crops of at most this side: its time grows faster than the picture."""

LEAST_PIXELS = 16
"""Pixels inside the box, and outside it, below which there is nothing to learn colours from."""


def cut_out(image: Image, window: tuple[int, int, int, int]) -> Cutout:
    """The object in a window of whole pixels inside the picture; the whole window if nothing can be learnt.

    The same input always gives the same mask, whatever was cut out before.
    """
    x1, y1, x2, y2 = window
    dx, dy = max(2, (x2 - x1) // 4), max(2, (y2 - y1) // 4)
    left, top = max(0, x1 - dx), max(0, y1 - dy)
    crop = image[top : min(image.shape[0], y2 + dy), left : min(image.shape[1], x2 + dx)]
    scale = min(1.0, SIDE / max(1, *crop.shape[:2]))
    small = cv2.resize(crop, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else crop
    labels = np.full(small.shape[:2], cv2.GC_BGD, np.uint8)
    inner = [round(v * scale) for v in (x1 - left, y1 - top, x2 - left, y2 - top)]
    labels[inner[1] : inner[3], inner[0] : inner[2]] = cv2.GC_PR_FGD
    if min((labels == cv2.GC_PR_FGD).sum(), (labels == cv2.GC_BGD).sum()) < LEAST_PIXELS:
        return window, np.ones((y2 - y1, x2 - x1), bool)
    cv2.setRNGSeed(0)  # its clustering starts at random
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(np.ascontiguousarray(small), labels, (0, 0, 1, 1), *models, 5, cv2.GC_INIT_WITH_MASK)
    found = ((labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD)).astype(np.float32)
    fx, fy = found.shape[1] / crop.shape[1], found.shape[0] / crop.shape[0]
    to_small = np.array([[fx, 0, 0.5 * fx - 0.5], [0, fy, 0.5 * fy - 0.5]])
    full = edges.sharpened(found, to_small, crop) > 0.5
    return window, full[y1 - top : y2 - top, x1 - left : x2 - left]
