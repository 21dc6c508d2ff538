"""In which precision a training computes, and how outputs come back from it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch

from autoremove.errors import UsageError


def uses_bfloat16(precision: str, device: torch.device) -> bool:
    """Whether to compute in bfloat16; "auto" does where the hardware has it."""
    if precision not in ("auto", "float32", "bfloat16"):
        raise UsageError(f"precision={precision!r} is not auto, float32 or bfloat16.")
    if precision != "auto":
        return precision == "bfloat16"
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    # Without such instructions PyTorch emulates them, many times slower than float32.
    has = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return device.type == "cpu" and has is not None and bool(has())


def autocast(precision: str, device: torch.device) -> Callable[[], AbstractContextManager[Any]]:
    """What makes the context in which a network's forward pass runs."""
    if uses_bfloat16(precision, device):
        return lambda: torch.autocast(device.type, torch.bfloat16)
    return nullcontext


def in_float32(output: Any) -> Any:
    """A network's output, whatever it is made of, with its tensors in float32, as losses want them."""
    if isinstance(output, dict):
        return {name: in_float32(part) for name, part in output.items()}
    if isinstance(output, (list, tuple)):
        return type(output)(in_float32(part) for part in output)
    return output.float() if torch.is_tensor(output) and output.is_floating_point() else output
