"""Fused gates give what plain ones give, forward and back, in any layout; only some machines have them."""

from __future__ import annotations

import shutil

import pytest
import torch

from autoremove.errors import UsageError
from autoremove.models.deepfillv2 import GatedConv, Generator, GeneratorConfig
from autoremove.models.gated_lines import gate
from autoremove.training.fused_gates import fuse_gates, fused

compiler = pytest.mark.skipif(shutil.which("g++") is None, reason="no C++ compiler")


@compiler
@pytest.mark.parametrize("activation", ["elu", "relu", "none"])
@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
def test_the_same_both_ways(activation: str, layout: torch.memory_format) -> None:
    generator = torch.Generator().manual_seed(0)
    for side in (5, 8):
        planes = torch.randn(2, 6, side, side, generator=generator).contiguous(memory_format=layout)
        results = []
        for function in (gate, fused):
            own = planes.clone().requires_grad_()
            feature, gates = own.chunk(2, dim=1)
            out = function(feature, gates, activation)
            # A gradient that does not lie in memory as the output does.
            (out * torch.linspace(0, 1, out.numel()).reshape(out.shape)).sum().backward()
            results.append((out.detach(), own.grad))
        torch.testing.assert_close(results[1], results[0])


@compiler
def test_a_network_uses_them_where_asked() -> None:
    network = Generator(GeneratorConfig(cnum=4))
    layers = [layer for layer in network.modules() if isinstance(layer, GatedConv)]
    for wish, expected in (("no", gate), ("yes", fused), ("auto", fused)):
        for layer in layers:
            layer.gate = gate
        fuse_gates(network, wish, torch.device("cpu"))
        assert {layer.gate for layer in layers} == {expected}


def test_without_a_compiler_auto_leaves_them_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    network = Generator(GeneratorConfig(cnum=4))
    fuse_gates(network, "auto", torch.device("cpu"))
    assert all(layer.gate is gate for layer in network.modules() if isinstance(layer, GatedConv))


def test_another_word_is_refused() -> None:
    with pytest.raises(UsageError, match="auto, yes or no"):
        fuse_gates(Generator(GeneratorConfig(cnum=4)), "maybe", torch.device("cpu"))
