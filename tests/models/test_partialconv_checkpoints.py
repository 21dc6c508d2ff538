"""Public checkpoints of partial convolution: their names, their arithmetic, and what is wrong with others."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from autoremove.errors import WeightsError
from autoremove.models.partialconv import PartialConvConfig, from_checkpoint, recognises

WIDTHS = [4, 8, 8]


def shapes() -> list[tuple[str, int, int, int]]:
    """Level, inputs, outputs, kernel of a small network."""
    levels = list(zip([3, *WIDTHS], WIDTHS, [7, 5, 5], strict=False))
    down = [(f"enc{i}", a, b, k) for i, (a, b, k) in enumerate(levels, 1)]
    return down + [(f"dec{i}", a + b, a, 3) for i, (a, b, _) in enumerate(levels, 1)]


def public(publisher: str) -> dict[str, Tensor]:
    """A small checkpoint with random weights, in a publisher's names."""
    generator = torch.Generator().manual_seed(0)
    state: dict[str, Tensor] = {}
    for level, inputs, outputs, kernel in shapes():
        if publisher == "naoto0804":
            prefix, conv, mask = f"{level[:3]}_{level[3]}", "conv.input_conv", "conv.mask_conv.weight"
        else:
            prefix, conv, mask = f"generator.{level[:3]}oder.{level}", "conv", "conv.weight_mask_updater"
        shape = (outputs, inputs, kernel, kernel)
        state[f"{prefix}.{conv}.weight"] = torch.randn(shape, generator=generator)
        state[f"{prefix}.{mask}"] = torch.ones(shape)
        first = level[3] == "1"
        if first and (level == "dec1" or publisher == "mmagic"):
            state[f"{prefix}.{conv}.bias"] = torch.randn(outputs, generator=generator)
        if not first:
            for name in ("weight", "bias", "running_mean", "running_var"):
                state[f"{prefix}.bn.{name}"] = torch.rand(outputs, generator=generator) + 0.5
            state[f"{prefix}.bn.num_batches_tracked"] = torch.tensor(7)
    return state


def reference(state: dict[str, Tensor], planes: Tensor, mask: Tensor) -> Tensor:
    """naoto0804's network from its tensors alone: masks of as many channels as there are features."""

    def level(name: str, x: Tensor, m: Tensor) -> tuple[Tensor, Tensor]:
        weight, ones = (state[f"{name}.conv.{part}.weight"] for part in ("input_conv", "mask_conv"))
        stride, reach = 2 if name[0] == "e" else 1, weight.shape[-1] // 2
        total = F.conv2d(m, ones, None, stride, reach)
        out = F.conv2d(x * m, weight, None, stride, reach) / total.clamp(min=1)
        out = out + state.get(f"{name}.conv.input_conv.bias", torch.zeros(len(weight))).view(-1, 1, 1)
        out = torch.where(total > 0, out, torch.zeros_like(out))
        if f"{name}.bn.weight" in state:
            parts = ("running_mean", "running_var", "weight", "bias")
            mean, variance, weight, bias = (state[f"{name}.bn.{part}"] for part in parts)
            out = F.batch_norm(out, mean, variance, weight, bias)
        slope = 1.0 if name == "dec_1" else 0.2 if name[0] == "d" else 0.0
        return F.leaky_relu(out, slope), (total > 0).float()

    kept = []
    for i in (1, 2, 3):
        kept.append((planes, mask))
        planes, mask = level(f"enc_{i}", planes, mask)
    for i in (3, 2, 1):
        both = [
            torch.cat([F.interpolate(a, scale_factor=2.0), b], 1)
            for a, b in zip((planes, mask), kept.pop(), strict=True)
        ]
        planes, mask = level(f"dec_{i}", *both)
    return planes


def test_naoto0804_computes_what_its_code_computes() -> None:
    state = public("naoto0804")
    network = from_checkpoint({"model": state, "n_iter": 1_000_000})
    generator = torch.Generator().manual_seed(1)
    unit = torch.rand(2, 3, 32, 40, generator=generator)
    hole = torch.zeros(2, 1, 32, 40)
    hole[0, :, 5:20, 8:30] = 1
    hole[1, :, 0:30, 2:25] = 1
    mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    seen = (unit - mean.view(3, 1, 1)) / deviation.view(3, 1, 1)
    out = reference(state, seen, (1 - hole).expand(-1, 3, -1, -1))
    expected = (out * deviation.view(3, 1, 1) + mean.view(3, 1, 1)).clamp(0, 1) * 2 - 1
    torch.testing.assert_close(network.raw(unit * 2 - 1, hole), expected, atol=1e-4, rtol=0)
    assert (expected.abs() < 1).float().mean() > 0.05  # the comparison is not one of clamped values


def test_mmagic_has_its_own_conventions() -> None:
    network = from_checkpoint({"state_dict": public("mmagic"), "meta": {}})
    assert network.config == PartialConvConfig(
        base=4, widest=8, levels=3, first_bias=True, ratio="window", convention="signed_bgr"
    )
    assert not network.training


@pytest.mark.parametrize("publisher", ["naoto0804", "mmagic"])
def test_every_tensor_arrives(publisher: str) -> None:
    state = public(publisher)
    network = from_checkpoint({f"module.{name}": value for name, value in state.items()})
    there = sorted(float(v.double().sum()) for k, v in state.items() if "mask" not in k)
    assert sorted(float(v.double().sum()) for v in network.state_dict().values()) == pytest.approx(there)


def test_the_published_list_of_names(reference_dir: Path) -> None:
    state: dict[str, Any] = {}
    for line in (reference_dir / "keys" / "keys_pc.txt").read_text().splitlines():
        match = re.match(r"(\S+) \((.*)\)", line)
        assert match is not None
        state[match[1]] = torch.ones([int(side) for side in match[2].split(",") if side.strip()])
    network = from_checkpoint({"model": state})
    assert network.config == PartialConvConfig(levels=7, ratio="sum", convention="imagenet")
    assert len(network.state_dict()) == sum("mask_conv" not in name for name in state)


def test_what_is_recognised() -> None:
    assert recognises(public("mmagic"))
    assert recognises({"model": public("naoto0804")})
    assert not recognises({"conv1.weight": torch.zeros(1)})
    assert not recognises([1, 2])


def test_what_is_wrong_is_said() -> None:
    with pytest.raises(WeightsError, match="no partial convolution"):
        from_checkpoint({"conv1.weight": torch.zeros(1)})
    state = public("naoto0804")
    del state["dec_2.bn.weight"]
    with pytest.raises(WeightsError, match=r"missing dec_2\.bn\.weight"):
        from_checkpoint(state)
    state = public("naoto0804")
    state["dec_2.bn.weight"] = torch.zeros(99)
    with pytest.raises(WeightsError, match=r"dec_2\.bn\.weight \(99,\) instead of \(4,\)"):
        from_checkpoint(state)
    state = public("naoto0804")
    state["enc_2.conv.mask_conv.weight"][0, 0, 0, 0] = 0
    with pytest.raises(WeightsError, match="not all ones"):
        from_checkpoint(state)
