"""Copied pieces: a stray pixel joins its neighbours, and what is known is never given another source."""

from __future__ import annotations

import numpy as np

from autoremove.models.pieces import joined_well


def scene(seed: int = 0):
    """A picture that repeats every 20 columns, a hole in it, and sources one period to the left."""
    tile = np.random.default_rng(seed).uniform(0, 255, (60, 20, 3)).astype(np.float32)
    pixels = np.tile(tile, (1, 4, 1))
    holes = np.zeros((60, 80), bool)
    holes[20:40, 42:58] = True
    keys = np.zeros_like(holes)
    keys[5:-5, 5:38] = True
    source = np.arange(holes.size)
    source[holes.ravel()] -= 20
    return pixels, holes, keys, source


def test_strays_come_back_to_the_piece_that_fits():
    pixels, holes, keys, right = scene()
    rng = np.random.default_rng(1)
    source = right.copy()
    strays = rng.choice(np.flatnonzero(holes), 40, replace=False)
    source[strays] = rng.choice(np.flatnonzero(keys), 40)
    nothing = np.zeros((holes.size, 1), np.float32)
    found = joined_well(pixels, holes, source, keys, holes, nothing, nothing)
    assert (found[holes.ravel()] == right[holes.ravel()]).mean() > 0.98
    assert (source[strays] != right[strays]).mean() > 0.9


def test_known_pixels_name_themselves_and_sources_are_keys():
    pixels, holes, keys, right = scene()
    nothing = np.zeros((holes.size, 1), np.float32)
    found = joined_well(pixels, holes, right, keys, holes, nothing, nothing)
    assert np.array_equal(found[~holes.ravel()], np.flatnonzero(~holes))
    assert keys.ravel()[found[holes.ravel()]].all()
