"""Hole shapes: their areas agree with the published generator, and no hole is empty or off the crop."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from autoremove.errors import InputError
from autoremove.training.holes import HoleMix, Silhouettes, brush, rectangle, silhouette


def disc(side: int = 32) -> np.ndarray:
    y, x = np.mgrid[:side, :side] - side / 2
    return (y**2 + x**2) < (side / 3) ** 2


def silhouettes(tmp_path: Path) -> Path:
    path = tmp_path / "shapes.npz"
    np.savez(
        path,
        packed=np.packbits(np.stack([disc(), ~disc()]).reshape(2, -1), axis=1),
        shape=np.array([[32, 32]] * 2),
    )
    return path


def test_brush_areas_are_those_of_the_published_generator() -> None:
    rng = np.random.default_rng(0)
    areas = [brush(256, rng).mean() for _ in range(600)]
    assert np.mean(areas) == pytest.approx(0.149, abs=0.015)
    assert np.percentile(areas, [5, 50, 95]) == pytest.approx([0.036, 0.138, 0.295], abs=0.025)


def test_union_areas_are_those_of_the_published_generator() -> None:
    rng = np.random.default_rng(1)
    areas = [(brush(256, rng) | rectangle(256, rng)).mean() for _ in range(600)]
    assert np.mean(areas) == pytest.approx(0.308, abs=0.02)
    assert np.percentile(areas, [5, 50, 95]) == pytest.approx([0.210, 0.301, 0.425], abs=0.03)


@pytest.mark.parametrize("size", [64, 128, 256])
def test_rectangle_sides_scale_with_the_crop(size: int) -> None:
    rng = np.random.default_rng(2)
    for _ in range(100):
        hole = rectangle(size, rng)
        height, width = int(hole.any(1).sum()), int(hole.any(0).sum())
        assert hole.sum() == height * width
        assert size // 2 - size // 8 <= min(height, width) <= max(height, width) <= size // 2


@pytest.mark.parametrize("size", [64, 128])
def test_brush_area_share_hardly_depends_on_the_crop(size: int) -> None:
    rng = np.random.default_rng(3)
    assert np.mean([brush(size, rng).mean() for _ in range(400)]) == pytest.approx(0.149, abs=0.03)


def test_silhouettes_come_back_as_packed(tmp_path: Path) -> None:
    shapes = Silhouettes.load(silhouettes(tmp_path))
    assert len(shapes) == 2
    np.testing.assert_array_equal(shapes[0], disc())
    np.testing.assert_array_equal(shapes[1], ~disc())


def test_unreadable_silhouettes_name_the_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"absent\.npz"):
        Silhouettes.load(tmp_path / "absent.npz")
    np.savez(tmp_path / "other.npz", masks=np.zeros(3))
    with pytest.raises(InputError, match="packed"):
        Silhouettes.load(tmp_path / "other.npz")


def test_a_silhouette_is_as_large_as_asked_and_moves() -> None:
    rng = np.random.default_rng(4)
    holes = [silhouette(128, disc(), rng, extent=(0.5, 0.5)) for _ in range(60)]
    longest = [max(h.any(0).sum(), h.any(1).sum()) for h in holes]
    assert min(longest) >= 128 * 0.3 and max(longest) <= 128 * (0.5 * 1.23 + 0.09)
    centres = np.array([np.argwhere(h).mean(0) for h in holes])
    assert centres.std(0).min() > 10


def test_an_empty_outline_gives_no_hole() -> None:
    assert not silhouette(64, np.zeros((8, 8), bool), np.random.default_rng(0), extent=(0.3, 0.5)).any()


def test_the_mix_draws_no_empty_hole_and_repeats_with_its_seed(tmp_path: Path) -> None:
    mix = HoleMix(Silhouettes.load(silhouettes(tmp_path)))
    first = [mix.draw(64, np.random.default_rng(seed)) for seed in range(40)]
    again = [mix.draw(64, np.random.default_rng(seed)) for seed in range(40)]
    assert all(hole.any() and hole.shape == (64, 64) and hole.dtype == bool for hole in first)
    np.testing.assert_array_equal(first, again)


def test_without_silhouettes_the_mix_is_free_form() -> None:
    mix = HoleMix(None, silhouette_share=0.6, brush_share=0.2)
    areas = [mix.draw(256, np.random.default_rng(seed)).mean() for seed in range(200)]
    assert np.mean(areas) == pytest.approx((0.149 + 0.308) / 2, abs=0.03)
