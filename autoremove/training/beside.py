"""What training pictures show beside their labels: found by a detector, not taught as absent.

Labels lack: of the finds that count as false most show people whom nobody labelled. To teach that they are
background makes a detector miss people (Wu et al. 2018, "Soft Sampling for Robust Object Detection").
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from autoremove.errors import InputError
from autoremove.training.boxes import BoxedPicture

DOUBT = 0.3
"""Score from which a find beside the labels leaves it open whether something is there."""

SURE = 0.8
"""Score from which a find is taken for a label. Of forty persons found so surely where all are said to be
labelled, 39 were persons; of cars, where none is labelled, nine in ten were cars, and half of those below.
"""


class Find(NamedTuple):
    """``box``: x1, y1, x2, y2 in shares of the picture's width and height."""

    label: str
    score: float
    box: tuple[float, ...]


def write(path: Path, found: Mapping[str, Sequence[Find]]) -> None:
    """Write the finds by the keys of their pictures."""
    rows = {
        key: [[f.label, round(f.score, 4), *(round(v, 5) for v in f.box)] for f in own]
        for key, own in found.items()
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(rows))


def read(path: Path) -> dict[str, list[Find]]:
    """What :func:`write` wrote; raises InputError for a file that is not there or holds something else."""
    try:
        told = json.loads(path.read_text())
        return {key: [Find(row[0], row[1], tuple(row[2:])) for row in rows] for key, rows in told.items()}
    except (OSError, ValueError, AttributeError, TypeError, IndexError) as error:
        hint = "benchmarks/unlabelled.py makes it."
        raise InputError(f"{path} holds no finds beside labels ({error!r}).", hint=hint) from error


def with_finds(picture: BoxedPicture, finds: Iterable[Find], labels: Sequence[str]) -> BoxedPicture:
    """The picture with labels for sure finds, and doubts for the rest."""
    size = np.array([picture.image.shape[1], picture.image.shape[0]] * 2, np.float32)
    known = [find for find in finds if find.label in labels and find.score >= DOUBT]
    boxes = np.array([find.box for find in known], np.float32).reshape(-1, 4) * size
    kinds = np.array([labels.index(find.label) for find in known], np.int64)
    score = np.array([find.score for find in known], np.float32)
    sure = score >= SURE
    return replace(
        picture,
        xyxy=np.concatenate([picture.xyxy, boxes[sure]]),
        kind=np.concatenate([picture.kind, kinds[sure]]),
        doubtful=boxes[~sure],
        doubtful_kind=kinds[~sure],
    )
