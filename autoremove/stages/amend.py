"""Stage amend: the mask that a verdict asks for takes the place of the one that was filled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from autoremove.stages.base import StageFields
from autoremove.types import ObjectMask, Verdict


@dataclass(frozen=True)
class Amend(StageFields):
    """What the runner puts between a verdict and the second filling; no recipe names it."""

    name: ClassVar[str] = "amend"
    version: ClassVar[int] = 1
    needs: ClassVar[tuple[str, ...]] = ("verdict",)
    gives: ClassVar[str] = "mask"

    def __call__(self, verdict: list[Verdict]) -> list[ObjectMask]:
        masks = [one.amended for one in verdict if one.amended is not None]
        if len(masks) != len(verdict):
            raise ValueError("a verdict without another mask")
        return masks
