"""The mask network on the detector's backbone: shapes, its eyes, its file."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from autoremove.models import masknet
from autoremove.models.masknet_yolo import TAPS, YoloMaskNet
from autoremove.training.yolo_network import build_network


@pytest.fixture(scope="module")
def net() -> YoloMaskNet:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    return YoloMaskNet(64).eval()


def test_a_crop_gives_a_mask_of_its_size(net: YoloMaskNet) -> None:
    assert net(torch.rand(2, 4, 64, 64)).shape == (2, 1, 64, 64)
    assert net(torch.rand(1, 4, 96, 96)).shape == (1, 1, 96, 96)
    y = torch.rand(1, 3, 64, 64)
    sizes = []
    for number, layer in enumerate(net.encoder):
        y = layer(y)
        if number in TAPS:
            assert y.shape[1] == TAPS[number]
            sizes.append(y.shape[2])
    assert sizes == [32, 16, 8, 4, 2]


def test_it_begins_with_the_eyes_of_the_detector(net: YoloMaskNet) -> None:
    detector = build_network("yolo11n", 3)
    fresh = YoloMaskNet(64).eval()
    fresh.see_with(detector.state_dict())
    picture = torch.rand(1, 3, 64, 64)
    seen = picture
    detector.eval()
    for layer in list(detector.model)[:3]:
        seen = layer(seen)
    ours = picture
    for layer in list(fresh.encoder)[:3]:
        ours = layer(ours)
    assert torch.allclose(seen, ours, atol=1e-5)
    assert not fresh.mark.weight.any()  # the box must not disturb them at first


def test_the_box_decides_and_everything_learns() -> None:
    torch.manual_seed(1)
    net = YoloMaskNet(64).train()
    x = torch.rand(2, 4, 64, 64)
    net(x).square().mean().backward()
    assert all(
        p.grad is not None and bool(p.grad.isfinite().all()) for p in net.parameters() if p.requires_grad
    )
    assert bool((net.mark.weight.grad != 0).any())
    net.eval()
    other = x.clone()
    other[:, 3] = 1 - other[:, 3].round()
    assert not torch.allclose(net(x), net(other))


def test_its_file_gives_the_same_masks(tmp_path: Path, net: YoloMaskNet) -> None:
    path = tmp_path / "masknet.safetensors"
    masknet.save_masknet(net, path, {"step": "3"})
    again = masknet.load_masknet(path)
    assert isinstance(again, YoloMaskNet)
    assert again.side == 64
    x = torch.rand(1, 4, 64, 64)
    with torch.inference_mode():
        assert torch.allclose(net(x).sigmoid(), again(x).sigmoid(), atol=5e-3)
