"""How well the whole pipeline removes people: against the true empty view, and by looking for them again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from tqdm import tqdm

from autoremove.errors import InputError, ReviewNeeded
from autoremove.evaluation.detect import ratio
from autoremove.evaluation.inpaint import pictures_below
from autoremove.evaluation.labelled import spread
from autoremove.evaluation.matching import share_inside
from autoremove.evaluation.metrics import psnr
from autoremove.evaluation.sheet import MISSED, WRONG, boxed, cell, tinted, write_sheet
from autoremove.evaluation.shipped import filled, pasted, stage_of
from autoremove.pipeline import run_in_memory
from autoremove.stages.base import Stage
from autoremove.stages.inpaint import Inpaint
from autoremove.types import Detections, Image, Mask, ObjectMask

TRUE_GROWTH = 4
"""Pixels by which a true object mask is grown before filling: its edge pixels are half object."""

Row = dict[str, Any]


@dataclass(frozen=True)
class Pair:
    """One view with the object and, where it is known, without; ``truth`` the object's own pixels."""

    name: str
    image: Image
    empty: Image | None = None
    truth: Mask | None = None


@dataclass(frozen=True)
class Removal:
    """What the pipeline did to one picture; ``again``: what is found inside the holes afterwards."""

    image: Image
    mask: ObjectMask
    removed: Detections
    again: Detections
    review: bool = False


def evaluate_removal(
    folder: Path, stages: Sequence[Stage], *, limit: int | None = None, sheet: Path | None = None
) -> dict[str, Any]:
    """Run a recipe's stages on a folder and measure what comes out.

    With NAME_with, NAME_without and NAME_object pictures: PSNR in dB inside the object's region against the
    empty view, beside the untouched picture and other fills: ``telea_own_mask`` (the pipeline's mask),
    ``telea_true_mask`` and ``model_true_mask`` (the object's true mask, grown by 4 pixels). ``mask_missed``:
    object pixels that the pipeline's mask leaves out; ``mask_needless``: its pixels elsewhere, as a share of
    the picture; ``objects_left``: objects more than half outside that mask.
    Any folder of pictures: ``found_again``, finds mostly inside the filled area over objects removed.
    ``sheet``: a PNG with one row a picture.
    """
    stage_of(stages, Inpaint)  # a recipe that only finds removes nothing
    rows: list[Row] = []
    cells: list[list[Image]] = []
    readers = pairs_in(folder)
    for read in tqdm(list(spread(readers, len(readers), limit)), "removal", disable=None):
        pair = read()
        done = remove(pair.image, stages)
        fills = other_fills(pair, done, stages)
        rows.append(_row(pair, done, fills))
        if sheet:
            cells.append(_sheet_row(pair, done, fills))
    if sheet:
        write_sheet(sheet, cells)
    return _summary(rows)


def pairs_in(folder: Path) -> list[Callable[[], Pair]]:
    """A reader for each pair, or for each picture where the folder has no pairs."""
    folder = folder / "images" if (folder / "instances.jsonl").is_file() else folder
    pictures = pictures_below(folder)
    named = {path.stem: path for path in pictures}
    stems = sorted(stem.removesuffix("_with") for stem in named if stem.endswith("_with"))
    if not stems:
        return [partial(_single, path) for path in pictures]
    lacking = [
        f"{stem}_{part}" for stem in stems for part in ("without", "object") if f"{stem}_{part}" not in named
    ]
    if lacking:
        raise InputError(
            f"{folder} lacks {', '.join(lacking[:3])}.", hint="Pairs need _with, _without and _object."
        )
    return [partial(_pair, named, stem) for stem in stems]


def _single(path: Path) -> Pair:
    return Pair(path.stem, _read(path))


def _pair(named: dict[str, Path], stem: str) -> Pair:
    image, empty, marked = (_read(named[f"{stem}_{part}"]) for part in ("with", "without", "object"))
    if not image.shape == empty.shape == marked.shape:
        raise InputError(f"The three pictures of {stem} differ in size.", hint="Crop them to the same view.")
    return Pair(stem, image, empty, marked.max(2) > 127)


