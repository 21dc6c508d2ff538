"""In which precision a training computes, and how outputs come back from it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import torch

from autoremove.errors import UsageError
from autoremove.models import precision as models_precision


def autocast(precision: str, device: torch.device) -> Callable[[], AbstractContextManager[Any]]:
    """What makes the context of a forward pass: ``auto`` is bfloat16 wherever the hardware has it.

    Raises UsageError for a word that is none of auto, float32 and bfloat16.
    """
    if precision not in ("auto", "float32", "bfloat16"):
        raise UsageError(f"precision={precision!r} is not auto, float32 or bfloat16.")
    chosen = "fast" if precision == "auto" else precision
    return lambda: models_precision.autocast(chosen, str(device))


def in_float32(output: Any) -> Any:
    """A network's output, whatever it is made of, with its tensors in float32, as losses want them."""
    if isinstance(output, dict):
        return {name: in_float32(part) for name, part in output.items()}
    if isinstance(output, (list, tuple)):
        return type(output)(in_float32(part) for part in output)
    return output.float() if torch.is_tensor(output) and output.is_floating_point() else output
