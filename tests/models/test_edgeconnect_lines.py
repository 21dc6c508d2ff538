"""Edges to follow: drawings and pictures told apart, a picture's edges as fine as the hole asks."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from autoremove.models.edgeconnect_lines import edges_of, is_drawing, thinned


def drawing() -> np.ndarray:
    paper = np.full((60, 80, 3), 250, np.uint8)
    paper[28:31] = (20, 30, 40)
    return paper


def photo(size_hw: tuple[int, int] = (60, 80)) -> np.ndarray:
    """A bright half beside a dark one, both in many tones."""
    rows, columns = np.mgrid[: size_hw[0], : size_hw[1]] / np.array(size_hw)[:, None, None]
    tones = 40 + 60 * rows + 100 * (columns >= 0.5)
    return np.repeat(tones[..., None], 3, 2).astype(np.uint8)


@pytest.mark.parametrize("invert", [False, True])
def test_lines_on_paper_are_a_drawing(invert: bool) -> None:
    lines = 255 - drawing() if invert else drawing()
    assert is_drawing(lines)
    assert is_drawing(lines[..., 0])
    assert is_drawing(lines / 255)
    assert is_drawing(lines < 128)


def test_strokes_on_transparent_paper_are_a_drawing() -> None:
    alpha = np.where(drawing()[..., :1] < 128, 255, 0).astype(np.uint8)
    assert is_drawing(np.dstack([photo(), alpha]))
    assert not is_drawing(np.dstack([photo(), np.full_like(alpha, 255)]))


def test_photos_are_none() -> None:
    assert not is_drawing(photo())
    assert not is_drawing(photo()[..., 0])
    assert not is_drawing(photo() / 255)


def hole(size_hw: tuple[int, int], side: int) -> np.ndarray:
    holes = np.zeros(size_hw, bool)
    holes[5 : 5 + side, 5 : 5 + side] = True
    return holes


def test_edges_of_a_photo_lie_where_its_halves_meet() -> None:
    edges = edges_of(photo(), hole((60, 80), 20))
    rows, columns = np.nonzero(edges)
    assert edges.dtype == bool and edges.shape == (60, 80)
    assert np.abs(columns - 39.5).max() < 2 and len(set(rows)) > 50
    assert edges.sum() < 2 * 60


@pytest.mark.parametrize("other_hw", [(30, 40), (120, 160), (60, 200), (200, 80)])
def test_photos_of_another_size_cover_the_picture(other_hw: tuple[int, int]) -> None:
    edges = edges_of(photo(other_hw), hole((60, 80), 20))
    rows, columns = np.nonzero(edges)
    assert edges.shape == (60, 80)
    assert np.abs(columns - 39.5).max() < 4 and len(set(rows)) > 40


def test_large_holes_take_coarse_edges_that_stay_whole_when_shrunk() -> None:
    size_hw = (900, 1200)
    edges = edges_of(photo(size_hw), hole(size_hw, 600))
    per_row = edges[100:800].sum(1)
    assert (per_row >= 4).mean() > 0.9 and per_row.max() <= 16  # a pixel of the network's is about 5 of these
    small = edges_of(photo(size_hw), hole(size_hw, 60))
    assert small[100:800].sum(1).max() <= 2


def stroke(kind: str) -> np.ndarray:
    canvas = np.zeros((48, 48), np.uint8)
    if kind == "ring":
        return cv2.circle(canvas, (24, 24), 15, 1, 5) > 0
    if kind == "cross":
        cv2.line(canvas, (4, 24), (44, 24), 1, 3)
    return cv2.line(canvas, (6, 4), (40, 44), 1, 4) > 0


@pytest.mark.parametrize("kind", ["line", "cross", "ring"])
def test_strokes_are_thinned_and_stay_whole(kind: str) -> None:
    thick = stroke(kind)
    thin = thinned(thick)
    assert not (thin & ~thick).any()
    assert thin.sum() < 0.45 * thick.sum()
    count = [cv2.connectedComponents(x.astype(np.uint8), connectivity=8)[0] for x in (thick, thin)]
    paper = [cv2.connectedComponents((~x).astype(np.uint8), connectivity=4)[0] for x in (thick, thin)]
    assert count[0] == count[1] and paper[0] == paper[1]
    reach = cv2.dilate(thin.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    assert not (thick & ~reach).any()
    np.testing.assert_array_equal(thinned(thin), thin)


def test_thin_lines_and_none_stay_as_they_are() -> None:
    line = np.zeros((20, 20), bool)
    line[10, 2:18] = True
    np.testing.assert_array_equal(thinned(line), line)
    assert not thinned(np.zeros((20, 20), bool)).any()


def test_no_hole_is_no_trouble() -> None:
    assert edges_of(photo(), np.zeros((60, 80), bool)).any()
