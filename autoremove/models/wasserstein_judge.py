"""The discriminator of DeepFillv1: one unbounded score for a picture, or for the part round its hole."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional as F

GLOBAL_WIDTHS, GLOBAL_GRID = (64, 128, 256, 256), 16
"""The paper's for whole pictures of 256 x 256: 2,733,441 parameters."""
LOCAL_WIDTHS, LOCAL_GRID = (64, 128, 256, 512), 8
"""The paper's for parts of 128 x 128: 4,339,329 parameters."""


class WassersteinJudge(nn.Module):
    """Four 5 x 5 convolutions of stride 2, then one linear layer over all positions.

    Yu et al., "Generative Image Inpainting with Contextual Attention" (2018). No normalisation: the penalty
    on its gradient is for each sample by itself (Gulrajani et al. 2017).
    """

    def __init__(self, widths: Sequence[int] = GLOBAL_WIDTHS, grid: int = GLOBAL_GRID) -> None:
        super().__init__()
        self.grid = grid
        self.layers = nn.ModuleList(
            nn.Conv2d(a, b, 5, stride=2, padding=2) for a, b in pairwise((3, *widths))
        )
        self.score = nn.Linear(widths[-1] * grid * grid, 1)

    def forward(self, image: Tensor) -> Tensor:
        """Score pictures, N x 3 x H x W in -1..1: N x 1, high for real ones.

        Made for ``16 * grid`` pixels a side; the features of any other size are averaged to the same grid.
        """
        for layer in self.layers:
            image = F.leaky_relu(layer(image), 0.2)
        if image.shape[-2:] != (self.grid, self.grid):
            image = F.adaptive_avg_pool2d(image, self.grid)
        scores: Tensor = self.score(image.flatten(1))
        return scores
