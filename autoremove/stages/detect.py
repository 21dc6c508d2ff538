"""Stage detect: pictures in, found objects out (YOLO)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from autoremove.errors import RecipeError
from autoremove.stages.base import StageFields
from autoremove.stages.fuse import fused, mirrored
from autoremove.types import Detections, Image

WEAK = 0.02
"""Least score of a box in one of several views."""


@dataclass(frozen=True)
class Detect(StageFields):
    """Find objects with YOLO (Redmon et al. 2016; YOLO11 of ultralytics).

    ``weights``: a name from ``autoremove weights list`` or a file. ``labels``: class names to look for;
    empty = all the weights know. ``confidence`` 0..1. ``iou``: overlap above which two boxes of one view are
    one object. ``sizes``: longer sides in pixels at which the network sees the picture; ``mirror``: each of
    them also left-right mirrored. Several views are fused, which a small network gains much from.
    """

    weights: str = "embedded"
    labels: tuple[str, ...] = ("person",)
    confidence: float = 0.2
    iou: float = 0.6
    sizes: tuple[int, ...] = (256, 384, 512, 640)
    mirror: bool = True

    name: ClassVar[str] = "detect"
    version: ClassVar[int] = 1
    needs: ClassVar[tuple[str, ...]] = ("image",)
    gives: ClassVar[str] = "detections"

    def __post_init__(self) -> None:
        if not self.sizes or min(self.sizes) < 32:
            raise RecipeError(f"detect.sizes: {list(self.sizes)} must name at least one size of 32 or more.")

    def weights_digest(self) -> str | None:
        from autoremove.models import weights

        return weights.digest(self.weights, "detector")

    def __call__(self, image: list[Image]) -> list[Detections]:
        turned = [np.ascontiguousarray(pixels[:, ::-1]) for pixels in image] if self.mirror else []
        views = [
            self._view(turned if mirror else image, size, mirror)
            for size in self.sizes
            for mirror in self._mirrors()
        ]
        return [fused(looks, self.confidence) for looks in zip(*views, strict=True)]

    def _mirrors(self) -> tuple[bool, ...]:
        return (False, True) if self.mirror else (False,)

    def _view(self, image: list[Image], size: int, mirror: bool) -> list[Detections]:
        """What one look finds. With several looks the weak finds count too, for others may confirm them."""
        from autoremove.models import cache

        detector = cache.load("detector", self.weights, self.device)
        single = len(self.sizes) * len(self._mirrors()) == 1
        found = detector.detect(
            image,
            labels=self.labels or None,
            confidence=self.confidence if single else WEAK,
            iou=self.iou,
            imgsz=size,
        )
        return [mirrored(f, p.shape[1]) if mirror else f for f, p in zip(found, image, strict=True)]
