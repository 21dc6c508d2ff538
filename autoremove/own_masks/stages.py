"""Stages that take the place of detect, select and refine for a picture that has a mask of its own."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from autoremove import images
from autoremove.api import read_mask
from autoremove.errors import PictureError, RecipeError, UsageError
from autoremove.own_masks import editing
from autoremove.own_masks.finding import OwnMask
from autoremove.pipeline import MAX_PIXELS, behind_the_mask
from autoremove.stages.base import SPEED_ONLY, Stage, StageFields
from autoremove.types import Detections, Image, Mask, ObjectMask, Ref


@dataclass(frozen=True)
class _Own(StageFields):
    """What was given decides by its content; where it lies does not."""

    own: OwnMask = field(default_factory=OwnMask, metadata=SPEED_ONLY)
    source: Path = field(default=Path(), metadata=SPEED_ONLY)
    max_pixels: int = field(default=MAX_PIXELS, metadata=SPEED_ONLY)
    mask: str = ""
    objects: str = ""
    recorded: str = ""

    version: ClassVar[int] = 1
    needs: ClassVar[tuple[str, ...]] = ("image",)

    def given(self, size_hw: tuple[int, int]) -> editing.Given:
        """Objects and mask. Raises PictureError where the files do not fit the picture."""
        return _read(self.own, self.source, size_hw, self.max_pixels, self.mask + self.objects)


@dataclass(frozen=True)
class OwnObjects(_Own):
    """The objects of a mask of one's own, with the labels that are known of them."""

    name: ClassVar[str] = "own-objects"
    gives: ClassVar[str] = "detections"

    def __call__(self, image: list[Image]) -> list[Detections]:
        return [self._one((pixels.shape[0], pixels.shape[1])) for pixels in image]

    def _one(self, size_hw: tuple[int, int]) -> Detections:
        if not self.own.only_outlines:
            return self.given(size_hw)[0]
        record = json.loads(self.own.recorded)
        named = f"The outlines for {self.source}"
        _check_size(named, tuple(record["size_hw"]), size_hw)
        try:
            return editing.outlined(record, size_hw)
        except ValueError as error:
            raise PictureError(f"{named} cannot be read: {error}.", hint="Write the file anew.") from error


@dataclass(frozen=True)
class OwnMasks(_Own):
    """The mask itself."""

    name: ClassVar[str] = "own-mask"
    gives: ClassVar[str] = "mask"

    def __call__(self, image: list[Image]) -> list[ObjectMask]:
        return [self.given((pixels.shape[0], pixels.shape[1]))[1] for pixels in image]


def chain(stages: Sequence[Stage], own: OwnMask, source: Path, max_pixels: int) -> tuple[Stage, ...]:
    """The stages for a picture with a mask of its own: the mask, and what of the recipe follows a mask.

    Outlines alone stand for what detect and select give; they are grown as the recipe grows masks. Raises
    RecipeError for a recipe without masks, PictureError for files that cannot be read.
    """
    masked = [place for place, stage in enumerate(stages) if stage.gives == "mask"]
    if not masked:
        raise RecipeError(
            "The recipe makes no masks, so none can be given.", hint="Take people, or one like it."
        )
    given: dict[str, Any] = {
        "own": own,
        "source": source,
        "max_pixels": max_pixels,
        "mask": _digest(own.mask),
        "objects": _digest(own.objects),
        "recorded": own.recorded,
    }
    if own.only_outlines:
        rest = [_with(stages[masked[0]], method="detector"), *stages[masked[0] + 1 :]]
        return (_stage(OwnObjects, given), *rest)
    # What a person has left standing stays: a second look may complain of it, but not remove it.
    rest = [_with(stage, redo=False) for stage in behind_the_mask(stages)]
    return (_stage(OwnObjects, given), _stage(OwnMasks, given), *rest)


def _stage(kind: Any, given: dict[str, Any]) -> Stage:
    stage: Stage = kind(**given)
    return stage


def _with(stage: Any, **values: Any) -> Stage:
    """The stage with those of the values that it has a field for."""
    known = {f.name for f in fields(stage)}
    changed: Stage = replace(stage, **{name: value for name, value in values.items() if name in known})
    return changed


def _digest(path: Path | None) -> str:
    try:
        return Ref(path).digest if path else ""
    except OSError as error:
        raise PictureError(
            f"The mask {path} cannot be opened ({error.strerror or error}).",
            hint="Check that it exists and may be read.",
        ) from error


@lru_cache(maxsize=1)
def _read(
    own: OwnMask, source: Path, size_hw: tuple[int, int], max_pixels: int, _content: str
) -> editing.Given:
    """Two stages ask for the same in a row: once read is enough."""
    if own.mask is None:
        return Detections.empty(), ObjectMask(np.zeros(size_hw, bool), np.zeros(size_hw, np.uint16))
    white = read_white(own.mask, source, size_hw, max_pixels)
    ids = None
    if own.objects is not None:
        # At full depth: ids may be larger than a byte.
        values = images.values_of(own.objects, max_pixels=max_pixels)
        _check_size(f"The objects {own.objects}", values.shape[:2], size_hw, source)
        ids = values[..., 0].astype(np.uint16)
    try:
        return editing.taken_back(white, ids, json.loads(own.recorded or "{}"))
    except ValueError as error:
        raise PictureError(
            f"coco.json does not fit {own.mask}: {error}.", hint="Take it out of the folder, or repair it."
        ) from error


def read_white(path: Path, source: Path, size_hw: tuple[int, int], max_pixels: int = MAX_PIXELS) -> Mask:
    """H x W of the picture ``source``, True where the mask at ``path`` is more than half white and opaque.

    Raises PictureError for a mask of another size, or one that is neither black nor white anywhere.
    """
    values = images.values_of(path, max_pixels=max_pixels)
    _check_size(f"The mask {path}", values.shape[:2], size_hw, source)
    try:
        return read_mask(values, size_hw)
    except UsageError as error:
        raise PictureError(
            f"The mask {path} is nowhere white, and not black either.",
            hint="Paint what is to be filled white (255), and all else black.",
        ) from error


def _check_size(
    named: str, size_hw: Sequence[int], wanted_hw: tuple[int, int], source: Path | None = None
) -> None:
    if tuple(size_hw) == wanted_hw:
        return
    sideways = tuple(size_hw) == wanted_hw[::-1]
    picture = f"the upright picture {source}" if source else "the upright picture"
    raise PictureError(
        f"{named} is {size_hw[1]} x {size_hw[0]} pixels, {picture} {wanted_hw[1]} x {wanted_hw[0]}.",
        hint="It lies on its side: it was drawn on the picture as stored, without its EXIF turn. "
        "Turn it by 90 degrees, or draw it on the picture as a viewer shows it."
        if sideways
        else "Draw the mask on the picture as a viewer shows it, at full size.",
    )
