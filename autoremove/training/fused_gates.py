"""Gates in one pass over the memory, forward and back: a third of their time, and a third of a step."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from autoremove.errors import UsageError
from autoremove.models.deepfillv2 import GatedConv
from autoremove.models.gated_lines import gate


def fuse_gates(network: nn.Module, wish: str, device: torch.device) -> None:
    """Let the gated convolutions of a network in training use :func:`fused`, if ``wish`` says so.

    ``wish``: yes, no or auto, which does on CPUs where there is the C++ compiler that this wants. Raises
    UsageError for another word.
    """
    if wish not in ("auto", "yes", "no"):
        raise UsageError(f"fused_gates={wish!r} is not auto, yes or no.")
    there = device.type == "cpu" and shutil.which(os.environ.get("CXX", "g++")) is not None
    if wish == "yes" or (wish == "auto" and there):
        for layer in network.modules():
            if isinstance(layer, GatedConv):
                layer.gate = fused


def fused(feature: Tensor, gates: Tensor, activation: str) -> Tensor:
    """:func:`~autoremove.models.gated_lines.gate`; nothing but its inputs is kept for the way back."""
    result: Tensor = _Fused.apply(feature, gates, activation)
    return result


class _Fused(torch.autograd.Function):
    """Both ways are compiled by themselves: traced as one, the gradient must lie in memory as foreseen."""

    @staticmethod
    def forward(ctx: Any, feature: Tensor, gates: Tensor, activation: str) -> Tensor:
        ctx.save_for_backward(feature, gates)
        ctx.activation = activation
        result: Tensor = _compiled(gate)(feature, gates, activation)
        return result

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        feature, gates = ctx.saved_tensors
        return *_compiled(_back)(feature, gates, gradients[0], ctx.activation), None


def _back(feature: Tensor, gates: Tensor, gradient: Tensor, activation: str) -> tuple[Tensor, Tensor]:
    open_ = torch.sigmoid(gates)
    passed, slope = feature, torch.ones_like(feature)
    if activation == "elu":
        below = torch.expm1(feature.clamp(max=0))
        passed = torch.where(feature > 0, feature, below)
        slope = torch.where(feature > 0, 1.0, below + 1)
    elif activation == "relu":
        passed, slope = feature.relu(), (feature > 0).to(feature.dtype)
    return gradient * open_ * slope, gradient * passed * open_ * (1 - open_)


@cache
def _compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    compiled: Callable[..., Any] = torch.compile(function, dynamic=True)
    return compiled
