"""Losses on feature maps (perceptual, style) and on the smoothness of a fill, averaged by size."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F


def gram(features: Tensor) -> Tensor:
    """N x C x H x W -> N x C x C products of channels over all places, divided by C H W; float32."""
    flat = features.float().flatten(2)
    return flat @ flat.transpose(1, 2) / max(1, flat[0].numel())


def perceptual(made: Sequence[Tensor], true: Sequence[Tensor]) -> Tensor:
    """Mean absolute difference of feature maps, summed over layers."""
    return torch.stack([F.l1_loss(a, b) for a, b in zip(made, true, strict=True)]).sum()


def style(made: Sequence[Tensor], true: Sequence[Tensor]) -> Tensor:
    """Mean absolute difference of :func:`gram` matrices, summed over layers."""
    return perceptual([gram(a) for a in made], [gram(b) for b in true])


def total_variation(image: Tensor, hole: Tensor) -> Tensor:
    """Mean absolute step between neighbours that both lie in the hole grown by one pixel.

    image: N x C x H x W; hole: N x 1 x H x W, 1 = hole. Divided by the size of the whole picture, so a small
    hole weighs little. Liu et al., "Image Inpainting for Irregular Holes Using Partial Convolutions".
    """
    region = F.max_pool2d(hole.float(), 3, stride=1, padding=1)
    down = (image[..., 1:, :] - image[..., :-1, :]).abs() * region[..., 1:, :] * region[..., :-1, :]
    right = (image[..., 1:] - image[..., :-1]).abs() * region[..., 1:] * region[..., :-1]
    return (down.sum() + right.sum()) / image.numel()
