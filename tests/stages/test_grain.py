"""Grain: a smooth fill takes on the noise of its surroundings, and nothing else changes."""

from __future__ import annotations

import numpy as np

from autoremove.stages.grain import LARGEST, grained
from autoremove.types import Image, Mask


def noisy(spread: float, side: int = 120) -> Image:
    noise = np.random.default_rng(2).normal(0, spread, (side, side, 1))
    return np.rint(128 + np.repeat(noise, 3, 2)).clip(0, 255).astype(np.uint8)


def middle(side: int = 120) -> Mask:
    holes = np.zeros((side, side), bool)
    holes[30:90, 30:90] = True
    return holes


def flat(own: Image, holes: Mask) -> Image:
    return np.where(holes[..., None], np.uint8(128), own)


def test_a_flat_fill_gets_the_noise_of_the_picture() -> None:
    own, holes = noisy(3.0), middle()
    filled = grained(own, flat(own, holes), holes, 1.0)
    inside, beside = (float(filled[place].astype(float).std()) for place in (holes, ~holes))
    assert 0.6 * beside < inside < 1.2 * beside
    assert abs(float(filled[holes].mean()) - 128) < 0.5


def test_half_of_it_is_weaker() -> None:
    own, holes = noisy(3.0), middle()
    spreads = [grained(own, flat(own, holes), holes, share)[holes].std() for share in (0.5, 1.0)]
    assert 0 < spreads[0] < spreads[1]


def test_known_pixels_stay() -> None:
    own, holes = noisy(5.0), middle()
    assert np.array_equal(grained(own, flat(own, holes), holes, 1.0)[~holes], own[~holes])


def test_a_fill_with_noise_of_its_own_gets_hardly_more() -> None:
    own, holes = noisy(3.0), middle()
    fill = np.where(holes[..., None], own[::-1], own)
    assert grained(own, fill, holes, 1.0)[holes].std() < 1.25 * fill[holes].std()


def test_texture_is_not_taken_for_noise_beyond_a_bound() -> None:
    own, holes = noisy(60.0), middle()
    assert grained(own, flat(own, holes), holes, 1.0)[holes].std() < 1.5 * LARGEST


def test_a_picture_without_noise_and_one_without_a_known_place_stay_as_they_are() -> None:
    holes = middle()
    clean = np.full((120, 120, 3), 90, np.uint8)
    assert np.array_equal(grained(clean, flat(clean, holes), holes, 1.0), flat(clean, holes))
    everywhere = np.ones_like(holes)
    own = noisy(5.0)
    assert np.array_equal(grained(own, clean, everywhere, 1.0), clean)


def test_the_same_input_gives_the_same_grain() -> None:
    own, holes = noisy(3.0), middle()
    first, second = (grained(own, flat(own, holes), holes, 1.0) for _ in range(2))
    assert np.array_equal(first, second)


def test_a_still_fill_beside_a_loud_edge_gets_no_wrong_pixels() -> None:
    own, holes = noisy(3.0), middle()
    fill = flat(own, holes)
    fill[:, 60:] = 255
    difference = grained(own, fill, holes, 1.0).astype(int) - fill
    assert np.abs(difference).max() < 30
