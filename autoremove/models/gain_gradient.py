"""Gradients of pictures and of feature maps by finite differences, and where holes leave them valid."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

LUMA = (0.299, 0.587, 0.114)
"""Shares of red, green and blue in grey (Rec. 601)."""


def gradient(planes: Tensor) -> Tensor:
    """N x C x H x W -> N x 2C x H x W: the derivative of every channel along x, then of every one along y.

    3 x 3 central differences, [-1 0 1] / 2 through the middle of the window. GAIN's authors give no
    coefficients: halved, a ramp of 1 per pixel has gradient 1. The picture's edge is repeated outwards, since
    a rim of zeros would be the strongest edge of all.
    """
    padded = F.pad(planes, (1, 1, 1, 1), mode="replicate")
    middle = padded[..., 1:-1, :], padded[..., 1:-1]
    along_x = middle[0][..., 2:] - middle[0][..., :-2]
    along_y = middle[1][..., 2:, :] - middle[1][..., :-2, :]
    return torch.cat([along_x, along_y], 1) * 0.5


def gradient_of_picture(image: Tensor) -> Tensor:
    """N x 3 x H x W RGB in -1..1 -> N x 2 x H x W: the gradient of its grey values, x and y, in -1..1.

    The authors speak of direction (arctan) and magnitude (square root); x and y say the same without the jump
    of an angle at pi, so that an L1 loss means something.
    """
    luma = image.new_tensor(LUMA).view(1, 3, 1, 1)
    return gradient((image * luma).sum(1, keepdim=True))


def where_valid(known: Tensor) -> Tensor:
    """N x 1 x H x W, 1 = known -> 1 where no pixel within 1 is unknown: there a gradient can be trusted.

    What lies outside the picture does no harm, as :func:`gradient` repeats its edge.
    """
    return -F.max_pool2d(-known, 3, stride=1, padding=1)
