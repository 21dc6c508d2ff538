"""Several looks at one picture made one: boxes of all looks, clustered and averaged."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from autoremove.models.boxes import Boxes, overlap
from autoremove.types import NO_CUTOUT, Cutout, Detections

Numbers = NDArray[np.int64]


class Finds(NamedTuple):
    """The finds of all looks as parallel columns, best first.

    ``look``: which look it is of; ``row``: which of the finds of that look.
    """

    xyxy: Boxes
    score: NDArray[np.float32]
    label: NDArray[np.str_]
    look: Numbers
    row: Numbers


def mirrored(found: Detections, width: int) -> Detections:
    """Detections of a left-right mirrored picture, in the frame of the picture itself."""
    xyxy = found.xyxy.copy()
    xyxy[:, [0, 2]] = width - found.xyxy[:, [2, 0]]
    masks = None if found.masks is None else tuple(_turned(cutout, width) for cutout in found.masks)
    return Detections(xyxy, found.score, found.label, masks)


def _turned(cutout: Cutout, width: int) -> Cutout:
    (x1, y1, x2, y2), mask = cutout
    return (width - x2, y1, width - x1, y2), mask[:, ::-1]


def fused(views: Sequence[Detections], confidence: float, iou: float = 0.55) -> Detections:
    """Weighted boxes fusion (Solovyev et al. 2021) of several looks at the whole of one picture.

    Boxes of one label that overlap by more than ``iou`` are one object: its box is their mean weighted by
    score, its score the mean over all views, 0 where a view did not see it. So a thing that every view sees
    a little beats one that a single view is sure of. The mask is that of the surest view.
    """
    if len(views) == 1:
        return views[0][views[0].score >= confidence]
    finds = gathered(views)
    groups = clusters(finds, np.arange(len(finds.score)), iou)
    boxes = mean_boxes(finds, groups)
    found = objects(views, finds, groups, boxes, best_seen(finds, groups, len(views)).mean(1))
    return found[found.score >= confidence]


def gathered(views: Sequence[Detections]) -> Finds:
    """The finds of all looks in one table."""
    columns: tuple[Any, ...] = (
        np.concatenate([found.xyxy for found in views]),
        np.concatenate([found.score for found in views]),
        np.array([label for found in views for label in found.label], np.str_),
        np.concatenate([np.full(len(found), number) for number, found in enumerate(views)]),
        np.concatenate([np.arange(len(found)) for found in views]),
    )
    order = np.argsort(-columns[1], kind="stable")
    return Finds(*(column[order] for column in columns))


def clusters(finds: Finds, chosen: Numbers, iou: float) -> list[Numbers]:
    """The chosen rows of the table in groups of one object each, best first in each."""
    groups: list[Numbers] = []
    for label in np.unique(finds.label[chosen]):
        own = chosen[finds.label[chosen] == label]
        number = _numbered(finds.xyxy[own], finds.score[own], iou)
        groups += [own[number == k] for k in range(number.max() + 1)]
    return groups


def _numbered(boxes: Boxes, score: NDArray[np.float32], iou: float) -> Numbers:
    """The number of the cluster of each box: it joins that whose mean box it overlaps most."""
    number = np.zeros(len(boxes), np.int64)
    sums, weights = np.zeros((len(boxes), 4)), np.zeros(len(boxes))
    means = np.zeros((len(boxes), 4), np.float32)
    count = 0
    for row, (box, weight) in enumerate(zip(boxes, np.maximum(score, 1e-9).tolist(), strict=True)):
        shares = overlap(box, means[:count]) if count else np.zeros(1, np.float32)
        nearest = int(shares.argmax())
        if shares[nearest] <= iou:
            nearest, count = count, count + 1
        number[row] = nearest
        sums[nearest] += box.astype(np.float64) * weight
        weights[nearest] += weight
        means[nearest] = sums[nearest] / weights[nearest]
    return number


def mean_boxes(finds: Finds, groups: Sequence[Numbers]) -> Boxes:
    """The mean box of each group, weighted by score."""
    boxes = np.zeros((len(groups), 4), np.float32)
    for number, group in enumerate(groups):
        weight = np.maximum(finds.score[group].astype(np.float64), 1e-9)[:, None]
        boxes[number] = (finds.xyxy[group] * weight).sum(0) / weight.sum()
    return boxes


def best_seen(finds: Finds, groups: Sequence[Numbers], looks: int) -> NDArray[np.float32]:
    """N x looks: the best score of each group in each look, 0 where unseen."""
    seen = np.zeros((len(groups), looks), np.float32)
    for number, group in enumerate(groups):
        np.maximum.at(seen[number], finds.look[group], finds.score[group])
    return seen


def objects(
    views: Sequence[Detections],
    finds: Finds,
    groups: Sequence[Numbers],
    boxes: Boxes,
    score: NDArray[np.floating[Any]],
) -> Detections:
    """One object for each group, best first, with the mask of its surest find."""
    order = np.argsort(-score, kind="stable")
    surest = [int(groups[k][0]) for k in order]
    labels = tuple(str(finds.label[row]) for row in surest)
    masks = _masks(views, finds, surest)
    return Detections(boxes[order], score[order].astype(np.float32), labels, masks)


def _masks(views: Sequence[Detections], finds: Finds, rows: Sequence[int]) -> tuple[Cutout, ...] | None:
    if any(found.masks is None for found in views if len(found)):
        return None
    masks = [views[int(finds.look[row])].masks for row in rows]
    return tuple(
        NO_CUTOUT if own is None else own[int(finds.row[row])] for own, row in zip(masks, rows, strict=True)
    )
