"""What contextual attention reads of a picture, and from where it drew each position."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Picture(NamedTuple):
    """One sample: ``pixels`` C x h x w of the halved map, ``scale`` and ``valid`` h w values for each key.

    ``scale`` is one over the norm of the key's patch; ``valid`` is 0 where the patch holds hole pixels.
    """

    pixels: Tensor
    scale: Tensor
    valid: Tensor


class Sources(NamedTuple):
    """Where each position of the 1/8 grid was drawn from: the ``k`` patches of the largest weights.

    Position (i, j) of the grid stands for pixels 8i .. 8i + 7, 8j .. 8j + 7 of the picture and has the flat
    index i * w + j, (h, w) = ``size_hw``. ``positions``: N x k x h w, int64 flat indices of known positions,
    best first. ``weights``: N x k x h w, float32 softmax weights (their sum is at most 1: the other patches
    have the rest). ``present``: N x h w, bool, true where the position asked and found something; elsewhere
    positions and weights are 0, as are those of weight 0.
    """

    positions: Tensor
    weights: Tensor
    present: Tensor
    size_hw: tuple[int, int]


class Best:
    """Collects for one sample, over ``count`` positions, the keys of the ``k`` largest weights."""

    def __init__(self, k: int, count: int, device: torch.device) -> None:
        self.positions = torch.zeros(k, count, dtype=torch.int64, device=device)
        self.weights = torch.zeros(k, count, device=device)

    def take(self, first: int, rows: Tensor) -> None:
        """Weights of the positions from ``first`` on: rows x keys."""
        found = rows.topk(min(len(self.weights), rows.shape[1]), dim=1)
        here = (slice(found.values.shape[1]), slice(first, first + len(rows)))
        self.weights[here] = found.values.T
        self.positions[here] = found.indices.T


def sources_of(best: list[Best], wanted: Tensor | None, size_hw: tuple[int, int]) -> Sources:
    """What was collected for a batch; ``wanted`` N x 1 x h x w (None: all) are the positions to tell of."""
    weights = torch.stack([one.weights for one in best])
    if wanted is not None:
        weights = weights * uploaded(wanted, weights.device).flatten(2)
    positions = torch.stack([one.positions for one in best]) * (weights > 0)
    return Sources(positions, weights, weights[:, 0] > 0, size_hw)


def no_sources(count: int, k: int, size_hw: tuple[int, int], device: torch.device) -> Sources:
    """Of ``count`` pictures without a hole."""
    weights = torch.zeros(count, k, size_hw[0] * size_hw[1], device=device)
    return Sources(weights.long(), weights, weights[:, 0] > 0, size_hw)


def uploaded(planes: Tensor, device: torch.device) -> Tensor:
    """Planes of the CPU on a device, without waiting for what the device has still to do."""
    if device.type == "cuda" and planes.device.type == "cpu":
        # A copy from memory that may be paged out is queued behind all that runs, and waited for.
        planes = planes.pin_memory()
    return planes.to(device, non_blocking=True)