def _read(path: Path) -> Image:
    from autoremove.images import read

    return read(path).rgb


def remove(image: Image, stages: Sequence[Stage]) -> Removal:
    """Run the pipeline, then look again with its own first stages."""
    last = next(i for i, stage in enumerate(stages) if "mask" in stage.needs)
    finding = [stage for stage in stages[:last] if stage.gives == "detections"]
    values = run_in_memory(image, stages[:last])
    try:
        values = run_in_memory(image, stages[last:], **{k: v for k, v in values.items() if k != "image"})
        review = False
    except ReviewNeeded:
        review = True
    result = pasted(image, values)
    found: Detections = run_in_memory(result, finding)["detections"]
    inside = share_inside(found.xyxy, values["mask"].grown) > 0.5
    return Removal(result, values["mask"], values["detections"], found[inside], review)


def other_fills(pair: Pair, done: Removal, stages: Sequence[Stage]) -> dict[str, Image]:
    """What else could have been done with the same picture; only where the truth is known."""
    if pair.truth is None:
        return {}
    inpaint: Any = replace(stage_of(stages, Inpaint), max_share=1.0)
    telea: Any = replace(inpaint, model="telea")
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * TRUE_GROWTH + 1,) * 2)
    grown = np.asarray(cv2.dilate(pair.truth.astype(np.uint8), kernel), bool)
    true_mask = ObjectMask(grown, grown.astype(np.uint16))
    own: list[Any] = [stage for stage in stages if stage.name == "composite"]
    return {
        "telea_own_mask": filled(pair.image, [telea, *own], done.mask),
        "telea_true_mask": filled(pair.image, [telea, *own], true_mask),
        "model_true_mask": filled(pair.image, [inpaint, *own], true_mask),
    }


def _row(pair: Pair, done: Removal, fills: dict[str, Image]) -> Row:
    row: Row = {
        "name": pair.name,
        "removed": len(done.removed),
        "again": min(len(done.again), len(done.removed)),
        "review": done.review,
    }
    if pair.empty is None or pair.truth is None:
        return row
    object_pixels, grown = pair.truth, done.mask.grown
    row["psnr_object"] = psnr(done.image, pair.empty, object_pixels)
    row["psnr_untouched"] = psnr(pair.image, pair.empty, object_pixels)
    row |= {f"psnr_{name}": psnr(result, pair.empty, object_pixels) for name, result in fills.items()}
    row["psnr_outside"] = psnr(done.image, pair.empty, ~object_pixels)
    row["psnr_outside_untouched"] = psnr(pair.image, pair.empty, ~object_pixels)
    row["mask_missed"] = ratio(int((object_pixels & ~grown).sum()), int(object_pixels.sum()))
    row["mask_needless"] = float((grown & ~object_pixels).mean())
    return row


def _summary(rows: Sequence[Row]) -> dict[str, Any]:
    keys = dict.fromkeys(key for row in rows for key in row if key.startswith(("psnr", "mask")))
    means = {key: [row[key] for row in rows if row.get(key) is not None] for key in keys}
    removed = sum(row["removed"] for row in rows)
    return {
        "psnr_object": None,
        "psnr_untouched": None,
        **{key: float(np.mean(values)) if values else None for key, values in means.items()},
        "objects_left": sum(row.get("mask_missed", 0.0) > 0.5 for row in rows),
        "found_again": ratio(sum(row["again"] for row in rows), removed),
        "removed": removed,
        "review": sum(row["review"] for row in rows),
        "pictures": len(rows),
        "rows": list(rows),
    }


def _sheet_row(pair: Pair, done: Removal, fills: dict[str, Image]) -> list[Image]:
    """Before with the mask, after with what is found again, the other fills, the truth."""
    before = tinted(pair.image, done.mask.grown, WRONG)
    after = boxed(done.image, [(done.again.xyxy, MISSED)])
    cells = [(before, pair.name), (after, f"pipeline, {len(done.again)} found again")]
    cells += [(result, name.replace("_", " ")) for name, result in fills.items()]
    cells += [(pair.empty, "truth")] if pair.empty is not None else []
    return [cell(image, caption, 320) for image, caption in cells]
