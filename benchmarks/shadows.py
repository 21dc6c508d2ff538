"""How much of the true floor shadow the mask leaves out, with and without the shadow stage.

    python benchmarks/shadows.py --data DATA/pairs --json shadows.json

The pairs (NAME_with, NAME_without, NAME_object pictures) tell body and shadow apart: in the lowest part of
the object, where the picture is the empty view at one share of its light, it is shadow; all else is body.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from machine import commit, in_words, machine

from autoremove.evaluation.pairs import Pair, pairs_in
from autoremove.evaluation.table import Table, markdown, number, write_json
from autoremove.pipeline import run_in_memory
from autoremove.recipe import load_recipe
from autoremove.stages.grow import add_grown
from autoremove.stages.refine import Refine
from autoremove.stages.shadow import Shadow
from autoremove.types import Detections, Mask, ObjectMask

FLOOR = 0.2
"""The share of the object's height, from below, in which its mask may hold floor."""

SHADED = (0.55, 1.05)
"""Shares of the empty view's light that are called shadow; what is darker is a dark shoe."""

NOTABLE = 0.94
"""Outside the object mask, floor that keeps less of its light than this is shaded too."""

SOURCES = {
    "true body": "the body itself, grown",
    "true box": "MaskNet in the box of the body",
    "object box": "MaskNet in the box of the object mask, shadow included",
    "found": "the recipe's own detections and masks",
}


@dataclass(frozen=True)
class Truth:
    """One pair taken apart. ``shadow``: inside the object mask; ``shade``: all floor that is darker."""

    body: Mask
    shadow: Mask
    shade: Mask


def taken_apart(pair: Pair) -> Truth:
    """Body and shadow of a pair, from what the empty view says."""
    assert pair.empty is not None
    assert pair.truth is not None
    seen, empty = (cv2.GaussianBlur(v, (0, 0), 1.0).astype(np.float32) + 12 for v in (pair.image, pair.empty))
    share = (seen / empty)[..., :2]  # of red and green: in blue, a brown floor holds little but noise
    ys = np.nonzero(pair.truth)[0]
    rows = np.arange(len(seen))[:, None]
    floor = rows >= ys.max() - FLOOR * (ys.max() - ys.min())
    shaded = pair.truth & floor & (share > SHADED[0]).all(2) & (share < SHADED[1]).all(2)
    shaded = opened(shaded)
    count, labels, stats, _ = cv2.connectedComponentsWithStats((pair.truth & ~shaded).astype(np.uint8))
    body = labels == 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA])) if count > 1 else pair.truth
    darker = opened(floor & (share.mean(2) < NOTABLE) & ~body)
    _, labels = cv2.connectedComponents((darker | body).astype(np.uint8))
    return Truth(body, pair.truth & ~body, darker & (labels == np.bincount(labels[body]).argmax()))


def opened(mask: NDArray[Any]) -> Mask:
    """Without specks."""
    return np.asarray(cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)) > 0)


def boxed(mask: Mask) -> Detections:
    """A person in the box of a mask."""
    ys, xs = np.nonzero(mask)
    box = np.array([[xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]], np.float32)
    return Detections(box, np.ones(1, np.float32), ("person",))


def masks_of(pair: Pair, truth: Truth, recipe: str) -> dict[str, tuple[Detections, ObjectMask]]:
    """The masks before the shadow stage, by where they come from."""
    assert pair.truth is not None
    refine = Refine()
    body, whole = boxed(truth.body), boxed(pair.truth)
    grown = np.zeros_like(truth.body)
    corner = (0, 0, grown.shape[1], grown.shape[0])
    add_grown(grown, (corner, truth.body), refine.radius(body.xyxy[0], "person", refine.grow))
    finding = [stage for stage in load_recipe(recipe).stages if stage.gives == "detections"]
    found = run_in_memory(pair.image, finding)["detections"]
    return {
        "true body": (body, ObjectMask(grown, truth.body.astype(np.uint16))),
        "true box": (body, refine([pair.image], [body])[0]),
        "object box": (whole, refine([pair.image], [whole])[0]),
        "found": (found, refine([pair.image], [found])[0]),
    }


