"""What the mistakes of a detector have in common: size, border, crowd, source, and the kind of mistake."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from autoremove.evaluation.judging import RIGHT_OVERLAP, Judgement, rows_of
from autoremove.evaluation.labelled import Boxed
from autoremove.evaluation.matching import Boxes, box_iou
from autoremove.types import Detections

SMALL, MIDDLE = 32.0, 64.0
"""Heights in pixels that part small from middling and middling from tall objects."""

LARGE = 0.6
"""An object is large from this share of the picture's height on."""

CROWDED = 0.25
"""An object stands in a crowd when another one's box covers this share of its own."""

NEAR = 0.1
"""Overlap (IoU) from which a false find has to do with a true object."""

WORDS = {
    "under_32": "small",
    "32_64": "middling",
    "over_64": "tall",
    "touching_border": "cut off",
    "crowded": "crowded",
    "beside_others": "beside others",
    "large": "large",
    "seen_weakly": "score too low",
    "wrong_class": "wrong class",
    "loose_box": "loose box",
    "unseen": "unseen",
    "duplicate": "found twice",
    "background": "background",
    "missing": "part missing",
    "loose": "loose",
    "wrong_object": "wrong object",
}
"""Traits and kinds of mistakes as captions name them."""


@dataclass(frozen=True)
class Mistake:
    """One missed object or one false find: its box, its traits, and what kind of mistake it is."""

    box: Boxes
    traits: tuple[str, ...]
    kind: str

    def words(self) -> str:
        """The mistake as a caption names it: what is special about the object first."""
        told = [t for t in self.traits if t not in ("32_64", "over_64", "beside_others")]
        return " ".join(WORDS[name] for name in (*told, self.kind))


def traits(box: Boxes, size_hw: tuple[int, int], same: Boxes, others: Boxes) -> tuple[str, ...]:
    """What is special about the object with that box (4 numbers, xyxy in pixels).

    ``same``: the other boxes of its own kind; ``others``: those of other kinds.
    """
    x1, y1, x2, y2 = (float(value) for value in box)
    height, width = size_hw
    margin = max(1.0, 0.005 * max(size_hw))
    bands = {"under_32": y2 - y1 < SMALL, "32_64": SMALL <= y2 - y1 <= MIDDLE, "over_64": y2 - y1 > MIDDLE}
    cut = x1 < margin or y1 < margin or x2 > width - margin or y2 > height - margin
    special = {
        **bands,
        "touching_border": cut,
        "crowded": _covered(box, same) >= CROWDED,
        "beside_others": _covered(box, others) >= CROWDED,
        "large": y2 - y1 >= LARGE * height,
    }
    return tuple(name for name, holds in special.items() if holds)


def _covered(box: Boxes, by: Boxes) -> float:
    """The largest share of a box that one of the others covers."""
    low, high = np.maximum(box[:2], by[:, :2]), np.minimum(box[2:], by[:, 2:])
    area = float(np.prod((box[2:] - box[:2]).clip(1e-6)))
    return float((np.prod((high - low).clip(0), axis=1) / area).max(initial=0.0))


def missed_in(
    picture: Boxed, row: Judgement, members: Sequence[str], shipped: Detections, weak: Detections
) -> list[Mistake]:
    """The missed objects of one row. ``shipped``: finds that count as shipped; ``weak``: all finds."""
    rows = rows_of(picture.label, members)
    others = np.delete(picture.xyxy, rows, axis=0)
    mistakes = []
    for number in np.flatnonzero(~row.hit):
        box = row.truth[number]
        special = traits(box, _size(picture), np.delete(row.truth, number, axis=0), others)
        mistakes.append(Mistake(box, special, _why_missed(box, members, shipped, weak)))
    return mistakes


def _why_missed(box: Boxes, members: Sequence[str], shipped: Detections, weak: Detections) -> str:
    def best(found: Detections, ours: bool) -> float:
        rows = [i for i, label in enumerate(found.label) if (label in members) is ours]
        return float(box_iou(found.xyxy[rows], box[None]).max(initial=0.0))

    if best(shipped, True) >= RIGHT_OVERLAP:
        return "crowded"  # the find went to a neighbour
    if best(weak, True) >= RIGHT_OVERLAP:
        return "seen_weakly"
    if best(shipped, False) >= RIGHT_OVERLAP:
        return "wrong_class"
    return "loose_box" if best(shipped, True) >= RIGHT_OVERLAP / 2 else "unseen"


def false_in(picture: Boxed, row: Judgement, members: Sequence[str]) -> list[Mistake]:
    """The false finds of one row."""
    others = np.delete(picture.xyxy, rows_of(picture.label, members), axis=0)
    mistakes = []
    for box in row.found.xyxy[row.false]:
        near, other = (float(box_iou(box[None], boxes).max(initial=0.0)) for boxes in (row.truth, others))
        inside = max(near, _covered(box, row.truth) * 0.5)  # a part of a true object is a box too small
        special = traits(box, _size(picture), np.zeros((0, 4), np.float32), np.zeros((0, 4), np.float32))
        kind = (
            "duplicate"
            if near >= RIGHT_OVERLAP
            else "wrong_class"
            if other >= RIGHT_OVERLAP
            else "loose_box"
            if inside >= NEAR
            else "background"
        )
        mistakes.append(Mistake(box, special, kind))
    return mistakes


def _size(picture: Boxed) -> tuple[int, int]:
    return picture.image.shape[0], picture.image.shape[1]


@dataclass
class Counts:
    """How many of a sort, by trait, kind and source."""

    all: int = 0
    of: Counter[str] = field(default_factory=Counter)
    sources: Counter[str] = field(default_factory=Counter)

    def add(self, names: Iterable[str], source: str) -> None:
        """Take in one object or mistake with its traits."""
        self.all += 1
        self.of.update(dict.fromkeys(names, 1))
        self.sources[source] += 1

    def figures(self) -> dict[str, Any]:
        """``all``, each trait and kind that occurs, and ``by_source``."""
        named = {name: self.of[name] for name in WORDS if self.of[name]}
        return {"all": self.all, **named, "by_source": dict(sorted(self.sources.items()))}


@dataclass
class Causes:
    """Sums up mistakes; ``objects`` are all true objects, so that a share can be taken of each trait."""

    objects: Counts = field(default_factory=Counts)
    missed: Counts = field(default_factory=Counts)
    false: Counts = field(default_factory=Counts)

    def add(
        self,
        picture: Boxed,
        row: Judgement,
        members: Sequence[str],
        missed: Sequence[Mistake],
        false: Sequence[Mistake],
    ) -> None:
        """One kind of object in one picture."""
        others = np.delete(picture.xyxy, rows_of(picture.label, members), axis=0)
        for number, box in enumerate(row.truth):
            beside = np.delete(row.truth, number, axis=0)
            self.objects.add(traits(box, _size(picture), beside, others), picture.source)
        for counts, mistakes in ((self.missed, missed), (self.false, false)):
            for mistake in mistakes:
                counts.add((*mistake.traits, mistake.kind), picture.source)

    def figures(self) -> dict[str, Any]:
        """``missed``, ``false`` and, to compare them with, all ``objects``."""
        return {name: getattr(self, name).figures() for name in ("missed", "false", "objects")}
