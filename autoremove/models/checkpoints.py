"""Reading checkpoint files without running what strangers put into them."""

from __future__ import annotations

import hashlib
import shlex
import struct
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from autoremove.errors import WeightsError
from autoremove.models.weights_table import TABLE

if TYPE_CHECKING:
    from torch import Tensor, nn

Network = TypeVar("Network", bound="nn.Module")

_BEGINNINGS = (b"PK\x03\x04", b"\x80")
"""With what checkpoints begin: a zip file, or a pickle as torch writes it."""

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


def load_state(path: str | Path, *, trust: bool = False, model: str = "") -> Any:
    """What a weights file holds, on the CPU: a dict of tensors, or whatever the checkpoint wraps them in.

    safetensors and plain tensors are always read. A pickle that wants to run code is read only if its hash
    is in the table or ``trust`` is given. ``model``: as what `weights convert` would take the file, for the
    hint to a person who trusts it. Raises WeightsError for anything else.
    """
    path = Path(path)
    if not path.is_file():
        raise WeightsError(f"There is no weights file {path}.", hint="See `autoremove weights list`.")
    try:
        return _read_safetensors(path) if path.suffix == ".safetensors" else _read_pickle(path, trust, model)
    except (EOFError, RuntimeError, OSError, AttributeError, ImportError, struct.error) as error:
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


def in_half(net: nn.Module) -> dict[str, Tensor]:
    """A network's state to be written: kernels in half precision, without counters of batches.

    Vectors (norms, biases) stay in full precision: they weigh little, and a variance may not fit.
    """
    return {
        name: (value.half() if value.ndim > 1 else value).contiguous().cpu()
        for name, value in net.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }


def filled(build: Callable[[], Network], path: Path, what: str) -> Network:
    """A network with the state of a file that :func:`in_half` made, in full precision.

    ``build`` makes it; WeightsError says that the file does not fit ``what``.
    """
    state = {name: value.float() for name, value in load_state(path).items()}
    try:
        net = build()
        missing, unexpected = net.load_state_dict(state, strict=False)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise WeightsError(f"{path} does not fit {what}: {error}.") from error
    missing = [name for name in missing if not name.endswith("num_batches_tracked")]
    if missing or unexpected:
        raise WeightsError(f"{path} does not fit {what}: missing {missing}, unexpected {unexpected}.")
    return net


def _read_safetensors(path: Path) -> Any:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except SafetensorError as error:
        raise WeightsError(f"{path} is no whole safetensors file: {error}.", hint="Fetch it anew.") from error


def _read_pickle(path: Path, trust: bool, model: str) -> Any:
    import pickle

    import torch

    with path.open("rb") as stream:
        if not stream.read(4).startswith(_BEGINNINGS):
            raise WeightsError(f"{path} is no weights file.", hint="Name another.")
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if not trust and not trusted(path):
            why = "holds more than plain tensors, which could run code, and its hash is not one we know"
            raise WeightsError(f"{path} {why}.", hint=_way_to_trust(path, model)) from error
    try:
        return torch.load(path, map_location="cpu", weights_only=False)
    except pickle.UnpicklingError as error:
        raise WeightsError(f"{path} is no weights file: {error}.") from error


def _way_to_trust(path: Path, model: str) -> str:
    """What a person can do with a pickle that is not trusted."""
    if not model:
        return "Only plain tensors are read here: see `autoremove weights list`."
    source, target = shlex.quote(str(path)), shlex.quote(f"{path.stem}.safetensors")
    command = f"autoremove weights convert {source} --model {model} --trust -o {target}"
    return f"If you know where the file comes from, make plain tensors of it once: `{command}`"
