"""Global&Local weights as others publish them: four spellings of the names, told apart by their keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from autoremove.errors import WeightsError
from autoremove.models.glcic import CompletionNetwork, GLCICConfig
from autoremove.models.spellings import unknown, unwrapped, verify

MARKS = {
    "otenim": "deconv13.weight",
    "nested": "12.0.weight",
    "flat": "36.weight",
    "mmagic": "encoder.enc1.conv.weight",
}
"""The key by which each spelling is known."""

FIRST = {
    "otenim": "conv1.weight",
    "nested": "0.0.weight",
    "flat": "0.weight",
    "mmagic": "encoder.enc1.conv.weight",
}
"""The kernel whose outputs are the width."""

CONFIGS: dict[str, dict[str, Any]] = {
    "otenim": {"normalised": "after", "input_form": "unit"},
    "nested": {},
    "flat": {},
    "mmagic": {"input_form": "signed", "output": "clip", "mean": (0.5, 0.5, 0.5), "channel_order": "bgr"},
}
"""In which each differs from the paper."""

UNUSED = "num_batches_tracked"
"""Ending of the counters of a normalisation; only older files lack them, and nothing here needs them."""


def recognises(state: Any) -> bool:
    """Whether a checkpoint is a completion network in one of the known spellings."""
    return _spelling(_tensors(state)) is not None


def from_checkpoint(state: Any, *, mean: tuple[float, float, float] | None = None) -> CompletionNetwork:
    """The network a checkpoint was made for, with its weights (float32, CPU, evaluation mode).

    Known: the authors' Places2 network as converted from Torch 7 ("nested" and "flat" sequences), "otenim"
    and "mmagic"; also inside ``{"model": ...}`` or ``{"state_dict": ...}``. ``mean``: the colour in holes,
    RGB in 0..1, where it is not the usual one; otenim's trainings each note theirs in a file beside the
    weights. The names are read from the public definitions; no published file was at hand to try.
    Raises WeightsError for an unknown network, naming keys that are missing, unexpected or of another shape.
    """
    tensors = _tensors(state)
    spelling = _spelling(tensors)
    if spelling is None:
        raise unknown("Global&Local", tensors, MARKS)
    changes = CONFIGS[spelling] if mean is None else {**CONFIGS[spelling], "mean": mean}
    network = CompletionNetwork(GLCICConfig(base=_base(FIRST[spelling], tensors), **changes))
    state = network.state_dict()
    own = {key: value for key, value in state.items() if not key.endswith(UNUSED)}
    names = {key: _published(spelling, key) for key in own}
    if spelling == "mmagic":
        # Before a normalisation its convolutions have no bias.
        for key, value in own.items():
            if key.endswith("conv.bias") and names[key] not in tensors and not key.startswith("layers.16."):
                tensors[names[key]] = torch.zeros_like(value)
    wanted = {names[key]: tuple(value.shape) for key, value in own.items()}
    verify(f"Global&Local ({spelling})", tensors, wanted)
    network.load_state_dict({**state, **{key: tensors[name].float() for key, name in names.items()}})
    return network.eval()


def _tensors(state: Any) -> dict[str, Tensor]:
    found = unwrapped(state, ("model", "state_dict"))
    return {name: value for name, value in found.items() if not name.endswith(UNUSED)}


def _spelling(tensors: Mapping[str, Tensor]) -> str | None:
    for spelling, mark in MARKS.items():
        # DeepFillv1 and others of mmagic begin alike, but are in two stages; ours ends in a seventh layer.
        if mark in tensors and (spelling != "mmagic" or "decoder.dec7.conv.weight" in tensors):
            return spelling
    return None


def _base(first: str, tensors: Mapping[str, Tensor]) -> int:
    """The width that the first kernel shows, the paper's if it is missing."""
    if first not in tensors:
        return GLCICConfig.base
    shape = tuple(tensors[first].shape)
    if len(shape) != 4 or shape[0] < 2 or shape[0] % 2:
        raise WeightsError(f"{first} has the shape {shape}, of no known Global&Local network.")
    return shape[0]


def _published(spelling: str, key: str) -> str:
    """The foreign name of one of our own (``layers.0.conv.weight``)."""
    _, number, part, kind = key.split(".")
    index = int(number)
    if spelling == "otenim":
        name = f"bn{index + 1}" if part == "norm" else f"conv{index + 1}"
        return f"{'de' if name in ('conv13', 'conv15') else ''}{name}.{kind}"
    if spelling == "flat":
        return f"{3 * index + (part == 'norm')}.{kind}"
    if spelling == "nested":
        return f"16.{kind}" if index == 16 else f"{index}.{int(part == 'norm')}.{kind}"
    place = _MMAGIC[index]
    return f"{place}.{'bn' if part == 'norm' else 'conv'}.{kind}"


_MMAGIC = [
    *(f"encoder.enc{i}" for i in range(1, 7)),
    *(f"dilation_neck.dilation_convs.{i}" for i in range(4)),
    *(f"decoder.dec{i}" for i in range(1, 8)),
]
"""The 17 layers in mmagic's names."""
