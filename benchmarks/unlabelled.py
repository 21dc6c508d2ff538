"""Look for what training pictures show without a label: what the embedded detector finds beside the labels.

Of what it finds surely, most is there: people in the background, the cars of pictures that label people only.
A training with `--set beside=FILE` takes the surest finds for labels, and does not teach that nothing is
where the others are (:mod:`autoremove.training.beside`):

    python benchmarks/unlabelled.py --data DATA/person_boxes --data DATA/instances/train -o beside.json
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from autoremove.evaluation.labelled import Boxed, count_pictures, read_boxed
from autoremove.models.boxes import areas, common, overlap
from autoremove.training.beside import Find, write
from autoremove.training.boxes import key_of
from autoremove.training.instances import ONE_OBJECT
from autoremove.types import Detections, Image

Finding = Callable[[list[Image]], list[Detections]]

TRUSTED = ("person", "car")
"""Classes with so many objects held out that a score says something: in pictures of clothes 456 giraffes
were found as surely as would be right half of the time where there are giraffes."""

LEAST = 0.1
"""Score from which a find is told."""

OVERLAP, WITHIN = 0.3, 0.5
"""Overlap (IoU) with a labelled box of its class, and share of either in the other, from which a find is that
one, a part of it or it and more."""


def beside(picture: Boxed, found: Detections) -> list[Find]:
    """The finds that are none of the labelled objects, with their boxes in shares of the picture."""
    height, width = picture.image.shape[:2]
    size = np.array([width, height] * 2, np.float32)
    finds = []
    for box, score, label in zip(found.xyxy, found.score.tolist(), found.label, strict=True):
        own = picture.xyxy[np.array([name == label for name in picture.label], bool)]
        both = common(box, own)
        least = np.minimum(areas(own), areas(box[None])[0])
        if not ((overlap(box, own) > OVERLAP) | (both > WITHIN * least)).any():
            finds.append(Find(label, score, tuple((box / size).tolist())))
    return finds


def look(folder: Path, find: Finding, limit: int | None) -> Iterator[tuple[str, list[Find]]]:
    """Each picture's name with what it shows besides."""
    from tqdm import tqdm

    total = min(count_pictures(folder), limit or sys.maxsize)
    for picture in tqdm(read_boxed(folder, limit), folder.name, total, disable=None):
        if ONE_OBJECT not in picture.source:  # no detector learns from it
            yield key_of(folder, picture.name), beside(picture, find([picture.image])[0])


def main(arguments: Sequence[str] | None = None) -> None:
    """Look at all pictures and write what is beside the labels."""
    from autoremove.stages.detect import Detect

    parser = argparse.ArgumentParser(description="Look for what training pictures show without a label.")
    parser.add_argument("--data", type=Path, action="append", required=True, help="Training pictures.")
    parser.add_argument("--label", action="append", help="A class to look for.")
    parser.add_argument("--weights", default="embedded", help="Safetensors of a detector.")
    parser.add_argument("--speed", default="fast", help="The plan of looks.")
    parser.add_argument("--limit", type=int, help="At most so many pictures of each folder.")
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args(arguments)
    labels = tuple(options.label or TRUSTED)
    stage = Detect(weights=options.weights, labels=labels, speed=options.speed, confidence=LEAST)
    told = dict(row for folder in options.data for row in look(folder, stage, options.limit))
    write(options.output, told)
    print(f"{options.output}: {sum(map(len, told.values()))} finds beside the labels of {len(told)} pictures")


if __name__ == "__main__":
    main()
