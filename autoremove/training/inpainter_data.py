"""What an inpainter learns from and is measured on: pictures, those held out of them, and holes."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from autoremove.errors import UsageError
from autoremove.training.held_out import HeldOut
from autoremove.training.holes import HoleMix, Silhouettes
from autoremove.training.inpainter_config import InpainterConfig
from autoremove.training.record import data_digest, some_of
from autoremove.training.scenes import (
    Batches,
    SceneCache,
    Source,
    boxed_scenes,
    labelled_scenes,
    pictures_in,
    plain_scenes,
)
from autoremove.training.sketches import Sketches

_log = logging.getLogger("autoremove")


@dataclass(frozen=True)
class Pictures:
    """The files of a run: scenes, labelled and boxed pictures to learn from, pictures to measure on."""

    plain: list[Source]
    labelled: list[Source]
    held_out: list[Path]
    boxed: list[Source] = field(default_factory=list)

    @classmethod
    def of(cls, config: InpainterConfig) -> Pictures:
        """The pictures that ``config`` names; without a folder to validate on, some are held out.

        Raises InputError for a folder without pictures.
        """
        plain = plain_scenes(Path(folder) for folder in config.data)
        labelled = (
            labelled_scenes(Path(config.instances), config.instances_prefixes) if config.instances else []
        )
        labelled = some_of(labelled, config.share)
        boxed = some_of(boxed_scenes(Path(config.boxed)) if config.boxed else [], config.share)
        if config.validation:
            return cls(some_of(plain, config.share), labelled, pictures_in(Path(config.validation)), boxed)
        held, rest = split(plain, config.hold_out)
        if not rest:
            _log.warning("One picture alone: what is validated is what is learnt, and says little.")
        return cls(some_of(rest or plain, config.share), labelled, [source.picture for source in held], boxed)

    @property
    def learnt(self) -> list[Source]:
        """All that is learnt from, in one order."""
        return [*self.plain, *self.labelled, *self.boxed]

    def record(self, config: InpainterConfig) -> dict[str, str | int]:
        """What a run notes of its data: how much there is, and digests by which it is known again."""
        learnt = [p for s in self.learnt for p in (s.picture, s.objects) if p is not None]
        shapes = [Path(config.silhouettes)] if config.silhouettes else []
        return {
            "pictures": len(self.learnt),
            "held_out": len(self.held_out),
            "data_digest": data_digest([*learnt, *shapes]),
            "held_out_digest": data_digest(self.held_out),
        }


def split(pictures: list[Source], every: int) -> tuple[list[Source], list[Source]]:
    """Every so many-th picture, and the rest; of few pictures more often, so that four are held out."""
    step = min(max(2, every), max(min(5, len(pictures)), len(pictures) // 4))
    return pictures[::step], [picture for number, picture in enumerate(pictures) if number % step]


def hole_mixes(config: InpainterConfig) -> tuple[HoleMix, HoleMix]:
    """The holes to learn on, and those to measure on (silhouettes, where there are any).

    Raises InputError for silhouettes that cannot be read.
    """
    shapes = Silhouettes.load(Path(config.silhouettes)) if config.silhouettes else None
    learnt = HoleMix(
        shapes, config.silhouette_share, config.brush_share, standing_share=config.standing_share
    )
    return learnt, HoleMix(shapes, silhouette_share=1.0) if shapes else learnt


def training_batches(pictures: Pictures, config: InpainterConfig, holes: HoleMix, cache_dir: Path) -> Batches:
    """Crops of the pictures, labelled and boxed ones weighted to their share; decoded into ``cache_dir``.

    Raises UsageError for shares that leave nothing for the scenes.
    """
    shares = [(len(pictures.labelled), config.instances_share), (len(pictures.boxed), config.boxed_share)]
    rest = 1 - sum(share for count, share in shares if count)
    if rest <= 0:
        raise UsageError("instances_share and boxed_share leave no crops for the scenes; lower one of them.")
    weights = np.repeat(
        [share / max(1, count) for count, share in ((len(pictures.plain), rest), *shares)],
        [len(pictures.plain), *(count for count, _ in shares)],
    )
    cache = SceneCache.of(pictures.learnt, cache_dir, config.short_side)
    sketches = Sketches(config.sketch_share)
    return Batches(cache, holes, config.seed, weights, config.workers, vary=config.vary, sketches=sketches)


def held_out(pictures: Pictures, config: InpainterConfig, holes: HoleMix) -> HeldOut:
    """The pictures to measure on, with the same holes in every run."""
    return HeldOut.of(pictures.held_out, holes, count=config.validation_pictures, size=config.validation_size)
