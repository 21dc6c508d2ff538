"""Which pixels of a hole a partial convolution opens: the plain rule, and GAIN's that follows edges.

Masks are those of GAIN: N x 1 x H x W, 1 = known.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

REACH = 16
"""Of one pass of :func:`completed`: as far as the widest convolution of GAIN."""


def known_in_window(known: Tensor, kernel: int = 3, stride: int = 1, dilation: int = 1) -> Tensor:
    """How many known pixels the window of a convolution holds; outside the picture nothing is known."""
    ones = known.new_ones(1, 1, kernel, kernel)
    reach = dilation * (kernel - 1) // 2
    return F.conv2d(known, ones, stride=stride, padding=reach, dilation=dilation)


def plainly_opened(count: Tensor) -> Tensor:
    """The mask after a partial convolution: known is what has seen anything known."""
    return (count > 0).to(count.dtype)


@torch.no_grad()
def opened_by_priority(gradients: Tensor, known: Tensor, count: Tensor, delta: float) -> Tensor:
    """The mask after a partial convolution that opens only what lies where edges run into the hole.

    gradients: N x 2C x H x W, zero where nothing is known. count: of :func:`known_in_window` for the layer.
    Of the pixels that the plain rule would open those with :func:`priority` of at least ``delta`` times the
    greatest are opened. The authors leave open over what that is taken: here over each sample and layer.
    Where it is 0 (flat surroundings) the comparison holds for all of them: the plain rule, or such a hole
    would never shrink. It holds for all with ``delta`` = 0 too, as the authors want.
    """
    border = (count > 0) & (known <= 0)
    rank = priority(gradients, known, count) * border
    most = rank.amax((1, 2, 3), keepdim=True)
    return (border & (rank >= delta * most) | (known > 0)).to(known.dtype)


@torch.no_grad()
def priority(gradients: Tensor, known: Tensor, count: Tensor) -> Tensor:
    """N x 1 x H x W: P = count x |n . grad_perp|, high where an edge meets the hole's border head on.

    n: direction of the gradient of the mask averaged over 3 x 3, of length 1 (its length would only tell how
    the border is jagged). grad_perp: (-y, x) of the mean gradient. Its magnitude is kept, strong edges first.
    The sign of the product is dropped: an edge runs both ways. A pixel of the hole has no gradient of its
    own: it gets the mean of the known ones among its eight neighbours, thus the border moves by one pixel a
    layer. The first half of the channels is taken for derivatives along x, the second along y.
    """
    halves = torch.cat([half.mean(1, keepdim=True) for half in gradients.float().mul(known).chunk(2, 1)], 1)
    # Nine times the mean over the window, and as many times the share of known pixels in it.
    near = F.avg_pool2d(torch.cat([halves, known.float()], 1), 3, stride=1, padding=1)
    along_x, along_y = (near[:, :2] / near[:, 2:].clamp_min(1e-6)).chunk(2, 1)
    across_x, across_y = _unit_normal(known.float())
    return count.float() * (across_y * along_x - across_x * along_y).abs()


def _unit_normal(known: Tensor) -> tuple[Tensor, Tensor]:
    """x and y of the direction in which the averaged mask rises; 0 where it is flat."""
    padded = F.pad(known, (2, 2, 2, 2), mode="replicate")
    mean = F.avg_pool2d(padded, 3, stride=1)
    x = mean[..., 1:-1, 2:] - mean[..., 1:-1, :-2]
    y = mean[..., 2:, 1:-1] - mean[..., :-2, 1:-1]
    # Sums of ninths that should cancel leave some 1e-8: no direction.
    length = (x.square() + y.square()).sqrt()
    scale = torch.where(length > 1e-4, 1 / length.clamp_min(1e-4), torch.zeros_like(length))
    return x * scale, y * scale


def completed(features: list[Tensor], known: Tensor) -> list[Tensor]:
    """Fill what is still unknown, by partial convolutions whose weights are all alike.

    That is the plain rule with nothing to learn, repeated until nothing is unknown (a sample in which
    nothing is known keeps its zeros). Every feature map is N x C x H x W, zero where ``known`` is 0.
    """
    passes = -(-max(known.shape[-2:]) // REACH)
    for _ in range(passes):
        if bool((known > 0).all()):
            break
        near = _mean_around(known)
        share = (1 - known) / near.clamp_min(1e-6)
        features = [f + _mean_around(f) * share.to(f.dtype) for f in features]
        known = torch.maximum(known, plainly_opened(near))
    return features


def _mean_around(planes: Tensor) -> Tensor:
    """Mean of a square window, zeros outside the picture."""
    across = F.avg_pool2d(planes, (1, 2 * REACH + 1), stride=1, padding=(0, REACH))
    return F.avg_pool2d(across, (2 * REACH + 1, 1), stride=1, padding=(REACH, 0))
