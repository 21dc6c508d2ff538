"""Which looks at a picture are worth their cost: several plans on the same pictures, each seen once a look.

Judged on pictures that the detector never saw, as they are and as sheets of four, on which people are small:

    python benchmarks/looks.py --data held-out/data-person_boxes --weights FILE --json OUT/looks.json

A plan is sides in pixels, with an m where the picture is mirrored: `--plan "256 384m 640"`. Without any,
those of `normal` and `fast` are measured, and what they were before. The cost of a look is its area
over that at 256 pixels.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from autoremove.evaluation.labelled import Boxed
from autoremove.evaluation.table import Table, markdown, number
from autoremove.stages.detect import WEAK, Detect
from autoremove.stages.views import View, plan_views
from autoremove.types import Detections

Look = tuple[int, bool]
Finds = list[dict[Look, Detections]]

SHEET = 576
"""Side of a sheet of four pictures, in pixels: what photos of the web have."""

OTHERS = (
    "256 448m 832",
    "256 384m 512 640m",
    "192 192m 256 256m 384 384m 640 640m 1024 1024m",
    "256 384m 640",
)
"""What `fast` might be, and what it, `normal` and again `fast` were before."""


def looks_of(text: str) -> tuple[Look, ...]:
    """The looks of a plan in words."""
    return tuple((int(word.removesuffix("m")), word.endswith("m")) for word in text.split())


def in_words(looks: Sequence[Look]) -> str:
    """The plan as it is typed."""
    return " ".join(f"{size}{'m' if mirror else ''}" for size, mirror in looks)


def of_speed(speed: str) -> str:
    """The looks of a speed at a small picture."""
    return in_words([(view.imgsz, view.mirror) for view in plan_views((SHEET, SHEET), speed)])


def sheets(pictures: Sequence[Boxed], side: int = SHEET) -> list[Boxed]:
    """Four pictures each as one of this side, in the order in which their names are far apart."""
    count = len(pictures) // 4
    return [_sheet([pictures[first + count * k] for k in range(4)], side) for first in range(count)]


def _sheet(four: Sequence[Boxed], side: int) -> Boxed:
    half = side // 2
    image, boxes = np.zeros((side, side, 3), np.uint8), []
    for number_, picture in enumerate(four):
        y, x = (half * part for part in divmod(number_, 2))
        height, width = picture.image.shape[:2]
        image[y : y + half, x : x + half] = cv2.resize(
            picture.image, (half, half), interpolation=cv2.INTER_AREA
        )
        scale = np.array([half / width, half / height] * 2, np.float32)
        boxes.append(picture.xyxy * scale + np.array([x, y] * 2, np.float32))
    labels = tuple(label for picture in four for label in picture.label)
    judged = frozenset.intersection(*(picture.judged for picture in four))
    return Boxed("+".join(p.name for p in four), image, np.concatenate(boxes), labels, judged)


def seen(pictures: Sequence[Boxed], looks: Sequence[Look], weights: str) -> Finds:
    """The persons that each look at each picture finds."""
    from tqdm import tqdm

    from autoremove.models import cache

    detector, stage = cache.load("detector", weights, "cpu"), Detect()
    how = {"labels": ("person",), "confidence": WEAK, "iou": stage.iou, "max_det": stage.max_det}
    return [
        {look: detector.detect([picture.image], imgsz=look[0], mirror=look[1], **how)[0] for look in looks}
        for picture in tqdm(pictures, "pictures", disable=None)
    ]


def judged(pictures: Sequence[Boxed], finds: Finds, looks: Sequence[Look]) -> dict[str, float]:
    """How well a plan finds persons."""
    from autoremove.evaluation.detect import Judge
    from autoremove.stages.combine import combined

    judge = Judge({"person": 0.0})
    for picture, found in zip(pictures, finds, strict=True):
        whole = (0, 0, picture.image.shape[1], picture.image.shape[0])
        views = [View(whole, size, mirror) for size, mirror in looks]
        judge.add(picture, combined(views, [found[look] for look in looks], WEAK))
    own = judge.figures()["classes"]["person"]
    return {key: own[key] for key in ("ap50", "ap50_95")}


def tables(result: dict[str, Any]) -> list[Table]:
    """One row a plan."""
    rows: Table = [["looks", "cost", "AP50", "AP50-95", "sheets of four: AP50", "AP50-95"]]
    for plan, row in result["plans"].items():
        values = [row[kind][key] for kind in ("pictures", "sheets") for key in ("ap50", "ap50_95")]
        name = ", ".join([*row["speeds"], plan])
        rows.append([name, f"{row['cost']:.1f}", *(number(value, ".3f") for value in values)])
    return [rows]


def main(arguments: Sequence[str] | None = None) -> None:
    """See with every look that any plan has, judge every plan, print, write."""
    from autoremove.evaluation.labelled import read_boxed

    parser = argparse.ArgumentParser(description="Which looks are worth their cost.")
    parser.add_argument("--data", type=Path, action="append", required=True, help="Pictures not learnt from.")
    parser.add_argument("--weights", default="embedded", help="Safetensors of a detector.")
    parser.add_argument("--plan", action="append", default=[], help="Sides, with an m for mirrored ones.")
    parser.add_argument("--limit", type=int, help="At most so many pictures of each folder.")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(arguments)
    speeds = {speed: of_speed(speed) for speed in ("normal", "fast")}
    plans = {text: looks_of(text) for text in options.plan or (*speeds.values(), *OTHERS)}
    looks = sorted({look for plan in plans.values() for look in plan})
    pictures = [picture for folder in options.data for picture in read_boxed(folder, options.limit)]
    whole = [p for p in pictures if "person" in p.judged and not any(u.any() for u in p.unclear.values())]
    if len(whole) < 4:
        sys.exit("A sheet takes four pictures in which every person is labelled; there are too few.")
    kinds = {"pictures": pictures, "sheets": sheets(whole)}
    finds = {kind: seen(rows, looks, options.weights) for kind, rows in kinds.items()}
    told = {
        text: {
            "cost": sum((size / 256) ** 2 for size, _ in plan),
            "speeds": [speed for speed, words in speeds.items() if words == text],
            **{kind: judged(rows, finds[kind], plan) for kind, rows in kinds.items()},
        }
        for text, plan in plans.items()
    }
    result = {"plans": told, "pictures": len(pictures), "sheets": len(kinds["sheets"])}
    print(markdown(tables(result)[0]))
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
