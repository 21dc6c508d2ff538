"""EdgeConnect weights as its authors publish them: two files, one generator in each, that belong together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from autoremove.errors import WeightsError
from autoremove.models.checkpoints import load_state
from autoremove.models.edgeconnect import EdgeConnect, EdgeConnectConfig
from autoremove.models.spellings import unwrapped, verify

PAIR = {"edges": "EdgeModel_gen.pth", "colours": "InpaintingModel_gen.pth"}
"""Which of our two generators lies in which file."""

MARKS = {"edges": "encoder.1.weight_orig", "colours": "encoder.1.weight"}
"""The key by which each is known: only the edge generator has spectral norms."""

SPECTRAL = {
    "parametrizations.weight.original": "weight_orig",
    "parametrizations.weight.0._u": "weight_u",
    "parametrizations.weight.0._v": "weight_v",
}
"""Endings of our names, and how older PyTorch wrote them."""


def recognises(state: Any) -> bool:
    """Whether a checkpoint holds one or both generators, flat, wrapped, or as ``{"edges", "colours"}``."""
    return bool(_found(state))


def from_checkpoint(state: Any) -> EdgeConnect:
    """Both generators with their spectral norms folded in: float32, CPU, evaluation mode.

    ``state``: ``{"edges": ..., "colours": ...}``, each as its file holds it (``{"iteration", "generator"}``).
    Raises WeightsError when one is missing, and for keys that are missing, unexpected or of another shape.
    """
    found = _found(state)
    if missing := [part for part in PAIR if part not in found]:
        have = f"It holds {_phrase(found)} alone" if found else "It holds neither generator of EdgeConnect"
        raise WeightsError(
            f"{have}; {_phrase(missing)} is missing.",
            hint=f"Put {' and '.join(PAIR.values())} in one folder.",
        )
    network = EdgeConnect(_config(found))
    for part, tensors in found.items():
        generator = network.get_submodule(part)
        names = {key: _published(key) for key in generator.state_dict()}
        verify(
            f"{_phrase([part])} of EdgeConnect",
            tensors,
            {names[key]: tuple(v.shape) for key, v in generator.state_dict().items()},
        )
        generator.load_state_dict({key: tensors[name] for key, name in names.items()})
    return network.eval().folded()


def from_file(path: str | Path, *, trust: bool = False) -> EdgeConnect:
    """As :func:`from_checkpoint`, of one of the two files; the other is looked for beside it.

    The partner of ``X_EdgeModel_gen.pth`` is ``X_InpaintingModel_gen.pth``, the other way round as well.
    Raises WeightsError when it is not there, or when either is no EdgeConnect generator.
    """
    path = Path(path)
    state = load_state(path, trust=trust, model="edgeconnect")
    found = _found(state)
    if len(found) != 1:
        return from_checkpoint(state)
    part = next(iter(found))
    beside = partner(path, part)
    if not beside.is_file():
        raise WeightsError(
            f"{path} holds {_phrase(found)} of EdgeConnect; {beside.name} is not beside it.",
            hint=f"Put {' and '.join(PAIR.values())} in one folder and name either.",
        )
    found |= _found(load_state(beside, trust=trust, model="edgeconnect"))
    return from_checkpoint(found)


def partner(path: Path, part: str) -> Path:
    """Where the other generator lies when the file at ``path`` holds ``part``."""
    own, other = PAIR[part], PAIR["colours" if part == "edges" else "edges"]
    if path.name.endswith(own):
        return path.with_name(path.name.removesuffix(own) + other)
    return path.with_name(other)


def _found(state: Any) -> dict[str, dict[str, Tensor]]:
    """The generators in a checkpoint by the names that we give them."""
    if not isinstance(state, Mapping):
        return {}
    if any(isinstance(state.get(part), Mapping) for part in PAIR):
        return {name: inner for part in PAIR for name, inner in _found(state.get(part)).items()}
    tensors = unwrapped(state, ("generator",))
    return {part: tensors for part, mark in MARKS.items() if mark in tensors}


def _config(found: Mapping[str, Mapping[str, Tensor]]) -> EdgeConnectConfig:
    """Widths and depth as the weights show them."""
    tensors = found["colours"]
    blocks = {name.split(".")[1] for name in tensors if name.startswith("middle.")}
    # The authors' test program gives the second network all the edges of the first.
    return EdgeConnectConfig(base=len(tensors[MARKS["colours"]]), blocks=len(blocks), merge=False)


def _published(key: str) -> str:
    for ours, theirs in SPECTRAL.items():
        if key.endswith(ours):
            return key.removesuffix(ours) + theirs
    return key


def _phrase(parts: Iterable[str]) -> str:
    words = {"edges": "the edge generator", "colours": "the completion generator"}
    return " and ".join(words[part] for part in parts)
