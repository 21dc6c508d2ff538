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
from autoremove.stages.ground import CROSS, LUMA, Ground, Plane, distance, ground_of, smooth
from autoremove.types import Detections, Image, Mask, ObjectMask

STANDING = tuple(name for name in (*PEOPLE, *VEHICLES, *ANIMALS) if name not in ("boat", "bird"))
"""What stands on the ground; a boat's reflection ripples, a bird's shadow lies elsewhere."""

DARKEST = float(np.log(0.2))
"""Ground keeps at least this share of its light in a shadow; what is darker is a thing of its own."""

LEAST = 0.07
"""Darkening, as a logarithm, below which nothing is called a shadow however even the ground."""

UNEVEN = 0.3
"""On ground that differs this much from place to place nothing can be told."""

PAD = 0.1
"""Next to the feet (in lengths of the object) nearly everything casts a shadow: less evidence will do."""

UPRIGHT = 1.3
"""Height over width from which a person is taken to stand."""

DEPTHS = (0.45, 0.3, 0.2)
"""How deep a mirror image is looked for, in lengths of the object."""

LEAST_MIRRORED = 60
"""Pixels of mirror image, at the ground's scale, in which it can be told from chance."""

LEAST_STRUCTURE = 0.15
"""Standard deviation of the figure's logarithms below which it has no features."""

BARE_ENOUGH = 100
"""Pixels of bare ground to compare with; fewer say nothing."""


@dataclass(frozen=True)
class Shadow(StageFields):
    """Join the contact shadow and a simple reflection where the evidence is good.

    A shadow is ground that keeps its colour and its texture and loses one share of its light (Horprasert et
    al. 1999 for the test in video): darker than the ground around, connected to the line on which the object
    stands, closed all round. ``strength``: 0 finds nothing, 1 is tuned to leave the street alone, above 1
    takes fainter ones. ``reach``: how far from the object a shadow is followed, in its lengths; what goes on
    beyond is ground of another kind and is left. ``max_area``: most that is joined, as a share of the
    object's area. ``reflection``: whether mirror images on polished or wet floors are looked for.
    ``labels``: classes that stand on the ground. Only ``grown`` is widened; ``ids`` stay the objects' own.
    """

    on: bool = True
    strength: float = 1.0
    reach: float = 1.3
    max_area: float = 0.5
    reflection: bool = True
    labels: tuple[str, ...] = STANDING

    name: ClassVar[str] = "shadow"
    version: ClassVar[int] = 1
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
            if ground is None or ground.bare.sum() < BARE_ENOUGH:
                continue
            x1, y1, x2, y2 = ground.window
            joined = self.region(ground).astype(np.float32)
            if joined.any():
                grown[y1:y2, x1:x2] |= cv2.resize(joined, (x2 - x1, y2 - y1)) > 0.5
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

    def region(self, ground: Ground) -> Mask:
        """What joins the object, at the ground's scale; empty where evidence is poor, or it is too much."""
        nothing = np.zeros_like(ground.own)
        if ground.noise > UNEVEN:
            return nothing
        core = cast(ground, self.strength) | (mirrored(ground) if self.reflection else nothing)
        if not (core & ~ground.hole).any():
            return nothing
        whole = with_penumbra(ground, core, self.strength)
        for region in (whole, core):  # rather without its soft edge than not at all
            if (region & ~ground.hole).sum() <= self.max_area * ground.area:
                return region & (ground.near(ground.own) <= self.reach)
        return nothing


def upright(label: str, xyxy: NDArray[np.float32]) -> bool:
    """Whether the lower edge of a box can be feet: a person as wide as high ends at a table or a wall."""
    return label not in PEOPLE or bool(xyxy[3] - xyxy[1] >= UPRIGHT * (xyxy[2] - xyxy[0]))


def least_change(ground: Ground, strength: float) -> float:
    """The darkening that stands out from this ground."""
    return max(LEAST, 2 * ground.noise) / strength


def cast(ground: Ground, strength: float) -> Mask:
    """The shadow's core, its part below the object's own grown mask included."""
    level = least_change(ground, strength)
    # The nearer to the feet, the likelier a shadow: from half the darkening on.
    level_there = level * (0.5 + 0.5 * np.minimum(1, ground.feet / 0.25))
    tinted = ground.change.max(2) - ground.change.min(2) > 0.08 + 0.35 * np.abs(ground.luma)
    likely = ground.free & ~tinted & (ground.luma > DARKEST)
    dark = opened(likely & (ground.luma < -level_there))
    standing = (ground.feet < 0.12) & (ground.hole | ground.own)
    reached = connected(dark | standing, standing & ground.own) & dark
    core = np.zeros_like(reached)
    count, labels = cv2.connectedComponents((reached & ~ground.hole).astype(np.uint8), connectivity=4)
    for number in range(1, count):
        part = labels == number
        if is_shadow(ground, part, dark, level):
            core |= part
    core |= pad(ground, likely, level)
    return core | (reached & ground.hole) if core.any() else core


