"""What the older recipes look at near a hole: the square part round it, and how far inside a pixel lies."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from autoremove.models.windows import Window, hole_box

STEPS = 44
"""Pixels after which a discount falls no further: 0.9 to that power is 0.01."""


def discount(hole: Tensor, gamma: float = 0.9) -> Tensor:
    """Weight of every hole pixel, N x 1 x H x W: ``gamma`` to the number of hole pixels before a known one.

    hole: N x 1 x H x W, 1 = hole. Pixels at the hole's border weigh 1, known ones 0. The distance counts
    steps in any of eight directions; in a rectangle that is the distance to the nearest side. What lies
    beyond the picture's edge is not known, so it is no border.

    Yu et al., "Generative Image Inpainting with Contextual Attention" (2018): far inside, many fills will do.
    """
    weight, factor, left = torch.zeros_like(hole), 1.0, hole
    for _ in range(STEPS):
        inner = -F.max_pool2d(-left, 3, stride=1, padding=1)
        weight = weight + factor * (left - inner)
        factor, left = factor * gamma, inner
    return weight + factor * left


def part_windows(hole: Tensor, side: int) -> list[Window]:
    """For each sample the square of ``side`` pixels round the middle of its hole, moved into the picture.

    hole: N x 1 x H x W, 1 = hole. Without a hole it is the middle of the picture.
    """
    return [_part_window(one, side) for one in hole.detach().cpu()[:, None]]


def _part_window(hole: Tensor, side: int) -> Window:
    height, width = hole.shape[-2:]
    box = hole_box(hole) or Window(0, height, 0, width)
    top = min(max((box.top + box.bottom - side) // 2, 0), height - side)
    left = min(max((box.left + box.right - side) // 2, 0), width - side)
    return Window(top, top + side, left, left + side)


def parts(planes: Tensor, windows: list[Window]) -> Tensor:
    """The windows of N x C x H x W planes, one for each sample, all of one size: N x C x side x side."""
    return torch.cat([window.of(one) for window, one in zip(windows, planes[:, None], strict=True)])
