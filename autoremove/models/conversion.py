"""Checkpoints of others, written anew in our own form: half precision in a safetensors file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from autoremove.errors import OutputError, UsageError
from autoremove.models import network_files
from autoremove.models.checkpoints import header, load_state, sha256_of
from autoremove.models.deepfillv2 import (
    ARCHITECTURE,
    Generator,
    from_checkpoint,
    load_generator,
    save_generator,
)


def convert(
    source: Path, target: Path, channel_order: str | None = None, *, trust: bool = False
) -> Generator:
    """Write the generator of ``source`` to the safetensors file ``target`` and return it as read back.

    ``source``: any spelling that ``deepfillv2_checkpoints`` knows, read as plain tensors only unless
    ``trust`` is given. ``channel_order``: "rgb" or "bgr", for weights fed otherwise than their kind usually
    is; None leaves it.
    Raises WeightsError for an unknown or damaged checkpoint, UsageError for a target that cannot be meant,
    OutputError if it cannot be written.
    """
    _check_target(source, target)
    if header(source).get("architecture") == ARCHITECTURE:
        generator = load_generator(source)
    else:
        generator = from_checkpoint(load_state(source, trust=trust, model="deepfillv2"))
    if channel_order is not None:
        generator.config = replace(generator.config, channel_order=channel_order)
    _make_room(target)
    save_generator(generator, target, _origin(source))
    return load_generator(target)


def convert_network(source: Path, target: Path, name: str, *, trust: bool = False) -> Any:
    """The same for another network (a key of ``families.NETWORKS``); returns it as read back."""
    _check_target(source, target)
    network = network_files.load(source, name, trust=trust)
    _make_room(target)
    network_files.save_network(network, target, _origin(source))
    return network_files.load_network(target)


def convert_detector(source: Path, target: Path, *, trust: bool = False) -> str:
    """The same for a detector, of a ``.pt`` of ultralytics; returns its architecture."""
    from autoremove.models import yolo

    _check_target(source, target)
    _make_room(target)
    try:
        return yolo.rewrite(source, target, _origin(source), trust=trust)
    except OSError as error:
        raise OutputError(f"The weights cannot be written to {target}: {error}.") from error


def _origin(source: Path) -> dict[str, str]:
    return {"source": source.name, "source_sha256": sha256_of(source)}


def _check_target(source: Path, target: Path) -> None:
    if target.suffix != ".safetensors":
        raise UsageError(
            f"The output {target} is not named as safetensors.", hint=f"Name it {target.stem}.safetensors."
        )
    if target.exists() and target.samefile(source):
        raise UsageError(f"The output {target} is the input.", hint="Name another file.")


def _make_room(target: Path) -> None:
    """The folder to write into, as every command makes it. Raises OutputError."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"The folder {target.parent} cannot be made ({error.strerror or error}).",
            hint="Choose another --output.",
        ) from error
