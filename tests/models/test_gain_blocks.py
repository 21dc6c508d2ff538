"""GAIN's partial convolution against its formula, and its block against the equations of the paper."""

from __future__ import annotations

from itertools import product

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from autoremove.models.gain_blocks import DilationBlock, GAIBlock, PartialConv, Streams
from autoremove.models.gain_gradient import gradient, where_valid


def some_mask(size_hw: tuple[int, int] = (9, 10)) -> Tensor:
    known = torch.ones(2, 1, *size_hw)
    known[0, :, 2:8, 3:9] = 0
    known[1, :, :5] = 0
    return known


def some_streams(channels: int = 3) -> Streams:
    torch.manual_seed(0)
    known = some_mask()
    shape = known.shape[-2:]
    return Streams(
        torch.randn(2, channels, *shape) * known, torch.randn(2, 2 * channels, *shape) * known, known
    )


@pytest.mark.parametrize(("stride", "dilation"), [(1, 1), (2, 1), (1, 2), (1, 4)])
@torch.no_grad()
def test_a_partial_convolution_is_its_formula(stride: int, dilation: int) -> None:
    features, _, known = some_streams()
    layer = PartialConv(3, 2, stride=stride, dilation=dilation)
    layer.bias.normal_()
    found = layer(features, known)
    height, width = known.shape[-2:]
    for n, y, x in product(range(2), range(found.shape[2]), range(found.shape[3])):
        total, count, inside = torch.zeros(2), 0.0, 0.0
        for ky, kx in product(range(3), repeat=2):
            i, j = y * stride + (ky - 1) * dilation, x * stride + (kx - 1) * dilation
            if 0 <= i < height and 0 <= j < width:
                total += layer.weight[:, :, ky, kx] @ features[n, :, i, j] * known[n, 0, i, j]
                count, inside = count + float(known[n, 0, i, j]), inside + 1
        wanted = total * inside / count + layer.bias if count else torch.zeros(2)
        assert torch.allclose(found[n, :, y, x], wanted, atol=1e-5)


@pytest.mark.parametrize(("stride", "dilation"), [(1, 1), (2, 1), (1, 2)])
@torch.no_grad()
def test_a_block_is_its_four_convolutions(stride: int, dilation: int) -> None:
    """II, GG, GI and IG one by one, from weights cut out of the block's joint ones."""
    streams, width = some_streams(), 4
    block = GAIBlock(3, width, stride=stride, dilation=dilation)
    block.from_gradient.bias.normal_()
    ii, ig = block.image, block.to_gradient
    gg = PartialConv(6, 2 * width, stride=stride, dilation=dilation)
    gi = PartialConv(6, width, stride=stride, dilation=dilation)
    for part, rows in ((gg, slice(0, 2 * width)), (gi, slice(2 * width, None))):
        part.weight.copy_(block.from_gradient.weight[rows])
        part.bias.copy_(block.from_gradient.bias[rows])
    made = block(streams)
    image = ii(streams.image, streams.known)
    sound = where_valid(made.known)
    wanted = F.elu(image + gi(streams.gradient, streams.known))
    wanted_gradient = F.elu(gg(streams.gradient, streams.known) + ig(gradient(image) * sound, sound))
    assert torch.allclose(made.image, wanted, atol=1e-5)
    assert torch.allclose(made.gradient, wanted_gradient, atol=1e-5)


@pytest.mark.parametrize("delta", [0.0, 0.4])
@torch.no_grad()
def test_nothing_leaks_out_of_what_is_known(delta: float) -> None:
    made = GAIBlock(3, 3)(some_streams(), delta)
    assert 0 < made.known.mean() < 1
    for features in (made.image, made.gradient):
        assert torch.equal(features, features * made.known)
        assert (features.abs().sum(1, keepdim=True) > 0).float().equal(made.known)


@torch.no_grad()
def test_delta_holds_back_the_mask_alone() -> None:
    """Where both rules open, the image stream is the same."""
    streams, block = some_streams(), GAIBlock(3, 3)
    plain, held_back = block(streams), block(streams, 0.4)
    assert held_back.known.sum() < plain.known.sum()
    assert torch.allclose(held_back.image, plain.image * held_back.known)


@torch.no_grad()
def test_a_skip_adds_what_came_in() -> None:
    streams = some_streams()
    block = DilationBlock(3, skip=True)
    smooth = Streams(torch.full((2, 3, 9, 10), 5.0), torch.full((2, 6, 9, 10), 7.0), torch.ones(2, 1, 9, 10))
    made, plain = block(streams, smooth), block(streams, None)
    new = plain.known - streams.known
    assert new.sum() > 0
    assert torch.allclose(made.image, plain.image + streams.image + 5 * new, atol=1e-5)
    assert torch.allclose(made.gradient, plain.gradient + streams.gradient + 7 * new, atol=1e-5)
