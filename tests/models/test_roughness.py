"""Roughness: measured where known, expected in holes, and followed by patch synthesis."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from autoremove.models import patchmatch
from autoremove.models.roughness import LEAST, expected, roughness


def meadow() -> tuple[np.ndarray, np.ndarray]:
    """Rougher and rougher to the right, of one mean colour; a hole on the right."""
    noise = cv2.GaussianBlur(np.random.default_rng(0).standard_normal((96, 192)), (0, 0), 1.0)
    image = 120 + noise[..., None] * np.linspace(0, 120, 192)[None, :, None] * np.ones(3)
    holes = np.zeros((96, 192), bool)
    holes[30:66, 130:162] = True
    return np.clip(image, 0, 255).astype(np.float32), holes


def test_a_hole_is_expected_to_be_like_its_surroundings() -> None:
    image, holes = meadow()
    image[holes] = 120
    own, places = roughness(image), np.flatnonzero(holes)
    assert own[:, :3].max() < np.log(LEAST) + 0.5
    beside = own[:, 110:180][~holes[:, 110:180]]
    assert abs(float(expected(image, own.ravel(), holes, places).mean()) - float(np.median(beside))) < 0.25


def test_things_of_one_colour_are_expected_to_be_alike() -> None:
    """A wall that is smooth and blue beside gravel that is rough and grey; the hole lies over both."""
    rng = np.random.default_rng(0)
    image = np.full((80, 120, 3), (40, 60, 200), np.float32)
    image[40:] = 120 + 60 * rng.standard_normal((40, 120, 1))
    holes = np.zeros((80, 120), bool)
    holes[20:60, 40:80] = True
    image[holes] = 120
    image[20:40, 40:80] = (40, 60, 200)
    own = roughness(image).ravel()
    wall, gravel = (expected(image, own, holes, np.array([row * 120 + 60])) for row in (30, 50))
    assert wall[0] < np.log(LEAST) + 0.3
    assert gravel[0] > np.log(LEAST) + 2


def test_nothing_known_is_no_roughness() -> None:
    holes = np.ones((20, 20), bool)
    image = np.full((20, 20, 3), 90, np.float32)
    assert np.allclose(expected(image, roughness(image).ravel(), holes, np.arange(9)), np.log(LEAST))


def test_a_soft_guess_is_rebuilt_as_rough_as_its_surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    image, holes = meadow()
    picture = image.astype(np.uint8)
    guide = np.where(holes[..., None], np.uint8(120), picture)

    def stirs() -> float:
        field = patchmatch.fill(picture, holes, guide=guide, start=80)
        assert field is not None
        made = patchmatch.at_full_size(picture, holes, field)
        fine = np.abs(cv2.Laplacian(cv2.cvtColor(made, cv2.COLOR_RGB2GRAY), cv2.CV_32F))
        return float(fine[34:62, 134:158].mean() / fine[:, 120:172][~holes[:, 120:172]].mean())

    followed = stirs()
    monkeypatch.setattr(patchmatch, "ROUGH", 0.0)
    blind = stirs()
    assert blind < 0.4 and followed > 0.6
