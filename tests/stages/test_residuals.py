"""Residuals: fine structure of known places goes where attention says, nothing of a hole goes anywhere."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from autoremove.stages.network import Answer, Grid, Seen
from autoremove.stages.plan import Box
from autoremove.stages.residuals import detailed, moved, residual
from autoremove.stages.shrinking import shrink
from autoremove.types import Image, Mask

SCALE, CELLS = 4, 8
SIDE = SCALE * CELLS * 8
WINDOW: Box = (100, 40, 100 + SIDE, 40 + SIDE)


def woven() -> tuple[Image, Mask]:
    """A fine regular texture (its period divides a cell) with a hole of red in the middle."""
    y, x = np.mgrid[:SIDE, :SIDE]
    level = 120 + 50 * ((x // 2 + y // 2) % 2)
    image = np.repeat(level[..., None], 3, 2).astype(np.uint8)
    holes = np.zeros((SIDE, SIDE), bool)
    holes[96:160, 96:160] = True
    image[holes] = (255, 0, 0)
    return image, holes


def grid_from(place: tuple[int, int], holes: Mask, weights: tuple[float, ...] = (0.9,)) -> Grid:
    """Everything in and next to the hole is copied from one place."""
    cell = SCALE * 8
    small = holes.reshape(CELLS, cell, CELLS, cell).any((1, 3))
    present = cv2.dilate(small.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
    positions = np.full((len(weights), CELLS, CELLS), place[0] * CELLS + place[1], np.int64)
    planes = np.stack([np.full((CELLS, CELLS), weight, np.float32) for weight in weights])
    return Grid(8, positions, planes, present)


def case(place: tuple[int, int] = (1, 1)) -> tuple[Image, Mask, Seen, Answer]:
    image, holes = woven()
    seen = Seen(*shrink(image, holes, (CELLS * 8, CELLS * 8)))
    fill = np.full((CELLS * 8, CELLS * 8, 3), 145, np.uint8)
    return image, holes, seen, Answer(fill, grid_from(place, holes))


def box() -> Box:
    return WINDOW[0] + 80, WINDOW[1] + 80, WINDOW[0] + 176, WINDOW[1] + 176


def test_a_texture_is_continued_through_the_hole() -> None:
    image, holes, seen, answer = case()
    pixels = detailed(image, holes, WINDOW, box(), seen, answer).astype(int)
    y, x = np.mgrid[80:176, 80:176]
    wanted = 120 + 50 * ((x // 2 + y // 2) % 2)
    inner = holes[80:176, 80:176]
    assert np.abs(pixels[inner] - wanted[inner][:, None]).mean() < 6
    assert pixels[inner].std() > 20


def test_without_sources_or_without_shrinking_the_fill_is_only_enlarged() -> None:
    image, holes, seen, answer = case()
    plain = detailed(image, holes, WINDOW, box(), seen, Answer(answer.fill))
    assert (plain == 145).all()
    at_once = Seen(image, holes)
    whole = Answer(np.full_like(image, 7), answer.grid)
    assert (detailed(image, holes, WINDOW, box(), at_once, whole) == 7).all()


@pytest.mark.parametrize("place", [(3, 3), (2, 4), (0, 0), (7, 7), (0, 7)])
def test_nothing_of_a_hole_is_moved_and_edges_do_no_harm(place: tuple[int, int]) -> None:
    image, holes, seen, answer = case(place)
    pixels = detailed(image, holes, WINDOW, box(), seen, answer).astype(int)
    assert pixels.shape == (96, 96, 3)
    assert np.abs(pixels[..., 0] - pixels[..., 1]).max() <= 3


def test_residuals_are_nought_where_the_shrunk_picture_says_all() -> None:
    flat = np.full((SIDE, SIDE, 3), 80, np.uint8)
    _, holes = woven()
    seen = Seen(*shrink(flat, holes, (64, 64)))
    fine = residual(flat, WINDOW, seen, np.full((64, 64, 3), 80, np.uint8))
    assert fine.shape == flat.shape
    assert not fine.any()


def test_the_best_source_counts_for_most() -> None:
    _, holes = woven()
    fine = np.zeros((SIDE, SIDE, 3), np.int8)
    fine[:, : SIDE // 2], fine[:, SIDE // 2 :] = 10, -10
    grid = grid_from((1, 1), holes, (0.6, 0.3))
    grid.positions[1] = 1 * CELLS + 6
    total, weight = moved(fine, holes, grid, (SCALE, SCALE), WINDOW, box())
    mean = (total / np.maximum(weight, 1e-6)[..., None])[48, 48]
    assert (mean > 8).all()


def test_weights_of_neighbours_add_up_evenly() -> None:
    _, holes = woven()
    total, weight = moved(
        np.full((SIDE, SIDE, 3), 5, np.int8), holes, grid_from((1, 1), holes), (SCALE, SCALE), WINDOW, box()
    )
    inner = holes[80:176, 80:176]
    assert weight[inner] == pytest.approx(1, abs=0.05)
    assert (total / weight[..., None])[inner] == pytest.approx(5, abs=1e-3)
