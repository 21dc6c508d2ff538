"""How tight masks are: overlap with the true ones, what growth leaves uncovered, and what it costs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from autoremove.errors import InputError
from autoremove.evaluation.calibration import ratio
from autoremove.evaluation.causes import WORDS, Counts, traits
from autoremove.evaluation.detect import Find
from autoremove.evaluation.judging import rows_of, rows_to_show
from autoremove.evaluation.labelled import HIDES, count_pictures, is_instances, spread_numbers
from autoremove.evaluation.matching import Boxes, match
from autoremove.evaluation.metrics import mask_iou
from autoremove.evaluation.sheet import RIGHT, TRUE, Worst, boxed, cell, tinted, write_sheet
from autoremove.evaluation.unread import Unread
from autoremove.training.instances import IGNORE, LabelledPicture, read_instances
from autoremove.types import Detections, Image, Mask, ObjectMask

Refining = Callable[[Image, Detections], ObjectMask]
"""Masks from boxes, one picture at a time: the Refine stage."""

LEAST_PIXELS = 16
"""Objects of fewer pixels have no shape to speak of."""

POOR = 0.75
"""A mask is poor below this overlap (IoU); a part is missing, or it is loose, below this share."""

SIDES = (32, 64, 128)
"""Bounds of the groups by size: pixels of an object's longer side."""

WRONG = 0.3
"""Below this overlap the mask is of something else."""


@dataclass(frozen=True)
class TrueObject:
    """One labelled object: ``mask`` H x W, ``xyxy`` its box."""

    label: str
    xyxy: Boxes
    mask: Mask


@dataclass
class Tally:
    """What was measured of one group of objects."""

    ious: list[float] = field(default_factory=list)
    object_pixels: int = 0
    uncovered_pixels: int = 0
    grown_pixels: int = 0

    def add(self, given: ObjectMask, truth: Mask, ignore: Mask) -> None:
        self.ious.append(mask_iou(given.ids > 0, truth, ignore))
        self.object_pixels += int(truth.sum())
        self.uncovered_pixels += int((truth & ~given.grown).sum())
        self.grown_pixels += int((given.grown & ~ignore).sum())

    @property
    def iou(self) -> float | None:
        return float(np.mean(self.ious)) if self.ious else None

    def figures(self) -> dict[str, Any]:
        return {
            "objects": len(self.ious),
            "uncovered": ratio(self.uncovered_pixels, self.object_pixels),
            "area_ratio": ratio(self.grown_pixels, self.object_pixels),
        }


@dataclass
class Groups:
    """Tallies of all objects, of each class and size, and what the poor masks have in common."""

    all: Tally = field(default_factory=Tally)
    of: dict[str, Tally] = field(default_factory=dict)
    sized: tuple[Tally, ...] = field(default_factory=lambda: tuple(Tally() for _ in range(len(SIDES) + 1)))
    poor: Counts = field(default_factory=Counts)
    objects: Counts = field(default_factory=Counts)

    def add(self, item: TrueObject, given: ObjectMask, ignore: Mask) -> float:
        """Take in one mask; its overlap."""
        size = int(np.searchsorted(SIDES, (item.xyxy[2:] - item.xyxy[:2]).max(), "right"))
        for tally in (self.all, self.of.setdefault(item.label, Tally()), self.sized[size]):
            tally.add(given, item.mask, ignore)
        return self.all.ious[-1]

    def ious(self) -> dict[str, float | None]:
        """Mean overlap of the persons and of all objects."""
        return {"person": self.of.get("person", Tally()).iou, "all": self.all.iou}

    def classes(self) -> dict[str, dict[str, Any]]:
        """``iou``, ``uncovered`` and ``area_ratio`` of each class, and of groups of classes."""
        rows = {}
        for name, members in rows_to_show(sorted(self.of)).items():
            tally = pooled([self.of[member] for member in members])
            rows[name] = {"iou": tally.iou, **tally.figures()}
        return rows

    def sizes(self) -> dict[str, dict[str, Any]]:
        """The same by the objects' longer side, persons and all others together."""
        between = [f"{low} to {high} px" for low, high in pairwise(SIDES)]
        names = [f"under {SIDES[0]} px", *between, f"from {SIDES[-1]} px"]
        rows = zip(names, self.sized, strict=True)
        return {name: {"iou": tally.iou, **tally.figures()} for name, tally in rows if tally.ious}


