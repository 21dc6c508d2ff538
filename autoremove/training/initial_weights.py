"""Initial weights with which the inpainter's thirty layers pass the picture on from the first step."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from autoremove.models.deepfillv2 import GatedConv, Generator


@torch.no_grad()
def even_out(
    generator: Generator, image: Tensor, hole: Tensor, sketch: Tensor | None = None, spread: float = 0.7
) -> None:
    """Set all weights so that activations keep one spread through the depth, and colours a free way.

    Gates halve what passes and nothing normalises it: with default weights almost nothing of the picture
    is left after thirty layers, and thousands of steps only undo that. Each layer is scaled on ``image``
    (N x 3 x H x W, -1..1) with ``hole`` (Mishkin and Matas, "All you need is a good init", 2016), and its
    first channels are set to hand on the input's planes, so the network begins as a coarse copier.
    ``sketch`` as in :meth:`autoremove.models.deepfillv2.Generator.forward`.
    """
    planes = max(5, generator.config.in_channels)

    def settle(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        assert isinstance(layer, GatedConv)
        wanted = spread if layer.gated else 0.1
        for _ in range(4):
            factor = wanted / output.std().clamp(min=1e-6)
            layer.weight[: layer.out_channels // 2 if layer.gated else None].mul_(factor)
            output = layer.forward(*inputs)
        _hand_on(layer, planes, first=layer.kernel_size[0] == 5)
        return layer.forward(*inputs)

    layers = [layer for layer in generator.modules() if isinstance(layer, GatedConv)]
    for layer in layers:
        _randomise(layer)
    hooks = [layer.register_forward_hook(settle) for layer in layers]
    generator(image, hole, sketch)
    for hook in hooks:
        hook.remove()


def _randomise(layer: GatedConv) -> None:
    nn.init.kaiming_normal_(layer.weight, nonlinearity="linear")
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
    if layer.dilation[0] >= 8:
        # On small crops the outer taps see padding alone and stay as they begin: let that be harmless.
        centre = layer.weight[:, :, 1, 1].clone()
        layer.weight.mul_(0.1)[:, :, 1, 1] = centre


def _hand_on(layer: GatedConv, planes: int, *, first: bool) -> None:
    """Let channel i of the first ``planes`` be input plane i, as 0.5 + 0.5 x.

    That is positive, so that ELU leaves it as it is. The first layer (5 x 5) shifts the planes up, the
    ungated last one back.
    """
    assert layer.bias is not None
    outputs = layer.out_channels // 2 if layer.gated else layer.out_channels
    middle = layer.kernel_size[0] // 2
    for plane in range(min(planes, outputs, layer.in_channels)):
        if layer.gated:
            layer.weight[[plane, plane + outputs]] = 0
            layer.weight[plane, plane, middle, middle] = 1 if first else 2
            layer.bias[plane] = 1 if first else 0
        else:
            layer.weight[plane, plane, middle, middle] = 2
            layer.bias[plane] = -1
