"""Lines for the sketch channel: contours where the forms are, drawings of every kind read alike."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest

from autoremove.models.sketch import contours, drawn_lines, shrunk_lines


def square() -> np.ndarray:
    """A red square on green of the same brightness: only its colour sets it apart."""
    picture = np.full((96, 96, 3), (60, 120, 90), np.uint8)
    picture[30:70, 20:64] = (150, 75, 90)
    return picture


def test_the_contour_of_a_square_is_its_outline() -> None:
    lines = contours(square())
    edge = np.zeros((96, 96), np.uint8)
    cv2.rectangle(edge, (20, 30), (63, 69), 1, 1)
    near = cv2.dilate(edge, np.ones((5, 5), np.uint8)) > 0
    assert not (lines & ~near).any()
    covered = cv2.dilate(lines.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    assert covered[edge > 0].mean() > 0.95
    assert lines.sum() < 1.3 * edge.sum()  # one pixel wide


def test_grain_has_no_contours() -> None:
    rng = np.random.default_rng(0)
    noisy = np.clip(120 + rng.normal(0, 4, (96, 96, 3)), 0, 255).astype(np.uint8)
    assert not contours(noisy).any()
    assert not contours(np.zeros((16, 16, 3), np.uint8)).any()


def test_short_contours_are_left_out() -> None:
    dotted = np.full((96, 96, 3), 60, np.uint8)
    dotted[10:14, 10:14] = dotted[40:90, 40:90] = 200
    assert contours(dotted, shortest=6)[:20, :20].any()
    long = contours(dotted, shortest=40)
    assert not long[:20, :20].any() and long[35:].any()


@pytest.mark.parametrize("size_hw", [(37, 61), (64, 64), (300, 200)])
def test_thin_lines_survive_being_made_small(size_hw: tuple[int, int]) -> None:
    drawing = np.zeros((300, 400), np.uint8)
    cv2.line(drawing, (13, 20), (380, 270), 1, 1)
    small = shrunk_lines(drawing > 0, size_hw)
    assert small.shape == size_hw
    count, _ = cv2.connectedComponents(small.astype(np.uint8), connectivity=8)
    assert count == 2  # background and one line without a break
    assert small.sum() >= max(size_hw) * 0.6
    assert shrunk_lines(drawing > 0, (300, 400)).sum() == drawing.sum()


def line() -> np.ndarray:
    drawing = np.zeros((40, 60), np.uint8)
    cv2.line(drawing, (5, 30), (50, 8), 1, 2)
    return drawing > 0


def coloured(ink: tuple[int, ...], paper: tuple[int, ...]) -> np.ndarray:
    return np.where(line()[..., None], np.uint8(ink), np.uint8(paper))


def drawings() -> dict[str, Any]:
    grey = line().astype(np.uint8) * 255
    return {
        "bool": line(),
        "0 and 1": grey // 255,
        "white on black": grey,
        "black on white": 255 - grey,
        "float": grey.astype(np.float32) / 255,
        "uint16": (255 - grey).astype(np.uint16) * 257,
        "rgb": coloured((255, 255, 255), (0, 0, 0)),
        "red on yellow": coloured((220, 30, 30), (250, 240, 90)),
        "grey pencil on paper": coloured((150, 150, 150), (244, 240, 235)),
        "opaque": coloured((0, 0, 0, 255), (255, 255, 255, 255)),
        "black on nothing": coloured((0, 0, 0, 255), (0, 0, 0, 0)),
        "white on nothing": coloured((255, 255, 255, 255), (255, 255, 255, 0)),
        "grey and alpha": coloured((0, 255), (0, 0)),
    }


@pytest.mark.parametrize("kind", list(drawings()))
def test_drawings_of_every_kind_mean_the_same(kind: str) -> None:
    assert np.array_equal(drawn_lines(drawings()[kind]), line())


def test_an_empty_page_has_no_lines() -> None:
    rng = np.random.default_rng(0)
    white = np.full((9, 9, 3), 255, np.uint8)
    for paper in (white, 255 - white, white[..., 0], np.zeros((9, 9, 4), np.uint8)):
        assert not drawn_lines(paper).any()
    assert not drawn_lines((250 + rng.integers(-4, 5, (40, 40, 3))).astype(np.uint8)).any()
