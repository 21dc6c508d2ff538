"""How rough a picture is at each place, and how rough its holes should become by their surroundings."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from autoremove.models.components import PATCH

Mask = NDArray[np.bool_]
Float = NDArray[np.float32]
Index = NDArray[np.int64]

LEAST = 2.0
"""Levels of 255 added before the logarithm: below them roughness cannot be seen."""

SAMPLE = 1200
"""Known places that are asked, about."""

COLOUR, AWAY = 14.0, 0.12
"""Levels of 255, and share of the longer side, at which a known place counts e^-0.5 as much for another."""

_ROWS = 256
"""Places at once: their distances from all that are asked stay in the processor's cache."""


def roughness(pixels: Float) -> Float:
    """Log of the local strength of the Laplacian of an H x W x 3 picture (0..255): H x W."""
    grey = cv2.cvtColor(np.clip(pixels, 0, 255).astype(np.float32), cv2.COLOR_RGB2GRAY)
    fine = cv2.Laplacian(grey, cv2.CV_32F, ksize=1)
    # The sliding sums of a blur leave a little less than nothing where nothing stirs.
    stirs = np.sqrt(np.maximum(cv2.blur(fine * fine, (PATCH, PATCH)), 0))
    return np.asarray(np.log(stirs + LEAST), np.float32)


def expected(pixels: Float, own: Float, holes: Mask, places: Index) -> Float:
    """How rough known places are that are of the colour of ``places`` (flat indices) and near them.

    ``pixels`` H x W x 3 with a guess in the holes, of which only the colours count: a soft guess of gravel is
    grey, and grey things nearby are rough; a soft guess of a wall is white, and so is the wall. ``own``: the
    :func:`roughness` of every pixel, H * W, of which the known ones count. Without a known place it is the
    least roughness.
    """
    around = np.ones((PATCH + 2, PATCH + 2), np.uint8)
    known = np.flatnonzero(cv2.dilate(holes.astype(np.uint8), around) == 0)
    if not len(known):
        return np.full(len(places), np.log(LEAST), np.float32)
    # Those near the hole are asked more often than those far off, and the same ones every time.
    asked = _asked(holes, known)
    features = _features(pixels, holes)
    theirs = np.ascontiguousarray(features[asked].T)
    squares = (theirs**2).sum(0) / 2
    said = np.stack([own[asked], np.ones(len(asked), np.float32)], 1)
    out = np.empty(len(places), np.float32)
    for start in range(0, len(places), _ROWS):
        # The nearest of all counts fully, however far it is.
        near = features[places[start : start + _ROWS]] @ theirs - squares
        near -= near.max(1, keepdims=True)
        sums = np.exp(near, out=near) @ said
        out[start : start + _ROWS] = sums[:, 0] / sums[:, 1]
    return out


def _asked(holes: Mask, known: Index) -> Index:
    """Some of the known places, the nearer to a hole the denser."""
    away = cv2.distanceTransform((~holes).astype(np.uint8), cv2.DIST_L2, 3).ravel()[known]
    chance = np.exp(-away / (2 * AWAY * max(holes.shape))) + 0.02
    rng = np.random.default_rng(0)
    chosen = rng.random(len(known)) < chance * SAMPLE / chance.sum()
    return known[chosen] if chosen.any() else known[:1]


def _features(pixels: Float, holes: Mask) -> Float:
    """Colour and place of every pixel, in units of what counts as unlike: H * W x 5."""
    colour = cv2.blur(pixels.astype(np.float32), (PATCH, PATCH)) / COLOUR
    rows, columns = np.mgrid[: holes.shape[0], : holes.shape[1]].astype(np.float32) / (
        AWAY * max(holes.shape)
    )
    return np.asarray(np.dstack([colour, rows, columns]).reshape(-1, 5), np.float32)
