"""The discriminator of Global&Local: it looks at the whole picture and at the part round the hole."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

WIDTHS = (1, 2, 4, 8, 8, 8)
"""Channels of the convolutions, in multiples of the base; the local part leaves out the last."""
GRID = 4
"""Positions a side that are left of 256 x 256 pixels after six halvings, and of 128 x 128 after five."""


class ContextJudge(nn.Module):
    """Two rows of 5 x 5 convolutions of stride 2, each with a linear layer; one score from both together.

    Iizuka et al., "Globally and Locally Consistent Image Completion" (2017): base 64, 1024 features each.
    """

    def __init__(self, base: int = 64, features: int = 1024) -> None:
        super().__init__()
        widths = [base * width for width in WIDTHS]
        self.whole = _Row(widths, features)
        self.part = _Row(widths[:-1], features)
        self.score = nn.Linear(2 * features, 1)

    def forward(self, image: Tensor, part: Tensor) -> Tensor:
        """Scores before the sigmoid, N x 1, high for real pictures.

        image: N x 3 x H x W in -1..1. part: N x 3 x h x w of it, where the hole was. Made for 256 and 128
        pixels a side; the features of any other size are averaged to the same grid.
        """
        score: Tensor = self.score(torch.cat([self.whole(image), self.part(part)], 1))
        return score


class _Row(nn.Module):
    def __init__(self, widths: Sequence[int], features: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Sequential(nn.Conv2d(a, b, 5, stride=2, padding=2), nn.BatchNorm2d(b), nn.ReLU())
            for a, b in pairwise((3, *widths))
        )
        self.features = nn.Linear(widths[-1] * GRID * GRID, features)

    def forward(self, image: Tensor) -> Tensor:
        for layer in self.layers:
            image = layer(image)
        if image.shape[-2:] != (GRID, GRID):
            image = F.adaptive_avg_pool2d(image, GRID)
        return F.relu(self.features(image.flatten(1)))
