"""Filling only what the hole needs equals the whole network inside the mask, in every spelling."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from autoremove.models import attention_strips, deepfillv2_fill, gated_lines
from autoremove.models import contextual_attention as ca
from autoremove.models.deepfillv2 import Generator, GeneratorConfig, _eighth
from tests.models.test_deepfillv2 import PRESETS, scene, small

CLOSE = {"atol": 1e-4, "rtol": 0.0}


def lively(name: str = "pt", **changes: object) -> Generator:
    """A narrow network in which every layer and the attention show in the output."""
    net = small(name, **changes)
    with torch.no_grad():
        for part in ("coarse", "convolution", "attention", "after_attention", "merge"):
            for layer in net.layers(part):
                layer.weight *= 1.05
                if layer.bias is not None:
                    layer.bias.normal_(std=0.05)
    return net


def holes(kind: str, size_hw: tuple[int, int]) -> Tensor:
    """N x 1 x H x W; two unlike samples."""
    height, width = size_hw
    mask = torch.zeros(2, 1, height, width)
    if kind == "unlike":
        mask[0, :, : height // 3, : width // 4] = 1
        mask[1, :, height // 2 : height // 2 + 9, width // 2 :] = 1
    elif kind == "dot":
        mask[:, :, height // 2, width // 2] = 1
    elif kind == "nearly all":
        mask[:] = 1
        mask[1, :, 5:] = 0
    elif kind == "several":
        mask[0, :, -5:] = 1
        mask[0, :, :3, -7:] = 1
        mask[1, :, height // 4 : height // 4 + 11, width // 3 : width // 3 + 17] = 1
        mask[1, :, :, :4] = 1
    return mask


def picture(size_hw: tuple[int, int], samples: int = 2, seed: int = 3) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(samples, 3, *size_hw, generator=generator) * 2 - 1


def by_the_whole(net: Generator, image: Tensor, mask: Tensor, *sketch: Tensor) -> Tensor:
    with torch.no_grad():
        return net(image, mask, *sketch)[1] * mask + image * (1 - mask)


@pytest.mark.parametrize("kind", ["unlike", "dot", "nearly all", "several"])
@pytest.mark.parametrize("name", PRESETS)
def test_equals_the_whole_network(name: str, kind: str) -> None:
    size_hw = (91, 130)
    net, image, mask = lively(name), picture(size_hw), holes(kind, size_hw)
    torch.testing.assert_close(net.fill(image, mask), by_the_whole(net, image, mask), **CLOSE)


@pytest.mark.parametrize("name", ["official", "pt", "mmagic"])
def test_equals_the_whole_network_where_boxes_are_small(name: str) -> None:
    """On a picture wide enough that each layer, the most dilated too, works on a part of its map."""
    size_hw = (40, 640)
    net, image, mask = lively(name), picture(size_hw, 1), torch.zeros(1, 1, *size_hw)
    mask[..., 18:25, 300:310] = 1
    needs = deepfillv2_fill.plan(net.config, mask)
    assert needs is not None and needs.coarse[0].takes.right - needs.coarse[0].takes.left < 400
    torch.testing.assert_close(net.fill(image, mask), by_the_whole(net, image, mask), **CLOSE)


@settings(max_examples=8, deadline=None, derandomize=True)
@given(
    st.integers(1, 90),
    st.integers(1, 90),
    st.lists(
        st.tuples(st.integers(0, 89), st.integers(0, 89), st.integers(1, 30), st.integers(1, 30)), max_size=3
    ),
)
def test_equals_the_whole_network_for_any_boxes(
    height: int, width: int, boxes: list[tuple[int, int, int, int]]
) -> None:
    net, image, mask = lively("tf"), picture((height, width), 1), torch.zeros(1, 1, height, width)
    for top, left, down, right in boxes:
        top, left = top % height, left % width
        mask[..., top : top + down, left : left + right] = 1
    torch.testing.assert_close(net.fill(image, mask), by_the_whole(net, image, mask), **CLOSE)


@pytest.mark.parametrize("name", PRESETS)
def test_large_launches_give_the_same(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The way of a GPU, walked on the CPU: whole layers, one box for the batch, attention by strips."""
    monkeypatch.setattr(gated_lines, "suits", lambda planes: False)
    monkeypatch.setattr(ca, "attention_lines", attention_strips)
    monkeypatch.setattr(torch, "compile", lambda function, **_: function)
    gated_lines._compiled.cache_clear()
    size_hw = (75, 120)
    net, image, mask = lively(name), picture(size_hw), holes("unlike", size_hw)
    wanted = by_the_whole(net, image, mask)
    torch.testing.assert_close(net.fill(image, mask), wanted, **CLOSE)
    torch.testing.assert_close(net.fill(image, mask, compiled=True), wanted, **CLOSE)
    gated_lines._compiled.cache_clear()


def test_strips_of_any_height_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    size_hw = (80, 72)
    mask = holes("several", size_hw)
    for name in ("official", "mmagic"):
        net, image = lively(name), picture(size_hw)
        wanted = net.fill(image, mask)
        with monkeypatch.context() as patch:
            patch.setattr(gated_lines, "STRIP_BYTES", 1)
            torch.testing.assert_close(net.fill(image, mask), wanted, **CLOSE)


def test_nothing_to_fill_runs_no_layer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gated_lines, "run", None)
    image, mask = scene()
    net = small()
    torch.testing.assert_close(net.fill(image, mask * 0), image)
    filled, sources = net.fill_with_sources(image, mask * 0, 3)
    assert torch.equal(filled, image) and not sources.present.any()
    assert sources.size_hw == (6, 8) and sources.positions.shape == (2, 3, 48)


