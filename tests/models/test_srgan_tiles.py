"""Tiles: the same as the whole but for rounding, of any size and type, within the memory there is."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from autoremove.models import memory, srgan_tiles
from autoremove.models.srgan import SRGANConfig, SRResNet
from autoremove.models.srgan_tiles import tile_side, tiles, upscaled, upscaled_pixels

CONFIGS = [
    SRGANConfig(width=8, blocks=2),
    SRGANConfig(width=8, blocks=3, outer_kernel=5, norm=False, bicubic_skip=True),
    SRGANConfig(width=8, blocks=2, outer_kernel=3, norm=False, direct=True, bicubic_skip=True),
]


def network(config: SRGANConfig = CONFIGS[2]) -> SRResNet:
    torch.manual_seed(1)
    return SRResNet(config).eval()


def noise(height: int, width: int) -> torch.Tensor:
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(0)) * 2 - 1


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("tile", [7, 16])
def test_tiles_do_not_show(config: SRGANConfig, tile: int) -> None:
    net, image = network(config), noise(25, 33)
    whole = upscaled(net, image, tile=64)
    assert torch.allclose(net.upscale(image, tile=tile), whole, atol=1e-4)


@pytest.mark.parametrize("config", CONFIGS)
def test_the_reach_is_no_less_than_it_must_be(config: SRGANConfig) -> None:
    """A pixel changed just outside the reach changes nothing; the network is not asked for more than that."""
    net = network(config)
    side = 2 * net.reach + 3
    image = noise(side, side)
    other = image.clone()
    other[..., 0, :] = -other[..., 0, :]
    difference = (net.upscale(other, tile=999) - net.upscale(image, tile=999)).abs().amax((0, 1, 3))
    assert difference[4 * (net.reach + 1) :].max() == 0
    assert difference[: 4 * net.reach].max() > 0


def test_too_little_overlap_shows() -> None:
    net, image = network(CONFIGS[0]), noise(25, 33)
    whole = upscaled(net, image, tile=64)
    assert (upscaled(net, image, tile=16, overlap=0) - whole).abs().max() > 1e-3


def test_tiles_cover_every_pixel_once() -> None:
    seen = np.zeros((37, 50), int)
    for tile in tiles((37, 50), 16, 5):
        y1, x1, y2, x2 = tile.wanted
        seen[y1:y2, x1:x2] += 1
        assert max(y2 - y1, x2 - x1) <= 16
        assert tile.shown == (max(0, y1 - 5), max(0, x1 - 5), min(37, y2 + 5), min(50, x2 + 5))
    assert (seen == 1).all()


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.float32])
def test_pixels_of_every_type(kind: type) -> None:
    net, image = network(), noise(20, 31)
    white = 1.0 if kind is np.float32 else float(np.iinfo(kind).max)
    pixels = ((image[0].permute(1, 2, 0).numpy() + 1) / 2 * white).astype(kind)
    large = upscaled_pixels(net, pixels, tile=9)
    assert (large.dtype, large.shape) == (np.dtype(kind), (80, 124, 3))
    shown = torch.from_numpy(pixels.astype(np.float32) / white).permute(2, 0, 1)[None] * 2 - 1
    wanted = (upscaled(net, shown, tile=64)[0].permute(1, 2, 0).numpy() + 1) / 2
    assert np.abs(large / white - wanted).max() < 0.6 / white + 1e-4


def test_batch_norm_keeps_what_it_learnt_and_the_mode_comes_back() -> None:
    net = network(CONFIGS[0]).train()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    net.upscale(noise(12, 12))
    assert net.training
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


def test_tiles_fit_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    net = SRResNet()
    sides = []
    for free in (16 << 30, 1 << 30, 200 << 20, 1):
        monkeypatch.setattr(memory, "free_bytes", lambda device, free=free: free)
        sides.append(tile_side(net, "cpu", net.reach))
    assert sides == sorted(sides, reverse=True) and len(set(sides)) >= 3
    assert sides[-1] == srgan_tiles.SIDES[-1]


def test_smaller_tiles_are_tried_where_memory_runs_out(monkeypatch: pytest.MonkeyPatch) -> None:
    net, pixels = network(), np.full((40, 70, 3), 90, np.uint8)
    wanted, forward, sizes = upscaled_pixels(net, pixels), net.forward, []

    def small_only(low: torch.Tensor) -> torch.Tensor:
        sizes.append(low.shape[-1])
        if low.shape[-1] > 60:
            raise RuntimeError("CUDA out of memory. Tried to allocate 2 GiB")
        return forward(low)

    monkeypatch.setattr(net, "forward", small_only)
    assert np.abs(upscaled_pixels(net, pixels, tile=128).astype(int) - wanted).max() <= 1
    assert sizes[0] == 70 and sizes[-1] <= 60
    with pytest.raises(RuntimeError, match="out of memory"):
        upscaled_pixels(net, np.full((10, 90, 3), 9, np.uint8), tile=32, overlap=90)
