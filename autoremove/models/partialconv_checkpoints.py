"""Public checkpoints of the partial convolution U-Net: the names and conventions of naoto0804 and mmagic."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from autoremove.errors import WeightsError
from autoremove.models.partialconv import PartialConvConfig, PartialConvUNet


@dataclass(frozen=True)
class Spelling:
    """How one publisher names level ``{n}`` of the encoder and decoder, its convolution, norm and mask."""

    level: str
    conv: str
    norm: str
    mask: str
    ratio: str
    convention: str


SPELLINGS = {
    "naoto0804": Spelling("{part}_{n}", "conv.input_conv", "bn", "conv.mask_conv.weight", "sum", "imagenet"),
    "mmagic": Spelling(
        "generator.{part}oder.{part}{n}",
        "conv",
        "bn",
        "conv.weight_mask_updater",
        "window",
        "signed_bgr",
    ),
}


def recognises(state: Any) -> bool:
    """Whether the checkpoint, or its ``model`` or ``state_dict``, has either spelling's names."""
    return _spelling(_unwrapped(state)) is not None


def from_checkpoint(state: Any) -> PartialConvUNet:
    """The network of a public checkpoint, in evaluation mode, its conventions kept inside.

    naoto0804's divides by the known sum alone and sees what ImageNet normalisation leaves; mmagic's sees BGR
    and has a bias in its first convolution. Widths and levels are read off the tensors. Raises WeightsError
    that says what is missing or does not fit.
    """
    tensors = _unwrapped(state)
    spelling = _spelling(tensors)
    if spelling is None:
        raise WeightsError(
            "The checkpoint holds no partial convolution U-Net that we know.",
            hint="Known are those of naoto0804 and of mmagic (PConv).",
        )
    network = PartialConvUNet(_config(tensors, spelling))
    own = network.state_dict()
    names = dict(_names(network, spelling))
    _check(own, names, tensors)
    _check_masks(tensors, spelling)
    network.load_state_dict({name: tensors[public].float() for name, public in names.items()})
    return network.eval()


def _unwrapped(state: Any) -> dict[str, Any]:
    for wrap in ("model", "state_dict"):
        if isinstance(state, Mapping) and isinstance(state.get(wrap), Mapping):
            state = state[wrap]
    if not isinstance(state, Mapping):
        return {}
    # What was trained on several GPUs says so in every name.
    return {str(name).removeprefix("module."): value for name, value in state.items()}


def _spelling(tensors: Mapping[str, Any]) -> Spelling | None:
    for spelling in SPELLINGS.values():
        first = spelling.level.format(part="enc", n=1)
        if f"{first}.{spelling.conv}.weight" in tensors:
            return spelling
    return None


def _config(tensors: Mapping[str, Tensor], spelling: Spelling) -> PartialConvConfig:
    pattern = re.escape(spelling.level.format(part="enc", n="N")).replace("N", r"(\d+)") + r"\."
    levels = max(int(match[1]) for match in map(re.compile(pattern).match, tensors) if match)
    first, last = (f"{spelling.level.format(part='enc', n=n)}.{spelling.conv}" for n in (1, levels))
    widest = tensors.get(f"{last}.weight", tensors[f"{first}.weight"])
    return PartialConvConfig(
        base=len(tensors[f"{first}.weight"]),
        widest=len(widest),
        levels=levels,
        first_bias=f"{first}.bias" in tensors,
        ratio=spelling.ratio,
        convention=spelling.convention,
    )


def _names(network: PartialConvUNet, spelling: Spelling) -> Iterator[tuple[str, str]]:
    """Our names, each with the public one."""
    for name in network.state_dict():
        coder, number, kind, rest = name.split(".", 3)
        level = spelling.level.format(part=coder[:3], n=int(number) + 1)
        yield name, f"{level}.{spelling.conv if kind == 'conv' else spelling.norm}.{rest}"


def _check(own: Mapping[str, Tensor], names: Mapping[str, str], tensors: Mapping[str, Any]) -> None:
    missing = [public for public in names.values() if public not in tensors]
    wrong = [
        f"{public} {tuple(tensors[public].shape)} instead of {tuple(own[name].shape)}"
        for name, public in names.items()
        if public in tensors and tensors[public].shape != own[name].shape
    ]
    if missing or wrong:
        what = (
            f"missing {', '.join(missing[:5])}" if missing else f"of the wrong shape {', '.join(wrong[:5])}"
        )
        count = len(missing) + len(wrong)
        raise WeightsError(f"The checkpoint is no whole partial convolution U-Net: {what} ({count} in all).")


def _check_masks(tensors: Mapping[str, Any], spelling: Spelling) -> None:
    """The mask's convolutions are ones by definition; any other would be another network."""
    for name, value in tensors.items():
        if name.endswith(spelling.mask) and not bool(torch.all(value == 1)):
            raise WeightsError(f"{name} of the checkpoint is not all ones: no partial convolution of ours.")
