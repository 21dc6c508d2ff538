"""Detections and masks as COCO writes them: boxes, areas and run lengths, without pycocotools."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PilImage

from autoremove import __version__
from autoremove.types import Detections, Mask, ObjectMask


def run_lengths(mask: Mask) -> dict[str, Any]:
    """Uncompressed COCO RLE of an H x W mask: runs down the columns, the first one of zeros (maybe none)."""
    flat = np.asarray(mask, bool).ravel(order="F")
    edges = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    counts = np.diff(np.concatenate([[0], edges, [flat.size]])).tolist()
    if flat.size and flat[0]:
        counts.insert(0, 0)
    return {"size": [int(side) for side in mask.shape], "counts": counts}


class Coco:
    """One file's worth of pictures, objects and categories, numbered from 1 in the order of adding."""

    def __init__(self) -> None:
        self._images: list[dict[str, Any]] = []
        self._annotations: list[dict[str, Any]] = []
        self._categories: dict[str, int] = {}

    def add(self, file_name: str, mask_name: str, found: Detections, mask: ObjectMask) -> None:
        """One picture: ``bbox`` is the detection's, ``area`` and ``segmentation`` are the tight mask's."""
        height, width = mask.grown.shape
        image = {"id": len(self._images) + 1, "file_name": file_name, "width": width, "height": height}
        self._images.append({**image, "mask": mask_name})
        for row, (label, score, box) in enumerate(zip(found.label, found.score, found.xyxy, strict=True)):
            x1, y1, x2, y2 = (round(float(v), 2) for v in box)
            tight = mask.ids == row + 1
            self._annotations.append(
                {
                    "id": len(self._annotations) + 1,
                    "image_id": image["id"],
                    "category_id": self._categories.setdefault(label, len(self._categories) + 1),
                    "bbox": [x1, y1, round(x2 - x1, 2), round(y2 - y1, 2)],
                    "area": int(tight.sum()),
                    "segmentation": run_lengths(tight),
                    "iscrowd": 0,
                    "score": round(float(score), 5),
                }
            )

    def body(self) -> dict[str, Any]:
        return {
            "info": {"description": f"Written by autoremove {__version__}."},
            "images": self._images,
            "annotations": self._annotations,
            "categories": [{"id": number, "name": label} for label, number in self._categories.items()],
        }


def png_of(values: NDArray[np.uint8] | NDArray[np.uint16]) -> bytes:
    """H x W numbers as a grey PNG of 8 or 16 bits."""
    stream = io.BytesIO()
    PilImage.fromarray(values).save(stream, "PNG")
    return stream.getvalue()
