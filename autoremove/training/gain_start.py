"""Initial weights with which GAIN begins as a blurred copy of what is known, holes filled smoothly."""

from __future__ import annotations

import torch
from torch import nn

from autoremove.models.gain import GAIN
from autoremove.models.gain_blocks import Decoder, GAIBlock, PartialConv


@torch.no_grad()
def hand_on(network: GAIN) -> None:
    """Let some channels carry the picture and its gradients from the first layer to the last.

    Three channels of the image stream hold the colours as 0.5 + 0.5 x, which ELU leaves as they are; the
    first channel of each half of the gradient stream holds a derivative. Partial convolutions average them
    (so they are right beside a hole too), dilation blocks add nothing to them, decoders of the structure
    branch give them out. All other weights stay random. Only for a network with skips: without them these
    channels would be averaged over half of the picture. Raises ValueError for a base below 3.
    """
    half = network.config.base
    if half < 3:
        raise ValueError(f"base={half} has no room for three colours")
    _average(network.start_image, {0: 0, 1: 1, 2: 2}, 0.5)
    _average(network.start_gradient, {0: 0, half: 1}, 1.0)
    for branch in (network.structure, network.content):
        for i, halving in enumerate(branch.halvings):
            assert isinstance(halving, GAIBlock)
            _through_halving(halving, half * 2**i)
        for block in branch.blocks:
            _calm(block)
            _add_nothing(block.get_submodule("layers.3"), 4 * half)
    _give_out(network.image_decoder, [[0, 1, 2]] * 4, scale=2.0, shift=-1.0)
    _give_out(network.gradient_decoder, [[0, n * half] for n in (4, 4, 2, 1)], scale=1.0, shift=0.0)


def _average(layer: PartialConv, source: dict[int, int], scale: float) -> None:
    """Channel by channel the mean of what is known of a plane; ``scale`` below 1 shifts it up by itself."""
    assert layer.bias is not None
    for out, plane in source.items():
        layer.weight[out] = 0
        layer.weight[out, plane] = scale / layer.weight[0, 0].numel()
        layer.bias[out] = scale if scale < 1 else 0


def _through_halving(block: GAIBlock, half: int) -> None:
    _average(block.image, {0: 0, 1: 1, 2: 2}, 1.0)
    _average(block.from_gradient, {0: 0, 2 * half: half}, 1.0)
    block.from_gradient.weight[4 * half : 4 * half + 3] = 0
    block.to_gradient.weight[[0, 2 * half]] = 0


def _calm(block: nn.Module) -> None:
    """Outer taps of wide layers begin small: on small crops many see nothing, and learn little."""
    for layer in block.modules():
        if isinstance(layer, PartialConv) and layer.dilation[0] >= 8:
            centre = layer.weight[:, :, 1, 1].clone()
            layer.weight.mul_(0.1)[:, :, 1, 1] = centre


def _add_nothing(block: nn.Module, half: int) -> None:
    assert isinstance(block, GAIBlock)
    block.image.weight[:3] = 0
    block.from_gradient.weight[[0, half, 2 * half, 2 * half + 1, 2 * half + 2]] = 0
    block.to_gradient.weight[[0, half]] = 0


def _give_out(decoder: Decoder, places: list[list[int]], scale: float, shift: float) -> None:
    """``places``: the channels that carry, before each layer; the last layer scales and shifts them."""
    after = [*places[1:], list(range(len(places[0])))]
    layers = [*decoder.layers, decoder.last]
    for layer, sources, targets in zip(layers, places, after, strict=True):
        assert isinstance(layer, nn.Conv2d) and layer.bias is not None
        last = layer is decoder.last
        if not last:  # of what the last layer gives the other channels may have their small random part
            layer.weight[targets] = 0
        for source, target in zip(sources, targets, strict=True):
            layer.weight[target, source] = 0
            layer.weight[target, source, 1, 1] = scale if last else 1
            layer.bias[target] = shift if last else 0