def pooled(tallies: Sequence[Tally]) -> Tally:
    """Several tallies as one."""
    return Tally(
        [iou for tally in tallies for iou in tally.ious],
        sum(tally.object_pixels for tally in tallies),
        sum(tally.uncovered_pixels for tally in tallies),
        sum(tally.grown_pixels for tally in tallies),
    )


def evaluate_mask(
    folder: Path,
    methods: Mapping[str, Refining],
    find: Find | None = None,
    *,
    classes: Sequence[str] = (),
    limit: int | None = None,
    sheet: Path | None = None,
) -> dict[str, Any]:
    """Measure methods that turn boxes into masks on a data set in the `instances` form.

    ``methods``: Refine stages by name; the first one's figures stand at the top, all under ``methods``.
    ``find``: a detector at its shipped confidence, and the ``classes`` it looks for. ``iou_found``: the mean
    over objects whose box it found (IoU 0.5); ``found``: the share of those classes' objects that it found.
    ``uncovered``: object pixels outside the object's own grown mask, over all object pixels; ``area_ratio``:
    grown pixels over object pixels; both over all objects with their true boxes, ``person`` beside.
    ``classes`` and ``sizes`` in the result: the same by class and group, and by longer side. ``causes``: what
    masks with an overlap below 0.75 have in common, beside all objects. ``unread``: what cannot be read.
    ``sheet``: a PNG of the twenty worst masks of the first method.
    """
    if not is_instances(folder):
        raise InputError(
            f"{folder} has no instances.jsonl.", hint="Masks need a data set in the `instances` form."
        )
    given, found = ({name: Groups() for name in methods} for _ in range(2))
    seen: dict[str, list[bool]] = {"person": [], "all": []}
    worst, pictures, unread = Worst(), 0, Unread()
    numbers = spread_numbers(count_pictures(folder), limit)
    for picture in tqdm(read_instances(folder, numbers, unread.add), "mask", len(numbers), disable=None):
        pictures += 1
        objects = list(true_objects(picture))
        _with_true_boxes(picture, objects, methods, given, worst if sheet else None)
        wanted = [item for item in objects if item.label in classes]
        if find is not None and wanted:
            _with_found_boxes(picture, wanted, methods, found, find(picture.image), seen)
    unread.refuse_nothing(pictures)
    if sheet:
        write_sheet(sheet, worst.rows(2))
    results = {name: _figures(given[name], found[name], seen) for name in methods}
    return {**next(iter(results.values())), "pictures": pictures, "unread": unread.told, "methods": results}


def true_objects(picture: LabelledPicture) -> Iterator[TrueObject]:
    """The objects of a picture that have a shape and a clear label."""
    for identity, label in picture.objects:
        mask = picture.ids == identity
        box = picture.box(identity)
        if box is not None and label not in HIDES and int(mask.sum()) >= LEAST_PIXELS:
            yield TrueObject(label, box, mask)


def _with_true_boxes(
    picture: LabelledPicture,
    objects: list[TrueObject],
    methods: Mapping[str, Refining],
    groups: dict[str, Groups],
    worst: Worst | None,
) -> None:
    ignore = picture.ids == IGNORE
    for position, item in enumerate(objects):
        box = Detections(item.xyxy[None], np.ones(1, np.float32), (item.label,))
        special = _traits(picture, objects, position)
        for number, (name, refine) in enumerate(methods.items()):
            result = refine(picture.image, box)
            iou = groups[name].add(item, result, ignore)
            kinds = kinds_of_mistake(result.ids > 0, item.mask, ignore)
            groups[name].objects.add(special, picture.source)
            if iou < POOR:
                groups[name].poor.add((*special, *kinds), picture.source)
            if worst is not None and number == 0:
                caption = f"IoU {iou:.2f} {' '.join(WORDS[name] for name in (*special, *kinds))}"
                worst.add(1 - iou, _drawing(picture, item, result, caption))


