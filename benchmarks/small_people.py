"""Recall of small people in photos of 12 MP and more: one pass at 640 pixels against the plans of looks.

Method. No labelled photos of that size are to hand, so they are made: the background is a mosaic of scenes
(``scenes/test``, the sets of buildings and places, which hold next to no people), each scaled until it covers
its tile, the seams blended over 64 pixels, with a little noise, as a sensor gives. Onto it go people cut out
along their masks (``instances/test``: whole, upright, not at the picture's border, at least as tall as they
are drawn), 24 to 96 pixels tall, spread evenly in the logarithm of the height, clear of each other.
Everything follows from the seed. What is told: recall by height, a find being right at an overlap (IoU) of
0.5; false finds a photo, an upper bound since a scene may hold people of its own; seconds; and the recall at
the score above which there are two false finds a photo. The people stand anywhere, in the sky too, with no
shadow: real ones are easier to believe, so it is the difference between the ways that counts.

    python benchmarks/small_people.py --data DATA --json small.json
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage

sys.path.insert(0, str(Path(__file__).resolve().parent))

from machine import commit, in_words, machine

from autoremove.evaluation.matching import Boxes, match
from autoremove.training.instances import IGNORE, LabelledPicture, read_instances
from autoremove.types import Detections, Image, Mask

HEIGHTS = (24, 32, 48, 64, 97)
"""Bounds of the groups by height, in pixels of the photo."""

GROUPS = tuple(pairwise(HEIGHTS))

SIZES = ((3000, 4000), (3000, 4000), (4000, 3000), (3456, 5184))
"""Sizes of the photos in turn: 12 MP across and upright, and 18 MP."""

SETS = ("urban", "sunhays", "places")
"""How the names of the scenes start that are used; all scenes where none does."""

TILE, SEAM, NOISE, GAP = 1000, 64, 3.0, 24
"""Pixels of a scene's tile and of the blend to the next; deviation of the noise; least gap between people."""

LEAST = 0.05
"""Score from which finds are taken in."""

ALIKE = 2
"""False finds a photo at which the ways are compared besides."""

ONE_PASS = "one pass at 640"


@dataclass(frozen=True)
class Photo:
    """A made photo and the boxes of the people in it."""

    image: Image
    xyxy: Boxes


@dataclass(frozen=True)
class Person:
    """A person cut out: ``pixels`` h x w x 3, ``mask`` h x w, tight."""

    pixels: Image
    mask: Mask


def people(folder: Path, least: int = 96) -> list[Person]:
    """The whole persons of a data set in the `instances` form that are at least so tall."""
    found = [person for picture in read_instances(folder) for person in _cut_out(picture)]
    return [person for person in found if len(person.mask) >= least]


def _cut_out(picture: LabelledPicture) -> Iterator[Person]:
    height, width = picture.ids.shape
    for identity, label in picture.objects:
        box = picture.box(identity) if label == "person" else None
        if box is None:
            continue
        x1, y1, x2, y2 = (int(v) for v in box)
        mask = picture.ids[y1:y2, x1:x2] == identity
        upright = 1.6 <= (y2 - y1) / (x2 - x1) <= 4.5  # who sits or is cut in half is no judge of height
        inside = min(x1, y1) > 1 and x2 < width - 1 and y2 < height - 1
        if upright and inside and mask.mean() > 0.25 and IGNORE not in picture.ids[y1:y2, x1:x2]:
            yield Person(np.ascontiguousarray(picture.image[y1:y2, x1:x2]), mask)