def is_shadow(ground: Ground, part: Mask, dark: Mask, level: float) -> bool:
    """Whether a dark part touching the feet is closed, and its rim the same ground in better light."""
    if part.sum() < 0.001 * ground.length**2 + 2 or (part & ground.brink).sum() > 0.02 * ground.length:
        return False
    if np.median(np.nonzero(part)[0]) < ground.low - 0.2 * ground.length:
        return False  # beside the body, not at the feet: a wall, a hedge, somebody's coat
    off = distance(part)
    around = ground.free & ~ground.hole & ~dark & (off > 1) & (off <= max(6.0, 0.06 * ground.length))
    rim = ground.free & ~ground.hole & (off > 0) & (off <= 1.5)
    if around.sum() < 8 or rim.sum() < 4:
        return False
    blur = max(1.2, 0.03 * ground.length)
    step = (smooth(ground.log, around, blur) - smooth(ground.log, part, blur))[rim]
    brighter = step @ LUMA
    tint = np.median(step.max(1) - step.min(1) - 0.35 * np.abs(brighter))
    texture = (roughness(ground, part) + 0.01) / (roughness(ground, around) + 0.01)
    return bool((brighter > 0.25 * level).mean() > 0.75 and tint < 0.08 and 1 / 2.2 < texture < 2.2)


def roughness(ground: Ground, part: Mask) -> float:
    """Median difference of a part from itself smoothed: its texture, without its edges if it is wide."""
    inner = part & (ground.near(~part) > 0.05)
    side = inner if inner.sum() >= 30 else part
    fine = np.abs(ground.log - smooth(ground.log, side, 0.02 * ground.length)).mean(2)
    return float(np.median(fine[side]))


def pad(ground: Ground, likely: Mask, level: float) -> Mask:
    """Darkened ground next to the feet, where all of it is darker than the ground differs anyway."""
    band = ground.free & ~ground.hole & (ground.feet < PAD + 0.03)
    if band.sum() <= 8 or float(ground.luma[band].mean()) > -max(0.05, 1.5 * ground.noise):
        return np.zeros_like(band)
    dark = likely & (ground.feet < PAD) & (ground.luma < -max(0.03, 0.4 * level))
    return opened(dark | (ground.hole & (ground.feet < 0.15))) & ~ground.hole


def with_penumbra(ground: Ground, core: Mask, strength: float) -> Mask:
    """The core with its soft edge, or a halo stays and the fill continues the dark."""
    near = ground.near(core)
    soft = ground.free & (near < 0.06) & (ground.luma < -0.3 * least_change(ground, strength))
    return core | soft | (near < 0.015)


def mirrored(ground: Ground) -> Mask:
    """The object's mirror image below its feet, as deep as it can be made out."""
    rows = np.arange(ground.low + 1, min(ground.own.shape[0], 2 * ground.low + 2))
    source = 2 * ground.low + 1 - rows
    image, upside = np.zeros_like(ground.own), np.zeros_like(ground.log)
    image[rows], upside[rows] = ground.own[source], ground.log[source]
    seen = image & ground.free & ~ground.hole
    below = np.arange(len(image))[:, None] - ground.low
    for deep in DEPTHS:
        part = seen & (below <= deep * ground.length)
        if explains(upside[part], ground.log[part] - ground.reference[part]):
            return part | (image & ground.hole & ~ground.own & (below <= deep * ground.length))
    return np.zeros_like(ground.own)


def explains(wanted: Plane, got: Plane) -> bool:
    """Whether N x 3 differences of a floor from its surroundings look like ``wanted``, weaker.

    By the covariance over all pixels and colours. The means are taken out, so that a plain shadow does not
    pass; a figure of one colour has no structure to know it by.
    """
    if len(wanted) < LEAST_MIRRORED:
        return False
    wanted, got = wanted - wanted.mean(0), got - got.mean(0)
    power = float((wanted**2).mean())
    together = float((wanted * got).mean())
    alike = together / np.sqrt(max(power * float((got**2).mean()), 1e-9))
    return bool(power > LEAST_STRUCTURE**2 and alike > 0.6 and 0.05 < together / power < 0.95)


def connected(mask: Mask, seeds: Mask) -> Mask:
    """The parts of a mask that hold one of the seeds."""
    _, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=4)
    wanted = np.unique(labels[seeds & mask])
    return np.isin(labels, wanted[wanted > 0])


def opened(mask: Mask) -> Mask:
    """Without specks and threads of under three pixels."""
    return np.asarray(cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, CROSS) > 0)
