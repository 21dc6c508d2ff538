"""Reading checkpoint files without running what strangers put into them."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from autoremove.errors import WeightsError
from autoremove.models.weights_table import TABLE

_digests: dict[tuple[str, int, int], str] = {}


def sha256_of(path: Path) -> str:
    """sha256 of a file as 64 hex digits; remembered until its size or time changes."""
    stat = path.stat()
    key = (str(path.resolve()), stat.st_size, stat.st_mtime_ns)
    if key not in _digests:
        value = hashlib.sha256()
        with path.open("rb") as stream:
            while chunk := stream.read(1 << 20):
                value.update(chunk)
        _digests[key] = value.hexdigest()
    return _digests[key]


def trusted(path: Path) -> bool:
    """Whether the file is, byte for byte, one whose full hash the table holds."""
    return sha256_of(path) in {entry.sha256 for entry in TABLE if entry.sha256}


def load_state(path: str | Path, *, trust: bool = False) -> Any:
    """What a weights file holds, on the CPU: a dict of tensors, or whatever the checkpoint wraps them in.

    safetensors and plain tensors are always read. A pickle that wants to run code is read only if its hash
    is in the table or ``trust`` is given. Raises WeightsError for anything else.
    """
    path = Path(path)
    if not path.is_file():
        raise WeightsError(f"There is no weights file {path}.", hint="See `autoremove weights list`.")
    try:
        return _read_safetensors(path) if path.suffix == ".safetensors" else _read_pickle(path, trust)
    except (EOFError, RuntimeError, OSError, AttributeError, ImportError) as error:
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise WeightsError(
            f"{path} cannot be read as weights: {first}", hint="Fetch the file anew."
        ) from error


def header(path: Path) -> dict[str, str]:
    """The notes in the head of a safetensors file; nothing for any other file or without notes."""
    from safetensors import SafetensorError, safe_open

    if path.suffix != ".safetensors":
        return {}
    try:
        with safe_open(path, "pt") as stream:
            return dict(stream.metadata() or {})
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path} is no whole safetensors file: {error}.", hint="Fetch it anew.") from error


def _read_safetensors(path: Path) -> Any:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except SafetensorError as error:
        raise WeightsError(f"{path} is no whole safetensors file: {error}.", hint="Fetch it anew.") from error


def _read_pickle(path: Path, trust: bool) -> Any:
    import pickle

    import torch

    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if not trust and not trusted(path):
            hint = (
                "If you know where the file comes from, trust it: trust=True in Python, --trust in a command."
            )
            why = "holds more than plain tensors, which could run code, and its hash is not one we know"
            raise WeightsError(f"{path} {why}.", hint=hint) from error
    try:
        return torch.load(path, map_location="cpu", weights_only=False)
    except pickle.UnpicklingError as error:
        raise WeightsError(f"{path} is no weights file: {error}.") from error
