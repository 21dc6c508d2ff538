"""Stage audit: a second look at the filled picture, and the larger mask where something is left."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from autoremove.errors import RecipeError
from autoremove.stages.base import LOOK, SHARE, SPEED_ONLY, Range, StageFields
from autoremove.stages.grow import add_grown
from autoremove.stages.quality import fill_figures
from autoremove.stages.refine import Refine
from autoremove.stages.second_look import Looking, look, rests, shares_inside, windows_round
from autoremove.types import Detections, FillFigures, Finding, Image, Mask, ObjectMask, Patch, Verdict

METHODS = ("network", "box", "grabcut")


@dataclass(frozen=True)
class Audit(StageFields):
    """Look for what was removed once more, inside and near the holes, and judge the fills.

    ``weights``: of the detector. ``confidence``: least score 0..1, as the network gives it, of a find that
    counts: a fill that shows something by chance gets no better by a larger hole. ``sizes``: pixels at
    which the network sees the windows round what was removed; ``mirror``: each also mirrored. ``redo``:
    where something is left, fill once more with a larger mask. ``method``: how the rest is masked, as
    refine.method (network, box or grabcut); ``grow``: how far the holes near it grow, as a share of its size
    (of the removed object's, where something has been painted into the hole).
    ``blur``: a fill whose sharpness is a smaller share of its surroundings' is put up for review; ``seam``:
    so is one whose border stands out more than this; 0 = never. ``crops``: at most so many windows at once.
    """

    weights: str = "embedded"
    confidence: float = 0.35
    sizes: tuple[int, ...] = (192, 288)
    mirror: bool = True
    redo: bool = True
    method: str = "network"
    grow: float = 0.12
    blur: float = 0.22
    seam: float = 1.5
    crops: int = field(default=8, metadata=SPEED_ONLY)

    name: ClassVar[str] = "audit"
    version: ClassVar[int] = 3
    needs: ClassVar[tuple[str, ...]] = ("image", "detections", "mask", "patches")
    gives: ClassVar[str] = "verdict"
    ranges: ClassVar[Mapping[str, Range]] = {
        "confidence": SHARE,
        "sizes": LOOK,
        "grow": Range(0, 3, hint="In sizes of what is left."),
        "blur": Range(),
        "seam": Range(),
        "crops": Range(1),
    }

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.method not in METHODS:
            raise RecipeError(f"audit.method: {self.method!r} is none of {', '.join(METHODS)}.")
        if not self.sizes:
            raise RecipeError("audit.sizes must name at least one size of 32 or more.")

    @property
    def _refine(self) -> Refine:
        return Refine(method=self.method, device=self.device)

    def weights_digest(self) -> str | None:
        from autoremove.models import weights

        # The masks of rests are made here too: what decides them is part of what decides the verdict.
        masks = f"refine {Refine.version} {self._refine.weights_digest()}"
        return f"{weights.digest(self.weights, 'detector')} {masks}"

    def __call__(
        self,
        image: list[Image],
        detections: list[Detections],
        mask: list[ObjectMask],
        patches: list[list[Patch]],
    ) -> list[Verdict]:
        rows = zip(image, detections, mask, patches, strict=True)
        return [self._one(*row) for row in rows]

    def _one(self, image: Image, found: Detections, mask: ObjectMask, patches: list[Patch]) -> Verdict:
        if not patches:
            return Verdict()
        result = laid(image, patches)
        left = self._left(image, result, found, mask.grown)
        fills = fill_figures(result, mask.grown, patches)
        findings = (*map(_again, left.label, left.score, left.xyxy), *self._unlike(fills))
        amended = self._amended(image, left, found, mask) if self.redo and len(left) else None
        return Verdict(findings, fills, amended)

    def _left(self, image: Image, result: Image, removed: Detections, holes: Mask) -> Detections:
        """What is found again; the picture as it was is looked at only if the filled one shows something."""
        from autoremove.models import cache

        detector = cache.load("detector", self.weights, self.device)
        labels = tuple(dict.fromkeys(label for label in removed.label if label in detector.names))
        if not labels:
            return Detections.empty()
        how = Looking(detector, labels, self.sizes, self.mirror, self.crops)
        windows = windows_round(removed.xyxy, (image.shape[0], image.shape[1]))
        found = look(result, windows, how, self.confidence)
        if not len(found):
            return found
        before = look(image, windows, how, self.confidence / 2)
        return rests(found, before, removed, holes, self.confidence)

    def _unlike(self, fills: tuple[FillFigures, ...]) -> list[Finding]:
        """The fills that do not look like their surroundings."""
        findings = []
        for fill in fills:
            place = _place(fill.xyxy)
            if fill.sharpness is not None and fill.sharpness < self.blur:
                reason = f"the fill at {place} is much blurrier than its surroundings ({fill.sharpness:.2f})"
                findings.append(Finding("blur", reason, fill.xyxy, fill.sharpness))
            if self.seam and fill.seam is not None and fill.seam > self.seam:
                reason = f"a visible seam round {place} ({fill.seam:.1f})"
                findings.append(Finding("seam", reason, fill.xyxy, fill.seam))
        return findings

    def _amended(
        self, image: Image, left: Detections, removed: Detections, mask: ObjectMask
    ) -> ObjectMask | None:
        """The mask with the rests, each counted to the object next to it, and the holes near them grown.

        A rest is masked in the picture as it was, where the network sees what it knows. What stands inside a
        hole is no rest but was painted there: the hole itself grows, for its border may have led to it.
        """
        rest = self._refine(image=[image], detections=[left])[0]
        grown, ids = mask.grown | rest.grown, mask.ids.copy()
        for row, share in enumerate(shares_inside(left.xyxy, mask.grown)):
            owner = _nearest(left.xyxy[row], removed.xyxy)
            ids[(rest.ids == row + 1) & (mask.ids == 0)] = 1 + owner
            box = removed.xyxy[owner] if share >= 0.5 else left.xyxy[row]
            radius = max(2, round(self.grow * float(np.sqrt((box[2:] - box[:2]).prod()))))
            add_grown(grown, _within(mask.grown, box), radius)
        return ObjectMask(grown, ids) if (grown & ~mask.grown).any() else None


def laid(image: Image, patches: list[Patch]) -> Image:
    """A copy of the picture with the patches on it."""
    result: Image = image.copy()
    for patch in patches:
        x1, y1, x2, y2 = patch.xyxy
        own, share = result[y1:y2, x1:x2], patch.alpha[..., None].astype(np.float32) / 255
        own[:] = np.rint(own * (1 - share) + patch.pixels * share).astype(np.uint8)
    return result


def _again(label: str, score: float, box: NDArray[np.float32]) -> Finding:
    article = "an" if label[0] in "aeiou" else "a"
    x1, y1, x2, y2 = (round(float(value)) for value in box)
    place = (x1, y1, x2, y2)
    reason = f"{article} {label} is still found at {_place(place)} (score {score:.2f})"
    return Finding("again", reason, place, round(float(score), 3))


def _place(xyxy: tuple[int, int, int, int]) -> str:
    """The middle of a box for people: x,y."""
    return f"{(xyxy[0] + xyxy[2]) // 2},{(xyxy[1] + xyxy[3]) // 2}"


def _within(mask: Mask, box: NDArray[np.float32]) -> tuple[tuple[int, int, int, int], Mask]:
    """The part of a mask in a box, as a cutout."""
    low, high = np.floor(box[:2]).clip(0).astype(int), np.ceil(box[2:]).astype(int)
    x1, y1, x2, y2 = int(low[0]), int(low[1]), int(high[0]), int(high[1])
    part = mask[y1:y2, x1:x2]
    return (x1, y1, x1 + part.shape[1], y1 + part.shape[0]), part


def _nearest(box: NDArray[np.float32], boxes: NDArray[np.float32]) -> int:
    """The row of the box with the least gap to another one; of those it overlaps the one it overlaps most."""
    low, high = np.maximum(box[:2], boxes[:, :2]), np.minimum(box[2:], boxes[:, 2:])
    common = (high - low).clip(0).prod(1)
    gap = (low - high).clip(0).sum(1)
    return int(np.lexsort((-common, gap))[0])
