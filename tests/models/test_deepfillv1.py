"""DeepFillv1: its size, its conventions about pictures and masks, and what every part learns from."""

from __future__ import annotations

from dataclasses import asdict

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from autoremove.models import deepfillv1, gated_lines
from autoremove.models.contextual_attention import contextual_attention
from autoremove.models.deepfillv1 import DeepFillv1, DeepFillv1Config
from autoremove.models.deepfillv1_checkpoints import CONFIGS
from autoremove.models.wasserstein_judge import LOCAL_GRID, LOCAL_WIDTHS, WassersteinJudge

FORMS = ["ours", *CONFIGS]


def small(form: str = "ours", **changes: object) -> DeepFillv1:
    """A narrow network with fixed weights."""
    torch.manual_seed(0)
    return deepfillv1.build({"cnum": 4, **CONFIGS.get(form, {}), **changes}).eval()


def scene(size_hw: tuple[int, int] = (45, 62), samples: int = 2) -> tuple[Tensor, Tensor]:
    """Pictures in -1..1 and a different hole for each."""
    generator = torch.Generator().manual_seed(1)
    image = torch.rand(samples, 3, *size_hw, generator=generator) * 2 - 1
    mask = torch.zeros(samples, 1, *size_hw)
    for i in range(samples):
        mask[i, :, 4 + 8 * i : 20 + 8 * i, 6 + 12 * i : 26 + 10 * i] = 1
    return image, mask


def count(network: torch.nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def test_parameter_counts() -> None:
    network = DeepFillv1()
    assert count(network) == 3_601_542
    assert sum(count(layer) for layer in network.layers("coarse")) == 1_448_227
    assert count(WassersteinJudge()) == 2_733_441
    assert count(WassersteinJudge(LOCAL_WIDTHS, LOCAL_GRID)) == 4_339_329


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"padding": "wrap"}, "padding"), ({"mask_resize": "any"}, "mask_resize"), ({"cnum": 1}, "cnum")],
)
def test_config_refuses(changes: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DeepFillv1(DeepFillv1Config(**changes))


def test_configuration_survives_json() -> None:
    network = small("mmagic")
    assert deepfillv1.build(asdict(network.config)).config == network.config


@pytest.mark.parametrize("form", FORMS)
def test_outside_the_hole_nothing_changes(form: str) -> None:
    image, mask = scene()
    network = small(form)
    filled, known = network.fill(image, mask), (mask == 0).expand_as(image)
    assert torch.equal(filled[known], image[known])
    assert not torch.equal(filled, image)
    assert filled.abs().max() <= 1


@pytest.mark.parametrize("form", FORMS)
def test_filling_only_the_hole_gives_what_the_whole_network_gives(form: str) -> None:
    image, mask = scene()
    network = small(form)
    expected = torch.where(mask > 0, network.raw(image, mask), image)
    torch.testing.assert_close(network.fill(image, mask), expected, atol=2e-5, rtol=0)


@pytest.mark.parametrize("form", FORMS)
def test_it_is_the_same_where_layers_do_not_go_by_strips(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    image, mask = scene()
    network = small(form)
    expected = network.fill(image, mask)
    monkeypatch.setattr(gated_lines, "suits", lambda planes: False)  # as on a GPU
    torch.testing.assert_close(network.fill(image, mask), expected, atol=2e-5, rtol=0)


@torch.no_grad()
def test_what_lies_under_the_hole_is_never_seen() -> None:
    image, mask = scene()
    other = torch.where(mask > 0, torch.full_like(image, 0.7), image)
    network = small()
    for a, b in zip(network(image, mask), network(other, mask), strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("form", FORMS)
def test_samples_of_a_batch_do_not_mix(form: str) -> None:
    image, mask = scene()
    network = small(form)
    together = network.raw(image, mask)
    for i in range(2):
        alone = network.raw(image[i : i + 1], mask[i : i + 1])
        torch.testing.assert_close(alone[0], together[i], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("size_hw", [(8, 8), (37, 50), (9, 90), (75, 40)], ids=str)
def test_any_size_keeps_its_size(form: str, size_hw: tuple[int, int]) -> None:
    image, mask = torch.zeros(1, 3, *size_hw), torch.zeros(1, 1, *size_hw)
    mask[..., 2:6, 3:7] = 1
    network = small(form)
    for output in (network.fill(image, mask), network.raw(image, mask)):
        assert output.shape == image.shape
        assert output.isfinite().all()


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_all_and_nothing_as_hole_are_finite(value: float) -> None:
    image, mask = scene()
    filled = small("mmagic").fill(image, torch.full_like(mask, value))
    assert filled.isfinite().all()
    assert torch.equal(filled, image) == (value == 0)


def test_outputs_are_clipped_and_losses_are_not() -> None:
    network, (image, mask) = small(), scene()
    with torch.no_grad():
        network.get_submodule("allconv17").bias.fill_(3.0)
    assert network.raw(image, mask).max() == 1
    assert network(image, mask)[1].max() > 2


def test_gain_makes_attention_steeper() -> None:
    generator = torch.Generator().manual_seed(2)
    features, mask = torch.randn(1, 8, 8, 8, generator=generator), torch.zeros(1, 1, 32, 32)
    mask[..., :8, :8] = 1
    network = small(attention_gain=3.0)
    expected = contextual_attention(3 * features, F.max_pool2d(mask, 8)) / 3
    torch.testing.assert_close(network._attended(features, mask), expected)
    assert not torch.allclose(expected, small()._attended(features, mask), atol=1e-3)


def test_bgr_network_takes_and_gives_rgb() -> None:
    image, mask = scene()
    a, b = small(channel_order="bgr").raw(image, mask), small().raw(image.flip(1), mask)
    torch.testing.assert_close(a, b.flip(1))


def test_every_parameter_learns() -> None:
    network, (image, mask) = small().train(), scene()
    coarse, refined = network(image, mask)
    ((coarse - image).abs().mean() + (refined - image).abs().mean()).backward()
    still = [n for n, p in network.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert not still


def test_memory_grows_with_the_picture() -> None:
    network = small()
    assert 0 < network.peak_bytes((128, 128)) < network.peak_bytes((256, 256))


def test_judge_scores_any_size() -> None:
    judge = WassersteinJudge((4, 4, 4, 4), grid=2)
    for side in (32, 64, 24):
        assert judge(torch.zeros(3, 3, side, side)).shape == (3, 1)


def test_it_overfits_a_few_pictures() -> None:
    torch.manual_seed(0)
    network = DeepFillv1(DeepFillv1Config(cnum=8))
    ramp = torch.linspace(-0.8, 0.8, 32)
    image = torch.stack([ramp.expand(3, 32, 32), ramp[:, None].expand(3, 32, 32)])
    mask = torch.zeros(2, 1, 32, 32)
    mask[0, :, 8:20, 8:20] = mask[1, :, 12:24, 10:26] = 1
    optimiser = torch.optim.Adam(network.parameters(), 3e-3)
    errors = []
    for _ in range(25):
        coarse, refined = network(image, mask)
        loss = (coarse - image).abs().mean() + (refined - image).abs().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        errors.append(float(((refined - image).abs() * mask).sum().detach() / (3 * mask.sum())))
    assert errors[-1] < 0.6 * errors[0]
