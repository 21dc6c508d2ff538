"""Public checkpoints under foreign names: out of their wrapping, and whether they fit a network."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

from autoremove.errors import WeightsError

Shape = tuple[int, ...]


def unwrapped(
    state: Any, wrappings: Iterable[str], prefixes: Iterable[str] = ("generator.", "module.")
) -> dict[str, Tensor]:
    """The tensors of a checkpoint by their bare names; nothing for what is no checkpoint.

    ``wrappings``: keys under which the tensors may lie. ``prefixes``: of names, taken off; where some names
    have one, those without it belong to other networks. Arrays count as tensors.
    """
    if not isinstance(state, Mapping):
        return {}
    for name in wrappings:
        if isinstance(state.get(name), Mapping):
            return unwrapped(state[name], wrappings, prefixes)
    for prefix in prefixes:
        inner = {k[len(prefix) :]: v for k, v in state.items() if str(k).startswith(prefix)}
        if inner:
            return unwrapped(inner, wrappings, prefixes)
    return {str(k): torch.as_tensor(v) for k, v in state.items() if hasattr(v, "shape")}


def verify(what: str, tensors: Mapping[str, Tensor], wanted: Mapping[str, Shape]) -> None:
    """Raise a WeightsError that names what is missing, unexpected or of another shape than ``wanted``."""
    missing = [name for name in wanted if name not in tensors]
    unexpected = [name for name in tensors if name not in wanted]
    unlike = [
        f"{name} {tuple(tensors[name].shape)} instead of {shape}"
        for name, shape in wanted.items()
        if name in tensors and tuple(tensors[name].shape) != shape
    ]
    kinds = {"missing": missing, "unexpected": unexpected, "of another shape": unlike}
    if found := [f"{kind}: {_listed(names)}" for kind, names in kinds.items() if names]:
        raise WeightsError(
            f"The checkpoint looks like {what} but does not fit it; {'; '.join(found)}.",
            hint="The file may be cut short or of a changed network.",
        )


def unknown(what: str, tensors: Mapping[str, Tensor], known: Iterable[str]) -> WeightsError:
    """The error for weights of none of the ``known`` spellings."""
    some = ", ".join(sorted(tensors)[:5]) or "nothing"
    return WeightsError(
        f"These are not the weights of a known {what} network; they hold {some} ...",
        hint=f"Known are {', '.join(known)}.",
    )


def _listed(names: list[str]) -> str:
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
