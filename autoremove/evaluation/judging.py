"""Which finds in a picture are right, which are false, and which count neither way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autoremove.evaluation.labelled import Boxed
from autoremove.evaluation.matching import Boxes, box_iou, match, share_inside
from autoremove.labels import ANIMALS, CARRIED, GROUPS, PEOPLE, VEHICLES
from autoremove.types import Detections

UNCLEAR = 0.5
"""A find with more than this share of its own area in an unclear region counts neither way."""

RIGHT_OVERLAP = 0.5
"""Overlap (IoU) from which a find is one of the true objects."""

TWICE = 0.6
"""Overlap from which two finds of different classes of one group are one object."""

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Judgement:
    """What became of one class or group of classes in one picture.

    ``truth`` T x 4, the true boxes; ``found`` F finds that count, best first; ``taken`` F: the row of the
    true box that each is, -1 = none; ``false`` F bool: neither a true object nor in a picture that leaves
    such objects unlabelled.
    """

    truth: Boxes
    found: Detections
    taken: Rows
    false: NDArray[np.bool_]

    @property
    def hit(self) -> NDArray[np.bool_]:
        """T bool: which true objects are found."""
        return np.isin(np.arange(len(self.truth)), self.taken)


def judge(picture: Boxed, found: Detections, members: Sequence[str]) -> Judgement:
    """Compare the finds of some classes with the true objects of these classes.

    Within ``members`` a find of one class may be an object of another: a van found as a truck is right for a
    group of vehicles, and found as car and truck it is one find. Finds that count neither way are left out:
    those mostly in unclear regions, and strays of a class that the picture's source does not label.
    """
    truth = picture.xyxy[rows_of(picture.label, members)]
    mine = found[rows_of(found.label, members)]
    mine = mine[np.argsort(-mine.score, kind="stable")]
    if len(set(mine.label)) > 1:
        mine = mine[_once(mine.xyxy)]
    taken = match(mine.xyxy, truth, RIGHT_OVERLAP)
    labelled = np.array([label in picture.judged for label in mine.label], bool)
    keep = ~((taken < 0) & _doubtful(picture, mine, truth, labelled))
    return Judgement(truth, mine[keep], taken[keep], ((taken < 0) & labelled)[keep])


def rows_of(labels: Sequence[str], members: Sequence[str]) -> Rows:
    """Positions of the rows with one of these labels."""
    return np.array([i for i, label in enumerate(labels) if label in members], np.int64)


def _once(xyxy: Boxes) -> Rows:
    """Positions of the boxes, best first, that no better one covers."""
    overlaps = box_iou(xyxy, xyxy)
    kept: list[int] = []
    for row in range(len(xyxy)):
        if not (overlaps[row, kept] > TWICE).any():
            kept.append(row)
    return np.array(kept, np.int64)


def _doubtful(
    picture: Boxed, found: Detections, truth: Boxes, labelled: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Which finds say nothing where they are no true object."""
    doubtful = ~labelled & (box_iou(found.xyxy, truth).max(1, initial=0) < RIGHT_OVERLAP)
    for label in {label for label, known in zip(found.label, labelled, strict=True) if known}:
        rows = rows_of(found.label, (label,))
        doubtful[rows] = share_inside(found.xyxy[rows], picture.unclear_for(label)) > UNCLEAR
    return np.asarray(doubtful, bool)


def rows_to_show(classes: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The rows of a table of classes: each for itself, then the groups with two or more of them."""
    rows: dict[str, tuple[str, ...]] = {name: (name,) for name in classes}
    for group, members in GROUPS.items():
        known = tuple(name for name in members if name in classes)
        if len(known) > 1:
            rows[group] = known
    return rows


def kinds_of(classes: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The classes by kind: it is no mistake to remove a van as a truck, where trucks and vans are to go."""
    tables: Mapping[str, tuple[str, ...]] = {
        "person": PEOPLE,
        "vehicles": VEHICLES,
        "animals": ANIMALS,
        "carried": CARRIED,
    }
    kinds: dict[str, list[str]] = {}
    for name in classes:
        kind = next((kind for kind, members in tables.items() if name in members), name)
        kinds.setdefault(kind, []).append(name)
    return {kind: tuple(members) for kind, members in kinds.items()}
