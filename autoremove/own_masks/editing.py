"""From the files of a mask, edited or not, to objects and what is to be filled."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from autoremove.own_masks.coco import mask_from
from autoremove.types import NO_CUTOUT, Cutout, Detections, Mask, ObjectMask

MOST = 1000
"""A mask in more pieces is taken for one object: it is speckled, not drawn."""

_ROUND = np.ones((3, 3), np.uint8)

Ids = NDArray[np.uint16]
Given = tuple[Detections, ObjectMask]


def taken_back(white: Mask, ids: Ids | None, record: dict[str, Any]) -> Given:
    """What ``white`` asks for: all of it is filled, and which of it is object.

    Where ``ids`` are given they say so within the white. White that was not there when the mask was written
    (``grown`` of the record) is object too: of the one whose white it touches, else one of its own. Without
    ids each connected piece is an object.
    """
    if ids is None:
        return _numbered(white, _pieces(white), {})
    known = {row["number"]: row for row in record.get("objects", ())}
    before = mask_from(record["grown"], white.shape) if record.get("grown") else None
    kept = np.where(white, ids, 0).astype(np.int32)
    as_written = (
        before is not None and bool((before == white).all()) and set(_present(ids).tolist()) <= known.keys()
    )
    if as_written and sorted(known) == list(range(1, len(known) + 1)):
        return _as_recorded(known), ObjectMask(white, kept.astype(np.uint16))
    fresh = white & ~before if before is not None else _without_objects(white, kept)
    return _numbered(white, _joined(kept, fresh, before), known)


def outlined(record: dict[str, Any], size_hw: tuple[int, int]) -> Detections:
    """The objects of a COCO file with their outlines as masks, which are still to be grown."""
    rows = record.get("objects", [])
    masks = tuple(_cutout(mask_from(row["segmentation"], size_hw)) for row in rows)
    positions = {
        row["number"]: position for position, row in reversed(list(enumerate(rows))) if row["number"]
    }
    return Detections(
        np.array([row["xyxy"] for row in rows], np.float32).reshape(-1, 4),
        np.array([row["score"] for row in rows], np.float32),
        tuple(row["label"] for row in rows),
        masks,
        np.array([positions.get(row["owner"], -1) for row in rows], np.int64),
    )


def _cutout(mask: Mask) -> Cutout:
    if not mask.any():
        return NO_CUTOUT
    x, y, width, height = cv2.boundingRect(mask.astype(np.uint8))
    return (x, y, x + width, y + height), mask[y : y + height, x : x + width].copy()


def _as_recorded(known: dict[int, dict[str, Any]]) -> Detections:
    rows = [known[number] for number in sorted(known)]
    return Detections(
        np.array([row["xyxy"] for row in rows], np.float32).reshape(-1, 4),
        np.array([row["score"] for row in rows], np.float32),
        tuple(row["label"] for row in rows),
        owner=np.array([row["owner"] - 1 for row in rows], np.int64),
    )


def _pieces(white: Mask) -> NDArray[np.int32]:
    """A number for each connected piece."""
    count, pieces = cv2.connectedComponents(white.astype(np.uint8), connectivity=8)
    return np.asarray(pieces if count <= MOST else white, np.int32)


def _without_objects(white: Mask, ids: NDArray[np.int32]) -> Mask:
    """The pieces of the white in which there is no object."""
    pieces = _pieces(white)
    empty = np.ones(int(pieces.max(initial=0)) + 1, bool)
    empty[pieces[ids > 0]] = False
    empty[0] = False
    return np.asarray(empty[pieces])


def _joined(ids: NDArray[np.int32], fresh: Mask, before: Mask | None) -> NDArray[np.int32]:
    """``ids`` with the fresh pieces: those that touch the white of before go to the nearest object."""
    if not fresh.any():
        return ids
    pieces = _pieces(fresh)
    numbers = np.arange(int(pieces.max()) + 1, dtype=np.int32) + int(ids.max(initial=0))
    if before is not None and ids.any():
        contact = fresh & (cv2.dilate(before.astype(np.uint8), _ROUND) > 0)
        touching, first = np.unique(pieces[contact], return_index=True)
        numbers[touching] = _nearest(ids)[contact][first]
    return np.where(fresh, numbers[pieces], ids)


def _nearest(ids: NDArray[np.int32]) -> NDArray[np.int32]:
    """At every pixel, the number of the nearest object."""
    _, places = cv2.distanceTransformWithLabels(
        (ids == 0).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    number = np.zeros(int(places.max()) + 1, np.int32)
    number[places[ids > 0]] = ids[ids > 0]
    return number[places]


def _numbered(white: Mask, ids: NDArray[np.int32], known: dict[int, dict[str, Any]]) -> Given:
    """Objects that have pixels, numbered without gaps, with what is known of them; boxes are the pixels'."""
    numbers = _present(ids)
    final = np.zeros(int(numbers.max(initial=0)) + 1, np.uint16)
    final[numbers] = np.arange(1, len(numbers) + 1)
    place = {int(number): index for index, number in enumerate(numbers)}
    rows = [known.get(int(number), {}) for number in numbers]
    renumbered = final[ids]
    found = Detections(
        _boxes(renumbered, len(numbers)),
        np.array([row.get("score", 1.0) for row in rows], np.float32),
        tuple(row.get("label", "object") for row in rows),
        owner=np.array([place.get(row.get("owner", 0), -1) for row in rows], np.int64),
    )
    return found, ObjectMask(white, renumbered)


def _present(ids: NDArray[Any]) -> NDArray[np.int64]:
    """The numbers that occur, but for 0."""
    return np.flatnonzero(np.bincount(ids.ravel()))[int(not ids.all()) :]


def _boxes(ids: Ids, count: int) -> NDArray[np.float32]:
    """N x 4, the extents of the objects 1 to ``count``, from the runs along the rows."""
    width = ids.shape[1] + 1
    flat = np.pad(ids, ((0, 0), (0, 1))).ravel()  # a column of nothing, so that no run goes round the edge
    edges = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    starts = np.concatenate([[0], edges])
    ends = np.concatenate([edges, [flat.size]])
    own = flat[starts] > 0
    starts, ends, rows = starts[own], ends[own], flat[starts[own]].astype(int) - 1
    boxes = np.full((count, 4), np.inf, np.float32)
    boxes[:, 2:] = 0
    np.minimum.at(boxes, (rows, 0), starts % width)
    np.minimum.at(boxes, (rows, 1), starts // width)
    np.maximum.at(boxes, (rows, 2), ends % width)
    np.maximum.at(boxes, (rows, 3), starts // width + 1)
    return boxes
