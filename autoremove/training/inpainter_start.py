"""With which generator a training of the inpainter begins: a new one, a trained one, or a checkpoint's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from autoremove.errors import UsageError, WeightsError
from autoremove.models import cache
from autoremove.models.deepfillv2 import Generator, GeneratorConfig
from autoremove.training.inpainter_config import InpainterConfig


def starting_generator(config: InpainterConfig) -> Generator:
    """A new generator, or the one of ``config.start`` with a sketch channel where one is asked for.

    Raises WeightsError for weights that are not there or not of DeepFillv2.
    """
    if not config.start:
        return Generator(GeneratorConfig(cnum=config.cnum, in_channels=6 if config.sketch_share else 5))
    try:
        trained: Generator = cache.load("inpainter", config.start)
    except WeightsError as error:
        raise WeightsError(f"start={config.start}: {error.message}", hint=error.hint) from error
    return _rebuilt(trained, 6 if config.sketch_share else trained.config.in_channels)


def _rebuilt(trained: Generator, in_channels: int) -> Generator:
    """A copy with so many input channels; what is new counts for nothing yet, so it fills alike."""
    generator = Generator(replace(trained.config, in_channels=in_channels))
    state = trained.state_dict()
    before = state["conv1.weight"]
    places = _places(in_channels)
    first = torch.zeros(before.shape[0], in_channels, *before.shape[2:])
    for old, plane in enumerate(_places(trained.config.in_channels)):
        first[:, places.index(plane)] = before[:, old]
    generator.load_state_dict({**state, "conv1.weight": first})
    return generator


def _places(in_channels: int) -> list[str]:
    """The planes that the first layer sees, in order, as ``Generator`` stacks them."""
    extra = {4: [], 5: ["ones"], 6: ["sketch", "ones"]}[in_channels]
    return ["red", "green", "blue", *extra, "mask"]


def kept_config(run_dir: Path) -> dict[str, Any] | None:
    """The network's own configuration as a run's checkpoint noted it.

    None without a checkpoint, or with one from before it was noted.
    """
    path = run_dir / "checkpoint.pt"
    if not path.exists():
        return None
    state = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    noted: dict[str, Any] | None = state["task"].get("network")
    return noted


def check_fits(generator: Generator, state: dict[str, torch.Tensor]) -> None:
    """Raises UsageError where a checkpoint's generator is another network than the one now set up."""
    there, here = state["conv1.weight"].shape, generator.state_dict()["conv1.weight"].shape
    if there != here:
        raise UsageError(
            f"The checkpoint's network has cnum {there[0]} and {there[1]} input channels, "
            f"the settings ask for {here[0]} and {here[1]}.",
            hint="Resume with the settings it began with, or begin a new run with "
            "--set start=RUN/last.safetensors.",
        )
