"""How well the whole pipeline removes people: against the true empty view, and by looking for them again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from autoremove.errors import ReviewNeeded
from autoremove.evaluation.calibration import ratio
from autoremove.evaluation.causes import Counts, traits
from autoremove.evaluation.labelled import spread
from autoremove.evaluation.matching import box_iou, share_inside
from autoremove.evaluation.metrics import psnr
from autoremove.evaluation.pairs import Pair, pairs_in
from autoremove.evaluation.sheet import MISSED, WRONG, Worst, boxed, cell, tinted, write_sheet
from autoremove.evaluation.shipped import filled, pasted, stage_of
from autoremove.evaluation.unread import Unread
from autoremove.pipeline import run_in_memory
from autoremove.stages.base import Stage
from autoremove.stages.inpaint import Inpaint
from autoremove.types import Detections, Image, Mask, ObjectMask

TRUE_GROWTH = 4
"""Pixels by which a true object mask is grown before filling: its edge pixels are half object."""

BASELINES = {
    "telea": {"model": "telea"},
    "ns": {"model": "ns"},
    "patchmatch": {"model": "patchmatch"},
    "deepfillv2_none": {"model": "deepfillv2", "detail": "none"},
}
"""What the pipeline's fills are compared with: settings of the stage inpaint."""

LEFT = 0.5
"""An object is left in place where the mask leaves out more than this share of it."""

SHOWN = ("telea_own_mask", "patchmatch_own_mask", "deepfillv2_none_own_mask", "model_true_mask")
"""The other fills on the sheet."""

PART_LEFT, LOOSE = 0.05, 0.05
"""Shares of the object left out, and of the picture covered without need, that a caption names."""

Row = dict[str, Any]


@dataclass(frozen=True)
class Removal:
    """What the pipeline did to one picture; ``again``: what is found inside the holes afterwards.

    ``review``: why a person should look at it, "" where nobody need; ``written``: whether there is a result.
    """

    image: Image
    mask: ObjectMask
    removed: Detections
    again: Detections
    review: str = ""
    written: bool = True

    @property
    def removed_again(self) -> NDArray[np.bool_]:
        """Which of the removed objects are found again: those whose box such a find overlaps most."""
        hit = np.zeros(len(self.removed), bool)
        if len(hit):
            hit[box_iou(self.again.xyxy, self.removed.xyxy).argmax(1)] = True
        return hit


def evaluate_removal(
    folder: Path, stages: Sequence[Stage], *, limit: int | None = None, sheet: Path | None = None
) -> dict[str, Any]:
    """Run a recipe's stages on a folder and measure what comes out.

    Any folder of pictures, or the `instances` form: ``found_again``, the share of the removed objects that
    the recipe's own detection finds again, mostly inside the filled area; ``found_again_unnoticed`` is the
    part of it in pictures that were not put up for ``review``. Pictures that get no result at all are
    counted there (``unwritten``) and nowhere else. ``causes``: what the objects found again have in common.

    With NAME_with, NAME_without and NAME_object pictures: PSNR in dB inside the object's region against the
    empty view, beside the untouched picture and other fills: BASELINES with the pipeline's own mask
    (``telea_own_mask`` and so on), and they and the pipeline's model with the object's true mask, grown by 4
    pixels (``telea_true_mask``, ``model_true_mask``). ``mask_missed``:
    object pixels (its shadow's too, where the true mask holds it) that the pipeline's mask leaves out;
    ``mask_needless``: its pixels elsewhere, as a share of the picture; ``objects_left``: objects more than
    half outside that mask. Of a recipe with a stage `shadow`, ``shadow_missed`` and ``shadow_needless`` are
    the same of the first mask, over the objects found, with the stage and (``_without``) without it.
    ``sheet``: a PNG with one row for each of the twenty worst pictures.
    """
    stage_of(stages, Inpaint)  # a recipe that only finds removes nothing
    rows: list[Row] = []
    again, removed, worst = Counts(), Counts(), Worst()
    readers, unread = pairs_in(folder), Unread()
    for read in tqdm(list(spread(readers, len(readers), limit)), "removal", disable=None):
        pair = unread.attempt(read)
        if pair is None:
            continue
        done = remove(pair.image, stages)
        fills = other_fills(pair, done, stages)
        rows.append(_row(pair, done, fills, stages))
        _count(done, removed, again)
        if sheet and (len(done.removed) or pair.truth is not None):
            worst.add(_badness(rows[-1]), _drawing(pair, done, fills, rows[-1]))
    unread.refuse_nothing(len(rows))
    if sheet:
        write_sheet(sheet, worst.rows())
    causes = {"again": again.figures(), "removed": removed.figures()}
    return {**_summary(rows), "causes": causes, "unread": unread.told, "rows": rows}


