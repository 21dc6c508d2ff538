"""Looks at parts of a picture made one: who may vote on what, parts of cut objects, and one class each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from autoremove.labels import ANIMALS, CARRIED, VEHICLES
from autoremove.models.boxes import Boxes, areas, common, overlap
from autoremove.stages.fuse import (
    Finds,
    Numbers,
    best_seen,
    clusters,
    gathered,
    objects,
)
from autoremove.stages.views import View
from autoremove.types import Detections

WELL_SEEN = (32.0, 128.0)
"""Sizes (root of the box's area, pixels in the network) between which a look is trusted fully."""

FALL = (2.0, 4.0)
"""How fast trust falls outside: at half the lower size it is 2 ** -2, at twice the upper one 2 ** -4."""

DOUBT = 0.25
"""Votes against everything: where few looks can judge, more of them err."""

BORDER = 4.0
"""Pixels in the network: a box so near to an inner border of its window is taken to be cut by it."""

PART = 0.6
"""Share of a cut box that lies in another from which it is a part of that one."""

SAME = 0.8
"""IoU of two boxes of classes that are taken for one another from which they are one object."""

OUTER = 0.42
"""Share of the looks, by weight, that place a side of an object further out than its box has it."""

CONFUSED = (VEHICLES, ANIMALS, CARRIED)


def combined(
    views: Sequence[View], found: Sequence[Detections], confidence: float, iou: float = 0.45
) -> Detections:
    """What several looks at one picture or parts of it saw, each object once, best first.

    ``found``: the finds of each view in pixels of the picture. As in :func:`~autoremove.stages.fuse.fused`
    boxes of one label that overlap by more than ``iou`` are one object, and its score is a mean over the
    looks, 0 where one did not see it. But each look counts as much as a thing of this size is seen there at
    all: not if its window does not hold the box, fully between the sizes WELL_SEEN in its network, less the
    further outside. So a far person is not voted down by coarse looks, nor a near one by fine ones. DOUBT is
    a quarter of a look that saw nothing, so that a score means the same whether many looks can judge or one.

    A box cut by an inner border of its window does not count where a whole one covers it; else it is joined
    with the cut ones of its label that lie in it, and the looks that hold it vote on it too. Of classes that
    are taken for one another (car and truck) the best stays where two boxes are the same. A single look is
    only thresholded.
    """
    if len(views) == 1:
        return found[0][found[0].score >= confidence]
    finds, bounds = gathered(found), _bounds(views)
    cut = ~_within(finds.xyxy, bounds[finds.look])
    whole = clusters(finds, np.flatnonzero(~cut), iou)
    groups = [*whole, *_parts(finds, np.flatnonzero(cut), whole)]
    seen = best_seen(finds, groups, len(views))
    # Also where a thing ends is told best by the looks that see its size well.
    told = finds.score * trust(np.sqrt(areas(finds.xyxy)) * _scales(views)[finds.look])
    boxes = np.concatenate([_extents(finds.xyxy, told, whole), _unions(finds, groups[len(whole) :])])
    holds = _within(boxes[:, None], bounds[None])
    holds[len(whole) :] |= seen[len(whole) :] > 0  # a part was seen where it was cut
    weight = holds * trust(np.sqrt(areas(boxes))[:, None] * _scales(views))
    weight /= weight.max(1, initial=1e-12, keepdims=True)
    each = objects(found, finds, groups, boxes, (seen * weight).sum(1) / (weight.sum(1) + DOUBT))
    return _one_class_each(each[each.score >= confidence])


def trust(size: NDArray[np.float32]) -> NDArray[np.float32]:
    """How much a look counts for things of these sizes in its network, above 0..1."""
    (low, high), (below, above) = WELL_SEEN, FALL
    size = np.maximum(size, 1.0)
    return np.asarray(np.minimum(1, size / low) ** below * np.minimum(1, high / size) ** above, np.float32)


def _scales(views: Sequence[View]) -> NDArray[np.float32]:
    return np.array([view.scale for view in views], np.float32)


def _extents(xyxy: Boxes, weight: NDArray[np.float32], groups: Sequence[Numbers]) -> Boxes:
    """How far each group's object reaches, N x 4: OUTER of the weight of all looks lies further out.

    Looks may be of two minds (a man, or his upper half); their mean is neither, and what it cuts off would be
    left standing.
    """
    boxes = np.zeros((len(groups), 4), np.float32)
    for number, group in enumerate(groups):
        heavy = np.maximum(weight[group].astype(np.float64), 1e-9)
        heavy /= heavy.sum()
        for side in range(4):
            places = xyxy[group, side]
            order = np.argsort(places)
            reached = np.cumsum(heavy[order]) - heavy[order] / 2
            level = OUTER if side < 2 else 1 - OUTER
            boxes[number, side] = np.interp(level, reached, places[order])
    return boxes


def _bounds(views: Sequence[View]) -> Boxes:
    """Where nothing is cut in each view: its window less a margin, open at the picture's border."""
    windows = np.array([view.window for view in views], np.float32)
    margin = np.array([BORDER / view.scale for view in views], np.float32)[:, None]
    low, high = windows[:, :2], windows[:, 2:]
    low = np.where(low <= low.min(0), -np.inf, low + margin)
    high = np.where(high >= high.max(0), np.inf, high - margin)
    return np.hstack([low, high]).astype(np.float32)


def _within(boxes: Boxes, bounds: Boxes) -> NDArray[np.bool_]:
    inside = (boxes[..., :2] >= bounds[..., :2]) & (boxes[..., 2:] <= bounds[..., 2:])
    return np.asarray(inside.all(-1))


def _parts(finds: Finds, cut: Numbers, whole: Sequence[Numbers]) -> list[Numbers]:
    """Groups of the cut boxes that no whole one covers."""
    groups: list[Numbers] = []
    others = np.concatenate([np.zeros(0, np.int64), *whole])
    for label in np.unique(finds.label[cut]):
        rivals = others[finds.label[others] == label]
        own = cut[finds.label[cut] == label]
        free = np.array([row for row in own if not _covered(finds, row, rivals)], np.int64)
        while len(free):
            first, rest = free[0], free[1:]
            smaller = np.minimum(areas(finds.xyxy[rest]), areas(finds.xyxy[[first]]))
            joins = common(finds.xyxy[first], finds.xyxy[rest]) > PART * smaller
            groups.append(np.array([first, *rest[joins]], np.int64))
            free = rest[~joins]
    return groups


def _unions(finds: Finds, groups: Sequence[Numbers]) -> Boxes:
    """The box round all boxes of each group."""
    boxes = [(finds.xyxy[g, :2].min(0), finds.xyxy[g, 2:].max(0)) for g in groups]
    return np.array([np.concatenate(box) for box in boxes], np.float32).reshape(-1, 4)


def _covered(finds: Finds, part: int, rivals: Numbers) -> bool:
    """Whether a cut box lies in a whole one that was seen at least half as surely."""
    inside = common(finds.xyxy[part], finds.xyxy[rivals]) > PART * areas(finds.xyxy[[part]])
    return bool((inside & (finds.score[rivals] >= finds.score[part] / 2)).any())


def _one_class_each(found: Detections) -> Detections:
    """Of boxes that are the same, with classes that are taken for one another, the best one."""
    kinds = np.array([_kind(label) for label in found.label], np.int64)
    kept: list[int] = []
    for row in range(len(found)):  # best first
        rivals = [k for k in kept if kinds[k] == kinds[row] >= 0 and found.label[k] != found.label[row]]
        if not rivals or overlap(found.xyxy[row], found.xyxy[rivals]).max() <= SAME:
            kept.append(row)
    return found[kept]


def _kind(label: str) -> int:
    return next((number for number, group in enumerate(CONFUSED) if label in group), -1)
