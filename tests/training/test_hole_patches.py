"""How far inside a hole a pixel lies, and the part of the picture round it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from autoremove.models.windows import Window
from autoremove.training.hole_patches import STEPS, discount, part_windows, parts


def slow_discount(hole: np.ndarray, gamma: float) -> np.ndarray:
    """For every hole pixel the steps in eight directions to the nearest known one, all pairs tried."""
    known = np.argwhere(hole == 0)
    weight = np.zeros(hole.shape)
    for y, x in np.argwhere(hole == 1):
        steps = np.abs(known - (y, x)).max(1).min() if len(known) else STEPS + 1
        weight[y, x] = gamma ** min(steps - 1, STEPS)
    return weight


def holes() -> Tensor:
    """A rectangle, strokes, a hole at the picture's edge, no hole at all, and nothing but hole."""
    masks = torch.zeros(5, 1, 24, 31)
    masks[0, 0, 4:15, 6:20] = 1
    masks[1, 0].fill_diagonal_(1)
    masks[1, 0, 10:13] = 1
    masks[2, 0, :9, 20:] = 1
    masks[4] = 1
    return masks


@pytest.mark.parametrize("gamma", [0.9, 0.5])
def test_discount_agrees_with_a_slow_search(gamma: float) -> None:
    masks = holes()
    expected = np.stack([slow_discount(one[0].numpy(), gamma) for one in masks])
    np.testing.assert_allclose(discount(masks, gamma)[:, 0].numpy(), expected, atol=1e-6)


def test_discount_in_a_rectangle_is_that_to_the_nearest_side() -> None:
    weight = discount(holes()[:1])[0, 0, 4:15, 6:20]
    rows, columns = torch.meshgrid(torch.arange(11), torch.arange(14), indexing="ij")
    nearest = torch.stack([rows, columns, 10 - rows, 13 - columns]).amin(0)
    torch.testing.assert_close(weight, 0.9**nearest)


def test_far_inside_a_large_hole_it_falls_no_further() -> None:
    hole = torch.zeros(1, 1, 110, 110)
    hole[..., 2:-2, 2:-2] = 1
    assert discount(hole)[0, 0, 55, 55] == pytest.approx(0.9**STEPS, rel=1e-4)


@pytest.mark.parametrize(
    ("hole", "window"),
    [
        (Window(10, 14, 8, 20), Window(4, 20, 6, 22)),
        (Window(0, 2, 0, 3), Window(0, 16, 0, 16)),
        (Window(22, 24, 29, 31), Window(8, 24, 15, 31)),
        (Window(1, 23, 1, 30), Window(4, 20, 7, 23)),
        (None, Window(4, 20, 7, 23)),
    ],
)
def test_the_part_is_round_the_hole_and_within_the_picture(hole: Window | None, window: Window) -> None:
    mask = torch.zeros(1, 1, 24, 31)
    if hole is not None:
        hole.of(mask).fill_(1)
    assert part_windows(mask, 16) == [window]


def test_each_sample_has_its_own_part() -> None:
    mask = torch.zeros(2, 1, 16, 16)
    mask[0, :, :4, :4] = mask[1, :, 12:, 12:] = 1
    planes = torch.arange(2 * 2 * 256.0).reshape(2, 2, 16, 16)
    found = parts(planes, part_windows(mask, 8))
    assert torch.equal(found[0], planes[0, :, :8, :8])
    assert torch.equal(found[1], planes[1, :, 8:, 8:])
