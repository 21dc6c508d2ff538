"""How well objects are found: average precision, recall by height, and false finds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from autoremove.evaluation.labelled import Boxed, count_pictures, read_boxed
from autoremove.evaluation.matching import Boxes, box_iou, match, share_inside
from autoremove.evaluation.sheet import MISSED, RIGHT, TRUE, WRONG, Worst, boxed, cell, write_sheet
from autoremove.types import Detections, Image

Find = Callable[[Image], Detections]
"""Everything found in one picture, at a low confidence, so that average precision sees it all."""

UNCLEAR = 0.5
"""A find with more than this share of its own area in an unclear region counts neither way."""

HEIGHTS = {
    "recall_under_32": (0.0, 32.0),
    "recall_32_64": (32.0, 64.0001),
    "recall_over_64": (64.0001, np.inf),
}
"""Heights of true boxes in pixels of the picture: under 32, 32 to 64, over 64."""


@dataclass
class Tally:
    """What became of the objects of one class at the shipped confidence."""

    heights: list[float] = field(default_factory=list)
    hits: list[bool] = field(default_factory=list)
    false: int = 0
    judged: int = 0

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


def ratio(part: float, whole: float) -> float | None:
    """None where there is nothing to take a share of."""
    return part / whole if whole else None


def evaluate_detect(
    folder: Path,
    find: Find,
    *,
    classes: Sequence[str],
    confidence: float,
    removed: Sequence[str] | None = None,
    limit: int | None = None,
    sheet: Path | None = None,
) -> dict[str, Any]:
    """Measure a detector on a data set in the `instances` form or the YOLO form.

    ``classes``: what to judge. ``confidence``: the score from which a find counts in recall, precision and
    false finds; average precision uses them all. A find is right at an overlap (IoU) of 0.5. ``removed``:
    the classes whose false finds make up ``false_per_picture`` (default: all).
    ``limit``: at most so many pictures, evenly spaced. ``sheet``: a PNG of the twenty worst pictures.

    Finds that count neither way: those mostly in unclear regions, and strays in pictures whose source does
    not label that class, or labels its main object only. Shares are 0..1, None where there is nothing.
    """
    judge = _Judge(list(classes), confidence, list(classes if removed is None else removed))
    total = count_pictures(folder)
    for picture in tqdm(read_boxed(folder, limit), "detect", total=min(total, limit or total), disable=None):
        judge.add(picture, find(picture.image), draw=sheet is not None)
    if sheet:
        write_sheet(sheet, judge.worst.rows(5))
    return judge.figures()


class _Judge:
    """Takes in pictures with their finds one by one, and sums them up."""

    def __init__(self, classes: list[str], confidence: float, removed: list[str]) -> None:
        self.confidence, self.removed = confidence, removed
        self.tallies = {name: Tally() for name in classes}
        self.precision = AveragePrecision(classes)
        self.worst = Worst()
        self.pictures = self.judged = 0

    def add(self, picture: Boxed, finds: Detections, *, draw: bool) -> None:
        found = kept(picture, finds, list(self.tallies))
        self.precision.add(picture, found)
        mistakes = [
            _count(tally, picture, found, name, self.confidence) for name, tally in self.tallies.items()
        ]
        if draw and any(len(boxes) for case in mistakes for boxes in (case.missed, case.false)):
            self.worst.add(*_case(picture, mistakes))
        self.pictures += 1
        self.judged += any(name in picture.judged for name in self.removed)

    def figures(self) -> dict[str, Any]:
        precision = self.precision.figures()
        false = sum(self.tallies[name].false for name in self.removed)
        return {
            "classes": {name: {**precision[name], **tally.figures()} for name, tally in self.tallies.items()},
            "false_per_picture": ratio(false, self.judged),
            "confidence": self.confidence,
            "pictures": self.pictures,
        }


def kept(picture: Boxed, found: Detections, classes: Sequence[str]) -> Detections:
    """The finds that count, best first."""
    order = np.argsort(-found.score, kind="stable")
    found = found[order]
    keep = np.zeros(len(found), bool)
    for name in classes:
        rows = rows_of(found.label, name)
        truth = picture.xyxy[rows_of(picture.label, name)]
        boxes = found.xyxy[rows]
        free = match(boxes, truth) < 0
        if name in picture.judged:
            doubtful = share_inside(boxes, picture.unclear_for(name)) > UNCLEAR
        else:
            doubtful = box_iou(boxes, truth).max(1, initial=0) < 0.5
        keep[rows] = ~(free & doubtful)
    return found[keep]


def rows_of(labels: Sequence[str], name: str) -> NDArray[np.int64]:
    """Positions of the rows with that label."""
    return np.array([i for i, label in enumerate(labels) if label == name], np.int64)


@dataclass(frozen=True)
class Mistakes:
    """Boxes of one class in one picture, by what became of them."""

    found: Boxes
    missed: Boxes
    right: Boxes
    false: Boxes


def _count(tally: Tally, picture: Boxed, found: Detections, name: str, confidence: float) -> Mistakes:
    truth = picture.xyxy[rows_of(picture.label, name)]
    rows = rows_of(found.label, name)
    boxes = found.xyxy[rows[found.score[rows] >= confidence]]
    taken = match(boxes, truth)
    hit = np.isin(np.arange(len(truth)), taken)
    tally.heights += (truth[:, 3] - truth[:, 1]).tolist()
    tally.hits += hit.tolist()
    tally.false += int((taken < 0).sum()) if name in picture.judged else 0
    tally.judged += name in picture.judged
    return Mistakes(truth[hit], truth[~hit], boxes[taken >= 0], boxes[taken < 0])


def _case(picture: Boxed, mistakes: list[Mistakes]) -> tuple[float, Callable[[], list[Image]]]:
    missed, false = (sum(len(getattr(case, what)) for case in mistakes) for what in ("missed", "false"))

    def draw() -> list[Image]:
        colours = {"found": TRUE, "right": RIGHT, "false": WRONG, "missed": MISSED}
        groups = [(getattr(case, what), colour) for case in mistakes for what, colour in colours.items()]
        caption = f"{missed} missed, {false} false: {picture.name}"
        return [cell(boxed(picture.image, groups), caption)]

    return missed + false, draw


class AveragePrecision:
    """COCO's average precision by class (torchmetrics over pycocotools)."""

    def __init__(self, classes: Sequence[str]) -> None:
        from torchmetrics.detection import MeanAveragePrecision

        self.classes = list(classes)
        self._metric = MeanAveragePrecision(extended_summary=True, class_metrics=True, backend="pycocotools")
        # COCO keeps the best hundred; a crowd has more, and torchmetrics would warn at each picture.
        self._metric.warn_on_many_detections = False

    def add(self, picture: Boxed, found: Detections) -> None:
        """Take in one picture with the finds that count."""
        import torch

        def columns(xyxy: Boxes, labels: Sequence[str]) -> dict[str, torch.Tensor]:
            rows = [i for i, label in enumerate(labels) if label in self.classes]
            numbers = [self.classes.index(labels[i]) for i in rows]
            boxes = torch.from_numpy(xyxy[rows].reshape(-1, 4))
            return {"boxes": boxes, "labels": torch.tensor(numbers, dtype=torch.long)}

        wanted = found[[i for i, label in enumerate(found.label) if label in self.classes]]
        finds = {**columns(wanted.xyxy, wanted.label), "scores": torch.from_numpy(wanted.score.copy())}
        self._metric.update([finds], [columns(picture.xyxy, picture.label)])

    def figures(self) -> dict[str, dict[str, float | None]]:
        """``ap50`` and ``ap50_95`` of each class; None without a true object."""
        result = self._metric.compute()
        seen = np.atleast_1d(result["classes"].numpy()).tolist()
        # overlaps x recalls x classes x sizes x most finds; -1 where a class has no true object
        table = result["precision"].numpy()
        figures = {}
        for number, name in enumerate(self.classes):
            values = table[:, :, seen.index(number), 0, -1] if number in seen else np.array([[-1.0]])
            known = bool((values > -1).all())
            figures[name] = {
                "ap50": float(values[0].mean()) if known else None,
                "ap50_95": float(values.mean()) if known else None,
            }
        return figures
