"""SN-PatchGAN: the discriminator that scores every patch of a filled picture."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm


class SNPatchDiscriminator(nn.Module):
    """Six spectrally normalised 5 x 5 convolutions of stride 2 (5,946,816 weights and biases by default).

    Yu et al., "Free-Form Image Inpainting with Gated Convolution" (2019).
    """

    def __init__(self, in_channels: int = 4, base: int = 64) -> None:
        super().__init__()
        self.in_channels = in_channels
        widths = (in_channels, base, 2 * base, 4 * base, 4 * base, 4 * base, 4 * base)
        self.layers = nn.ModuleList(
            spectral_norm(nn.Conv2d(a, b, 5, stride=2, padding=2)) for a, b in pairwise(widths)
        )

    def forward(self, image: Tensor, mask: Tensor, sketch: Tensor | None = None) -> Tensor:
        """Score the patches: N x K, high for real ones; their mean is the picture's score.

        image: N x 3 x H x W in -1..1, composited. mask: N x 1 x H x W, 1 = hole. sketch: N x 1 x H x W,
        only for a guided discriminator (``in_channels=5``).
        """
        planes = [image, mask] if sketch is None else [image, sketch, mask]
        features = torch.cat(planes, 1)
        if features.shape[1] != self.in_channels:
            raise ValueError(f"{features.shape[1]} channels given to a discriminator of {self.in_channels}")
        for layer in self.layers:
            # The last layer is activated too, as in the paper's code.
            features = F.leaky_relu(layer(features), 0.2)
        return features.flatten(1)
