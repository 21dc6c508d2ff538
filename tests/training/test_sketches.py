"""Sketches to train on: inside the hole, near the picture's edges, not always the same."""

from __future__ import annotations

import cv2
import numpy as np

from autoremove.models.sketch import contours
from autoremove.training.sketches import Sketches, plain_sketch

WHOLE = np.ones((96, 96), bool)


def houses() -> np.ndarray:
    picture = np.full((96, 96, 3), (120, 160, 200), np.uint8)
    for x, colour in ((6, (200, 90, 60)), (38, (90, 90, 95)), (68, (210, 200, 160))):
        picture[40:84, x : x + 22] = colour
        picture[50:60, x + 6 : x + 16] = 30
    return picture


def drawn(seed: int, hole: np.ndarray = WHOLE, sketches: Sketches | None = None) -> np.ndarray:
    sketches = sketches or Sketches(1.0)
    return sketches.draw(houses(), hole, np.random.default_rng(seed))


def test_lines_lie_in_the_hole_and_near_the_edges_of_the_picture() -> None:
    hole = np.zeros((96, 96), bool)
    hole[30:70, 20:80] = True
    edges = contours(houses(), smoothing=1.0, keep=0.3, shortest=1)
    near = cv2.dilate(edges.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    for seed in range(20):
        lines = drawn(seed, hole)
        assert lines.dtype == bool and not (lines & ~hole).any()
        # Strong smoothing moves a corner a little.
        assert (lines & ~near).sum() <= 0.05 * lines.sum()


def test_no_two_hands_draw_alike_and_one_hand_draws_alike() -> None:
    counts = [int(drawn(seed).sum()) for seed in range(30)]
    assert np.array_equal(drawn(3), drawn(3))
    assert len(set(counts)) > 20
    assert np.quantile(counts, 0.9) > 2 * np.quantile(counts, 0.1)


def test_strokes_are_left_out() -> None:
    kept = [drawn(seed, sketches=Sketches(1.0, loss=0.0, stray=0.0)).sum() for seed in range(30)]
    lost = [drawn(seed, sketches=Sketches(1.0, loss=1.0, stray=0.0)).sum() for seed in range(30)]
    assert sum(lost) < 0.8 * sum(kept)


def test_a_share_of_the_samples_has_lines() -> None:
    some = [drawn(seed, sketches=Sketches(0.35)).any() for seed in range(200)]
    assert 0.25 < np.mean(some) < 0.45
    assert not any(drawn(seed, sketches=Sketches()).any() for seed in range(20))


def test_what_validation_draws_is_the_same_every_time() -> None:
    hole = np.zeros((96, 96), bool)
    hole[:, :48] = True
    lines = plain_sketch(houses(), hole)
    assert lines.any() and not lines[:, 48:].any()
    assert np.array_equal(lines, plain_sketch(houses(), hole))
