"""Contextual attention against a slow, literal form with patches as convolution kernels."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from autoremove.models import attention_strips
from autoremove.models import contextual_attention as room
from autoremove.models.contextual_attention import align_corners_indices, contextual_attention, halved

FORMS = [
    {},
    {"fuse": False},
    {"halving": "align_corners"},
    {"masked_keys": "exclude", "paste_divisor": "overlap"},
    {"key_norm": "sum", "fuse": False},
]


def slow(
    features: Tensor,
    mask: Tensor,
    fuse: bool = True,
    halving: str = "plain",
    masked_keys: str = "zero",
    paste_divisor: str = "four",
    key_norm: str = "max",
) -> Tensor:
    """One sample at a time, with the fuse filter and the axis swaps written out."""
    out = []
    for one, hole in zip(features.split(1), mask.split(1), strict=True):
        channels, (h, w) = one.shape[1], hole.shape[-2:]
        raw = F.unfold(one, 4, padding=1, stride=2)[0].T.reshape(h * w, channels, 4, 4)
        small = halved(one, halving)
        kernels = F.unfold(small, 3, padding=1)[0].T.reshape(h * w, channels, 3, 3)
        squares = kernels.square()
        if key_norm == "sum":
            norm = (squares + 1e-4).sum((1, 2, 3), keepdim=True).sqrt()
        else:
            norm = squares.sum((1, 2, 3), keepdim=True).sqrt().clamp_min(1e-4)
        scores = F.conv2d(small, kernels / norm, padding=1)  # 1 x keys x h x w
        if fuse:
            scores = slow_fuse(scores.reshape(h * w, h * w), h, w).reshape(1, h * w, h, w)
        known = (F.unfold(hole, 3, padding=1)[0].sum(0) == 0).float().reshape(1, h * w, 1, 1)
        if not known.any():
            out.append(torch.zeros_like(one))
            continue
        dropped = scores.masked_fill(known == 0, -torch.inf)
        scores = dropped if masked_keys == "exclude" else scores * known
        weights = (scores * 10).softmax(1) * known
        pasted = F.conv_transpose2d(weights, raw, stride=2, padding=1)
        if paste_divisor == "overlap":
            ones = torch.ones(1, 1, h, w), torch.ones(1, 1, 4, 4)
            out.append(pasted / F.conv_transpose2d(*ones, stride=2, padding=1))
        else:
            out.append(pasted / 4)
    return torch.cat(out)


def slow_fuse(scores: Tensor, h: int, w: int) -> Tensor:
    eye = torch.eye(3)[None, None]
    scores = F.conv2d(scores[None, None], eye, padding=1)
    scores = scores.reshape(h, w, h, w).permute(1, 0, 3, 2).reshape(1, 1, h * w, h * w)
    scores = F.conv2d(scores, eye, padding=1)
    return scores.reshape(w, h, w, h).permute(1, 0, 3, 2).reshape(h * w, h * w)


def made(size_hw: tuple[int, int], samples: int = 2, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Features that repeat themselves a little, and a mask without holes."""
    torch.manual_seed(seed)
    height, width = size_hw
    features = F.interpolate(torch.randn(samples, 6, -(-height // 2), -(-width // 2)), size=size_hw)
    features = features * 0.3 + torch.randn(samples, 6, height, width) * 0.1
    return features, torch.zeros(samples, 1, height // 2, width // 2)


def holes(mask: Tensor, kind: str) -> Tensor:
    height, width = mask.shape[-2:]
    if kind == "one":
        mask[..., height // 3 : height // 2 + 1, width // 3 : width // 2 + 1] = 1
    elif kind == "several":
        mask[..., height // 4, width // 4] = 1
        mask[..., height - 2 :, width // 2 :] = 1
    elif kind == "border":
        mask[..., 0, :] = 1
        mask[..., :, 0] = 1
    elif kind == "all":
        mask[:] = 1
    elif kind == "unlike":
        mask[0, :, : height // 2] = 1
        mask[1, :, height // 2 :, width - 1] = 1
    return mask


@pytest.mark.parametrize("form", FORMS, ids=str)
@pytest.mark.parametrize("kind", ["empty", "one", "several", "border", "all", "unlike"])
@pytest.mark.parametrize("size_hw", [(16, 16), (10, 22), (18, 14)], ids=str)
def test_equals_the_literal_form(size_hw: tuple[int, int], kind: str, form: dict) -> None:
    features, mask = made(size_hw)
    mask = holes(mask, kind)
    wanted = slow(features, mask, **form)
    for tracked in (False, True):  # training takes another way than filling
        result = contextual_attention(features.requires_grad_(tracked), mask, **form)
        torch.testing.assert_close(result, wanted, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("size_hw", [(2, 2), (2, 8), (6, 2), (4, 4)], ids=str)
@pytest.mark.parametrize("form", FORMS, ids=str)
def test_equals_the_literal_form_on_tiny_maps(size_hw: tuple[int, int], form: dict) -> None:
    features, mask = made(size_hw)
    wanted = slow(features, mask, **form)
    for tracked in (False, True):
        result = contextual_attention(features.requires_grad_(tracked), mask, **form)
        torch.testing.assert_close(result, wanted, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("form", FORMS, ids=str)
@pytest.mark.parametrize("lines", [1, 2, 3, 5])
@pytest.mark.parametrize("size_hw", [(14, 22), (10, 4), (2, 6), (6, 2)], ids=str)
def test_strips_of_any_height_give_the_same(
    size_hw: tuple[int, int], lines: int, form: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    features, mask = made(size_hw)
    mask = holes(mask, "several")
    monkeypatch.setattr(room, "attention_lines", attention_strips)  # the way of a GPU
    monkeypatch.setattr(attention_strips, "SMALLEST_STRIP", lines)
    monkeypatch.setattr(attention_strips, "STRIP_ELEMENTS", 1)
    strips = contextual_attention(features, mask, **form)
    torch.testing.assert_close(strips, slow(features, mask, **form), atol=1e-5, rtol=1e-4)


def test_a_large_map_never_holds_all_scores(monkeypatch: pytest.MonkeyPatch) -> None:
    features, mask = made((64, 16), samples=1)
    count, width = mask.numel(), mask.shape[-1]
    monkeypatch.setattr(room, "attention_lines", attention_strips)
    monkeypatch.setattr(attention_strips, "STRIP_ELEMENTS", 4 * width * count)
    seen: list[int] = []
    scores = attention_strips._scores

    def counted(*args: object) -> Tensor:
        seen.append(scores(*args).shape[0])  # type: ignore[arg-type]
        return scores(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(attention_strips, "_scores", counted)
    contextual_attention(features, mask)
    assert sum(seen) >= count
    assert max(seen) <= 9 * width


def settled(wanted: Tensor) -> Tensor:
    """N x 1 x H x W: pixels whose covering positions all ask."""
    others = F.conv_transpose2d((~wanted).float(), torch.ones(1, 1, 4, 4), stride=2, padding=1)
    return others == 0


@pytest.mark.parametrize("way", ["attention_lines", "attention_strips"])
@pytest.mark.parametrize("form", FORMS, ids=str)
@pytest.mark.parametrize("kind", ["one", "several", "border", "unlike"])
@pytest.mark.parametrize("size_hw", [(16, 16), (10, 22), (2, 8), (6, 2)], ids=str)
def test_positions_that_ask_are_answered_in_full(
    size_hw: tuple[int, int], kind: str, form: dict, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "attention_lines", getattr(room, way))
    monkeypatch.setattr(attention_strips, "STRIP_ELEMENTS", 1)
    features, mask = made(size_hw)
    mask = holes(mask, "one" if size_hw[0] * size_hw[1] < 40 else kind)
    wanted = torch.rand(mask.shape, generator=torch.Generator().manual_seed(5)) < 0.1
    wanted |= F.max_pool2d(mask, 3, 1, 1) > 0
    wanted[1] &= torch.arange(mask.shape[-1]) < mask.shape[-1] // 2 + 1
    result = contextual_attention(features, mask, wanted=wanted, **form)
    there = settled(wanted).expand_as(result)
    torch.testing.assert_close(result[there], slow(features, mask, **form)[there], atol=1e-5, rtol=1e-4)


def test_nobody_asks() -> None:
    features, mask = made((16, 16))
    nobody = torch.zeros_like(mask, dtype=torch.bool)
    assert not contextual_attention(features, mask, wanted=nobody).any()


def test_memory_follows_the_width_of_what_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two narrow holes, far apart: no buffer of scores has rows for what lies between them."""
    features, mask = made((12, 80), samples=1)
    wanted = torch.zeros_like(mask, dtype=torch.bool)
    wanted[..., 2:4, 5:7] = wanted[..., 1:5, 30:33] = True
    widest = []
    make = room.attention_lines._Lines._make_across

    def watched(self: object, y: int, first: int, last: int, out: Tensor) -> None:
        widest.append(last - first)
        make(self, y, first, last, out)  # type: ignore[arg-type]

    monkeypatch.setattr(room.attention_lines._Lines, "_make_across", watched)
    contextual_attention(features, mask, wanted=wanted)
    assert widest and max(widest) <= 3 + 4


def test_large_scores_stay_finite() -> None:
    features, mask = made((16, 16))
    mask = holes(mask, "several")
    for tracked in (False, True):
        leaf = (features * 1e4).requires_grad_(tracked)
        result = contextual_attention(leaf, mask)
        assert result.isfinite().all()
        torch.testing.assert_close(result, slow(features * 1e4, mask), atol=1e-1, rtol=1e-3)


def test_every_sample_uses_its_own_mask() -> None:
    features, mask = made((16, 16))
    mask = holes(mask, "unlike")
    together = contextual_attention(features, mask)
    for i in range(2):
        torch.testing.assert_close(
            together[i : i + 1], contextual_attention(features[i : i + 1], mask[i : i + 1])
        )


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_all_hole_gives_zeros_and_finite_gradients(form: dict) -> None:
    features, mask = made((8, 8))
    features.requires_grad_()
    mask[0] = 1
    result = contextual_attention(features, mask, **form)
    assert not result[0].any() and result[1].any()
    result.square().sum().backward()
    assert features.grad is not None and features.grad.isfinite().all()


def test_flat_features_have_finite_gradients() -> None:
    features = torch.zeros(1, 4, 8, 8, requires_grad=True)
    contextual_attention(features, torch.zeros(1, 1, 4, 4)).sum().backward()
    assert features.grad is not None and features.grad.isfinite().all()


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_gradient_equals_that_of_the_literal_form(form: dict) -> None:
    features, mask = made((10, 14))
    mask = holes(mask, "several")
    wanted = torch.randn(features.shape, generator=torch.Generator().manual_seed(1))
    grads = []
    for network in (contextual_attention, slow):
        leaf = features.clone().requires_grad_()
        (network(leaf, mask, **form) * wanted).sum().backward()
        grads.append(leaf.grad)
    torch.testing.assert_close(*grads, atol=1e-5, rtol=1e-3)


@pytest.mark.parametrize("tracked", [True, False])
def test_scores_stay_float32_under_autocast(tracked: bool) -> None:
    features, mask = made((16, 16))
    mask = holes(mask, "one")
    # Large scores: in bfloat16 the softmax over them would pick other patches.
    features = features * 20
    with torch.autocast("cpu", torch.bfloat16), torch.set_grad_enabled(tracked):
        low = contextual_attention(features.bfloat16().requires_grad_(tracked), mask)
    full = contextual_attention(features.bfloat16().float(), mask)
    assert (low.float() - full).abs().max() < 0.02 * full.abs().max()


@pytest.mark.parametrize(
    ("source", "target", "wanted"),
    [
        (8, 4, [0, 2, 5, 7]),
        (6, 3, [0, 3, 5]),
        (2, 1, [0]),
        (64, 32, [i * 63 / 31 for i in range(32)]),
        (256, 32, [i * 255 / 31 for i in range(32)]),
    ],
)
def test_align_corners_keeps_first_and_last(source: int, target: int, wanted: list[float]) -> None:
    indices = align_corners_indices(source, target).tolist()
    assert indices == [int(position + 0.5) for position in wanted]
