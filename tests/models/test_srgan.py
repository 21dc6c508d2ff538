"""SRResNet and its discriminator: counts, names, shapes, gradients, public checkpoints, learning."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from autoremove.errors import WeightsError
from autoremove.models.network_files import load, load_network, save_network
from autoremove.models.srgan import (
    Discriminator,
    SRGANConfig,
    SRResNet,
    bicubic,
    build,
    from_checkpoint,
    recognises,
)

SMALL = SRGANConfig(width=8, blocks=2)
OURS = SRGANConfig(width=8, blocks=2, outer_kernel=3, norm=False, direct=True, bicubic_skip=True)


def picture(height: int, width: int, count: int = 1) -> torch.Tensor:
    """Smooth shapes with edges in -1..1."""
    y, x = torch.meshgrid(torch.linspace(0, 9, height), torch.linspace(0, 7, width), indexing="ij")
    planes = torch.stack([torch.sin(x + y), torch.sign(torch.sin(2 * x)), torch.cos(y - x)])
    return (0.8 * planes)[None].repeat(count, 1, 1, 1)


def test_the_papers_network_has_the_published_count() -> None:
    assert sum(value.numel() for value in SRResNet().parameters()) == 1_547_350
    assert sum(value.numel() for value in Discriminator().parameters()) == 23_563_649


def test_names_and_shapes_are_those_of_the_public_checkpoints(reference_dir: Path) -> None:
    lines = (reference_dir / "keys" / "keys_sr.txt").read_text().splitlines()
    public = dict(line.split(" ", 1) for line in lines if line.strip())
    assert {name: str(tuple(value.shape)) for name, value in SRResNet().state_dict().items()} == public


@pytest.mark.parametrize("config", [SMALL, OURS, SRGANConfig(4, 1, 5, False, False, True)])
@pytest.mark.parametrize("size_hw", [(8, 8), (13, 21), (1, 5)])
def test_any_size_becomes_four_times_as_large(config: SRGANConfig, size_hw: tuple[int, int]) -> None:
    high = SRResNet(config).upscale(picture(*size_hw, count=2) * 3)
    assert high.shape == (2, 3, 4 * size_hw[0], 4 * size_hw[1])
    assert high.abs().max() <= 1


@pytest.mark.parametrize("config", [SMALL, OURS])
def test_every_parameter_gets_a_gradient(config: SRGANConfig) -> None:
    torch.manual_seed(0)
    network, judge = SRResNet(config), Discriminator(4)
    high = network(picture(24, 24, count=2))
    judge(high).mean().backward()
    for part in (network, judge):
        for name, value in part.named_parameters():
            assert value.grad is not None, name
            assert value.grad.abs().sum() > 0, name


def test_the_skip_begins_at_the_bicubic_picture() -> None:
    torch.manual_seed(0)
    low = picture(16, 16)
    plain = bicubic(low, 4)
    assert (SRResNet(OURS)(low) - plain).abs().mean() < 0.1
    assert (SRResNet(SMALL)(low) - plain).abs().mean() > 0.3


def test_bicubic_is_the_fields() -> None:
    from PIL import Image as PilImage

    plane = picture(32, 40)[0, 0]
    for scale in (0.25, 4):
        own = bicubic(plane[None, None], scale)[0, 0]
        size = (round(40 * scale), round(32 * scale))
        theirs = PilImage.fromarray(plane.numpy()).resize(size, PilImage.Resampling.BICUBIC)
        assert torch.allclose(own, torch.tensor(list(theirs.getdata())).view(own.shape), atol=1e-4)


def test_the_discriminator_judges_crops_of_any_size() -> None:
    judge = Discriminator(4).eval()
    assert judge(picture(96, 96, count=2)).shape == (2, 1)
    assert judge(picture(64, 130)).shape == (1, 1)


@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod."])
@pytest.mark.parametrize("wrapped", [True, False])
def test_public_checkpoints_load(prefix: str, wrapped: bool) -> None:
    theirs = SRResNet(SRGANConfig(width=12, blocks=3))
    with torch.no_grad():
        theirs.conv2[1].running_mean.fill_(0.25)  # type: ignore[union-attr, operator]
    state = {prefix + name: value for name, value in theirs.state_dict().items()}
    held = {"epoch": 9, "best_psnr": 30.0, "state_dict": state, "optimizer": {}} if wrapped else state
    assert recognises(held)
    network = from_checkpoint(held)
    assert network.config == SRGANConfig(width=12, blocks=3)
    low = picture(9, 9)
    assert torch.equal(network(low), theirs.eval()(low))


def test_a_checkpoint_file_loads_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / "SRResNet_x4-ImageNet.pth.tar"
    torch.save({"epoch": 1, "state_dict": SRResNet(SMALL).state_dict()}, path)
    assert load(path, "srgan").config == SMALL


def test_other_checkpoints_are_refused_by_name() -> None:
    state = SRResNet(SMALL).state_dict()
    cases = [
        ({"conv1.weight": torch.zeros(1)}, "no trunk.0.rcb.0.weight"),
        ({k: v for k, v in state.items() if k != "conv2.0.weight"}, "missing: conv2.0.weight"),
        ({**state, "extra.weight": torch.zeros(1)}, "unexpected: extra.weight"),
        ({**state, "conv3.bias": torch.zeros(5)}, "of another shape: conv3.bias"),
    ]
    for broken, words in cases:
        with pytest.raises(WeightsError, match=words):
            from_checkpoint(broken)
    assert not recognises({"conv1.weight": torch.zeros(1)})


@pytest.mark.parametrize("config", [SMALL, OURS])
def test_our_files_bring_the_network_back(config: SRGANConfig, tmp_path: Path) -> None:
    network = SRResNet(config).eval()
    save_network(network, tmp_path / "net.safetensors", {"licence": "MIT"})
    back = load_network(tmp_path / "net.safetensors")
    assert back.config == config and build(asdict(config)).config == config
    low = picture(10, 10)
    assert torch.allclose(back(low), network(low), atol=1e-2)


@pytest.mark.parametrize("config", [OURS, SRGANConfig(8, 1, 3)])
def test_it_learns_two_pictures(config: SRGANConfig) -> None:
    torch.manual_seed(0)
    network = SRResNet(config)
    high = torch.cat([picture(40, 40), picture(40, 40).flip(2)])
    low = bicubic(high, 0.25)
    optimiser = torch.optim.Adam(network.parameters(), 4e-3)
    losses = []
    for _ in range(40):
        loss = F.l1_loss(network(low), high)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.6 * losses[0]
    if config.bicubic_skip:
        assert losses[-1] < 0.8 * float(F.l1_loss(bicubic(low, 4), high))
