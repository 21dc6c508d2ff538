"""Detections and masks as COCO writes them, and back from what other tools make of such a file."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoremove.types import Detections, Mask, ObjectMask

Entry = dict[str, Any]
"""One picture of a COCO file: its ``image`` and its ``annotations``, these with ``label`` and unnumbered."""

_WRITTEN_BY = "Written by autoremove "


def run_lengths(mask: Mask) -> dict[str, Any]:
    """Uncompressed COCO RLE of an H x W mask: runs down the columns, the first one of zeros (maybe none)."""
    return all_run_lengths(np.asarray(mask, np.uint8), 1)[0]


def all_run_lengths(ids: NDArray[np.integer[Any]], count: int) -> list[dict[str, Any]]:
    """The RLE of each of the objects 1 to ``count`` of an H x W map, in one pass over its pixels."""
    flat = ids.ravel(order="F")
    edges = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    starts = np.concatenate([[0], edges]).astype(np.int64)
    ends = np.concatenate([edges, [flat.size]]).astype(np.int64)
    values = flat[starts] if flat.size else np.zeros(1, flat.dtype)
    rows = []
    for number in range(1, count + 1):
        own = values == number
        borders = np.stack([starts[own], ends[own]], axis=1).ravel()
        counts = np.diff(np.concatenate([[0], borders, [flat.size]])).tolist()
        rows.append({"size": [int(side) for side in ids.shape], "counts": counts})
        if counts[-1] == 0 and len(counts) > 1:
            counts.pop()
    return rows


def mask_from(segmentation: Any, size_hw: tuple[int, int]) -> Mask:
    """H x W from polygons or either kind of RLE. Raises ValueError for anything else."""
    from pycocotools import mask as tool

    height, width = size_hw
    if isinstance(segmentation, list) and not segmentation:
        return np.zeros(size_hw, bool)
    try:
        if isinstance(segmentation, list):
            packed = tool.merge(tool.frPyObjects(segmentation, height, width))
        elif isinstance(segmentation["counts"], list):
            packed = tool.frPyObjects(segmentation, height, width)
        else:
            packed = segmentation
        mask = np.asarray(tool.decode(packed), bool)
    except Exception as error:  # what a file made elsewhere may hold makes the tool raise nearly anything
        raise ValueError(f"no segmentation of COCO: {str(segmentation)[:60]}") from error
    if mask.shape != size_hw:
        raise ValueError(f"a segmentation of {mask.shape} in a picture of {size_hw}")
    return mask


def entry(file_name: str, mask_name: str, found: Detections, mask: ObjectMask) -> Entry:
    """One picture: ``bbox`` is the detection's, ``area`` and ``segmentation`` are the tight mask's.

    ``grown`` of the image is the whole mask as it was written, from which later edits can be told. The
    attributes are numbers as in the objects file: ``object`` is the annotation's own, ``owner`` the one that
    it goes with.
    """
    height, width = mask.grown.shape
    image = {"file_name": file_name, "width": width, "height": height, "mask": mask_name}
    shapes = all_run_lengths(mask.ids, len(found))
    annotations = [
        {
            "label": label,
            "bbox": _bbox(box),
            "area": sum(shape["counts"][1::2]),
            "segmentation": shape,
            "iscrowd": 0,
            "score": round(float(score), 5),
            "attributes": {"object": row + 1, **_owner(found, row)},
        }
        for row, (label, score, box, shape) in enumerate(
            zip(found.label, found.score, found.xyxy, shapes, strict=True)
        )
    ]
    return {"image": {**image, "grown": run_lengths(mask.grown)}, "annotations": annotations}


def _bbox(xyxy: Sequence[float] | NDArray[np.float32]) -> list[float]:
    x1, y1, x2, y2 = (round(float(v), 2) for v in xyxy)
    return [x1, y1, round(x2 - x1, 2), round(y2 - y1, 2)]


def _owner(found: Detections, row: int) -> dict[str, int]:
    return {"owner": int(found.owner[row]) + 1} if found.owner is not None and found.owner[row] >= 0 else {}


def body(entries: Iterable[Entry], version: str) -> dict[str, Any]:
    """A whole COCO file; pictures, objects and categories are numbered from 1 as they come."""
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    categories: dict[str, int] = {}
    for one in entries:
        images.append({"id": len(images) + 1, **one["image"]})
        for row in one["annotations"]:
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": len(images),
                    "category_id": categories.setdefault(row["label"], len(categories) + 1),
                    **{key: value for key, value in row.items() if key != "label"},
                }
            )
    named = [{"id": number, "name": label, "supercategory": "object"} for label, number in categories.items()]
    return {
        "info": {"description": f"{_WRITTEN_BY}{version}."},
        "licenses": [],
        "images": images,
        "annotations": annotations,
        "categories": named,
    }


def entries(path: Path) -> dict[str, Entry]:
    """The pictures of a file that :func:`body` made, by their names; none of any other file."""
    try:
        whole = json.loads(path.read_text(encoding="utf-8"))
        labels = {row["id"]: row["name"] for row in whole["categories"]}
        found: dict[int, Entry] = {
            row["id"]: {"image": {k: v for k, v in row.items() if k != "id"}, "annotations": []}
            for row in whole["images"]
        }
        for row in whole["annotations"]:
            own = {k: v for k, v in row.items() if k not in ("id", "image_id", "category_id")}
            found[row["image_id"]]["annotations"].append({"label": labels[row["category_id"]], **own})
        return {one["image"]["file_name"]: one for one in found.values()}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def is_ours(path: Path) -> bool:
    """Whether a file is a COCO file that :func:`body` made, edited since or not."""
    try:
        told = json.loads(path.read_text(encoding="utf-8"))["info"]["description"]
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return str(told).startswith(_WRITTEN_BY)