def test_outside_the_mask_every_bit_stays() -> None:
    image, mask = scene()
    kept = image.clone()
    filled = small().fill(image, mask)
    assert torch.equal(image, kept)
    assert torch.equal(filled[(mask == 0).expand_as(image)], image[(mask == 0).expand_as(image)])
    assert not torch.equal(filled, image)


def test_a_sketch_and_a_boolean_mask() -> None:
    net, (image, mask) = lively(in_channels=6), scene()
    sketch = (picture((48, 64))[:, :1] > 0.5).float()
    torch.testing.assert_close(
        net.fill(image, mask.bool(), sketch), by_the_whole(net, image, mask, sketch), **CLOSE
    )
    nothing_drawn = net.fill(image, mask)
    torch.testing.assert_close(
        nothing_drawn, by_the_whole(net, image, mask, torch.zeros_like(sketch)), **CLOSE
    )


def test_lower_precision_is_taken_only_where_it_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    net, (image, mask) = small(), scene()
    full = net.fill(image, mask)
    monkeypatch.setattr(deepfillv2_fill, "lower_precision", lambda device: None)
    assert torch.equal(net.fill(image, mask, precision="lower"), full)
    monkeypatch.setattr(deepfillv2_fill, "lower_precision", lambda device: torch.bfloat16)
    low = net.fill(image, mask, precision="lower")
    assert not torch.equal(low, full) and low.dtype == torch.float32
    assert (low - full).abs().max() < 0.1
    with pytest.raises(ValueError, match="precision='half'"):
        net.fill(image, mask, precision="half")


def test_weights_and_gradients_are_left_alone() -> None:
    net, (image, mask) = small(), scene()
    before = copy.deepcopy(net.state_dict())
    assert not net.fill(image.requires_grad_(), mask).requires_grad
    for name, tensor in net.state_dict().items():
        assert torch.equal(tensor, before[name]), name


def slow_weights(net: Generator, image: Tensor, mask: Tensor) -> Tensor:
    """Keys x queries of the first sample's attention, without fuse, from patches written out."""
    seen: list[Tensor] = []
    hook = net.get_submodule("pmconv6").register_forward_hook(lambda _, __, out: seen.append(out))
    with torch.no_grad():
        net(image, mask)
    hook.remove()
    patches = F.unfold(seen[0][:1, :, ::2, ::2], 3, padding=1)[0]
    keys = patches / patches.norm(dim=0).clamp_min(1e-4)
    valid = F.unfold(_eighth(mask[:1], "plain"), 3, padding=1)[0].sum(0) == 0
    scores = (keys.T @ patches) * valid[:, None] * 10
    return scores.softmax(0) * valid[:, None]


def test_sources_are_the_largest_weights_of_the_attention() -> None:
    net, image, mask = lively(fuse=False), picture((64, 96)), holes("unlike", (64, 96))
    filled, sources = net.fill_with_sources(image, mask, k=3)
    torch.testing.assert_close(filled, net.fill(image, mask), **CLOSE)
    assert sources.size_hw == (8, 12)
    best = slow_weights(net, image, mask).topk(3, dim=0)
    asks = sources.present[0]
    touched = F.max_pool2d(mask[:1], 8).flatten() > 0
    assert asks[touched].all() and not asks.all()
    torch.testing.assert_close(sources.weights[0][:, asks], best.values[:, asks], atol=1e-5, rtol=1e-3)
    apart = best.values[0] - best.values[1] > 1e-3  # equals may change places
    assert torch.equal(sources.positions[0, 0, asks & apart], best.indices[0, asks & apart])
    assert not sources.weights[0][:, ~asks].any() and not sources.positions[0][:, ~asks].any()


def test_more_sources_than_there_are_and_none_at_all() -> None:
    net = small()
    image, mask = picture((16, 16)), torch.zeros(2, 1, 16, 16)
    mask[0] = 1
    mask[1, :, :3, :3] = 1
    sources = net.fill_with_sources(image, mask, k=9)[1]
    assert sources.positions.shape == (2, 9, 4)
    assert not sources.present.any()  # the hole is next to each of the four positions
    with pytest.raises(ValueError, match="k=0"):
        net.fill_with_sources(image, mask, k=0)


def test_lower_precision_follows_the_hardware(monkeypatch: pytest.MonkeyPatch) -> None:
    for has, wanted in ((True, torch.bfloat16), (False, None)):
        monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda has=has: has)
        assert deepfillv2_fill.lower_precision(torch.device("cpu")) == wanted


@pytest.mark.parametrize("cnum", [4, 12])
def test_thin_layers_run_in_channels_last(cnum: int) -> None:
    net = Generator(replace(GeneratorConfig(), cnum=cnum)).eval()
    size_hw = (33, 57)
    image, mask = picture(size_hw), holes("several", size_hw)
    torch.testing.assert_close(net.fill(image, mask), by_the_whole(net, image, mask), **CLOSE)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_gpu_is_never_waited_for() -> None:
    size_hw = (75, 120)
    net, image, mask = lively().cuda(), picture(size_hw).cuda(), holes("unlike", size_hw)
    wanted = by_the_whole(net, image, mask.cuda())
    net.fill_with_sources(image, mask)  # libraries that are loaded at the first call may wait
    torch.cuda.set_sync_debug_mode("error")
    try:
        filled, _ = net.fill_with_sources(image, mask)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    torch.testing.assert_close(filled, wanted, atol=1e-3, rtol=0.0)
