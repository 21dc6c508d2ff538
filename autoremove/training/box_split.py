"""Which pictures with boxes are learnt from and which held out, alike for detector and rescorer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from autoremove.errors import InputError
from autoremove.training import beside
from autoremove.training.boxes import BoxedPicture, read_backgrounds, read_boxed
from autoremove.training.record import some_of

if TYPE_CHECKING:  # both import from here
    from autoremove.training.detector import DetectorConfig
    from autoremove.training.rescorer_data import RescorerConfig


def read_split(
    config: DetectorConfig | RescorerConfig, side: int, share: float = 1.0
) -> tuple[list[BoxedPicture], list[BoxedPicture]]:
    """The pictures to learn from and those held out; raises InputError where there are none.

    ``side``: pixels of the longer side at most. ``share`` 0..1 of the labelled ones is learnt from.
    """
    pictures = [p for folder in config.data for p in read_boxed(Path(folder), config.labels, side)]
    if config.validation:
        held_out = list(read_boxed(Path(config.validation), config.labels, 640))
    else:
        held_out = pictures[:: config.hold_out]
        pictures = [p for number, p in enumerate(pictures) if number % config.hold_out]
    pictures = some_of(pictures, share)
    if config.beside:
        finds = beside.read(Path(config.beside))
        pictures = [beside.with_finds(p, finds.get(p.name, ()), config.labels) for p in pictures]
    if config.backgrounds:
        found, empty = (
            Path(name) if name else None for name in (config.backgrounds_found, config.backgrounds_empty)
        )
        pictures += read_backgrounds(Path(config.backgrounds), found, empty, len(config.labels), side)
    for rows, what in ((pictures, "to learn from"), (held_out, "held out")):
        if not rows:
            raise InputError(f"There are no pictures {what}.", hint="Check --data and --validation.")
    return pictures, held_out
