"""Canny edges: where steps are, one pixel wide, and none from a hole."""

from __future__ import annotations

import numpy as np
import pytest

from autoremove.models.canny import canny, grey


def step(angle: float = 0.0, height: float = 0.5) -> np.ndarray:
    """A straight step through the middle of 64 x 64 pixels."""
    rows, columns = np.mgrid[:64, :64] - 31.5
    side = columns * np.cos(angle) + rows * np.sin(angle)
    return np.where(side > 0, 0.2 + height, 0.2).astype(np.float32)


@pytest.mark.parametrize("angle", [0.0, 0.3, 0.8, 1.2, 1.57, 2.2, 2.9])
def test_a_step_is_one_thin_line_in_its_place(angle: float) -> None:
    edges = canny(step(angle))
    rows, columns = np.nonzero(edges)
    off = (columns - 31.5) * np.cos(angle) + (rows - 31.5) * np.sin(angle)
    assert np.abs(off).max() < 1.6
    assert 50 <= edges.sum() <= 130  # some angles give two pixels a row, none gives a band


def test_faint_steps_and_noise_have_no_edges() -> None:
    assert not canny(step(height=0.02)).any()
    noise = np.random.default_rng(0).normal(0.5, 0.02, (64, 64)).astype(np.float32)
    assert not canny(noise).any()


def test_weak_edges_count_only_where_they_lead_on_from_strong_ones() -> None:
    fading = step()
    fading[:, 32:] = 0.2 + np.linspace(0.5, 0.09, 64, dtype=np.float32)[:, None]
    assert canny(fading)[:56].any(1)[8:].all()
    assert not canny(step(height=0.06)).any()


def test_a_hole_leaves_no_trace() -> None:
    picture = step()
    known = np.ones((64, 64), bool)
    known[20:44, 24:50] = False
    filled = np.where(known, picture, 1.0).astype(np.float32)
    edges = canny(filled, known)
    assert not (edges & ~known).any()
    np.testing.assert_array_equal(edges, canny(np.where(known, picture, 0).astype(np.float32), known))
    rows, columns = np.nonzero(edges)
    assert np.abs(columns - 31.5).max() < 2  # the step alone, nothing along the hole
    assert set(range(2, 18)) <= set(rows) and set(range(46, 62)) <= set(rows)


def test_nothing_known_has_no_edges() -> None:
    assert not canny(step(), np.zeros((64, 64), bool)).any()


def test_smoothing_decides_what_is_an_edge() -> None:
    stripes = np.tile(np.array([0.2, 0.2, 0.8, 0.8], np.float32), (32, 8))
    assert canny(stripes, sigma=0).any()
    assert not canny(stripes, sigma=4).any()


def test_grey_is_luma() -> None:
    colours = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]]], np.uint8)
    np.testing.assert_allclose(grey(colours), [[0.2125, 0.7154, 0.0721, 1]], atol=1e-6)
    np.testing.assert_allclose(grey(colours / 255), grey(colours), atol=1e-6)
