"""What a run writes for each picture: the cleaned picture, or the masks of what would go."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PilImage

from autoremove import images
from autoremove.codecs import load
from autoremove.images import Source
from autoremove.own_masks.names import is_there, mask_names, objects_name
from autoremove.store import write_atomically
from autoremove.types import ObjectMask, Patch, Sample

Files = tuple[Path, ...]

WRITER = 1
"""Raised when the same patches would be written in another way: finished outputs are then written anew."""


class Made(Protocol):
    """What there is to write for one picture; ``changed``: whether anything goes."""

    @property
    def changed(self) -> bool: ...

    @property
    def made_from(self) -> str:
        """What decides the bytes of the files."""

    def write(self, files: Files) -> None: ...

    def lies_at(self, files: Files) -> bool:
        """Whether the files hold just what would be written."""


class Product(Protocol):
    """One kind of result. ``editable``: whether people edit its files, so that these are never replaced."""

    editable: ClassVar[bool]

    def files(self, sources: Sequence[Source], output: Path) -> Mapping[Source, Files]:
        """The files of each picture, the one that counts first. Raises InputError where some would meet."""

    def made(self, source: Path, sample: Sample, max_pixels: int) -> Made: ...


@dataclass(frozen=True)
class Pictures:
    """Cleaned pictures, each under its own name; one with nothing to remove is copied byte for byte."""

    editable: ClassVar[bool] = False

    def files(self, sources: Sequence[Source], output: Path) -> Mapping[Source, Files]:
        return {source: (path,) for source, path in images.plan_outputs(sources, output).items()}

    def made(self, source: Path, sample: Sample, max_pixels: int) -> Made:
        there = "patches" in sample.slots
        patches = load("patches", sample.slots["patches"], max_pixels) if there else []
        return Cleaned(
            source,
            patches,
            _hash(sample.slots["image"].digest, _digest(sample, "patches" if patches else "")),
        )


@dataclass(frozen=True)
class Cleaned:
    """One cleaned picture."""

    source: Path
    patches: Sequence[Patch]
    made_from: str

    @property
    def changed(self) -> bool:
        return bool(self.patches)

    def write(self, files: Files) -> None:
        """Paint the patches on the source, or copy it."""
        if self.patches:
            images.write(self.source, files[0], self.patches)
        else:
            images.copy(self.source, files[0])

    def lies_at(self, files: Files) -> bool:
        """Not told: it would take as long as writing it."""
        return False


@dataclass(frozen=True)
class Masks:
    """For each picture its mask, white where it would be filled, and the ids of the objects beside it."""

    editable: ClassVar[bool] = True

    def files(self, sources: Sequence[Source], output: Path) -> Mapping[Source, Files]:
        names = mask_names([source.relative for source in sources])
        plan = {source: (names[source.relative], objects_name(names[source.relative])) for source in sources}
        # Two kinds of files for each picture, none of which may meet another.
        images.plan_outputs([Source(s.path, name) for s, pair in plan.items() for name in pair], output)
        return {source: (output / mask, output / objects) for source, (mask, objects) in plan.items()}

    def made(self, source: Path, sample: Sample, max_pixels: int) -> Made:
        mask: ObjectMask = load("mask", sample.slots["mask"], max_pixels)
        return MaskPair(mask, _hash("masks", _digest(sample, "detections"), _digest(sample, "mask")))


@dataclass(frozen=True)
class MaskPair:
    """The two files of one mask."""

    mask: ObjectMask
    made_from: str

    @property
    def changed(self) -> bool:
        return bool(self.mask.grown.any())

    @cached_property
    def contents(self) -> tuple[bytes, bytes]:
        """Both as PNG: 8 bits of black and white, 16 bits of ids."""
        return png_of(self.mask.grown.astype(np.uint8) * 255), png_of(self.mask.ids)

    def write(self, files: Files) -> None:
        """The one that counts last, when the other is there. Raises OutputError."""
        for path, data in reversed(list(zip(files, self.contents, strict=True))):
            write_atomically(path, data)

    def lies_at(self, files: Files) -> bool:
        """Compares bytes."""
        pairs = zip(files, self.contents, strict=True)
        return all(is_there(path) and path.read_bytes() == data for path, data in pairs)


def png_of(values: NDArray[np.uint8] | NDArray[np.uint16]) -> bytes:
    """H x W numbers as a grey PNG of 8 or 16 bits."""
    stream = io.BytesIO()
    PilImage.fromarray(values).save(stream, "PNG")
    return stream.getvalue()


def _digest(sample: Sample, slot: str) -> str:
    return sample.slots[slot].digest if slot else "copy"


def _hash(*parts: Any) -> str:
    return hashlib.sha256("\n".join([str(WRITER), *parts]).encode()).hexdigest()
