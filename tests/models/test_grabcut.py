"""GrabCut cuts large objects as sharply as small ones, always the same, and does no harm to tiny boxes."""

from __future__ import annotations

import numpy as np
import pytest

from autoremove.models import grabcut


def figure(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """A red ellipse on green with noise; and where it is."""
    y, x = np.mgrid[:height, :width] / np.array([height, width]).reshape(2, 1, 1)
    inside = ((x - 0.5) / 0.15) ** 2 + ((y - 0.5) / 0.33) ** 2 <= 1
    colours = np.where(inside[..., None], (200, 40, 40), (60, 140, 70))
    noise = np.random.default_rng(5).normal(0, 8, (height, width, 3))
    return np.clip(colours + noise, 0, 255).astype(np.uint8), inside


def iou(a: np.ndarray, b: np.ndarray) -> float:
    return float((a & b).sum() / (a | b).sum())


@pytest.mark.parametrize(("size", "least"), [(60, 0.85), (900, 0.99)])
def test_a_figure_of_any_size_is_found(size: int, least: float) -> None:
    """Enlarged in blocks of pixels, the large one would stay below."""
    picture, inside = figure(size, size)
    window = (int(size * 0.34), int(size * 0.16), int(size * 0.66), int(size * 0.84))
    x1, y1, x2, y2 = window
    got, mask = grabcut.cut_out(picture, window)
    assert got == window
    assert mask.shape == (y2 - y1, x2 - x1)
    assert iou(mask, inside[y1:y2, x1:x2]) > least


@pytest.mark.parametrize("window", [(20, 20, 23, 23), (20, 20, 20, 40), (0, 0, 80, 60), (80, 60, 80, 60)])
def test_with_nothing_to_learn_from_it_is_the_box(window: tuple[int, int, int, int]) -> None:
    picture, _ = figure(60, 80)
    got, mask = grabcut.cut_out(picture, window)
    assert got == window
    assert mask.shape == (window[3] - window[1], window[2] - window[0])
    assert mask.all()


def test_what_was_cut_before_changes_nothing() -> None:
    picture, _ = figure(60, 80)
    first = grabcut.cut_out(picture, (25, 8, 55, 52))[1]
    grabcut.cut_out(picture, (0, 0, 30, 30))
    assert np.array_equal(grabcut.cut_out(picture, (25, 8, 55, 52))[1], first)
