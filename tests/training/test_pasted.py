"""Pasted objects bring their box along and take away what they cover."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from autoremove.training.augmentation import Canvas
from autoremove.training.pasted import Cutout, chances_of, paste, read_cutouts
from tests.cases import labelled


def block(kind: int = 3, size_hw: tuple[int, int] = (60, 40)) -> Cutout:
    pixels = np.zeros((*size_hw, 3), np.uint8)
    pixels[..., 2] = 200
    return Cutout(pixels, np.full(size_hw, 255, np.uint8), kind)


def test_whole_objects_of_the_wanted_classes_are_cut_out(tmp_path: Path) -> None:
    objects = (
        (("person", (10, 10, 60, 90)), ("dog", (70, 10, 80, 20)), ("bicycle+rider", (70, 30, 120, 90))),
    )
    (cutout,) = read_cutouts(labelled.instances(tmp_path / "i", objects), ("dog", "person"), 64)
    assert cutout.kind == 1  # the dog is too small, the rider not asked for
    assert cutout.alpha.shape == (64, 40)
    assert (cutout.alpha == 255).all()


def test_rare_classes_are_drawn_more_often_than_they_are() -> None:
    chances = chances_of([block(0)] * 16 + [block(1)])
    assert chances.sum() == pytest.approx(1)
    assert chances[-1] == pytest.approx(4 * chances[0])


def test_the_box_is_on_the_pasted_object() -> None:
    rng = np.random.default_rng(0)
    none = np.zeros((0, 4), np.float32), np.zeros(0, np.int64)
    heights = []
    for _ in range(100):
        canvas = Canvas.of(96)
        boxes, kinds = paste(canvas, *none, block(), rng)
        assert kinds.tolist() == [3]
        blue = canvas.pixels[..., 2].astype(int) > canvas.pixels[..., 0].astype(int) + 10
        ys, xs = np.nonzero(blue)
        assert np.abs(boxes[0] - [xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]).max() <= 1
        heights.append(boxes[0, 3] - boxes[0, 1])
    assert min(heights) < 20
    assert max(heights) > 60


def test_what_is_covered_goes_and_is_left_in_doubt() -> None:
    gone = kept = 0
    rng = np.random.default_rng(1)
    for _ in range(300):
        canvas = Canvas.of(96)
        boxes, kinds = paste(
            canvas, np.array([[40, 40, 56, 56]], np.float32), np.array([1], np.int64), block(), rng
        )
        blue = canvas.pixels[40:56, 40:56, 2].astype(int) > canvas.pixels[40:56, 40:56, 0].astype(int) + 10
        there = 1 in kinds.tolist()
        assert there == (len(boxes) == 2)
        assert there or blue.mean() > 0.65
        assert not there or blue.mean() < 0.75
        assert there == (canvas.unknown[5, 5] == 0)
        gone, kept = gone + (not there), kept + there
    assert gone > 10
    assert kept > 100
