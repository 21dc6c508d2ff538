"""The pictures of one journal row, as they lie on disk: before, after, and what was masked."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from autoremove import images
from autoremove.codecs import load
from autoremove.errors import AutoremoveError, BrokenArtefact
from autoremove.journal import Row
from autoremove.types import Image, ObjectMask, Ref

_log = logging.getLogger("autoremove")
T = TypeVar("T")


@dataclass(frozen=True)
class Views:
    """What can be shown of one picture; None = not there (any more)."""

    before: Image | None = None
    after: Image | None = None
    mask: ObjectMask | None = None


Loader = Callable[[Row], Views]


def loader_for(output: Path, max_pixels: int) -> Loader:
    """Reads the source, the output below ``output`` (which may have been moved) and the stored mask."""

    def picture(path: Path) -> Image | None:
        return _if_there(lambda: images.read(path, max_pixels=max_pixels).rgb)

    def views(row: Row) -> Views:
        mask = row.artefacts.get("mask")
        return Views(
            picture(Path(row.source)),
            picture(output / row.relative) if row.cleaned else None,
            _if_there(lambda: load("mask", Ref(Path(mask)), max_pixels)) if mask else None,
        )

    return views


def _if_there(read: Callable[[], T]) -> T | None:
    try:
        return read()
    except (AutoremoveError, BrokenArtefact, OSError) as error:
        # The row says how the picture ended; a source that moved or a pruned cache only costs its preview.
        _log.debug("no preview: %s", error)
        return None
