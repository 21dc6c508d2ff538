"""In which precision a network computes, float32 or bfloat16 where the hardware has it, and through what."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

PRECISIONS = ("auto", "fast", "float32", "bfloat16")
"""``auto``: bfloat16 on a GPU that has it, else float32. ``fast``: also on a CPU with AVX512-BF16."""

RUNTIMES = ("auto", "torch", "openvino")
"""What runs a detector. ``auto``: OpenVINO on a processor where it is installed and can, else PyTorch."""


def uses_bfloat16(precision: str, device: str) -> bool:
    """Whether ``precision`` is bfloat16 on a device, as torch spells it (``cpu``, ``cuda:0``)."""
    if precision in ("float32", "bfloat16"):
        return precision == "bfloat16"
    return has_bfloat16(device) and (precision == "fast" or device.startswith("cuda"))


def has_bfloat16(device: str) -> bool:
    """Whether a device multiplies in bfloat16. Elsewhere PyTorch emulates it, many times slower."""
    import torch

    if device.startswith("cuda"):
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    has = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return device == "cpu" and has is not None and bool(has())


def autocast(precision: str, device: str) -> AbstractContextManager[Any]:
    """The context in which a network's forward pass runs."""
    import torch

    kind = device.partition(":")[0]
    return torch.autocast(kind, torch.bfloat16) if uses_bfloat16(precision, device) else nullcontext()
