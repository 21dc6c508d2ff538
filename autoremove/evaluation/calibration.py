"""What a score is worth: how many finds of a score are right, and the confidence to ship for a precision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from autoremove.evaluation.judging import Judgement
from autoremove.evaluation.matching import Boxes

BAND = 0.05
"""Width of a band of scores."""

HEIGHTS = {
    "recall_under_32": (0.0, 32.0),
    "recall_32_64": (32.0, 64.0001),
    "recall_over_64": (64.0001, np.inf),
}
"""Heights of true boxes in pixels of the picture: under 32, 32 to 64, over 64."""


def ratio(part: float, whole: float) -> float | None:
    """None where there is nothing to take a share of."""
    return part / whole if whole else None


def heights_of(boxes: Boxes) -> NDArray[np.float64]:
    """Heights of N boxes in pixels."""
    return np.asarray(boxes[:, 3] - boxes[:, 1], np.float64)


class Choice(NamedTuple):
    """A confidence and what it gives; ``met``: whether the wish could be fulfilled at all."""

    confidence: float
    precision: float | None
    recall: float | None
    false_per_picture: float | None
    met: bool


@dataclass
class Scores:
    """All finds of one class or group with their scores, and how many objects and judged pictures there are.

    ``right``: by find; a find that is neither right nor false is not here.
    """

    score: list[float] = field(default_factory=list)
    right: list[bool] = field(default_factory=list)
    objects: int = 0
    pictures: int = 0

    def add(self, row: Judgement, *, judged: bool) -> None:
        """Take in one picture; ``judged``: whether its source labels the class."""
        counts = row.false | (row.taken >= 0)
        self.score += row.found.score[counts].tolist()
        self.right += (row.taken[counts] >= 0).tolist()
        self.objects += len(row.truth)
        self.pictures += judged

    def bands(self) -> list[dict[str, Any]]:
        """Finds and right ones by band of score, lowest first; bands without a find are left out."""
        score, right = np.array(self.score), np.array(self.right, bool)
        number = np.minimum((score / BAND + 1e-6).astype(int), round(1 / BAND) - 1)
        return [
            {
                "score_from": round(band * BAND, 2),
                "score_to": round((band + 1) * BAND, 2),
                "finds": int((number == band).sum()),
                "right": int(right[number == band].sum()),
            }
            for band in np.unique(number).tolist()
        ]

    def choose(self, precision: float, false_per_picture: float | None = None) -> Choice:
        """The lowest confidence with at least this precision and at most so many false finds a picture.

        Where none has, the one with the best F1.
        """
        order = np.argsort(-np.array(self.score), kind="stable")
        if not len(order):
            return Choice(1.0, None, ratio(0, self.objects), ratio(0, self.pictures), False)
        score, right = np.array(self.score)[order], np.cumsum(np.array(self.right)[order])
        finds = np.arange(1, len(order) + 1)
        false = (finds - right) / max(1, self.pictures)
        fits = right / finds >= precision
        if false_per_picture is not None:
            fits &= false <= false_per_picture
        fits &= np.append(score[1:] < score[:-1], True)  # a confidence cannot part finds of one score
        quality = 2 * right / np.maximum(finds + self.objects, 1)
        last = int(np.flatnonzero(fits)[-1]) if fits.any() else int(quality.argmax())
        return self.at(float(np.floor(score[last] * 1000) / 1000), bool(fits.any()))

    def at(self, confidence: float, met: bool = True) -> Choice:
        """What a confidence gives."""
        chosen = np.array(self.score) >= confidence
        right = int(np.array(self.right, bool)[chosen].sum())
        finds = int(chosen.sum())
        return Choice(
            confidence,
            ratio(right, finds),
            ratio(right, self.objects),
            ratio(finds - right, self.pictures),
            met,
        )


def pooled(tables: Sequence[Scores]) -> Scores:
    """Several tables as one: of classes that are too rare to choose a confidence of their own."""
    return Scores(
        [value for table in tables for value in table.score],
        [value for table in tables for value in table.right],
        sum(table.objects for table in tables),
        max((table.pictures for table in tables), default=0),
    )


def chosen(
    tables: Mapping[str, Scores],
    groups: Mapping[str, Sequence[str]],
    *,
    precision: float,
    false_per_picture: float | None = None,
    least: int = 20,
) -> dict[str, tuple[str, Choice]]:
    """For each class the confidence to ship, and whose finds it was read from.

    A class with fewer than ``least`` true objects takes the confidence of its group, and a group with fewer
    that of all classes together. ``false_per_picture`` holds for each class by itself.
    """
    found = {}
    for name, own in tables.items():
        members = next((members for members in groups.values() if name in members), (name,))
        wider = {"own": [name], "group": [m for m in members if m in tables], "all": list(tables)}
        for source, names in wider.items():
            pool = pooled([tables[member] for member in names])
            if pool.objects >= least or source == "all":
                most = None if false_per_picture is None else false_per_picture * len(names)
                limit = pool.choose(precision, most)
                found[name] = (source, own.at(limit.confidence, limit.met))
                break
    return found