def background(scenes: Sequence[Path], size_hw: tuple[int, int], rng: np.random.Generator) -> Image:
    """A mosaic of scenes with blended seams."""
    height, width = size_hw
    total = np.zeros((height, width, 3), np.float32)
    weight = np.full((height, width, 1), 1e-6, np.float32)
    order = rng.permutation(len(scenes)).tolist()
    for top in range(0, height, TILE):
        for left in range(0, width, TILE):
            y1, x1 = max(0, top - SEAM // 2), max(0, left - SEAM // 2)
            y2, x2 = min(height, top + TILE + SEAM // 2), min(width, left + TILE + SEAM // 2)
            order.append(order.pop(0))  # each scene once before any comes again
            tile = _covering(scenes[order[-1]], (y2 - y1, x2 - x1))
            ramp = np.minimum.outer(_ramp(y2 - y1), _ramp(x2 - x1))[..., None]
            total[y1:y2, x1:x2] += tile * ramp
            weight[y1:y2, x1:x2] += ramp
    total /= weight
    total += rng.normal(0, NOISE, (height, width, 1)).astype(np.float32)
    return np.clip(total, 0, 255).astype(np.uint8)


def _ramp(length: int) -> NDArray[np.float32]:
    place = np.arange(length) + 0.5
    return np.asarray(np.clip(np.minimum(place, length - place) / SEAM, 0, 1), np.float32)


def _covering(path: Path, size_hw: tuple[int, int]) -> Image:
    """The middle of a scene, scaled until it covers the size."""
    with PillowImage.open(path) as picture:
        scene = np.asarray(picture.convert("RGB"))
    scale = max(size_hw[0] / scene.shape[0], size_hw[1] / scene.shape[1])
    shape = [max(side, round(old * scale)) for side, old in zip(size_hw, scene.shape, strict=False)]
    scaled = cv2.resize(scene, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC)
    top, left = (shape[0] - size_hw[0]) // 2, (shape[1] - size_hw[1]) // 2
    return np.asarray(scaled[top : top + size_hw[0], left : left + size_hw[1]], np.uint8)


def photo(
    persons: Sequence[Person],
    scenes: Sequence[Path],
    size_hw: tuple[int, int],
    count: int,
    rng: np.random.Generator,
) -> Photo:
    """A background with so many people pasted onto it."""
    image = background(scenes, size_hw, rng)
    boxes: list[tuple[int, int, int, int]] = []
    while len(boxes) < count:
        height = int(np.exp(rng.uniform(np.log(HEIGHTS[0]), np.log(HEIGHTS[-1]))))
        person = persons[int(rng.integers(len(persons)))]
        width = max(4, round(person.mask.shape[1] * height / person.mask.shape[0]))
        x, y = int(rng.integers(0, size_hw[1] - width)), int(rng.integers(0, size_hw[0] - height))
        box = (x, y, x + width, y + height)
        if all(_apart(box, other) for other in boxes):
            _paste(image, person, box)
            boxes.append(box)
    return Photo(image, np.array(boxes, np.float32).reshape(-1, 4))


def _apart(box: tuple[int, ...], other: tuple[int, ...]) -> bool:
    gaps = (box[0] - other[2], other[0] - box[2], box[1] - other[3], other[1] - box[3])
    return max(gaps) > GAP


def _paste(image: Image, person: Person, box: tuple[int, int, int, int]) -> None:
    x1, y1, x2, y2 = box
    size = (x2 - x1, y2 - y1)
    pixels = cv2.resize(person.pixels, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    alpha = cv2.resize(person.mask.astype(np.float32), size, interpolation=cv2.INTER_AREA)[..., None]
    under = image[y1:y2, x1:x2]
    image[y1:y2, x1:x2] = np.round(pixels * alpha + under * (1 - alpha)).astype(np.uint8)


def made(data: Path, photos: int, count: int, seed: int) -> Iterator[Photo]:
    """The photos, one at a time: each is tens of megabytes."""
    persons = people(data / "instances" / "test")
    every = sorted((data / "scenes" / "test").glob("*.*"))
    scenes = [path for path in every if path.name.startswith(SETS)] or every
    if not persons or not scenes:
        sys.exit(f"{data} needs instances/test with people and scenes/test.")
    for number in range(photos):
        rng = np.random.default_rng((seed, number))
        yield photo(persons, scenes, SIZES[number % len(SIZES)], count, rng)


class Tally:
    """What one way of looking found, over all photos."""

    def __init__(self, confidence: float) -> None:
        self.confidence = confidence
        self.heights: list[float] = []
        self.scores: list[float] = []
        self.false: list[float] = []
        self.seconds: list[float] = []

    def add(self, truth: Boxes, found: Detections, seconds: float) -> None:
        """Take in the finds of one photo: the score of each person (0 = missed) and of each false find."""
        found = found[np.argsort(-found.score, kind="stable").tolist()]
        taken = match(found.xyxy, truth)
        scores = np.zeros(len(truth))
        scores[taken[taken >= 0]] = found.score[taken >= 0]
        self.heights += (truth[:, 3] - truth[:, 1]).tolist()
        self.scores += scores.tolist()
        self.false += found.score[taken < 0].tolist()
        self.seconds.append(seconds)

    def figures(self) -> dict[str, Any]:
        """Recall, also by height; false finds and seconds a photo."""
        heights, scores, false = np.array(self.heights), np.array(self.scores), np.array(self.false)
        hits, photos = scores >= self.confidence, len(self.seconds)
        groups = {
            f"recall_{low}_{high}": _mean(hits[(heights >= low) & (heights < high)]) for low, high in GROUPS
        }
        # The score above which there are as many false finds: so that no way wins by saying more.
        limit = np.sort(false)[::-1][ALIKE * photos] if len(false) > ALIKE * photos else 0.0
        return {
            "recall": _mean(hits),
            **groups,
            "false_per_photo": round(float((false >= self.confidence).sum()) / photos, 2),
            f"recall_at_{ALIKE}_false": _mean(scores > limit),
            "seconds": round(float(np.median(self.seconds)), 2),
            "people": len(hits),
        }


def _mean(values: NDArray[Any]) -> float | None:
    return round(float(values.mean()), 4) if len(values) else None


def ways(weights: str, chosen: Sequence[str]) -> dict[str, Callable[[Image], Detections]]:
    """The ways of looking that are compared, by name."""
    from autoremove.stages.detect import Detect
    from autoremove.stages.views import SPEEDS

    settings: dict[str, dict[str, Any]] = {ONE_PASS: {"sizes": (640,), "mirror": False}}
    settings |= {speed: {"speed": speed} for speed in SPEEDS}

    def way(fields: dict[str, Any]) -> Callable[[Image], Detections]:
        stage = Detect(weights=weights, labels=("person",), confidence=LEAST, **fields)
        return lambda image: stage([image])[0]

    return {name: way(fields) for name, fields in settings.items() if not chosen or name in chosen}


def measure(
    photos: Iterator[Photo], finders: dict[str, Callable[[Image], Detections]], confidence: float
) -> dict[str, Any]:
    """Every way of looking on every photo."""
    tallies = {name: Tally(confidence) for name in finders}
    warm = np.zeros((640, 640, 3), np.uint8)
    for find in finders.values():
        find(warm)
    for number, made_photo in enumerate(photos):
        for name, find in finders.items():
            started = time.perf_counter()
            found = find(made_photo.image)
            tallies[name].add(made_photo.xyxy, found, time.perf_counter() - started)
        print(f"photo {number + 1} done", file=sys.stderr)
    return {name: tally.figures() for name, tally in tallies.items()}


def table(result: dict[str, Any]) -> str:
    """The figures as text, a line each way."""
    heads = ["recall", *(f"{low}-{high - 1}" for low, high in GROUPS), "false", f"at {ALIKE}", "seconds"]
    lines = [f"{'':16}" + "".join(f"{head:>8}" for head in heads)]
    for name, row in result["ways"].items():
        cells = [row[key] for key in row if key != "people"]
        shown = "".join(f"{'-' if cell is None else format(cell, '.3f'):>8}" for cell in cells)
        lines.append(f"{name:16}{shown}")
    return "\n".join(lines)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Recall of small people in large photos.")
    parser.add_argument("--data", type=Path, required=True, help="With instances/test, scenes/test.")
    parser.add_argument("--photos", type=int, default=6)
    parser.add_argument("--people", type=int, default=30, help="People a photo (default 30).")
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--weights", default="embedded")
    parser.add_argument("--confidence", type=float, default=0.2)
    parser.add_argument("--way", action="append", default=[], help="Only this way of looking (repeatable).")
    parser.add_argument("--json", type=Path, help="File for the figures.")
    options = parser.parse_args()
    finders = ways(options.weights, options.way)
    photos = made(options.data, options.photos, options.people, options.seed)
    settings = {k: getattr(options, k) for k in ("photos", "people", "seed", "weights", "confidence")}
    facts = machine()
    result = {
        **settings,
        "ways": measure(photos, finders, options.confidence),
        "machine": facts,
        "commit": commit(),
    }
    print(table(result))
    print(f"{in_words(facts)}, commit {result['commit']}")
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
