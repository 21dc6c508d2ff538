"""Every setting of the inpainter's training, with its defaults, and how files and commands set them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from autoremove.errors import UsageError
from autoremove.training.settings import read_values


@dataclass(frozen=True)
class Stage:
    """Crops of ``size`` pixels, ``batch`` at a time, until this share of the run is over.

    ``phase``: a word that the network's system understands. ``rate``: times the learning rate.
    """

    until: float
    size: int
    batch: int
    phase: str = ""
    rate: float = 1.0


@dataclass(frozen=True)
class InpainterConfig:
    """Everything that decides what the network learns; file and ``--set`` use these names.

    Without settings it is the recipe of the paper and its code (Yu et al. 2019) but for the average, the
    bounds on gradients, and the silhouettes if there are any.

    ``network``: which of ``families.NETWORKS`` is trained; ``build`` sets fields of that network's own
    configuration (DeepFillv2 has ``cnum`` for it), ``losses`` the weights of terms of its loss.
    ``start``: weights to begin from, a file or a name that `autoremove weights list` shows; ``cnum`` is then
    theirs. ``sketch_share``: share of the samples that come with lines of what is in the hole; above 0 the
    network has a sketch channel. ``data``: folders of scenes without people; every ``hold_out``-th picture is
    kept for validation unless ``validation`` names a folder; ``share`` 0..1 of the others is learnt from,
    evenly spread. ``instances``: a labelled folder whose objects stay out of holes and losses; of it only
    names that begin with ``instances_prefixes``, as ``instances_share`` of all crops. ``boxed`` and
    ``boxed_share``: the same of a folder with boxes in the YOLO form. ``vary`` 0..1: how much shape and
    colour of crops are varied, see `random_crop`. ``silhouettes``: a file of object outlines for
    ``silhouette_share`` of the holes, ``standing_share`` of them as in use: several at once, feet on one
    ground, cut by the border.
    ``brush_share`` of the holes are strokes alone, the others strokes and a rectangle. ``hole_weight``: how
    much more an error inside the hole counts than one outside. ``muon``: above 0, the generator's hidden
    convolutions are trained by Muon at this multiple of the learning rate instead of Adam. ``spike``: a step
    is left out whose gradient is so many times as large as usual (0: none is). ``gan_from``: share of the run
    after which the discriminator joins; it takes ``judge_steps`` steps for each of the generator, at
    ``judge_rate`` times its learning rate. Shares of the run are 0..1. ``fill_size``: above 0, held-out
    pictures are filled at this size and the fill is enlarged; ``psnr_full`` is then the figure without.
    ``fused_gates``: yes, no or auto (on a CPU where there is a C++ compiler): gates are compiled, which saves
    a third of a step.
    """

    network: str = "deepfillv2"
    build: dict[str, Any] = field(default_factory=dict)
    losses: dict[str, float] = field(default_factory=dict)
    data: tuple[str, ...] = ()
    validation: str | None = None
    start: str | None = None
    hold_out: int = 20
    share: float = 1.0
    silhouettes: str | None = None
    instances: str | None = None
    instances_prefixes: tuple[str, ...] = ("coco_",)
    instances_share: float = 0.2
    boxed: str | None = None
    boxed_share: float = 0.3
    vary: float = 0.0
    short_side: int = 288
    silhouette_share: float = 0.6
    brush_share: float = 0.0
    standing_share: float = 0.4
    sketch_share: float = 0.0
    cnum: int = 48
    discriminator_base: int = 64
    stages: tuple[Stage, ...] = (Stage(1.0, 256, 16),)
    learning_rate: float = 1e-4
    final_learning_rate: float = 1e-4
    warm_up: float = 0.0
    betas: tuple[float, float] = (0.5, 0.999)
    muon: float = 0.0
    clip_norm: float = 1.0
    spike: float = 10.0
    hole_weight: float = 1.0
    gan_from: float = 0.0
    gan_weight: float = 1.0
    judge_steps: int = 1
    judge_rate: float = 1.0
    ema_decay: float = 0.999
    precision: str = "auto"
    channels_last: bool = True
    compile: bool = False
    fused_gates: str = "auto"
    threads: int = 0
    workers: int = 0
    seed: int = 0
    validation_pictures: int = 24
    validation_size: int = 256
    fill_size: int = 0
    steps: int = 1_000_000
    checkpoint_minutes: float = 4.0
    validate_minutes: float = 15.0

    @classmethod
    def of(cls, values: dict[str, Any]) -> InpainterConfig:
        """From plain values, as a YAML file holds them. Raises UsageError for names it does not know."""
        known = {own.name for own in fields(cls)}
        if unknown := sorted(set(values) - known):
            raise UsageError(
                f"Unknown inpainter settings: {', '.join(unknown)}.",
                hint=f"Known: {', '.join(sorted(known))}.",
            )
        values = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
        if "stages" in values:
            values["stages"] = tuple(s if isinstance(s, Stage) else Stage(**s) for s in values["stages"])
        return cls(**values)

    def stage(self, progress: float) -> Stage:
        """The stage in force at this share of the run."""
        return next((stage for stage in self.stages if progress < stage.until), self.stages[-1])

    def rate(self, progress: float) -> float:
        """Learning rate: a linear warm-up, then half a cosine down to the final rate."""
        if progress < self.warm_up:
            return self.learning_rate * max(progress / self.warm_up, 0.02)
        done = (progress - self.warm_up) / max(1e-9, 1 - self.warm_up)
        fall = 0.5 * (1 + math.cos(math.pi * min(1.0, done)))
        return self.final_learning_rate + (self.learning_rate - self.final_learning_rate) * fall


def read_settings(
    file: Path | None, assignments: Sequence[str] = (), network: str = "inpainter"
) -> InpainterConfig:
    """The settings of a YAML file or of a shipped one by its name, then ``key=value`` assignments over them.

    Without a file they are the shipped ones of ``network``, for DeepFillv2 ``inpainter``, or
    ``inpainter-finetune`` where ``start`` is assigned.
    Values are read as YAML: ``stages=[{until: 1, size: 64, batch: 8}]``.
    """
    starts = network == "inpainter" and any(text.startswith("start=") for text in assignments)
    return InpainterConfig.of(read_values("inpainter-finetune" if starts else network, file, assignments))