def remove(image: Image, stages: Sequence[Stage]) -> Removal:
    """Run the pipeline, its second look included, then look once more with its own first stages."""
    last = 1 + max(i for i, stage in enumerate(stages) if stage.gives == "mask")
    finding = [stage for stage in stages[:last] if stage.gives == "detections"]
    values = run_in_memory(image, stages[:last])
    review, written = "", True
    try:
        given = {slot: value for slot, value in values.items() if slot != "image"}
        values = run_in_memory(image, stages[last:], **given)
    except ReviewNeeded as error:
        review, written = str(error), False
    if "verdict" in values:
        review = review or "; ".join(finding.reason for finding in values["verdict"].findings)
    result = pasted(image, values)
    found: Detections = run_in_memory(result, finding)["detections"] if written else Detections.empty()
    inside = share_inside(found.xyxy, values["mask"].grown) > 0.5
    return Removal(result, values["mask"], values["detections"], found[inside], review, written)


def other_fills(pair: Pair, done: Removal, stages: Sequence[Stage]) -> dict[str, Image]:
    """What else could have been done with the same picture; only where the truth is known."""
    if pair.truth is None:
        return {}
    inpaint: Any = replace(stage_of(stages, Inpaint), max_share=1.0)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * TRUE_GROWTH + 1,) * 2)
    grown = np.asarray(cv2.dilate(pair.truth.astype(np.uint8), kernel), bool)
    true_mask = ObjectMask(grown, grown.astype(np.uint16))
    last: list[Any] = [stage for stage in stages if stage.name == "composite"]
    fills = {"model_true_mask": filled(pair.image, [inpaint, *last], true_mask)}
    for name, settings in BASELINES.items():
        baseline: list[Any] = [replace(inpaint, **settings), *last]
        fills[f"{name}_own_mask"] = filled(pair.image, baseline, done.mask)
        fills[f"{name}_true_mask"] = filled(pair.image, baseline, true_mask)
    return fills


def _row(pair: Pair, done: Removal, fills: dict[str, Image], stages: Sequence[Stage]) -> Row:
    row: Row = {
        "name": pair.name,
        "removed": len(done.removed) if done.written else 0,
        "again": int(done.removed_again.sum()),
        "again_labels": sorted(done.again.label),
        "review": done.review,
        "written": done.written,
    }
    if pair.empty is None or pair.truth is None:
        return row
    row["psnr_object"] = psnr(done.image, pair.empty, pair.truth)
    row["psnr_untouched"] = psnr(pair.image, pair.empty, pair.truth)
    row |= {f"psnr_{name}": psnr(result, pair.empty, pair.truth) for name, result in fills.items()}
    row["psnr_outside"] = psnr(done.image, pair.empty, ~pair.truth)
    row["psnr_outside_untouched"] = psnr(pair.image, pair.empty, ~pair.truth)
    row["mask_missed"], row["mask_needless"] = mask_errors(done.mask.grown, pair.truth)
    return row | _shadow_figures(pair.image, pair.truth, done.removed, stages)


def mask_errors(grown: Mask, truth: Mask) -> tuple[float, float]:
    """The share of the object's pixels outside the mask, and the share of the picture in it without need."""
    missed = ratio(int((truth & ~grown).sum()), int(truth.sum()))
    return missed or 0.0, float((grown & ~truth).mean())


