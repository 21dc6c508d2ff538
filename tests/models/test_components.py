"""Principal components of patches: distances between patches survive, on few numbers."""

from __future__ import annotations

import cv2
import numpy as np

from autoremove.models.components import COUNT, PATCH, Components


def smooth_picture(side: int = 60) -> np.ndarray:
    noise = np.random.default_rng(1).normal(128, 60, (side, side, 3)).astype(np.float32)
    return np.asarray(cv2.GaussianBlur(noise, (0, 0), 4.0), np.float32) * 4 - 384


def inner(side: int = 60) -> np.ndarray:
    places = np.arange(side * side).reshape(side, side)
    return places[PATCH:-PATCH, PATCH:-PATCH].ravel()


def test_distances_are_those_of_the_patches():
    picture, places = smooth_picture(), inner()
    half = PATCH // 2
    patches = np.stack(
        [
            picture[y - half : y + half + 1, x - half : x + half + 1].ravel()
            for y, x in zip(*np.divmod(places, 60), strict=True)
        ]
    )
    short = Components.of(picture, places).describe(picture, places)
    assert short.shape == (len(places), COUNT)
    true = ((patches[0] - patches) ** 2).mean(1)
    found = ((short[0] - short) ** 2).sum(1)
    assert (found <= true * 1.01 + 1e-2).all(), "a projection makes no distance longer"
    assert found.sum() > 0.8 * true.sum()


def test_no_places_give_no_components():
    picture = smooth_picture()
    none = Components.of(picture, inner()[:0])
    assert not none.describe(picture, inner()).any()
    assert none.everywhere(picture, inner()[:0]).shape == (3600, COUNT)
