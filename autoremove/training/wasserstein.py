"""The Wasserstein losses with a penalty on the judge's slope (Gulrajani et al. 2017)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def critic_loss(real: Tensor, fake: Tensor) -> Tensor:
    """What the judge minimises of its scores, N x 1: real pictures high, made ones low."""
    return fake.mean() - real.mean()


def gradient_penalty(
    judge: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor, mask: Tensor, share: Tensor
) -> Tensor:
    """How far the judge's slope is from 1 between real and made pictures: the mean of (length - 1)^2.

    real, fake: N x C x H x W. mask: N x 1 x H x W, 1 = pixels whose slope counts; those that are the same in
    both pictures tell nothing. share: N x 1 x 1 x 1 in 0..1, where on the way from ``real`` to ``fake``.
    """
    between = torch.lerp(real.detach(), fake.detach(), share).requires_grad_()
    (slope,) = torch.autograd.grad(judge(between).sum(), between, create_graph=True)
    # The root of zero has no finite gradient.
    length = (slope.square() * mask).sum((1, 2, 3)).clamp_min(1e-12).sqrt()
    return (length - 1).square().mean()


def shares(count: int, seed: int, device: torch.device) -> Tensor:
    """``count`` x 1 x 1 x 1 random numbers in 0..1, always the same for a seed."""
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(count, 1, 1, 1, generator=generator).to(device)
