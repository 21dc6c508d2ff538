"""Stage shadow: an object's shadow at its feet, and its reflection, join what is to be filled."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray

from autoremove.labels import ANIMALS, PEOPLE, VEHICLES
from autoremove.stages.base import Range, StageFields
from autoremove.stages.ground import ground_of
from autoremove.stages.shadow_rules import region
from autoremove.types import Detections, Image, Mask, ObjectMask

STANDING = tuple(name for name in (*PEOPLE, *VEHICLES, *ANIMALS) if name not in ("boat", "bird"))
"""What stands on the ground; a boat's reflection ripples, a bird's shadow lies elsewhere."""

UPRIGHT = 1.3
"""Height over width from which a person is taken to stand."""


@dataclass(frozen=True)
class Shadow(StageFields):
    """Join the shadow and a simple reflection where the evidence is good.

    A shadow is ground that keeps its colour and its texture and loses one share of its light: see
    :mod:`autoremove.stages.shadow_rules`. ``strength``: 0 finds nothing, 1 is tuned to leave the street
    alone, above 1 takes fainter ones. ``reach``: how far from the object a shadow is followed, in its
    lengths; what goes on beyond is left. ``max_area``: most that is joined, as a share of the object's
    area. ``reflection``: whether mirror images on polished or wet floors are looked for. ``labels``:
    classes that stand on the ground. Only ``grown`` is widened; ``ids`` stay the objects' own.
    """

    on: bool = True
    strength: float = 1.0
    reach: float = 1.3
    max_area: float = 0.5
    reflection: bool = True
    labels: tuple[str, ...] = STANDING

    name: ClassVar[str] = "shadow"
    version: ClassVar[int] = 2
    needs: ClassVar[tuple[str, ...]] = ("image", "detections", "mask")
    gives: ClassVar[str] = "mask"

    ranges: ClassVar[Mapping[str, Range]] = {
        "strength": Range(0, 3, hint="1 is the usual."),
        "reach": Range(0, 3, hint="In lengths of the object."),
        "max_area": Range(hint="0.5 is half the object."),
    }

    def __call__(
        self, image: list[Image], detections: list[Detections], mask: list[ObjectMask]
    ) -> list[ObjectMask]:
        return [self._one(*row) for row in zip(image, detections, mask, strict=True)]

    def _one(self, image: Image, found: Detections, objects: ObjectMask) -> ObjectMask:
        if not self.on or not self.strength or not self.max_area or not self.reach:
            return objects
        grown = objects.grown.copy()
        for corner, own in self._standing(found, objects):
            ground = ground_of(image, objects, own, corner, self.reach)
            if ground is None:
                continue
            x1, y1, x2, y2 = ground.window
            joined = region(ground, self.strength, self.max_area, self.reach, reflection=self.reflection)
            if joined.any():
                grown[y1:y2, x1:x2] |= cv2.resize(joined.astype(np.float32), (x2 - x1, y2 - y1)) > 0.5
        return ObjectMask(grown, objects.ids)

    def _standing(self, found: Detections, objects: ObjectMask) -> Iterator[tuple[tuple[int, int], Mask]]:
        """Each object that stands, with what goes with it (a rider's bicycle), and where its part is."""
        alone = np.full(len(found), -1) if found.owner is None else found.owner
        for row in range(len(found)):
            group = [row, *(i for i in range(len(found)) if alone[i] == row)]
            boxes = found.xyxy[group]
            standing = any(
                found.label[i] in self.labels and upright(found.label[i], found.xyxy[i]) for i in group
            )
            if alone[row] >= 0 or not standing:
                continue
            low, high = boxes[:, :2].min(0), boxes[:, 2:].max(0)
            margin = 0.25 * np.maximum(high - low, 0)  # masks may reach beyond their boxes
            x1, y1 = np.maximum(np.floor(low - margin), 0).astype(int)
            x2, y2 = np.maximum(np.ceil(high + margin), 0).astype(int)
            ids = objects.ids[y1:y2, x1:x2]
            yield (int(x1), int(y1)), np.isin(ids, [i + 1 for i in group])


def upright(label: str, xyxy: NDArray[np.float32]) -> bool:
    """Whether the lower edge of a box can be feet: a person as wide as high ends at a table or a wall."""
    return label not in PEOPLE or bool(xyxy[3] - xyxy[1] >= UPRIGHT * (xyxy[2] - xyxy[0]))
