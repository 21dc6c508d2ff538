"""Stage detect: pictures in, found objects out (YOLO)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from autoremove.errors import RecipeError
from autoremove.models.calibration import REST, Line
from autoremove.models.precision import PRECISIONS, RUNTIMES
from autoremove.stages.base import LOOK, SHARE, SPEED_ONLY, Range, StageFields
from autoremove.stages.combine import combined
from autoremove.stages.rescore import SEEN, rescored
from autoremove.stages.views import SPEEDS, View, plan_views
from autoremove.types import Cutout, Detections, Image

if TYPE_CHECKING:  # recipes are read without PyTorch
    from autoremove.models.rescorer import Rescorer

WEAK = 0.02
"""Least score of a box in one of several views."""

NO_RESCORER = "none"
"""The word for no rescorer in a recipe."""


@dataclass(frozen=True)
class Detect(StageFields):
    """Find objects with YOLO (Redmon et al. 2016; YOLO11 of ultralytics).

    ``weights``: a name from ``autoremove weights list`` or a file. ``labels``: class names to look for;
    empty = all the weights know. ``confidence`` 0..1: a low floor, for the stage select decides what goes.
    ``calibrated``: where the weights tell what their scores are worth (ours do), a score becomes the chance
    that the find is right. ``rescorer``: weights of the network that judges each find once more, or
    ``none``; it counts where it was calibrated for these weights (ours was) and ``calibrated`` is on.
    ``iou``: overlap above which two boxes of one view are one object. ``speed``: ``fast``, ``normal`` or
    ``max``, the plan of looks that follows the picture's size (:func:`~autoremove.stages.views.plan_views`).
    ``sizes``: instead of a plan, longer sides in pixels (32 to 8192) at which the network sees the whole
    picture, each also mirrored if ``mirror``. Several looks are combined, which a small network gains by.
    ``max_det``: most objects a picture, the surest first. ``precision`` of the network: see
    :data:`~autoremove.models.precision.PRECISIONS`. ``runtime``: what runs it, one of
    :data:`~autoremove.models.precision.RUNTIMES`; the finds are the same.
    """

    weights: str = "embedded"
    labels: tuple[str, ...] = ()
    confidence: float = 0.05
    iou: float = 0.6
    speed: str = "normal"
    sizes: tuple[int, ...] = ()
    mirror: bool = True
    max_det: int = 300
    calibrated: bool = True
    rescorer: str = "embedded"
    precision: str = "auto"
    runtime: str = field(default="auto", metadata=SPEED_ONLY)

    name: ClassVar[str] = "detect"
    version: ClassVar[int] = 11
    needs: ClassVar[tuple[str, ...]] = ("image",)
    gives: ClassVar[str] = "detections"
    ranges: ClassVar[Mapping[str, Range]] = {
        "confidence": SHARE,
        "iou": SHARE,
        "sizes": LOOK,
        "max_det": Range(1),
    }

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.speed not in SPEEDS:
            raise RecipeError(f"detect.speed: {self.speed!r} is none of {', '.join(SPEEDS)}.")
        if self.precision not in PRECISIONS:
            words = ", ".join(PRECISIONS)
            raise RecipeError(f"detect.precision: {self.precision!r} is none of {words}.")
        if self.runtime not in RUNTIMES:
            raise RecipeError(f"detect.runtime: {self.runtime!r} is none of {', '.join(RUNTIMES)}.")

    def weights_digest(self) -> str | None:
        from autoremove.models import weights

        finder = weights.digest(self.weights, "detector")
        return f"{finder} {weights.digest(self.rescorer, 'rescorer')}" if self._rescores() else finder

    def _rescores(self) -> bool:
        """Whether finds are judged once more: only by a rescorer calibrated for this very detector."""
        from autoremove.models import weights
        from autoremove.models.checkpoints import header

        if self.rescorer == NO_RESCORER or not self.calibrated:
            return False
        told = header(weights.resolve(self.rescorer, "rescorer"))
        return told.get("finder") == weights.digest(self.weights, "detector")

    def views(self, size_hw: tuple[int, int]) -> list[View]:
        """The looks at a picture of that size."""
        if not self.sizes:
            return plan_views(size_hw, self.speed)
        whole, mirrors = (0, 0, size_hw[1], size_hw[0]), (False, True) if self.mirror else (False,)
        return [View(whole, size, mirror) for size in self.sizes for mirror in mirrors]

    def __call__(self, image: list[Image]) -> list[Detections]:
        plans = [self.views((pixels.shape[0], pixels.shape[1])) for pixels in image]
        looks = [(number, view) for number, plan in enumerate(plans) for view in plan]
        found: dict[tuple[int, View], Detections] = {}
        for kind in dict.fromkeys((view.imgsz, view.mirror) for _, view in looks):
            same = [look for look in looks if (look[1].imgsz, look[1].mirror) == kind]
            found |= zip(same, self._seen(image, same), strict=True)
        lines = self._lines() if self.calibrated else {}
        second = self._second() if image else None
        floor = min(WEAK, self.confidence) if lines else self.confidence
        return [
            self._judged(
                image[number], combined(plan, [found[number, view] for view in plan], floor), lines, second
            )
            for number, plan in enumerate(plans)
        ]

    def _judged(
        self, image: Image, found: Detections, lines: Mapping[str, Line], net: Rescorer | None
    ) -> Detections:
        """Finds with the scores they deserve, best first."""
        if net is None:
            return worth(found, lines, self.confidence)[: self.max_det]
        again = np.array([label in net.weighings for label in found.label], bool) & (found.score >= SEEN)
        both = joined(rescored(found[again], image, net), worth(found[~again], lines, 0.0))
        return both[both.score >= self.confidence][: self.max_det]

    def _second(self) -> Rescorer | None:
        """The network that judges the finds of this detector once more, if there is one."""
        from autoremove.models import cache

        finder = getattr(cache.load("detector", self.weights, self.device), "digest", "")
        if self.rescorer == NO_RESCORER or not (self.calibrated and finder):
            return None
        net: Rescorer = cache.load("rescorer", self.rescorer, self.device)
        return net if net.finder == finder else None

    def _lines(self) -> Mapping[str, Line]:
        from autoremove.models import cache

        detector = cache.load("detector", self.weights, self.device)
        lines: Mapping[str, Line] = getattr(detector, "lines", {})
        return lines

    def _seen(self, image: list[Image], looks: Sequence[tuple[int, View]]) -> list[Detections]:
        """What the network sees in windows of the pictures, all at one size, a few at a time.

        With several looks at a picture the weak finds count too, for others may confirm them.
        """
        from autoremove.models import cache

        single = len(self.sizes) == 1 and not self.mirror
        crops = [_crop(image[number], view.window) for number, view in looks]
        found = cache.load("detector", self.weights, self.device).detect(
            crops,
            labels=self.labels or None,
            confidence=self.confidence if single else min(WEAK, self.confidence),
            iou=self.iou,
            imgsz=looks[0][1].imgsz,
            max_det=self.max_det,
            mirror=looks[0][1].mirror,
            precision=self.precision,
            runtime=self.runtime,
        )
        return [moved(own, view.window[:2]) for (_, view), own in zip(looks, found, strict=True)]


def _crop(image: Image, window: tuple[int, int, int, int]) -> Image:
    x1, y1, x2, y2 = window
    return image[y1:y2, x1:x2]


def worth(found: Detections, lines: Mapping[str, Line], confidence: float) -> Detections:
    """Finds with scores by the lines of their classes (none: as they are), best first, from a score on."""
    rest = lines.get(REST)
    score = found.score.copy()
    for label in set(found.label):
        rows = np.array([own == label for own in found.label], bool)
        if (line := lines.get(label, rest)) is not None:
            score[rows] = line(found.score[rows])
    order = np.argsort(-score, kind="stable")
    sorted_ = replace(found, score=score)[order]
    return sorted_[sorted_.score >= confidence]


def joined(one: Detections, other: Detections) -> Detections:
    """The finds of both, best first; masks are not kept."""
    order = np.argsort(-np.concatenate([one.score, other.score]), kind="stable")
    xyxy, score = np.concatenate([one.xyxy, other.xyxy]), np.concatenate([one.score, other.score])
    return Detections(xyxy, score, one.label + other.label)[order]


def moved(found: Detections, by: tuple[int, int]) -> Detections:
    """Detections in a window, in the frame of the picture: ``by`` is where its top left lies (x, y)."""
    if by == (0, 0):
        return found
    masks = None if found.masks is None else tuple(_moved(cutout, by) for cutout in found.masks)
    return Detections(found.xyxy + np.array(by * 2, np.float32), found.score, found.label, masks)


def _moved(cutout: Cutout, by: tuple[int, int]) -> Cutout:
    (x1, y1, x2, y2), mask = cutout
    return (x1 + by[0], y1 + by[1], x2 + by[0], y2 + by[1]), mask
