"""Hole shapes: their areas agree with the published generator, and no hole is empty or off the crop."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from autoremove.errors import InputError
from autoremove.training import holes
from autoremove.training.holes import HoleMix, Silhouettes, brush, rectangle, silhouette, standing


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
    drawn = [silhouette(128, disc(), rng, extent=(0.5, 0.5)) for _ in range(60)]
    longest = [max(h.any(0).sum(), h.any(1).sum()) for h in drawn]
    assert min(longest) >= 128 * 0.3 and max(longest) <= 128 * (0.5 * 1.23 + 0.09)
    centres = np.array([np.argwhere(h).mean(0) for h in drawn])
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


def tall(height: int = 40, width: int = 16) -> np.ndarray:
    outline = np.zeros((48, 32), bool)
    outline[4 : 4 + height, 8 : 8 + width] = True
    return outline


def test_standing_objects_have_their_feet_on_one_ground() -> None:
    low = []
    for seed in range(60):
        hole = standing(128, [tall()] * 3, np.random.default_rng(seed))
        assert hole.any() and hole.dtype == bool
        rows = np.flatnonzero(hole.any(1))
        low.append(rows[-1])
        assert rows[-1] >= 0.55 * 128  # never floating in the sky
        assert hole.mean() < 0.75
    assert 0.2 < np.mean(np.array(low) == 127) < 0.9  # often, not always, cut by the lower border


def test_several_stand_apart_and_some_are_cut_by_the_side() -> None:
    drawn = [standing(128, [tall()] * 4, np.random.default_rng(seed)) for seed in range(60)]
    parts = [cv2.connectedComponents(hole.astype(np.uint8))[0] - 1 for hole in drawn]
    assert max(parts) >= 3 and min(parts) == 1
    assert 0.2 < np.mean([hole[:, 0].any() or hole[:, -1].any() for hole in drawn]) < 0.95


def test_an_upright_outline_stays_upright() -> None:
    for seed in range(20):
        hole = standing(256, [tall()], np.random.default_rng(seed))
        rows, columns = np.flatnonzero(hole.any(1)), np.flatnonzero(hole.any(0))
        if rows[-1] < 255 and columns[0] > 0 and columns[-1] < 255 and hole.sum() < 0.9 * hole.size:
            middle = hole[rows[0] + len(rows) // 4 : rows[0] + len(rows) // 2]
            assert middle.any(0).sum() < len(rows)


def test_empty_outlines_give_no_hole_to_stand() -> None:
    assert not standing(64, [np.zeros((8, 8), bool)] * 2, np.random.default_rng(0)).any()


def test_the_mix_has_as_many_standing_as_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[int] = []
    real = holes.standing

    def counted(size: int, outlines: list[np.ndarray], rng: np.random.Generator) -> np.ndarray:
        drawn.append(len(outlines))
        return real(size, outlines, rng)

    monkeypatch.setattr(holes, "standing", counted)
    shapes = Silhouettes.load(silhouettes(tmp_path))
    mix = HoleMix(shapes, silhouette_share=1.0, standing_share=0.5)
    for seed in range(200):
        assert mix.draw(32, np.random.default_rng(seed)).any()
    assert len(drawn) == pytest.approx(100, abs=30)
    assert set(drawn) >= {1, 2, 3}
