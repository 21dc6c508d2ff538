"""GAIN as a whole: its size, what it may see, and that every weight of it learns."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from autoremove.errors import WeightsError
from autoremove.models.gain import GAIN, GAINConfig, build, from_checkpoint, recognises
from autoremove.models.gain_gradient import gradient_of_picture
from autoremove.models.network_files import load_network, save_network

SMALL = GAINConfig(base=2, structure=2, content=1, by_priority=1)


@pytest.fixture(autouse=True)
def one_thread() -> Any:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def small(**changes: object) -> GAIN:
    torch.manual_seed(0)
    return GAIN(replace(SMALL, **changes)).eval()


def scene(size_hw: tuple[int, int] = (32, 40), samples: int = 2) -> tuple[Tensor, Tensor]:
    """Noise in -1..1, and a different hole for each sample."""
    generator = torch.Generator().manual_seed(1)
    image = torch.rand(samples, 3, *size_hw, generator=generator) * 2 - 1
    mask = torch.zeros(samples, 1, *size_hw)
    for i in range(samples):
        mask[i, :, 4 + 3 * i : 20 + 4 * i, 6 + 5 * i : 18 + 4 * i] = 1
    return image, mask


def count_of(config: GAINConfig) -> int:
    """By the table of layers: weights and biases of 3 x 3 convolutions."""

    def conv(inputs: int, outputs: int) -> int:
        return 9 * inputs * outputs + outputs

    def block(a: int, b: int) -> int:
        return conv(a, b) + conv(2 * a, 3 * b) + conv(2 * b, 2 * b)

    def decoder(inputs: int, width: int, outputs: int) -> int:
        widths = (inputs, 4 * width, 2 * width, width, outputs)
        return sum(conv(a, b) for a, b in itertools.pairwise(widths))

    n, rows = config.base, 4 * (config.structure + config.content)
    halvings = 2 * (block(n, 2 * n) + block(2 * n, 4 * n))
    ends = conv(3, n) + conv(2, 2 * n) + decoder(8 * n, n, 3) + decoder(16 * n, 2 * n, 2)
    return ends + halvings + rows * block(4 * n, 4 * n)


@pytest.mark.parametrize("config", [SMALL, GAINConfig(base=4), GAINConfig(base=3, structure=1, content=0)])
def test_parameter_count(config: GAINConfig) -> None:
    assert sum(p.numel() for p in GAIN(config).parameters()) == count_of(config)
    assert count_of(GAINConfig(base=4)) == 888_413
    assert count_of(GAINConfig()) == 226_482_053


@pytest.mark.parametrize("changes", [{"base": 0}, {"content": -1}, {"delta": 1.5}])
def test_config_refuses(changes: dict) -> None:
    with pytest.raises(ValueError, match=str(next(iter(changes.values())))[1:] or "0"):
        GAINConfig(**changes)


@pytest.mark.parametrize("size_hw", [(8, 8), (9, 23), (31, 16), (40, 48)])
@torch.no_grad()
def test_any_size(size_hw: tuple[int, int]) -> None:
    image, mask = torch.zeros(1, 3, *size_hw), torch.zeros(1, 1, *size_hw)
    mask[..., 2:6, 3:7] = 1
    picture, gradients = small()(image, mask)
    assert picture.shape == image.shape and gradients.shape == (1, 2, *size_hw)
    assert picture.isfinite().all() and gradients.isfinite().all()


def test_outside_the_hole_nothing_changes() -> None:
    image, mask = scene((37, 45))
    network = small()
    filled, raw = network.fill(image, mask), network.raw(image, mask)
    assert torch.equal(filled * (1 - mask), image * (1 - mask))
    assert torch.equal(filled * mask, raw * mask)
    assert not torch.equal(filled, image) and raw.abs().max() <= 1


@torch.no_grad()
def test_what_lies_under_the_hole_is_never_seen() -> None:
    image, mask = scene()
    network = small()
    other = torch.where(mask > 0, -image, image)
    for one, two in zip(network(image, mask), network(other, mask), strict=True):
        assert torch.equal(one, two)


@torch.no_grad()
def test_every_sample_has_its_own_mask() -> None:
    image, mask = scene()
    network = small()
    together = network(image, mask)
    for i in range(2):
        alone = network(image[i : i + 1], mask[i : i + 1])
        for one, two in zip(together, alone, strict=True):
            assert torch.allclose(one[i : i + 1], two, atol=1e-5)


@pytest.mark.parametrize("hole", [0.0, 1.0])
def test_all_hole_and_no_hole(hole: float) -> None:
    image, _ = scene()
    filled = small().fill(image, torch.full((2, 1, 32, 40), hole))
    assert filled.isfinite().all()
    assert torch.equal(filled, image) == (hole == 0)


@torch.no_grad()
def test_delta_zero_is_a_network_of_plain_partial_convolutions() -> None:
    image, mask = scene((64, 64))
    by_priority = small()
    plain, zero = small(by_priority=0), small(delta=0.0)
    assert torch.equal(zero(image, mask)[0], plain(image, mask)[0])
    assert not torch.equal(by_priority(image, mask)[0], plain(image, mask)[0])


def test_every_weight_learns() -> None:
    image, mask = scene()
    network = small().train()
    picture, gradients = network(image, mask)
    ((picture - image).square().mean() + gradients.square().mean()).backward()
    still = [n for n, p in network.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert not still


def test_a_few_pictures_are_learnt_by_heart() -> None:
    ramp = torch.linspace(-0.8, 0.8, 32)
    image = torch.stack([ramp.expand(3, 32, 32), -ramp[:, None].expand(3, 32, 32)])
    _, mask = scene((32, 32))
    torch.manual_seed(0)
    network = GAIN(replace(SMALL, base=4, structure=1, content=0))
    adam = torch.optim.Adam(network.parameters(), 4e-3, (0.5, 0.999))
    wanted, errors = gradient_of_picture(image), []
    for _ in range(20):
        picture, gradients = network(image, mask)
        errors.append(float(((picture.detach() - image).abs() * mask).sum() / mask.sum() / 3))
        adam.zero_grad()
        ((picture - image).abs().mean() + (gradients - wanted).abs().mean()).backward()
        adam.step()
    assert min(errors[-4:]) < 0.5 * errors[0]


def test_our_own_files(tmp_path: Path) -> None:
    network = small()
    save_network(network, tmp_path / "gain.safetensors", {"note": "x"})
    again = load_network(tmp_path / "gain.safetensors")
    assert again.config == SMALL
    kept = again.state_dict()
    assert all(torch.allclose(kept[n], value, atol=1e-3) for n, value in network.state_dict().items())


def test_there_is_no_public_checkpoint() -> None:
    state = small().state_dict()
    assert recognises(state) and not recognises({"conv1.weight": torch.zeros(1)})
    for found in (state, {"conv1.weight": torch.zeros(1)}):
        with pytest.raises(WeightsError, match="No public checkpoint of GAIN"):
            from_checkpoint(found)


def test_build_names_what_it_does_not_know() -> None:
    assert build({"base": 2}).config.base == 2
    with pytest.raises(ValueError, match="width"):
        build({"width": 2})


def test_more_pixels_want_more_memory() -> None:
    network = small()
    assert network.peak_bytes((256, 256)) > network.peak_bytes((128, 128)) > 0
