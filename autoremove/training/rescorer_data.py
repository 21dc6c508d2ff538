"""What the rescorer learns from: the detector's finds in training pictures, and boxes made of the truth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoremove.models.boxes import apart, areas, common, overlap
from autoremove.models.masknet import cut
from autoremove.models.rescorer import crop_window
from autoremove.training.augmentation import degraded
from autoremove.training.boxes import BoxedPicture
from autoremove.training.boxmask_data import recoloured
from autoremove.types import Image

UNCLEAR = 0.3
"""Share of a find on pixels of which nothing is known from which it is not taken for a false one."""

DOUBTFUL = 0.4
"""Overlap (IoU) with a doubtful box of its class from which a find is not taken for a false one."""

WITHIN = 0.7
"""Share of a find in a labelled box of its class from which it shows that object, or a part of it."""

SMALLEST = 6.0
"""Least side in pixels of a box that shows enough to learn from."""

MOST = 30
"""Finds of one picture that are learnt from, the surest first."""

MADE = (4, 0.15)
"""Boxes made of the truth in each picture at most, and how far their sides are off, in sides of the box."""

RIGHT_SHARE = 0.45
"""Of the samples, the share that shows a find that is right."""

SIZES = ((384, False), (512, True), (896, False))
"""Looks at each training picture: the longer side in pixels, and whether mirrored. The last enlarges most
pictures, as the recipes do: small people are found there, and what is small and nobody.
"""


@dataclass(frozen=True)
class RescorerConfig:
    """Everything that decides a rescorer run.

    ``finder``: weights of the detector whose finds are to be judged; its backbone is also what the network
    begins from, unless ``start`` names safetensors of a trained one. ``least``: score from which a find
    counts. ``jitter``: how far boxes are moved, in sides. The rest as in
    :class:`~autoremove.training.detector.DetectorConfig`.
    """

    data: tuple[str, ...] = ()
    validation: str = ""
    hold_out: int = 25
    finder: str = "embedded"
    start: str = ""
    backgrounds: str = ""
    backgrounds_found: str = ""
    backgrounds_empty: str = ""
    beside: str = ""
    labels: tuple[str, ...] = ("person",)
    picture_side: int = 640
    side: int = 128
    least: float = 0.02
    batch: int = 64
    learning_rate: float = 1e-3
    weight_decay: float = 0.03
    jitter: float = 0.05
    ema: float = 0.998
    precision: str = "auto"
    workers: int = 0
    seed: int = 0


@dataclass(frozen=True)
class Boxes:
    """Boxes to judge as parallel columns.

    ``picture``: N, position of its picture. ``xyxy``: N x 4 in its pixels. ``kind``: N class indices.
    ``score``: N, 0..1. ``truth``: N x 4, the labelled box of that class that it overlaps most, NaN if none.
    """

    picture: NDArray[np.int64]
    xyxy: NDArray[np.float32]
    kind: NDArray[np.int64]
    score: NDArray[np.float32]
    truth: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.kind)

    def __getitem__(self, rows: Any) -> Boxes:
        """The boxes at these rows: a slice, a list or an array."""
        return Boxes(**{name: getattr(self, name)[rows] for name in COLUMNS})


COLUMNS = tuple(field.name for field in fields(Boxes))


def found_in(pictures: Sequence[BoxedPicture], config: RescorerConfig, device: str, about: str) -> Boxes:
    """What the detector finds in the pictures, each thing once in each look."""
    from tqdm import tqdm

    from autoremove.models import cache

    detector = cache.load("detector", config.finder, device)
    rows = []
    for number, picture in enumerate(tqdm(pictures, about, disable=None)):
        looks = [
            detector.detect(
                [picture.image],
                labels=config.labels,
                confidence=config.least,
                imgsz=size,
                mirror=mirror,
                precision="fast",  # what is found hardly differs, and there are thousands of looks
            )[0]
            for size, mirror in SIZES
        ]
        xyxy, score = np.concatenate([f.xyxy for f in looks]), np.concatenate([f.score for f in looks])
        kind = np.array([config.labels.index(label) for f in looks for label in f.label], np.int64)
        kept = apart(xyxy, score, kind, 0.8)
        many = np.full(len(kept), number)
        truth = np.full((len(kept), 4), np.nan, np.float32)
        rows.append(Boxes(many, xyxy[kept], kind[kept], score[kept], truth))
    return joined(rows)


def joined(parts: Sequence[Boxes]) -> Boxes:
    """All boxes in one table."""
    return Boxes(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in COLUMNS})


def to_learn_from(pictures: Sequence[BoxedPicture], found: Boxes, config: RescorerConfig) -> Boxes:
    """The finds that teach something and boxes made of the truth, each with the labelled box it should be."""
    parts, rng = [found[:0]], np.random.default_rng(config.seed)
    bounds = np.searchsorted(found.picture, np.arange(len(pictures) + 1))
    for number, picture in enumerate(pictures):
        own = found[bounds[number] : bounds[number + 1]][:MOST]
        parts.append(_known(picture, with_truth(picture, joined([own, _made(picture, number, config, rng)]))))
    return joined(parts)


def _made(picture: BoxedPicture, number: int, config: RescorerConfig, rng: np.random.Generator) -> Boxes:
    """Labelled boxes, moved, so that also those are seen of which the detector finds nothing."""
    most, off = MADE
    sides = np.concatenate([picture.xyxy[:, 2:] - picture.xyxy[:, :2]] * 2, 1)
    rows = rng.permutation(np.flatnonzero(sides.min(1, initial=np.inf) >= 1.5 * SMALLEST))[:most]
    moved = picture.xyxy[rows] + rng.normal(0, off, (len(rows), 4)) * sides[rows]
    height, width = picture.image.shape[:2]
    xyxy = moved.clip(0, np.array([width, height] * 2)).astype(np.float32)
    none = np.full_like(xyxy, np.nan)
    score = np.full(len(rows), config.least * 5, np.float32)
    return Boxes(np.full(len(rows), number), xyxy, picture.kind[rows], score, none)


def with_truth(picture: BoxedPicture, boxes: Boxes) -> Boxes:
    """The boxes with the labelled ones that they overlap most."""
    truth = boxes.truth.copy()
    for row, (box, kind) in enumerate(zip(boxes.xyxy, boxes.kind, strict=True)):
        same = picture.xyxy[picture.kind == kind]
        shares = overlap(box, same)
        if len(same) and shares.max() > 0.1:
            truth[row] = same[shares.argmax()]
    return replace(boxes, truth=truth)


def _known(picture: BoxedPicture, boxes: Boxes) -> Boxes:
    """The boxes of which it is known whether they are right, and that show something."""
    kept = []
    rows = zip(boxes.xyxy, boxes.kind, _right(boxes), picture.labels_all(boxes.kind), strict=True)
    for box, kind, right, labelled in rows:
        x1, y1, x2, y2 = np.rint(box).astype(int).tolist()
        unclear = picture.unclear is not None and picture.unclear[y1 : y2 + 1, x1 : x2 + 1].mean() > UNCLEAR
        seen = min(box[2] - box[0], box[3] - box[1]) >= SMALLEST
        told = labelled or _shows_part(box, picture.xyxy[picture.kind == kind])
        doubtful = overlap(box, picture.doubtful[picture.doubtful_kind == kind]).max(initial=0.0)
        told = told and doubtful < DOUBTFUL
        kept.append(bool(seen and (right or (told and not unclear))))
    return boxes[np.array(kept, bool)]


def _shows_part(box: NDArray[np.float32], labelled: NDArray[np.float32]) -> bool:
    """Whether a box lies in a labelled one, mostly."""
    return bool(common(box, labelled).max(initial=-1.0) >= WITHIN * areas(box[None])[0])


def _right(boxes: Boxes) -> NDArray[np.bool_]:
    """N: whether each overlaps its labelled box by half."""
    pairs = zip(boxes.xyxy, boxes.truth, strict=True)
    return np.array([not np.isnan(t[0]) and overlap(box, t[None])[0] >= 0.5 for box, t in pairs], bool)


def chances_of(boxes: Boxes) -> NDArray[np.float64]:
    """How often each box is drawn: the surer the detector was, the oftener; RIGHT_SHARE of all are right."""
    rights = _right(boxes)
    weight = np.sqrt(np.maximum(boxes.score.astype(np.float64), 0.05))
    for rows, share in ((rights, RIGHT_SHARE), (~rights, 1 - RIGHT_SHARE)):
        weight[rows] *= share / max(weight[rows].sum(), 1e-12)
    return np.asarray(weight / weight.sum())


def sample(
    picture: BoxedPicture, boxes: Boxes, row: int, config: RescorerConfig, rng: np.random.Generator
) -> tuple[Image, NDArray[np.float32]]:
    """A crop S x S x 3 round a box, moved a little, and the labelled box in units of that one's sides."""
    box = boxes.xyxy[row].astype(np.float64)
    shift = rng.normal(0, config.jitter, 4).clip(-2 * config.jitter, 2 * config.jitter)
    box = box + shift * np.tile(box[2:] - box[:2], 2)
    crop = cut(picture.image, crop_window(box), config.side)
    truth = (boxes.truth[row] - np.tile(box[:2], 2)) / np.tile(box[2:] - box[:2], 2)
    crop = degraded(recoloured(crop, rng), rng)
    if rng.random() < 0.5:
        crop, truth = crop[:, ::-1], np.array([1 - truth[2], truth[1], 1 - truth[0], truth[3]])
    return np.ascontiguousarray(crop), truth.astype(np.float32)


def kept_at(path: Path, make: Callable[[], tuple[Boxes, ...]]) -> tuple[Boxes, ...]:
    """The tables that ``make`` gives, from the file where they were kept, or made and kept there."""
    if path.is_file():
        with np.load(path) as held:
            count = len(held.files) // len(COLUMNS)
            return tuple(Boxes(**{name: held[f"{name}{n}"] for name in COLUMNS}) for n in range(count))
    tables = make()
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = {f"{name}{n}": getattr(table, name) for n, table in enumerate(tables) for name in COLUMNS}
    aside = path.with_name(f".{path.name}.part.npz")
    np.savez(aside, **columns)
    aside.replace(path)
    return tables