def figures(pair: Pair, truth: Truth, grown: Mask) -> dict[str, float | None]:
    """What one mask leaves out, and what it takes that it need not."""
    assert pair.truth is not None
    allowed = np.zeros_like(grown)
    box = boxed(pair.truth).xyxy[0]
    add_grown(
        allowed,
        ((0, 0, grown.shape[1], grown.shape[0]), pair.truth),
        Refine().radius(box, "person", Refine().grow),
    )
    return {
        "shadow_left": float((truth.shadow & ~grown).sum()),
        "shadow": float(truth.shadow.sum()),
        "shade_left": float((truth.shade & ~grown).sum()),
        "shade": float(truth.shade.sum()),
        "object_left": float((pair.truth & ~grown).sum()),
        "object": float(pair.truth.sum()),
        "needless": float((grown & ~allowed).mean()),
        "needless_unshaded": float((grown & ~allowed & ~truth.shade).mean()),
    }


def measure(folder: Path, recipe: str, stage: Shadow) -> dict[str, Any]:
    """All pairs, every source of masks, without and with the stage."""
    rows: dict[str, dict[str, list[dict[str, float | None]]]] = {
        name: {"without": [], "with": []} for name in SOURCES
    }
    for read in pairs_in(folder):
        pair = read()
        if pair.truth is None:
            continue
        truth = taken_apart(pair)
        for name, (found, mask) in masks_of(pair, truth, recipe).items():
            joined = stage([pair.image], [found], [mask])[0]
            rows[name]["without"].append(figures(pair, truth, mask.grown))
            rows[name]["with"].append(figures(pair, truth, joined.grown))
    return {name: {when: summed(values) for when, values in both.items()} for name, both in rows.items()}


def summed(rows: list[dict[str, float | None]]) -> dict[str, float]:
    """Errors over all pixels of all pairs; needless area as a mean share of the picture."""
    total = {key: float(np.sum([row[key] for row in rows])) for key in rows[0]}
    return {
        "shadow_error": total["shadow_left"] / max(1.0, total["shadow"]),
        "shade_error": total["shade_left"] / max(1.0, total["shade"]),
        "object_left": total["object_left"] / max(1.0, total["object"]),
        "needless": total["needless"] / len(rows),
        "needless_unshaded": total["needless_unshaded"] / len(rows),
    }


def table(result: Mapping[str, Mapping[str, Mapping[str, float]]]) -> Table:
    """One row a source of masks and state of the stage."""
    header = ["masks", "stage", "shadow left out", "all shade left out", "object left out", "needless"]
    rows = [
        [f"{name}: {about}", when, *[number(result[name][when][key], ".2%") for key in KEYS]]
        for name, about in SOURCES.items()
        for when in ("without", "with")
    ]
    return [header, *rows]


KEYS = ("shadow_error", "shade_error", "object_left", "needless")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Shadow error on pairs, with and without the stage.")
    parser.add_argument(
        "--data", type=Path, required=True, help="Folder of _with, _without, _object pictures."
    )
    parser.add_argument("--recipe", default="people", help="Whose detections are used (default people).")
    parser.add_argument("--strength", type=float, default=1.0, help="Of the shadow stage (default 1).")
    parser.add_argument("--json", type=Path, help="File for the figures.")
    options = parser.parse_args()
    result = measure(options.data, options.recipe, Shadow(strength=options.strength))
    print(markdown(table(result)))
    facts = machine()
    print(f"{in_words(facts)}, commit {commit()}")
    if options.json:
        write_json(options.json, {"shadows": result, "machine": facts, "commit": commit()})


if __name__ == "__main__":
    main()
