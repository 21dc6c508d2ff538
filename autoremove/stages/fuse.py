"""Several looks at one picture made one: boxes of all views, clustered and averaged."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from autoremove.types import Detections


def mirrored(found: Detections, width: int) -> Detections:
    """Detections of a left-right mirrored picture, in the frame of the picture itself."""
    xyxy = found.xyxy.copy()
    xyxy[:, [0, 2]] = width - found.xyxy[:, [2, 0]]
    masks = None if found.masks is None else found.masks[:, :, ::-1]
    return Detections(xyxy, found.score, found.label, masks)


def overlap(box: NDArray[np.float32], boxes: NDArray[np.float32]) -> NDArray[np.float32]:
    """IoU of one box (4,) with N x 4 others."""
    low, high = np.maximum(box[:2], boxes[:, :2]), np.minimum(box[2:], boxes[:, 2:])
    common = (high - low).clip(0).prod(1)
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(1)
    return np.asarray(common / np.maximum((box[2:] - box[:2]).prod() + areas - common, 1e-6), np.float32)


def fused(views: Sequence[Detections], confidence: float, iou: float = 0.55) -> Detections:
    """Weighted boxes fusion (Solovyev et al. 2021) of several views of one picture.

    Boxes of one label that overlap by more than ``iou`` are one object: its box is their mean weighted by
    score, its score the mean over all views, 0 where a view did not see it. So a thing that every view sees
    a little beats one that a single view is sure of. The mask is that of the surest view.
    """
    if len(views) == 1:
        return views[0][views[0].score >= confidence]
    rows = [(view, row) for view, found in enumerate(views) for row in range(len(found))]
    rows.sort(key=lambda place: -float(views[place[0]].score[place[1]]))
    clusters: list[_Cluster] = []
    for view, row in rows:
        _join(clusters, views[view], view, row, iou)
    kept = [c for c in clusters if c.score(len(views)) >= confidence]
    kept.sort(key=lambda c: -c.score(len(views)))
    if not kept:
        return Detections.empty()
    masks = [c.mask for c in kept]
    return Detections(
        np.stack([c.box for c in kept]).astype(np.float32),
        np.array([c.score(len(views)) for c in kept], np.float32),
        tuple(c.label for c in kept),
        None if any(mask is None for mask in masks) else np.stack([m for m in masks if m is not None]),
    )


class _Cluster:
    """The boxes that are taken for one object."""

    def __init__(self, found: Detections, view: int, row: int) -> None:
        self.label = found.label[row]
        self.mask = None if found.masks is None else found.masks[row]
        self.best: dict[int, float] = {}
        self.weighted = np.zeros(4, np.float64)
        self.weight = 0.0
        self.add(found, view, row)

    def add(self, found: Detections, view: int, row: int) -> None:
        score = float(found.score[row])
        self.best[view] = max(score, self.best.get(view, 0.0))
        self.weighted += found.xyxy[row].astype(np.float64) * score
        self.weight += score
        self.box = (self.weighted / max(self.weight, 1e-9)).astype(np.float32)

    def score(self, views: int) -> float:
        return sum(self.best.values()) / views


def _join(clusters: list[_Cluster], found: Detections, view: int, row: int, iou: float) -> None:
    """Add a box to the cluster it overlaps most, or start a new one."""
    own = [cluster for cluster in clusters if cluster.label == found.label[row]]
    if own:
        shares = overlap(found.xyxy[row], np.stack([cluster.box for cluster in own]))
        nearest = int(shares.argmax())
        if shares[nearest] > iou:
            own[nearest].add(found, view, row)
            return
    clusters.append(_Cluster(found, view, row))
