"""Global&Local: its size, its conventions about pictures and masks, and what every part learns from."""

from __future__ import annotations

from dataclasses import asdict

import pytest
import torch
from torch import Tensor

from autoremove.models import glcic
from autoremove.models.context_judge import ContextJudge
from autoremove.models.glcic import CompletionNetwork, GLCICConfig
from autoremove.models.glcic_checkpoints import CONFIGS

FORMS = list(CONFIGS)


def small(form: str = "nested", **changes: object) -> CompletionNetwork:
    """A narrow network with fixed weights."""
    torch.manual_seed(0)
    return glcic.build({"base": 4, **CONFIGS[form], **changes}).eval()


def scene(size_hw: tuple[int, int] = (45, 62), samples: int = 2) -> tuple[Tensor, Tensor]:
    """Pictures in -1..1 and a different hole for each."""
    generator = torch.Generator().manual_seed(1)
    image = torch.rand(samples, 3, *size_hw, generator=generator) * 2 - 1
    mask = torch.zeros(samples, 1, *size_hw)
    for i in range(samples):
        mask[i, :, 4 + 8 * i : 20 + 8 * i, 6 + 12 * i : 26 + 10 * i] = 1
    return image, mask


def test_parameter_counts() -> None:
    # Kernels and biases by the paper's table, and two numbers for each channel that is normalised.
    assert sum(p.numel() for p in CompletionNetwork().parameters()) == 6_066_179 + 2 * 2_976
    assert len(CompletionNetwork(GLCICConfig(base=2)).layers) == 17


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"output": "tanh"}, "output='tanh'"), ({"base": 3}, "base=3"), ({"mean": (0.5,)}, "mean=")],
)
def test_config_refuses(changes: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        GLCICConfig(**changes)


def test_configuration_survives_json() -> None:
    network = small("mmagic")
    config = asdict(network.config)
    assert glcic.build({**config, "mean": list(config["mean"])}).config == network.config


@pytest.mark.parametrize("form", FORMS)
def test_outside_the_hole_nothing_changes(form: str) -> None:
    image, mask = scene()
    filled, known = small(form).fill(image, mask), (mask == 0).expand_as(image)
    assert torch.equal(filled[known], image[known])
    assert not torch.equal(filled, image)
    assert filled.abs().max() <= 1


@pytest.mark.parametrize("form", FORMS)
@torch.no_grad()
def test_what_lies_under_the_hole_is_never_seen(form: str) -> None:
    image, mask = scene()
    other = torch.where(mask > 0, torch.full_like(image, 0.7), image)
    network = small(form)
    torch.testing.assert_close(network(image, mask), network(other, mask))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("size_hw", [(8, 8), (37, 50), (9, 90), (75, 40)], ids=str)
def test_any_size_keeps_its_size(form: str, size_hw: tuple[int, int]) -> None:
    image, mask = torch.zeros(1, 3, *size_hw), torch.zeros(1, 1, *size_hw)
    mask[..., 2:6, 3:7] = 1
    network = small(form)
    for output in (network.fill(image, mask), network.raw(image, mask)):
        assert output.shape == image.shape
        assert output.isfinite().all()


@pytest.mark.parametrize(
    ("form", "inside", "black", "white"),
    [("nested", 0.0, -0.25, 0.75), ("otenim", 0.25, 0.0, 1.0), ("mmagic", 0.0, -1.0, 1.0)],
)
def test_the_network_sees_the_mean_in_the_hole(form: str, inside: float, black: float, white: float) -> None:
    mean = (0.5, 0.5, 0.5) if form == "mmagic" else (0.25, 0.25, 0.25)
    network = small(form, mean=mean)
    image, mask = torch.full((1, 3, 8, 8), -1.0), torch.zeros(1, 1, 8, 8)
    image[..., 4:, :], mask[..., :2] = 1, 1
    seen = network._given(image, mask)
    torch.testing.assert_close(seen[..., :2], torch.full((1, 3, 8, 2), inside))
    torch.testing.assert_close(seen[..., :4, 2:], torch.full((1, 3, 4, 6), black))
    torch.testing.assert_close(seen[..., 4:, 2:], torch.full((1, 3, 4, 6), white))


def test_only_a_network_that_redraws_changes_what_is_known() -> None:
    image, mask = scene()
    plain, redrawing = small(), small(redraws=True)
    known = (mask == 0).expand_as(image)
    assert torch.equal(plain.raw(image, mask)[known], image[known])
    assert not torch.allclose(redrawing.raw(image, mask)[known], image[known], atol=0.1)
    assert torch.equal(plain.fill(image, mask), redrawing.fill(image, mask))


def test_order_of_normalisation_and_activation() -> None:
    before, after = small().train(), small(normalised="after").train()
    image, mask = scene()
    with torch.no_grad():
        a, b = (network.layers[0](torch.cat([image, mask], 1)) for network in (before, after))
    assert a.min() == 0
    assert b.min() < -0.1
    torch.testing.assert_close(b.mean((0, 2, 3)), torch.zeros(4), atol=1e-5, rtol=0)


def test_bgr_network_takes_and_gives_rgb() -> None:
    image, mask = scene()
    a = small(channel_order="bgr", mean=(0.1, 0.2, 0.3)).raw(image, mask)
    b = small(mean=(0.1, 0.2, 0.3)).raw(image, mask)
    assert not torch.allclose(a, b)
    grey = {"mean": (0.5, 0.5, 0.5)}
    a, b = small(channel_order="bgr", **grey).raw(image, mask), small(**grey).raw(image.flip(1), mask)
    torch.testing.assert_close(a, b.flip(1))


def test_every_parameter_learns() -> None:
    network, (image, mask) = small().train(), scene()
    (network(image, mask) - image).square().mean().backward()
    # A normalisation takes off the mean of what the convolution before it gives, its bias included.
    cancelled = {f"layers.{i}.conv.bias" for i in range(16)}
    still = {n for n, p in network.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0}
    assert still <= cancelled


@pytest.mark.parametrize("side", [64, 96, 256])
def test_judge_scores_any_size(side: int) -> None:
    judge = ContextJudge(base=2, features=4)
    image = torch.zeros(2, 3, side, side)
    assert judge(image, image[..., : side // 2, : side // 2]).shape == (2, 1)


def test_it_overfits_a_few_pictures() -> None:
    torch.manual_seed(0)
    network = CompletionNetwork(GLCICConfig(base=8))
    ramp = torch.linspace(-0.8, 0.8, 32)
    image = torch.stack([ramp.expand(3, 32, 32), ramp[:, None].expand(3, 32, 32)])
    mask = torch.zeros(2, 1, 32, 32)
    mask[0, :, 8:20, 8:20] = mask[1, :, 12:24, 10:26] = 1
    optimiser = torch.optim.Adam(network.parameters(), 3e-3)
    errors = []
    for _ in range(25):
        error = ((network(image, mask) - image).square() * mask).sum() / (3 * mask.sum())
        optimiser.zero_grad()
        error.backward()
        optimiser.step()
        errors.append(float(error.detach()))
    assert errors[-1] < 0.5 * errors[0]
