"""Find how much the rescorer's verdicts are to count beside the detector's scores, on held-out pictures.

Scores and verdicts are added as logits. How far they lean on the verdict is chosen by average precision, and
what the sum is worth by Platt scaling, as in calibrate.py, for each class that the rescorer judges. This goes
into the head of the rescorer's file with the sum of the detector's, for it holds for that one alone:

    python benchmarks/calibrate_rescorer.py --data held-out/ --weights detector.safetensors \\
        --rescorer RUN/last.safetensors -o rescorer.safetensors
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from autoremove.evaluation.calibration import pooled
from autoremove.evaluation.detect import Judge
from autoremove.evaluation.labelled import Boxed, read_boxed
from autoremove.models.calibration import Line, Weighing
from autoremove.stages.rescore import once
from autoremove.types import Detections
from benchmarks.calibrate import expected_error, lines_of, with_notes

SHARES = np.linspace(0, 1, 11)
"""How far scores lean on the verdict: 0 not at all, 1 the detector's score counts for nothing."""


class Looked(NamedTuple):
    """One picture with the detector's finds, where the rescorer would have them, and its logits."""

    picture: Boxed
    before: Detections
    after: Detections
    logit: NDArray[np.float32]


class Told(NamedTuple):
    """AP50, and the error of the chance (ECE) with a line of the other half of the pictures, of one share."""

    share: float
    ap50: float
    error: float | None
    line: Line


def leaning(found: Detections, logit: NDArray[np.float32], share: float) -> Detections:
    """The finds with scores that lean on the verdict by ``share`` 0..1, each object once."""
    score = Weighing(1 - share, share, 0.0)(found.score, logit)
    return once(replace(found, score=score))


def told_of(rows: Sequence[Looked], name: str, share: float) -> Told:
    """What a share gives for one class."""
    halves = [Judge({name: 0.0}) for _ in range(2)]
    whole = Judge({name: 0.0})
    for number, row in enumerate(rows):
        found = leaning(row.after, row.logit, share)
        for judge in (whole, halves[number % 2]):
            judge.add(row.picture, found)
    tables = [judge.scores[name] for judge in halves]
    errors = [
        expected_error(own, lines_of({name: other})[name])
        for own, other in (tables, tables[::-1])
        if any(other.right)
    ]
    known = [error for error in errors if error is not None]
    ap50 = whole.figures()["classes"][name]["ap50"] or 0.0
    line = lines_of({name: pooled(tables)}).get(name, Line(1.0, 0.0))
    return Told(share, ap50, float(np.mean(known)) if known else None, line)


def chosen(told: Sequence[Told]) -> Weighing:
    """The weighing of the share with the highest AP50."""
    best = max(told, key=lambda one: one.ap50)
    slope, offset = best.line
    return Weighing(slope * (1 - best.share), slope * best.share, offset)


def write(source: Path, weighings: Mapping[str, Weighing], finder: str, output: Path) -> None:
    """A copy of the weights with the weighings in its head."""
    told = json.dumps({name: list(weighing) for name, weighing in weighings.items()})
    with_notes(source, {"weighings": told, "finder": finder}, output)


def looked_at(folders: Sequence[Path], weights: str, rescorer: str, limit: int | None) -> list[Looked]:
    """All pictures with what the recipe's detector finds and the rescorer says."""
    from tqdm import tqdm

    from autoremove.evaluation import shipped
    from autoremove.models import cache
    from autoremove.stages.detect import Detect
    from autoremove.stages.rescore import SEEN, judged

    detect = shipped.stage_of(shipped.recipe_stages("people"), Detect)
    net = cache.load("rescorer", rescorer)
    find = shipped.finder(replace(detect, weights=weights, calibrated=False), SEEN)
    pictures = [picture for folder in folders for picture in read_boxed(folder, limit)]
    rows = []
    for picture in tqdm(pictures, "pictures", disable=None):
        found = find(picture.image)
        found = found[np.array([label in net.labels for label in found.label], bool)]
        rows.append(Looked(picture, found, *judged(found, picture.image, net)))
    return rows


def main(arguments: Sequence[str] | None = None) -> None:
    """Find, look, try all shares, print, write."""
    from autoremove.models import cache
    from autoremove.models.weights import digest

    parser = argparse.ArgumentParser(description="What the rescorer's verdicts are worth.")
    parser.add_argument("--data", type=Path, action="append", required=True, help="`instances` or YOLO form.")
    parser.add_argument("--weights", required=True, help="The calibrated detector.")
    parser.add_argument("--rescorer", required=True, help="Safetensors of a rescorer.")
    parser.add_argument("--output", "-o", type=Path, help="Where the rescorer with its weighings goes.")
    parser.add_argument("--limit", type=int, help="At most so many pictures of each folder.")
    options = parser.parse_args(arguments)
    rows = looked_at(options.data, options.weights, options.rescorer, options.limit)
    weighings = {}
    for name in cache.load("rescorer", options.rescorer).labels:
        before = Judge({name: 0.0})
        for row in rows:
            before.add(row.picture, row.before)
        print(f"{name}: AP50 of the detector alone {before.figures()['classes'][name]['ap50']:.4f}")
        told = [told_of(rows, name, float(share)) for share in SHARES]
        for one in told:
            error = "-" if one.error is None else f"{one.error:.4f}"
            print(f"  share {one.share:.1f}: AP50 {one.ap50:.4f}, error of the chance {error}")
        weighings[name] = chosen(told)
        print(f"  {weighings[name]}")
    print(f"{len(rows)} pictures")
    if options.output:
        write(Path(options.rescorer), weighings, digest(options.weights, "detector"), options.output)


if __name__ == "__main__":
    main()
