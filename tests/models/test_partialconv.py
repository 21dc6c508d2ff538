"""Partial convolution against its formula, and the U-Net's promises about pictures and masks."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from autoremove.models.partialconv import PartialConv2d, PartialConvConfig, PartialConvUNet, build


def direct(
    features: Tensor, mask: Tensor, layer: PartialConv2d, ratio: str = "window"
) -> tuple[np.ndarray, np.ndarray]:
    """The formula, window by window: W (X M) sum(1) / sum(M) + b where anything is known, else 0."""
    x, m, w = (t.detach().double().numpy() for t in (features, mask, layer.weight))
    b = np.zeros(len(w)) if layer.bias is None else layer.bias.detach().double().numpy()
    kernel, stride, reach = layer.kernel_size[0], layer.stride[0], int(layer.padding[0])
    gap = layer.dilation[0]
    n, c, height, width = x.shape
    span = gap * (kernel - 1) + 1
    size = [(side + 2 * reach - span) // stride + 1 for side in (height, width)]
    out, known = np.zeros((n, len(w), *size)), np.zeros((n, 1, *size))
    for i, row, column in product(range(n), range(size[0]), range(size[1])):
        values, count = np.zeros(len(w)), 0.0
        for ky, kx in product(range(kernel), range(kernel)):
            y, z = row * stride - reach + ky * gap, column * stride - reach + kx * gap
            if 0 <= y < height and 0 <= z < width:  # the border counts as hole
                values += w[:, :, ky, kx] @ (x[i, :, y, z] * m[i, :, y, z])
                count += m[i, :, y, z].sum()
        if count:
            scale = (c * kernel * kernel if ratio == "window" else 1) / count
            out[i, :, row, column], known[i, 0, row, column] = values * scale + b, 1
    return out, known


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize(("kernel", "dilation"), [(3, 1), (5, 1), (3, 2)])
@pytest.mark.parametrize("channels", [1, 2, 4])
def test_layer_is_the_formula(stride: int, kernel: int, dilation: int, channels: int) -> None:
    torch.manual_seed(kernel + stride)
    shares = {1: None, 2: (3, 1), 4: None}[channels]
    layer = PartialConv2d(4, 5, kernel, stride=stride, dilation=dilation, shares=shares)
    torch.nn.init.normal_(layer.bias)  # type: ignore[arg-type]
    features = torch.randn(2, 4, 9, 8)
    mask = (torch.rand(2, channels, 9, 8) < 0.15).float()
    mask[:, :, :5, :5] = 0  # windows without anything known
    counted = mask[:, {1: [0, 0, 0, 0], 2: [0, 0, 0, 1], 4: [0, 1, 2, 3]}[channels]]
    out, known = layer(features, mask)
    expected, expected_known = direct(features, counted, layer)
    np.testing.assert_allclose(out.detach().numpy(), expected, atol=2e-5)
    np.testing.assert_array_equal(known.numpy(), expected_known)
    assert 0 < known.mean() < 1


def test_a_layer_without_bias_that_divides_by_the_known_sum() -> None:
    torch.manual_seed(0)
    layer = PartialConv2d(3, 2, 3, bias=False, ratio="sum")
    features, mask = torch.randn(1, 3, 6, 6), (torch.rand(1, 3, 6, 6) < 0.3).float()
    out, known = layer(features, mask)
    expected, expected_known = direct(features, mask, layer, "sum")
    np.testing.assert_allclose(out.detach().numpy(), expected, atol=1e-6)
    np.testing.assert_array_equal(known.numpy(), expected_known)


def test_a_constant_picture_stays_constant_at_holes_and_at_the_border() -> None:
    layer = PartialConv2d(1, 1, 3, bias=False)
    torch.nn.init.constant_(layer.weight, 1 / 9)
    mask = torch.ones(1, 1, 12, 12)
    mask[..., 4:7, 4:7] = 0
    out, known = layer(torch.full((1, 1, 12, 12), 0.7), mask)
    assert known.sum() == 12 * 12 - 1  # only the middle of the hole sees nothing
    torch.testing.assert_close(out, 0.7 * known)


def test_masks_of_no_use_are_refused() -> None:
    with pytest.raises(ValueError, match="add up"):
        PartialConv2d(4, 1, 3, shares=(3, 2))
    with pytest.raises(ValueError, match="3 channels"):
        PartialConv2d(4, 1, 3)(torch.zeros(1, 4, 5, 5), torch.zeros(1, 3, 5, 5))


@pytest.mark.parametrize(("levels", "count"), [(7, 25_779_796), (8, 32_859_732)])
def test_parameter_count(levels: int, count: int) -> None:
    network = PartialConvUNet(PartialConvConfig(levels=levels))
    assert sum(p.numel() for p in network.parameters()) == count


def test_the_table_of_the_paper() -> None:
    network = PartialConvUNet()
    down: Any = network.encoder
    up: Any = network.decoder
    encoder = [(level.conv.out_channels, level.conv.kernel_size[0]) for level in down]
    assert encoder == [(64, 7), (128, 5), (256, 5), *[(512, 3)] * 5]
    decoder = [(level.conv.in_channels, level.conv.out_channels) for level in reversed(up)]
    deep = [(1024, 512)] * 4
    assert decoder == [*deep, (768, 256), (384, 128), (192, 64), (67, 3)]
    assert [down[0].norm, up[0].norm] == [None, None]


@pytest.mark.parametrize("fields", [{"ratio": "mean"}, {"convention": "cmyk"}, {"levels": 1}])
def test_impossible_configurations(fields: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="="):
        build(fields)


def small(**changes: object) -> PartialConvUNet:
    torch.manual_seed(0)
    network = build({"base": 6, "widest": 12, "levels": 7, **changes}).eval()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):  # as after some training
            module.running_mean.normal_(0, 0.1)  # type: ignore[union-attr]
            module.bias.data.normal_(0, 0.1)
    return network


def scene(size_hw: tuple[int, int], samples: int = 2) -> tuple[Tensor, Tensor]:
    """Pictures in -1..1 and a different hole for each."""
    generator = torch.Generator().manual_seed(1)
    image = torch.rand(samples, 3, *size_hw, generator=generator) * 2 - 1
    mask = torch.zeros(samples, 1, *size_hw)
    for i in range(samples):
        mask[i, :, 1 + 2 * i : size_hw[0] // 2 + i, 2 * i : size_hw[1] // 2] = 1
    return image, mask


@pytest.mark.parametrize("size_hw", [(8, 8), (33, 50), (128, 128), (61, 200)])
@pytest.mark.parametrize("convention", ["signed", "signed_bgr", "imagenet"])
def test_fill_keeps_what_is_known_at_any_size(size_hw: tuple[int, int], convention: str) -> None:
    network = small(convention=convention)
    image, mask = scene(size_hw)
    filled, raw = network.fill(image, mask), network.raw(image, mask)
    assert filled.shape == raw.shape == image.shape
    assert torch.equal(filled[(mask == 0).expand_as(image)], image[(mask == 0).expand_as(image)])
    assert torch.equal(filled[(mask == 1).expand_as(image)], raw[(mask == 1).expand_as(image)])
    assert raw.abs().max() <= 1
    assert not torch.equal(raw, image)


def test_samples_are_filled_by_themselves() -> None:
    network = small()
    image, mask = scene((64, 72), samples=3)
    together = network.fill(image, mask)
    for i in range(3):
        alone = network.fill(image[i : i + 1], mask[i : i + 1])
        torch.testing.assert_close(together[i : i + 1], alone, atol=1e-4, rtol=0)


def test_what_the_hole_hides_is_not_seen() -> None:
    network = small()
    image, mask = scene((64, 72))
    other = torch.where(mask > 0, -image, image)
    assert torch.equal(network.raw(image, mask), network.raw(other, mask))


def test_nothing_known_and_nothing_missing() -> None:
    network = small()
    image, _ = scene((32, 32))
    nothing = network.raw(image, torch.ones(2, 1, 32, 32))
    assert nothing.isfinite().all() and nothing.min() == nothing.max()
    assert torch.equal(network.fill(image, torch.zeros(2, 1, 32, 32)), image)


def test_every_parameter_learns() -> None:
    network = small(levels=5, first_bias=True).train()
    image, mask = scene((64, 64), samples=3)
    (network(image, mask) - image).abs().mean().backward()
    still = [name for name, p in network.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert still == []


def test_colours_are_turned_for_a_bgr_network_alone() -> None:
    signed, bgr = small(), small(convention="signed_bgr")
    image, mask = scene((32, 32))
    assert torch.equal(bgr.raw(image, mask), signed.raw(image.flip(1), mask).flip(1))


def test_more_memory_for_more_pixels() -> None:
    assert small().peak_bytes((512, 512)) == 4 * small().peak_bytes((256, 256))
