"""Growing planes by reflection to the sizes that a network takes."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F


def padded(planes: Tensor, multiple: int, smallest: int = 1) -> Tensor:
    """N x C x H x W planes grown right and down to a multiple of a size, at least ``smallest``.

    By reflection; where the picture is too small for that its edge is repeated.
    """
    height, width = planes.shape[-2:]
    down, right = (-(-max(smallest, n) // multiple) * multiple - n for n in (height, width))
    if not down and not right:
        return planes
    mode = "reflect" if down < height and right < width else "replicate"
    return F.pad(planes, (0, right, 0, down), mode=mode)
