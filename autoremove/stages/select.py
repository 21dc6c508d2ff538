"""Stage select: which of the found objects are to go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from autoremove.stages.base import StageFields
from autoremove.types import Detections


@dataclass(frozen=True)
class Select(StageFields):
    """Keep only the found objects that are to be removed.

    ``labels``: class names; empty = every class that was looked for. ``confidence``: least score 0..1.
    ``min_side``: least shorter side of the box in pixels. ``max_count``: at most so many, the surest first;
    0 = no limit.
    """

    labels: tuple[str, ...] = ()
    confidence: float = 0.0
    min_side: float = 0.0
    max_count: int = 0

    name: ClassVar[str] = "select"
    version: ClassVar[int] = 1
    needs: ClassVar[tuple[str, ...]] = ("detections",)
    gives: ClassVar[str] = "detections"

    def __call__(self, detections: list[Detections]) -> list[Detections]:
        return [self._one(found) for found in detections]

    def _one(self, found: Detections) -> Detections:
        sides = np.minimum(found.xyxy[:, 2] - found.xyxy[:, 0], found.xyxy[:, 3] - found.xyxy[:, 1])
        wanted = np.array([not self.labels or label in self.labels for label in found.label], bool)
        kept = found[wanted & (found.score >= self.confidence) & (sides >= self.min_side)]
        order = np.argsort(-kept.score, kind="stable")
        return kept[order[: self.max_count or None].tolist()]
