"""What the tests of the inpainters' trainings share: easy pictures, a task on them, a sample."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image as PillowImage

from autoremove.training.held_out import HeldOut
from autoremove.training.holes import HoleMix
from autoremove.training.inpainter import InpainterTask
from autoremove.training.inpainter_config import InpainterConfig
from autoremove.training.inpainter_data import Pictures, training_batches
from autoremove.training.system import Sample


def ramps(folder: Path) -> Path:
    """Smooth colour ramps: what is missing follows from what is there."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    for i in range(4):
        corners = rng.integers(0, 255, (2, 2, 3), dtype=np.uint8)
        ramp = PillowImage.fromarray(corners).resize((72, 72), PillowImage.Resampling.BILINEAR)
        ramp.save(folder / f"{i}.png")
    return folder


def task_of(config: InpainterConfig, tmp_path: Path, kept: dict[str, Any] | None = None) -> InpainterTask:
    """The task of a run on the CPU, its cache below ``tmp_path``."""
    pictures = Pictures.of(config)
    batches = training_batches(pictures, config, HoleMix(), tmp_path / "cache")
    held_out = HeldOut.of(pictures.held_out, HoleMix(), count=config.validation_pictures, size=32)
    return InpainterTask(config, batches, held_out, torch.device("cpu"), kept)


def sample_of() -> Sample:
    """Two noisy pictures of 32 pixels with a hole of 12 x 12 each."""
    generator = torch.Generator().manual_seed(0)
    hole = torch.zeros(2, 1, 32, 32)
    hole[..., 8:20, 10:22] = 1
    return Sample(torch.rand(2, 3, 32, 32, generator=generator) * 2 - 1, hole, torch.zeros_like(hole))
