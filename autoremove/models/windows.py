"""Which part of each layer's map the pixels of a hole depend on: boxes, and the positions that must ask."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from torch import Tensor
from torch.nn import functional as F

if TYPE_CHECKING:
    from autoremove.models.deepfillv2_table import Layer


class Window(NamedTuple):
    """Half-open box of a map: lines ``top`` to ``bottom``, columns ``left`` to ``right``."""

    top: int
    bottom: int
    left: int
    right: int

    def scaled(self, up: int = 1, down: int = 1) -> Window:
        """The least box of whole pixels that covers this one on a map ``up / down`` times the size."""
        top, left = (side * up // down for side in (self.top, self.left))
        bottom, right = (-(-side * up // down) for side in (self.bottom, self.right))
        return Window(top, bottom, left, right)

    def inside(self, other: Window) -> Window:
        """The same box counted from the corner of another that holds it."""
        return Window(
            self.top - other.top, self.bottom - other.top, self.left - other.left, self.right - other.left
        )

    def of(self, planes: Tensor) -> Tensor:
        """The part of N x C x H x W planes that lies in the box."""
        return planes[..., self.top : self.bottom, self.left : self.right]


class Step(NamedTuple):
    """One layer's share: ``gives`` is the box of its output, computed from the box ``takes`` of its input.

    ``pads``: left, right, top and bottom lines of padding that the box needs where it meets the map's edge.
    """

    takes: Window
    gives: Window
    pads: tuple[int, int, int, int]


def whole(size_hw: tuple[int, int]) -> Window:
    """The box of a whole map."""
    return Window(0, size_hw[0], 0, size_hw[1])


def hole_box(mask: Tensor) -> Window | None:
    """The box round the holes of all samples of an N x 1 x H x W mask on the CPU; None without a hole."""
    grid = (mask > 0).flatten(0, 1).any(0).numpy()
    lines, columns = grid.any(1).nonzero()[0], grid.any(0).nonzero()[0]
    if not len(lines):
        return None
    return Window(int(lines[0]), int(lines[-1]) + 1, int(columns[0]), int(columns[-1]) + 1)


def steps(layers: Sequence[Layer], gives: Window, size_hw: tuple[int, int], same: bool = False) -> list[Step]:
    """What each layer has to compute so that the last gives the box ``gives`` of its output.

    ``size_hw``: of the last layer's output. ``same``: strided layers pad after the map, not round it.
    """
    found = []
    height, width = size_hw
    for layer in reversed(layers):
        if layer.upsample:
            # Each pixel of the smaller map makes four: the box takes whole ones.
            small = gives.scaled(down=2)
            height, width = height // 2, width // 2
            takes, pads = _behind(small, 1, 1, (height, width), before=1)
            step = Step(takes, small.scaled(up=2), pads)
        else:
            height, width = height * layer.stride, width * layer.stride
            reach = layer.dilation * (layer.kernel - 1) // 2
            before = 0 if same and layer.stride == 2 else reach
            takes, pads = _behind(gives, layer.stride, reach, (height, width), before)
            step = Step(takes, gives, pads)
        found.append(step)
        gives = step.takes
    return found[::-1]


def _behind(
    gives: Window, stride: int, reach: int, size_hw: tuple[int, int], before: int
) -> tuple[Window, tuple[int, int, int, int]]:
    top, bottom, above, below = _span(gives.top, gives.bottom, stride, reach, size_hw[0], before)
    left, right, ahead, after = _span(gives.left, gives.right, stride, reach, size_hw[1], before)
    return Window(top, bottom, left, right), (ahead, after, above, below)


def _span(
    first: int, last: int, stride: int, reach: int, size: int, before: int
) -> tuple[int, int, int, int]:
    """Along one axis: the inputs of outputs ``first`` to ``last``, and how many lie before and after."""
    start = first * stride - before
    stop = (last - 1) * stride - before + 2 * reach + 1
    return max(start, 0), min(stop, size), max(-start, 0), max(stop - size, 0)


def asking(mask: Tensor, layers: Sequence[Layer]) -> Tensor:
    """N x 1 x h x w, bool: positions of the attention whose patches reach a pixel of the hole.

    mask: N x 1 x H x W on the CPU, H and W multiples of 8. ``layers``: those between the attention, whose
    map has a quarter of the size, and the picture. Walking back from the hole, a layer of kernel 3 widens
    what is needed by a pixel on each side (by 3 at full size, 2 at half, 4 at a quarter in DeepFillv2), and
    every upsampling halves it. A patch is 4 x 4 pixels of the quarter map, one more on each side than its
    position's own 2 x 2.
    """
    needed, reach = (mask > 0).float(), 0
    for layer in reversed(layers):
        reach += layer.dilation * (layer.kernel - 1) // 2
        if layer.upsample:
            # Widening by n and then halving is one pooling.
            needed, reach = F.max_pool2d(needed, 2 + 2 * reach, 2, reach), 0
    return F.max_pool2d(needed, 4 + 2 * reach, 2, 1 + reach) > 0
