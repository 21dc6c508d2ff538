"""The generator: its size, its conventions about pictures and masks."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from autoremove.models.deepfillv2 import (
    GatedConv,
    Generator,
    GeneratorConfig,
    Layer,
    _eighth,
)

PRESETS = ["official", "tf", "pt", "mmagic", "csqiangwen"]


def preset(name: str, **changes: object) -> GeneratorConfig:
    return replace(getattr(GeneratorConfig, name)(), **changes)


def small(name: str = "pt", **changes: object) -> Generator:
    """A narrow network with fixed weights."""
    torch.manual_seed(0)
    merge_width = 16 if name == "mmagic" else 0
    return Generator(preset(name, cnum=8, merge_width=merge_width, **changes)).eval()


def scene(size_hw: tuple[int, int] = (48, 64), samples: int = 2) -> tuple[Tensor, Tensor]:
    """Pictures in -1..1 and a different hole for each."""
    generator = torch.Generator().manual_seed(1)
    image = torch.rand(samples, 3, *size_hw, generator=generator) * 2 - 1
    mask = torch.zeros(samples, 1, *size_hw)
    for i in range(samples):
        mask[i, :, 4 + 8 * i : 20 + 8 * i, 6 + 12 * i : 26 + 10 * i] = 1
    return image, mask


@pytest.mark.parametrize(
    ("config", "count"),
    [
        (GeneratorConfig(), 4_052_478),
        (GeneratorConfig.official(), 4_052_478),
        (GeneratorConfig.tf(), 4_052_478),
        (GeneratorConfig(in_channels=6), 4_053_678),
        (GeneratorConfig.mmagic(), 4_414_908),
        # The checkpoint's 16,185,900 less its vectors of the power iteration, which loading folds in.
        (GeneratorConfig.csqiangwen(), 16_185_900 - 10_944),
    ],
)
def test_parameter_count(config: GeneratorConfig, count: int) -> None:
    assert sum(p.numel() for p in Generator(config).parameters()) == count


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"padding": "wrap"}, "padding='wrap'"),
        ({"in_channels": 7}, "in_channels=7"),
        ({"cnum": 6}, "cnum=6"),
        ({"cnum": 0}, "cnum=0"),
        ({"merge_width": 12}, "merge_width=12"),
    ],
)
def test_config_refuses(changes: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        GeneratorConfig(**changes)


@pytest.mark.parametrize("name", PRESETS)
@torch.no_grad()
def test_what_lies_under_the_hole_is_never_seen(name: str) -> None:
    network = small(name)
    image, mask = scene()
    other = torch.where(mask > 0, torch.full_like(image, 0.7), image)
    for a, b in zip(network(image, mask), network(other, mask), strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("name", PRESETS)
@torch.no_grad()
def test_samples_of_a_batch_do_not_mix(name: str) -> None:
    network = small(name)
    image, mask = scene()
    together = network(image, mask)
    for i in range(2):
        alone = network(image[i : i + 1], mask[i : i + 1])
        for a, b in zip(alone, together, strict=True):
            torch.testing.assert_close(a[0], b[i], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("size_hw", [(8, 8), (37, 50), (5, 90), (1, 1), (72, 40)], ids=str)
@torch.no_grad()
def test_any_size_keeps_its_size(name: str, size_hw: tuple[int, int]) -> None:
    for output in small(name)(torch.zeros(1, 3, *size_hw), torch.ones(1, 1, *size_hw)):
        assert output.shape == (1, 3, *size_hw)
        assert output.isfinite().all()


@torch.no_grad()
def test_odd_sizes_are_padded_by_reflection() -> None:
    network = small()
    image, mask = scene((37, 50))
    padded = [F.pad(x, (0, 6, 0, 3), mode="reflect") for x in (image, mask)]
    for a, b in zip(network(image, mask), network(*padded), strict=True):
        torch.testing.assert_close(a, b[..., :37, :50])


@pytest.mark.parametrize("value", [0.0, 1.0])
@pytest.mark.parametrize("name", PRESETS)
@torch.no_grad()
def test_all_and_nothing_as_hole_are_finite(name: str, value: float) -> None:
    image, mask = scene()
    for output in small(name)(image, torch.full_like(mask, value)):
        assert output.isfinite().all() and output.std() > 0


@torch.no_grad()
def test_masks_may_be_boolean() -> None:
    network, (image, mask) = small(), scene()
    torch.testing.assert_close(network(image, mask.bool()), network(image, mask))


@torch.no_grad()
def test_bgr_network_takes_and_gives_rgb() -> None:
    image, mask = scene()
    bgr, rgb = small(channel_order="bgr"), small()
    for a, b in zip(bgr(image, mask), rgb(image.flip(1), mask), strict=True):
        torch.testing.assert_close(a, b.flip(1))


def first_input(network: Generator, *inputs: Tensor) -> Tensor:
    seen: list[Tensor] = []
    network.get_submodule("conv1").register_forward_hook(lambda _, given, __: seen.append(given[0]))
    with torch.no_grad():
        network(*inputs)
    return seen[0]


def test_input_is_masked_picture_ones_and_mask() -> None:
    image, mask = scene()
    seen = first_input(small(), image, mask)
    torch.testing.assert_close(seen, torch.cat([image * (1 - mask), torch.ones_like(mask), mask], 1))


def test_unit_input_has_white_holes() -> None:
    image, mask = scene()
    seen = first_input(small("csqiangwen"), image, mask)
    torch.testing.assert_close(seen[:, 3:], mask)
    torch.testing.assert_close(seen[:, :3], torch.where(mask > 0, torch.ones(()), (image + 1) / 2))


@torch.no_grad()
def test_unit_network_answers_in_the_signed_range() -> None:
    network = small("csqiangwen")
    for name in ("conv17", "allconv17"):
        network.get_submodule(name).weight.zero_()  # type: ignore[operator, union-attr]
    image, mask = scene()
    for output in network(image, mask):
        torch.testing.assert_close(output, torch.full_like(output, -1.0))  # tanh 0 = black of 0..1


def test_sketch_counts_only_in_the_hole() -> None:
    network = small(in_channels=6)
    image, mask = scene()
    sketch = torch.ones_like(mask)
    seen = first_input(network, image, mask, sketch)
    torch.testing.assert_close(seen[:, 3:], torch.cat([mask, torch.ones_like(mask), mask], 1))
    with torch.no_grad():
        assert not torch.equal(network(image, mask, sketch)[1], network(image, mask, 0 * sketch)[1])


def test_sketch_must_fit_the_network() -> None:
    image, mask = scene()
    guided = small(in_channels=6)
    assert torch.equal(guided(image, mask)[1], guided(image, mask, torch.zeros_like(mask))[1])
    assert not torch.equal(guided(image, mask)[1], guided(image, mask, mask)[1])
    with pytest.raises(ValueError, match="5 input channels"):
        small()(image, mask, mask)


@pytest.mark.parametrize(("padding", "first"), [("same", 0), ("zeros", -1), ("reflect", -1)])
def test_halving_layers_start_where_their_padding_says(padding: str, first: int) -> None:
    layer = GatedConv(Layer("x", 1, 1, 3, 2, activation="none"), padding, gated=False)
    with torch.no_grad():
        layer.weight.zero_()
        layer.weight[0, 0, 0, 0] = 1  # the output is the pixel under the kernel's first corner
    image = torch.arange(64.0).reshape(1, 1, 8, 8) + 1
    out = layer(image)[0, 0]
    assert out.shape == (4, 4)
    assert out[1, 1] == image[0, 0, 2 + first, 2 + first]
    corner = {"same": image[0, 0, 0, 0], "zeros": torch.tensor(0.0), "reflect": image[0, 0, 1, 1]}
    assert out[0, 0] == corner[padding]


@pytest.mark.parametrize(
    ("activation", "function"), [("elu", F.elu), ("relu", F.relu), ("none", lambda x: x)]
)
def test_second_half_of_the_channels_gates_the_first(activation: str, function: object) -> None:
    layer = GatedConv(Layer("x", 2, 3, upsample=True, activation=activation), "zeros")
    image = torch.randn(1, 2, 4, 4)
    plain = F.conv2d(
        image.repeat_interleave(2, 2).repeat_interleave(2, 3), layer.weight, layer.bias, padding=1
    )
    torch.testing.assert_close(layer(image), function(plain[:, :3]) * plain[:, 3:].sigmoid())  # type: ignore[operator]


def test_eighth_of_a_mask() -> None:
    mask = torch.zeros(1, 1, 16, 32)
    mask[..., 9, 17] = 1
    assert _eighth(mask, "any").nonzero()[:, 2:].tolist() == [[1, 2]]
    assert not _eighth(mask, "plain").any()
    mask[..., 8, 24] = mask[..., 15, 31] = 1
    assert _eighth(mask, "plain").nonzero()[:, 2:].tolist() == [[1, 3]]
    for form in ("align_corners", "align_corners_twice"):
        assert _eighth(mask, form)[0, 0].shape == (2, 4)
        assert _eighth(mask, form)[0, 0, 1, 3] == 1


def test_a_new_network_lets_the_picture_through() -> None:
    torch.manual_seed(0)
    network = Generator()
    image, mask = scene((64, 64))
    with torch.no_grad():
        coarse, refined = network(image, mask)
        other = network(-image, mask)[1]
    assert 0.02 < coarse.std() < 0.8 and 0.02 < refined.std() < 0.8
    assert (other - refined).abs().mean() > 0.01


def test_gradient_reaches_every_weight() -> None:
    network = small()
    image, mask = scene()
    coarse, refined = network(image, mask)
    (coarse.square().mean() + refined.square().mean()).backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name
        assert parameter.grad.any(), name


def test_autocast_keeps_the_result() -> None:
    network = small()
    image, mask = scene((32, 32), samples=2)
    with torch.autocast("cpu", torch.bfloat16):
        low = network(image, mask)
    (low[0].mean() + low[1].mean()).backward()
    for a, b in zip(low, network(image, mask), strict=True):
        assert a.dtype == torch.float32
        assert (a - b).abs().max() < 0.1


def test_a_copy_is_its_own_network() -> None:
    network = small()
    twin = copy.deepcopy(network)
    with torch.no_grad():
        twin.get_submodule("conv1").weight.zero_()  # type: ignore[operator, union-attr]
        assert network.get_submodule("conv1").weight.any()  # type: ignore[operator, union-attr]
