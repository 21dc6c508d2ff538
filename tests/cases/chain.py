"""A whole recipe without networks: people are what is red, and Telea fills the holes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

import cv2
import numpy as np

from autoremove.recipe import Recipe
from autoremove.stages.base import SPEED_ONLY, Stage, StageFields
from autoremove.stages.composite import Composite
from autoremove.stages.inpaint import Inpaint
from autoremove.stages.refine import Refine
from autoremove.stages.select import Select
from autoremove.types import Detections, Image

CALLS: list[tuple[str, int]] = []
"""(stage, pictures in the batch) of every call in this process; a test clears it first."""


def red(image: Image) -> np.ndarray:
    """H x W bool: clearly red pixels, also after JPEG."""
    r, g, b = (image[..., i].astype(int) for i in range(3))
    return (r > 150) & (g < 90) & (b < 90)


@dataclass(frozen=True)
class FindRed(StageFields):
    """Each connected red thing of some size is a person; surer, the larger it is."""

    labels: tuple[str, ...] = ("person",)
    confidence: float = 0.25
    least: int = 20
    hurry: int = field(default=1, metadata=SPEED_ONLY)

    name: ClassVar[str] = "detect"
    version: ClassVar[int] = 1
    needs: ClassVar[tuple[str, ...]] = ("image",)
    gives: ClassVar[str] = "detections"

    def __call__(self, image: list[Image]) -> list[Detections]:
        CALLS.append((self.name, len(image)))
        return [self._one(pixels) for pixels in image]

    def _one(self, image: Image) -> Detections:
        count, _, stats, _ = cv2.connectedComponentsWithStats(red(image).astype(np.uint8))
        rows = [row for row in stats[1:count].tolist() if row[4] >= self.least]
        boxes = [[x, y, x + width, y + height] for x, y, width, height, _ in rows]
        scores = np.array([0.5 + 0.4 * row[4] / image[..., 0].size for row in rows], np.float32)
        found = Detections(np.array(boxes, np.float32).reshape(-1, 4), scores, ("person",) * len(rows))
        return found[found.score >= self.confidence]


def stages(**refine: Any) -> tuple[Stage, ...]:
    """detect, select, refine (whole boxes), inpaint (Telea), composite."""
    chosen = {"method": "box", "grow": 0.05, "grow_min": 2, **refine}
    return FindRed(), Select(), Refine(**chosen), Inpaint(model="telea"), Composite()


def recipe(**refine: Any) -> Recipe:
    return Recipe("cases", "Remove what is red.", stages(**refine))
