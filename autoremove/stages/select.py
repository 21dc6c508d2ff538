"""Stage select: which of the found objects are to go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from autoremove.labels import GROUPS, PEOPLE, expanded
from autoremove.models.boxes import apart, areas, common
from autoremove.stages.attach import ATTACHED, owners
from autoremove.stages.base import SHARE, Range, StageFields
from autoremove.stages.keep import kept, parsed
from autoremove.stages.regions import check_regions, protected
from autoremove.types import Detections, Image

Rows = NDArray[np.bool_]

NEAR = 0.85
"""Share of the least score from which a find that holds all of a chosen one goes with it."""

HELD, ALIKE = 0.95, 0.4
"""Share of the chosen box that lies in the larger one, and of the larger one that it fills: one object."""

SAME_THING = 0.5
"""Overlap (IoU) from which two attached finds, of whatever classes, are one thing."""


@dataclass(frozen=True)
class Select(StageFields):
    """Choose, among the found objects, those that are to be removed.

    ``labels``: class names, or groups as ``all-vehicles`` (:data:`~autoremove.labels.GROUPS`); empty = every
    class. ``confidence``: least score 0..1; ``thresholds``: another one for some classes or groups.
    A find that is a little less sure goes too where it holds all of a chosen one of its class: the detector
    is of two minds how far that object reaches, and half a person would be left standing.
    ``min_size``: least height of the box, below 1 as a share of the picture's height, from 1 on in pixels.
    ``max_count``: at most so many, the surest first; 0 = no limit.

    ``keep``: who stays all the same: ``largest``, ``central`` or ``subject`` (whom the photo is of), with a
    number as ``largest:2`` if need be; among people where people are to go, else among all that is to go.
    ``keep_region``: whatever lies in one of these regions stays: x, y, width, height, or a polygon x1, y1,
    x2, y2, x3, y3 ..., in pixels, or in shares of the picture where no number is over 1.

    ``attach``: what a person who goes carries or rides goes too, from the score ``attach_confidence`` on,
    whatever the labels; what belongs to a person who is kept stays, whatever the labels. A thing that is
    found as several classes goes once, as the surest. Attached things name their person as ``owner`` and do
    not count for ``max_count``. The boxes of what is kept are handed on as ``staying``, so that no mask eats
    into it.
    """

    labels: tuple[str, ...] = PEOPLE
    confidence: float = 0.22
    thresholds: Mapping[str, float] = field(default_factory=dict)
    min_size: float = 0.0
    max_count: int = 0
    keep: str = ""
    keep_region: tuple[tuple[float, ...], ...] = ()
    attach: bool = True
    attach_confidence: float = 0.2

    name: ClassVar[str] = "select"
    version: ClassVar[int] = 5
    needs: ClassVar[tuple[str, ...]] = ("image", "detections")
    gives: ClassVar[str] = "detections"

    ranges: ClassVar[Mapping[str, Range]] = {
        "confidence": SHARE,
        "attach_confidence": SHARE,
        "thresholds": SHARE,
        "min_size": Range(hint="0 = no limit."),
        "max_count": Range(hint="0 = no limit."),
    }

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.keep:
            parsed(self.keep)
        check_regions("select.keep_region", self.keep_region)

    def least_score(self, label: str) -> float:
        """The score from which a class is removed: its own, that of its group, or the general one."""
        names = [label, *(name for name, members in GROUPS.items() if label in members)]
        return next((self.thresholds[name] for name in names if name in self.thresholds), self.confidence)

    def __call__(self, image: list[Image], detections: list[Detections]) -> list[Detections]:
        return [self._one(pixels, found) for pixels, found in zip(image, detections, strict=True)]

    def _one(self, image: Image, found: Detections) -> Detections:
        sure = found.score >= np.array([self.least_score(label) for label in found.label], np.float32)
        sure |= self._wider(found, sure)
        within = protected(found.xyxy, self.keep_region, (image.shape[0], image.shape[1]))
        wanted = sure & _of(found, expanded(self.labels))
        staying = within | self._kept(image, found, wanted)
        going = wanted & ~staying & self._large(found, image.shape[0])
        owner = self._owners(found, sure & (going | staying), staying, within)
        alone = np.flatnonzero(going & (owner < 0))
        first = alone[np.argsort(-found.score[alone], kind="stable")][: self.max_count or None]
        with_them = np.flatnonzero(np.isin(owner, first))
        alike = np.zeros(len(with_them), np.int64)
        after = with_them[apart(found.xyxy[with_them], found.score[with_them], alike, SAME_THING)]
        boxes = found.xyxy[sure & staying]
        marked = replace(found, owner=owner if len(after) else None, staying=boxes if len(boxes) else None)
        return marked[np.concatenate([first, after])]

    def _wider(self, found: Detections, sure: Rows) -> Rows:
        """Nearly sure finds that hold one sure find of their class, no second one, and are of its size."""
        wider = np.zeros(len(found), bool)
        size = areas(found.xyxy)
        for row in np.flatnonzero(~sure):
            if found.score[row] < NEAR * self.least_score(found.label[row]):
                continue
            rivals = np.flatnonzero(sure & _of(found, (found.label[row],)))
            held = rivals[common(found.xyxy[row], found.xyxy[rivals]) >= HELD * size[rivals]]
            wider[row] = len(held) == 1 and size[held[0]] >= ALIKE * size[row]
        return wider

    def _kept(self, image: Image, found: Detections, wanted: Rows) -> Rows:
        """What stays though its label is named."""
        stays = np.zeros(len(found), bool)
        if self.keep:
            chosen = expanded(self.labels)
            people = not chosen or any(name in chosen for name in PEOPLE)
            rows = np.flatnonzero(wanted & _of(found, PEOPLE) if people else wanted)
            stays[rows] = kept(self.keep, found.xyxy[rows], image)
        return stays

    def _large(self, found: Detections, height: int) -> Rows:
        least = self.min_size if self.min_size >= 1 else self.min_size * height
        return np.asarray(found.xyxy[:, 3] - found.xyxy[:, 1] >= least)

    def _owners(self, found: Detections, seen: Rows, staying: Rows, within: Rows) -> NDArray[np.int64]:
        """Whose each thing is; -1 = nobody's. ``seen``: what is surely there, whether it goes or stays."""
        if not self.attach:
            return np.full(len(found), -1, np.int64)
        able = _of(found, ATTACHED) & (found.score >= self.attach_confidence) & ~within
        return owners(found.label, found.xyxy, able, seen & _of(found, PEOPLE), staying)


def _of(found: Detections, labels: tuple[str, ...]) -> Rows:
    """Which rows are of one of the classes; no classes = all rows."""
    return np.array([not labels or label in labels for label in found.label], bool)