def _traits(picture: LabelledPicture, objects: list[TrueObject], position: int) -> tuple[str, ...]:
    item = objects[position]
    beside = [other for number, other in enumerate(objects) if number != position]
    same, others = (
        np.array([o.xyxy for o in beside if (o.label == item.label) is ours], np.float32).reshape(-1, 4)
        for ours in (True, False)
    )
    return traits(item.xyxy, (picture.ids.shape[0], picture.ids.shape[1]), same, others)


def kinds_of_mistake(given: Mask, truth: Mask, ignore: Mask) -> tuple[str, ...]:
    """What is wrong with a tight mask: ``missing``, ``loose``, both, or ``wrong_object``; () if nothing."""
    given = given & ~ignore
    both = int((given & truth).sum())
    if both < WRONG * int((given | truth).sum()):
        return ("wrong_object",)
    missing = both < POOR * int(truth.sum())
    return (*(("missing",) if missing else ()), *(("loose",) if both < POOR * int(given.sum()) else ()))


def _with_found_boxes(
    picture: LabelledPicture,
    objects: list[TrueObject],
    methods: Mapping[str, Refining],
    groups: dict[str, Groups],
    found: Detections,
    seen: dict[str, list[bool]],
) -> None:
    """Each find that is one of the objects, refined alone as with the true box."""
    found = found[np.argsort(-found.score, kind="stable")]
    for label in dict.fromkeys(item.label for item in objects):
        same = [item for item in objects if item.label == label]
        rows = rows_of(found.label, (label,))
        taken = match(found.xyxy[rows], np.stack([item.xyxy for item in same]))
        for name in ("all", *(["person"] if label == "person" else [])):
            seen.setdefault(name, []).extend(np.isin(np.arange(len(same)), taken).tolist())
        for row, index in zip(rows, taken, strict=True):
            for name, refine in methods.items() if index >= 0 else ():
                result = refine(picture.image, found[[int(row)]])
                groups[name].add(same[index], result, picture.ids == IGNORE)


def _figures(given: Groups, found: Groups, seen: dict[str, list[bool]]) -> dict[str, Any]:
    everything = given.all.figures()
    return {
        "iou_given_boxes": given.ious(),
        "iou_found": found.ious(),
        "uncovered": everything["uncovered"],
        "area_ratio": everything["area_ratio"],
        "found": {name: ratio(sum(hits), len(hits)) for name, hits in seen.items()},
        "objects": everything["objects"],
        "person": given.of.get("person", Tally()).figures(),
        "classes": given.classes(),
        "sizes": given.sizes(),
        "causes": {"poor": given.poor.figures(), "objects": given.objects.figures()},
    }


def _drawing(
    picture: LabelledPicture, item: TrueObject, result: ObjectMask, caption: str
) -> Callable[[], list[Image]]:
    """The object's surroundings, with the true and with the given mask."""

    def draw() -> list[Image]:
        x1, y1, x2, y2 = item.xyxy.astype(int).tolist()
        margin = max(8, max(x2 - x1, y2 - y1) // 4)
        window = np.s_[max(0, y1 - margin) : y2 + margin, max(0, x1 - margin) : x2 + margin]
        framed = boxed(picture.image, [(item.xyxy[None], TRUE)])
        truth = tinted(framed, item.mask, TRUE)[window]
        given = tinted(framed, result.ids > 0, RIGHT)[window]
        return [cell(truth, f"true {item.label}: {picture.name}"), cell(given, caption)]

    return draw
