"""EdgeConnect's discriminators: each of their scores sees 70 x 70 pixels."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

WIDTHS = (1, 2, 4, 8)
"""Channels of the hidden layers, in multiples of the base."""


class PatchJudge(nn.Module):
    """Five spectrally normalised 4 x 4 convolutions without bias (Isola et al. 2017, Miyato et al. 2018).

    With ``base`` 64 it has 2,762,752 parameters for a grey picture and its edges (``inputs`` 2), 2,763,776
    for a colour picture (3).
    """

    def __init__(self, inputs: int, base: int = 64) -> None:
        super().__init__()
        widths = (inputs, *(base * width for width in WIDTHS), 1)
        strides = (2, 2, 2, 1, 1)
        self.layers = nn.ModuleList(
            spectral_norm(nn.Conv2d(a, b, 4, stride, 1, bias=False))
            for (a, b), stride in zip(pairwise(widths), strides, strict=True)
        )

    def forward(self, planes: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Scores before the sigmoid, N x 1 x h x w (high: real), and the features of every layer.

        planes: N x inputs x H x W in 0..1, at least 32 x 32 pixels.
        """
        features: list[Tensor] = []
        for layer in self.layers:
            planes = layer(F.leaky_relu(planes, 0.2) if features else planes)
            features.append(planes)
        # As the authors compare them: what the next layer sees, and last the bare score.
        return planes, [*(F.leaky_relu(hidden, 0.2) for hidden in features[:-1]), planes]
