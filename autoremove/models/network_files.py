"""Our own files of the networks in `families`: half-precision safetensors that say what they hold."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autoremove.errors import OutputError, WeightsError
from autoremove.models.families import NETWORKS

if TYPE_CHECKING:
    from torch import Tensor

PREFIX = "autoremove/"
"""What the ``architecture`` in the head of our own files begins with."""


def save_network(network: Any, path: str | Path, metadata: Mapping[str, str] | None = None) -> None:
    """Write a network's weights (half precision) and its configuration, whole or not at all.

    Raises OutputError if the file cannot be written.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    path = Path(path)
    tensors = {name: _kept(value).contiguous().clone() for name, value in network.state_dict().items()}
    architecture = sys.modules[type(network).__module__].ARCHITECTURE
    head = {**(metadata or {}), "architecture": architecture, "config": json.dumps(asdict(network.config))}
    aside = path.with_name(f".{path.name}.part")
    try:
        save_file(tensors, aside, head)
        aside.chmod(0o644)  # safetensors lets only its owner read it
        aside.replace(path)
    except (OSError, SafetensorError) as error:
        aside.unlink(missing_ok=True)
        raise OutputError(f"The weights cannot be written to {path}: {error}.") from error


def _kept(value: Tensor) -> Tensor:
    """Weights in half precision; running variances and the like can lie below its range, and are few."""
    value = value.detach().cpu()
    return value.half() if value.is_floating_point() and value.ndim > 1 else value


def load_network(path: str | Path) -> Any:
    """Read what :func:`save_network` wrote: float32 weights on the CPU, in evaluation mode.

    Raises WeightsError for a file that is missing, damaged or of a network that is not known.
    """
    from safetensors import SafetensorError, safe_open

    path = Path(path)
    if not path.is_file():
        raise WeightsError(f"There is no weights file {path}.", hint="See `autoremove weights list`.")
    try:
        with safe_open(path, framework="pt") as file:
            head = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        network = NETWORKS[head["architecture"].removeprefix(PREFIX)].load().build(json.loads(head["config"]))
        network.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in tensors.items()})
    except (OSError, SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:300]
        raise WeightsError(f"{path} is not a whole file of our own weights: {reason}.") from error
    return network.eval()


def load(path: Path, name: str, *, trust: bool = False) -> Any:
    """The network ``name`` (a key of ``families.NETWORKS``) from our own file or a public checkpoint of it.

    Raises WeightsError for a file that is none of that network.
    """
    from autoremove.models import checkpoints

    held = checkpoints.header(path).get("architecture", "").removeprefix(PREFIX)
    if held in NETWORKS:
        if held != name:
            hint = f"Set the model to {held}, or name other weights."
            raise WeightsError(f"{path} holds weights of {held}, not of {name}.", hint=hint)
        return load_network(path)
    module = NETWORKS[name].load()
    public = getattr(module, "from_file", None)  # where one network lies in several files
    if public is not None:
        return public(path, trust=trust).eval()
    return module.from_checkpoint(checkpoints.load_state(path, trust=trust, model=name)).eval()
