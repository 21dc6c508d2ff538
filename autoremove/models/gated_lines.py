"""One gated convolution on a part of its map, without gradients and with little memory."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F

from autoremove.models.windows import Step, Window

if TYPE_CHECKING:
    from autoremove.models.deepfillv2 import GatedConv

STRIP_BYTES = 1 << 22
"""Of one half of a layer's output on a CPU: what is still in the cache when it is gated."""


def suits(planes: Tensor) -> bool:
    """Whether planes lie where strips, and halves of a layer apart, are faster than the whole at once."""
    return planes.device.type == "cpu"


def run(layer: GatedConv, features: Tensor, have: Window, step: Step, compiled: bool = False) -> Tensor:
    """The box ``step.gives`` of the layer's output from features that cover the box ``have`` of its input.

    On a CPU in channels_last and strip by strip: a map before its gate, twice as large, is never held.
    ``compiled``: gates by one kernel that torch.compile makes, where it does not go by strips (on a CPU it
    was found to win nothing).
    """
    part = step.takes.inside(have).of(features)
    if suits(part):
        return _doubled(layer, part, step) if layer.upsample else _in_strips(layer, part, step)
    if layer.upsample:
        mode = "replicate" if layer.padding_mode == "reflect" else "constant"
        part = F.interpolate(_padded(part, step.pads, mode), scale_factor=2, mode="nearest")
        # Of the two lines that a line of padding became, a kernel of three reaches one.
        out = F.conv2d(part[..., 1:-1, 1:-1], layer.weight, layer.bias)
    else:
        part = _padded(part, step.pads, _mode(layer))
        out = F.conv2d(part, layer.weight, layer.bias, layer.stride, 0, layer.dilation)
    if not layer.gated:
        return out
    chosen: Callable[[Tensor, Tensor, str], Tensor] = _compiled() if compiled else gate
    feature, gates = out.chunk(2, dim=1)
    return chosen(feature, gates, layer.activation)


@cache
def _compiled() -> Callable[[Tensor, Tensor, str], Tensor]:
    return torch.compile(gate, dynamic=True)


def gate(feature: Tensor, gates: Tensor, activation: str) -> Tensor:
    """``activation`` (elu, relu or none) of the one half of the channels, times the sigmoid of the other."""
    if activation == "elu":
        feature = F.elu(feature)
    elif activation == "relu":
        feature = feature.relu()
    return feature * torch.sigmoid(gates)


def _activated(feature: Tensor, activation: str) -> Tensor:
    """In place. exp(x) - 1 takes half the time of ELU's own expm1, and is as near as 1e-7."""
    if activation == "elu":
        return torch.maximum(feature, feature.clamp(max=0).exp_().sub_(1), out=feature)
    return feature.relu_() if activation == "relu" else feature


def _mode(layer: GatedConv) -> str:
    return "reflect" if layer.padding_mode == "reflect" else "constant"


def _padded(part: Tensor, pads: tuple[int, int, int, int], mode: str) -> Tensor:
    return F.pad(part, pads, mode=mode) if any(pads) else part


def _halves(layer: GatedConv, weight: Tensor) -> list[tuple[Tensor, Tensor | None]]:
    """Kernels and biases of the features and of the gate.

    Two convolutions cost no more than one, and their outputs lie in one piece each: taking the sigmoid of
    every other run of a channels_last tensor takes longer than many a convolution.
    """
    parts = 2 if layer.gated else 1
    biases = (None,) * parts if layer.bias is None else layer.bias.chunk(parts)
    return [
        (kernels.contiguous(memory_format=torch.channels_last), bias)
        for kernels, bias in zip(weight.chunk(parts), biases, strict=True)
    ]


def _in_strips(layer: GatedConv, part: Tensor, step: Step) -> Tensor:
    """A layer that keeps or halves the size."""
    stride, dilation = layer.stride[0], layer.dilation[0]
    reach = dilation * (layer.kernel_size[0] - 1)
    ahead, after, above, _ = step.pads
    mode, halves = _mode(layer), _halves(layer, layer.weight)
    # Padding of zeros, alike on both sides, is left to the convolution; any other costs a copy.
    across = ahead if mode == "constant" and ahead == after else 0
    sides = (0, 0) if across == ahead == after else (ahead, after)
    height, width = step.gives.bottom - step.gives.top, step.gives.right - step.gives.left
    out = _empty(part, halves, height, width)
    for top, bottom in _strips(height, width * out.shape[1]):
        first, last = top * stride - above, (bottom - 1) * stride - above + reach + 1
        lines = part[:, :, max(first, 0) : last]
        pads = (*sides, max(-first, 0), max(last - part.shape[2], 0))
        # Both convolutions would copy a part of a map that lies in pieces.
        given = _padded(lines, pads, mode).contiguous(memory_format=torch.channels_last)
        maps = [F.conv2d(given, w, b, stride, (0, across), dilation) for w, b in halves]
        _write(layer, maps, out[:, :, top:bottom])
    return out


def _doubled(layer: GatedConv, part: Tensor, step: Step) -> Tensor:
    """A layer that doubles the size: 2 x 2 kernels on the small map for each of the four pixels it makes.

    On a map that repeats every pixel twice, a kernel of three sees two different ones: 4 products for 9.
    """
    mode = "replicate" if layer.padding_mode == "reflect" else "constant"
    part = _padded(part, step.pads, mode)
    height, width = part.shape[2] - 2, part.shape[3] - 2
    shifted = [part[..., x : x + width + 1].contiguous(memory_format=torch.channels_last) for x in (0, 1)]
    pixels = [(y, x, _halves(layer, _folded(layer.weight, y, x))) for y in (0, 1) for x in (0, 1)]
    out = _empty(part, pixels[0][2], 2 * height, 2 * width)
    for top, bottom in _strips(height, width * out.shape[1]):
        for y, x, halves in pixels:
            given = shifted[x][:, :, top + y : bottom + y + 1]
            maps = [F.conv2d(given, w, b) for w, b in halves]
            _write(layer, maps, out[:, :, 2 * top + y : 2 * bottom + y : 2, x::2])
    return out


def _folded(weight: Tensor, y: int, x: int) -> Tensor:
    """The 3 x 3 kernels as 2 x 2 ones of the small map, for the pixel (y, x) of the four."""
    for axis, second in ((2, y), (3, x)):
        a, b, c = weight.unbind(axis)
        weight = torch.stack([a + b, c] if second else [a, b + c], axis)
    return weight


def _empty(part: Tensor, halves: list[tuple[Tensor, Tensor | None]], height: int, width: int) -> Tensor:
    kind = part.dtype
    if torch.is_autocast_enabled("cpu"):
        kind = torch.get_autocast_dtype("cpu")
    shape = (len(part), len(halves[0][0]), height, width)
    return torch.empty(shape, dtype=kind, memory_format=torch.channels_last)


def _strips(height: int, per_line: int) -> list[tuple[int, int]]:
    lines = max(4, STRIP_BYTES // (4 * per_line))
    return [(top, min(top + lines, height)) for top in range(0, height, lines)]


def _write(layer: GatedConv, maps: list[Tensor], out: Tensor) -> None:
    feature = _activated(maps[0], layer.activation)
    if layer.gated:
        torch.mul(feature, maps[1].sigmoid_(), out=out)
    else:
        out.copy_(feature)