def _shadow_figures(image: Image, truth: Mask, removed: Detections, stages: Sequence[Stage]) -> Row:
    """The errors of the mask before any redo, with and without the stage shadow; {} where there is none."""
    masking = [stage for stage in stages if stage.gives == "mask"]
    bare = [stage for stage in masking if stage.name != "shadow"]
    if len(bare) == len(masking):
        return {}
    row: Row = {}
    for suffix, chain in (("_without", bare), ("", masking)):
        mask: ObjectMask = run_in_memory(image, chain, detections=removed)["mask"]
        missed, needless = mask_errors(mask.grown, truth)
        if suffix and missed > LEFT:
            return {}  # the object was not found: no shadow can be either
        row |= {f"shadow_missed{suffix}": missed, f"shadow_needless{suffix}": needless}
    return row


def _count(done: Removal, removed: Counts, again: Counts) -> None:
    """The traits of what was removed, and of what of it is found again."""
    size_hw = done.image.shape[0], done.image.shape[1]
    hits = done.removed_again
    for row in range(len(done.removed) if done.written else 0):
        beside = np.arange(len(hits)) != row
        same = beside & np.array([label == done.removed.label[row] for label in done.removed.label])
        boxes = done.removed.xyxy
        special = traits(boxes[row], size_hw, boxes[same], boxes[beside & ~same])
        for counts in (removed, *([again] if hits[row] else [])):
            counts.add(special, done.removed.label[row])


def _summary(rows: Sequence[Row]) -> dict[str, Any]:
    keys = dict.fromkeys(key for row in rows for key in row if key.startswith(("psnr", "mask", "shadow")))
    means = {key: [row[key] for row in rows if row.get(key) is not None] for key in keys}
    removed = sum(row["removed"] for row in rows)
    unnoticed = sum(row["again"] for row in rows if not row["review"])
    return {
        "psnr_object": None,
        "psnr_untouched": None,
        **{key: _mean(values) for key, values in means.items()},
        "objects_left": sum(row.get("mask_missed", 0.0) > LEFT for row in rows),
        "found_again": ratio(sum(row["again"] for row in rows), removed),
        "found_again_unnoticed": ratio(unnoticed, removed),
        "removed": removed,
        "review": sum(bool(row["review"]) for row in rows),
        "unwritten": sum(not row["written"] for row in rows),
        "pictures": len(rows),
    }


def _mean(values: Sequence[float]) -> float | None:
    """Of those that there are; NaN is none."""
    known = [value for value in values if not np.isnan(value)]
    return float(np.mean(known)) if known else None


def _badness(row: Row) -> float:
    return float(row["again"] + row.get("mask_missed", 0.0) + 5 * row.get("mask_needless", 0.0))


def mistakes_of(row: Row) -> str:
    """What went wrong with one picture, as a caption names it."""
    missed, needless = row.get("mask_missed", 0.0), row.get("mask_needless", 0.0)
    again: Counter[str] = Counter(row["again_labels"])
    told = [f"{count} {label} found again" for label, count in again.items()]
    if missed > LEFT:
        told.append("left in place")
    elif missed > PART_LEFT:
        told.append(f"{missed:.0%} of object or shadow left")
    told += [f"loose mask: {needless:.0%} of the picture"] if needless > LOOSE else []
    told += ["up for review"] if row["review"] else []
    return ", ".join(told) or "nothing found again"


def _drawing(pair: Pair, done: Removal, fills: dict[str, Image], row: Row) -> Callable[[], list[Image]]:
    """Before with the mask, after with what is found again, the other fills, the truth."""

    def draw() -> list[Image]:
        before = tinted(pair.image, done.mask.grown, WRONG)
        after = boxed(done.image, [(done.again.xyxy, MISSED)])
        own = f" {row['psnr_object']:.1f} dB" if "psnr_object" in row else ""
        cells = [(before, f"{mistakes_of(row)} | {pair.name}"), (after, f"pipeline{own}")]
        cells += [
            (result, f"{name.replace('_', ' ')} {row[f'psnr_{name}']:.1f} dB")
            for name, result in fills.items()
            if name in SHOWN
        ]
        cells += [(pair.empty, "truth")] if pair.empty is not None else []
        return [cell(image, caption, 320) for image, caption in cells]

    return draw
