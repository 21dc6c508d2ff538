"""How well objects are found: average precision, recall by height, false finds, and what mistakes share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from autoremove.evaluation.calibration import HEIGHTS, Scores, heights_of, pooled, ratio
from autoremove.evaluation.causes import Causes, Mistake, false_in, missed_in
from autoremove.evaluation.judging import Judgement, judge, kinds_of, rows_of, rows_to_show
from autoremove.evaluation.labelled import Boxed, count_pictures, read_boxed
from autoremove.evaluation.precision import AveragePrecision
from autoremove.evaluation.sheet import MISSED, RIGHT, TRUE, WRONG, Worst, boxed, cell, write_sheet
from autoremove.evaluation.unread import Unread
from autoremove.types import Detections, Image

Find = Callable[[Image], Detections]
"""Everything found in one picture, at a low confidence, so that average precision sees it all."""

Choose = Callable[[Image, Detections], Detections]
"""Which of the finds the recipe would remove."""

Confidence = Callable[[str], float]
"""The score from which the recipe takes a find of that class."""


@dataclass
class Tally:
    """What became of the objects of one class or group at the shipped confidence."""

    heights: list[float] = field(default_factory=list)
    hits: list[bool] = field(default_factory=list)
    false: int = 0
    judged: int = 0

    def add(self, row: Judgement, *, judged: bool) -> None:
        """Take in one picture; ``judged``: whether its source labels the class."""
        self.heights += heights_of(row.truth).tolist()
        self.hits += row.hit.tolist()
        self.false += int(row.false.sum())
        self.judged += judged

    def figures(self) -> dict[str, Any]:
        """Recall, precision and false finds."""
        heights, hits = np.array(self.heights), np.array(self.hits, bool)
        found = int(hits.sum())
        figures: dict[str, Any] = {"recall": ratio(found, len(hits))}
        for name, (low, high) in HEIGHTS.items():
            group = hits[(heights >= low) & (heights < high)]
            figures[name] = ratio(int(group.sum()), len(group))
        figures["precision"] = ratio(found, found + self.false)
        figures["false_per_picture"] = ratio(self.false, self.judged)
        return {**figures, "objects": len(hits)}


def evaluate_detect(
    folder: Path,
    find: Find,
    *,
    classes: Sequence[str],
    confidence: float | Confidence,
    removed: Sequence[str] | None = None,
    choose: Choose | None = None,
    limit: int | None = None,
    sheet: Path | None = None,
) -> dict[str, Any]:
    """Measure a detector on a data set in the `instances` form or the YOLO form.

    ``classes``: what to judge; groups of them (``all-vehicles``) are rows of their own, within which a find
    of one class may be an object of another. ``confidence``: the score, of every class or by class, from
    which a find counts in recall and precision; average precision and ``calibration`` use all finds. A find
    is right at an overlap (IoU) of 0.5.
    ``removed``: the classes that are to go (default: all); ``choose``: which of the finds the recipe would
    remove (default: those of ``removed`` from the confidence on). ``false_per_picture`` and ``calibration``
    are about these, and so is ``causes``: what the missed objects and the false finds have in common.
    ``limit``: at most so many pictures, evenly spaced; ``unread``: what of them cannot be read.
    ``sheet``: a PNG of the twenty worst pictures.

    Finds that count neither way: those mostly in unclear regions, and strays in pictures whose source does
    not label that class, or labels its main object only. Shares are 0..1, None where there is nothing.
    """
    limits = {name: confidence if isinstance(confidence, float) else confidence(name) for name in classes}
    judge_all = Judge(limits, list(classes if removed is None else removed), choose)
    total, unread = count_pictures(folder), Unread()
    rows = read_boxed(folder, limit, unread.add)
    for picture in tqdm(rows, "detect", total=min(total, limit or total), disable=None):
        judge_all.add(picture, find(picture.image), draw=sheet is not None)
    unread.refuse_nothing(judge_all.pictures)
    if sheet:
        write_sheet(sheet, judge_all.worst.rows(4))
    return {**judge_all.figures(), "unread": unread.told}


class Judge:
    """Takes in pictures with their finds one by one, and sums them up.

    ``limits``: the shipped confidence of each class. ``scores``: all finds of each class and group.
    """

    def __init__(
        self, limits: Mapping[str, float], removed: Sequence[str] | None = None, choose: Choose | None = None
    ) -> None:
        self.limits = dict(limits)
        self.removed = [name for name in limits if removed is None or name in removed]
        self.rows = rows_to_show(list(limits))
        self.tallies = {name: Tally() for name in self.rows}
        self.scores = {name: Scores() for name in self.rows}
        self.precision = AveragePrecision(list(self.rows))
        self.causes, self.worst = Causes(), Worst()
        self.pictures = self.judged = self.false = 0
        self._choose = choose or self._of_removed

    def _of_removed(self, _: Image, found: Detections) -> Detections:
        shipped = self._shipped(found)
        return shipped[rows_of(shipped.label, self.removed)]

    def _shipped(self, found: Detections) -> Detections:
        limits = np.array([self.limits.get(label, 2.0) for label in found.label], np.float32)
        return found[found.score >= limits]

    def add(self, picture: Boxed, finds: Detections, *, draw: bool = False) -> None:
        """One picture and everything found in it."""
        everything = {name: judge(picture, finds, members) for name, members in self.rows.items()}
        self.precision.add(everything)
        shipped = self._shipped(finds)
        for name, members in self.rows.items():
            judged = not picture.judged.isdisjoint(members)
            self.scores[name].add(everything[name], judged=judged)
            self.tallies[name].add(judge(picture, shipped, members), judged=judged)
        self.pictures += 1
        self.judged += not picture.judged.isdisjoint(self.removed)
        self._look_at_removed(picture, finds, draw)

    def _look_at_removed(self, picture: Boxed, finds: Detections, draw: bool) -> None:
        """Count and name the mistakes that a user would see: what stays, and what goes without reason."""
        shipped, gone = self._shipped(finds), self._choose(picture.image, finds)
        case = _Case(picture)
        wanted = kinds_of(self.removed)
        for members in kinds_of(list(self.limits)).values():
            targets = next((own for own in wanted.values() if set(own) & set(members)), ())
            gone_too = [name for name in members if name in targets or name in gone.label]
            found, going = judge(picture, shipped, targets), judge(picture, gone, gone_too)
            missed = missed_in(picture, found, targets, shipped, finds)
            false = false_in(picture, going, gone_too)
            self.causes.add(picture, found, targets, missed, false)
            case.add(found, going, missed, false)
        self.false += len(case.false)
        if draw and (case.missed or case.false):
            self.worst.add(case.badness(), case.draw)

    def figures(self) -> dict[str, Any]:
        """All figures of the pictures so far."""
        precision = self.precision.figures()
        rows = {name: {**precision[name], **tally.figures()} for name, tally in self.tallies.items()}
        for name, row in rows.items():
            row["confidence"] = self.limits.get(name)
            row["calibration"] = self.scores[name].bands()
        return {
            "classes": rows,
            "false_per_picture": ratio(self.false, self.judged),
            "removed": self.removed,
            "calibration": pooled([self.scores[name] for name in self.removed]).bands(),
            "causes": self.causes.figures(),
            "pictures": self.pictures,
        }


@dataclass
class _Case:
    """One picture with its mistakes, as the sheet shows it."""

    picture: Boxed
    found: list[Judgement] = field(default_factory=list)
    going: list[Judgement] = field(default_factory=list)
    missed: list[Mistake] = field(default_factory=list)
    false: list[Mistake] = field(default_factory=list)

    def add(
        self, found: Judgement, going: Judgement, missed: Sequence[Mistake], false: Sequence[Mistake]
    ) -> None:
        self.found.append(found)
        self.going.append(going)
        self.missed += missed
        self.false += false

    def badness(self) -> float:
        """Mistakes, each small missed one for less: it is the tall ones that spoil a picture."""
        tall = [min(1.0, float(mistake.box[3] - mistake.box[1]) / 64) for mistake in self.missed]
        return sum(tall) + len(self.false)

    def caption(self) -> str:
        """The mistakes by kind, the most frequent first."""
        parts = []
        for what, mistakes in (("missed", self.missed), ("false", self.false)):
            kinds = Counter(mistake.words() for mistake in mistakes).most_common(3)
            told = ", ".join(f"{count} {words}" if count > 1 else words for words, count in kinds)
            parts += [f"{len(mistakes)} {what}: {told}"] if mistakes else []
        return f"{'; '.join(parts)} | {self.picture.name}"

    def draw(self) -> list[Image]:
        groups = [(row.truth[row.hit], TRUE) for row in self.found]
        groups += [(row.found.xyxy[row.taken >= 0], RIGHT) for row in self.going]
        groups += [(mistake.box[None], WRONG) for mistake in self.false]
        groups += [(mistake.box[None], MISSED) for mistake in self.missed]
        return [cell(boxed(self.picture.image, groups), self.caption(), 384)]
