"""Teach a detector's weights what their scores are worth, on pictures that they never saw.

A score is the mean of what several looks at a picture say, and no probability. From all finds in held-out
pictures, right or false at an overlap (IoU) of 0.5, the line of Platt scaling is fitted for each class. A
class with few right finds leans on those of its group, or else of all classes but person, which then count as
much as LEAN finds of its own. The lines go into the head of the file, where the stage detect finds them:

    python benchmarks/calibrate.py --data held-out/ --weights RUN/last.safetensors -o detector.safetensors
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from autoremove.evaluation.calibration import Scores, pooled
from autoremove.labels import GROUPS
from autoremove.models.calibration import REST, Line

Values = NDArray[np.float64]

LEAST = 30
"""Right finds that a class needs for a line of its own, and a group for one that its classes lean on."""

LEAN = 50.0
"""How many finds those of other classes count as. Held-out finds were likeliest, with lines of the other half
of the pictures, at 50 (loss 0.1846 a find) and little less so from 20 to 100; each class alone (0.46) and
all with one line (0.1893) were worse.
"""


def fitted(table: Scores, others: Scores | None = None, rounds: int = 50) -> Line:
    """The line that makes the finds likeliest, by Newton's method, with Platt's priors on the targets.

    ``others``: finds on which it leans; all together they count as LEAN of ``table``.
    """
    x, target, weight = _points(table)
    if others is not None and others.score:
        parts = zip((x, target, weight), _points(others, LEAN / len(others.score)), strict=True)
        x, target, weight = (np.concatenate(pair) for pair in parts)
    columns = np.stack([x, np.ones_like(x)], 1)
    line = np.array([1.0, 0.0])
    for _ in range(rounds):
        chance = 1 / (1 + np.exp(-columns @ line))
        slope = columns.T @ (weight * (chance - target))
        bend = (columns * (weight * chance * (1 - chance))[:, None]).T @ columns + 1e-6 * np.eye(2)
        step = np.linalg.solve(bend, slope)
        line = line - step / max(1.0, float(np.abs(step).max()))
        if np.abs(step).max() < 1e-9:
            break
    return Line(float(line[0]), float(line[1]))


def _points(table: Scores, weight: float = 1.0) -> tuple[Values, Values, Values]:
    """Logits of the scores, targets, and weights."""
    hit = np.array(table.right, bool)
    many, few = hit.sum(), (~hit).sum()
    target = np.where(hit, (many + 1) / (many + 2), 1 / (few + 2))
    return _logit(np.array(table.score, np.float64)), target, np.full(len(hit), weight)


def _logit(values: NDArray[np.float64]) -> NDArray[np.float64]:
    kept = values.clip(1e-6, 1 - 1e-6)
    return np.asarray(np.log(kept / (1 - kept)))


def lines_of(tables: Mapping[str, Scores], least: int = LEAST) -> dict[str, Line]:
    """A line for each class that was found, and REST, that of all but person, for the others.

    None at all where nothing found was right, for there is nothing to learn of then.
    """
    others = pooled([own for name, own in tables.items() if name != "person"])
    everything = others if sum(others.right) >= least else pooled(list(tables.values()))
    if not any(everything.right):
        return {}
    lines = {}
    for name, own in tables.items():
        if sum(own.right) >= least:
            lines[name] = fitted(own)
        elif own.score:
            members = next((members for members in GROUPS.values() if name in members), (name,))
            group = pooled([tables[member] for member in members if member in tables])
            lines[name] = fitted(own, group if sum(group.right) >= least else everything)
    return {**lines, REST: fitted(everything)}


def expected_error(table: Scores, line: Line | None, bands: int = 10) -> float | None:
    """Mean distance of what scores say from how many finds are right, by tenths of the finds (ECE)."""
    score = np.array(table.score, np.float32)
    if not len(score):
        return None
    said = score if line is None else line(score)
    parts = np.array_split(np.argsort(said), min(bands, len(said)))
    right = np.array(table.right, np.float64)
    return float(sum(len(p) * abs(said[p].mean() - right[p].mean()) for p in parts if len(p)) / len(said))


def crossed_error(halves: Sequence[Mapping[str, Scores]], name: str) -> float | None:
    """The error of a class where its line was fitted on the other half of the pictures; None without finds.

    That of the line on the pictures that it was fitted on is flattering.
    """
    errors, counts = [], []
    for own, other in (halves, halves[::-1]):
        lines, table = lines_of(other), _finds_of(own, name)
        error = expected_error(table, lines.get(name, lines.get(REST)))
        if error is not None:
            errors.append(error)
            counts.append(len(table.score))
    return float(np.average(errors, weights=counts)) if errors else None


def _finds_of(tables: Mapping[str, Scores], name: str) -> Scores:
    """The finds of a class; those of all but person for REST."""
    return tables[name] if name in tables else pooled([own for key, own in tables.items() if key != "person"])


def write(source: Path, lines: Mapping[str, Line], output: Path) -> None:
    """A copy of the weights with the lines in its head."""
    told = json.dumps({name: list(line) for name, line in lines.items()})
    with_notes(source, {"calibration": told}, output)


def with_notes(source: Path, notes: Mapping[str, str], output: Path) -> None:
    """A copy of a safetensors file with more in its head."""
    from safetensors.torch import load_file, save

    from autoremove.models.checkpoints import header

    data = save(load_file(source), metadata={**header(source), **notes})
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_bytes(data)


def main(arguments: Sequence[str] | None = None) -> None:
    """Find in all pictures, fit, print, write."""
    from tqdm import tqdm

    from autoremove.evaluation import shipped
    from autoremove.evaluation.detect import Judge
    from autoremove.evaluation.labelled import read_boxed
    from autoremove.stages.detect import Detect

    parser = argparse.ArgumentParser(description="What scores are worth.")
    parser.add_argument("--data", type=Path, action="append", required=True, help="`instances` or YOLO form.")
    parser.add_argument("--weights", required=True, help="Safetensors of a detector.")
    parser.add_argument("--output", "-o", type=Path, help="Where the weights with their lines go.")
    parser.add_argument("--limit", type=int, help="At most so many pictures of each folder.")
    options = parser.parse_args(arguments)
    detect = shipped.stage_of(shipped.recipe_stages("people"), Detect)
    detect = replace(detect, weights=options.weights, calibrated=False)
    classes = shipped.known_classes(detect, list(_names(options.weights)))
    judges, find = [Judge(dict.fromkeys(classes, 0.0)) for _ in range(2)], shipped.finder(detect)
    pictures = [picture for folder in options.data for picture in read_boxed(folder, options.limit)]
    for number, picture in enumerate(tqdm(pictures, "pictures", disable=None)):
        judges[number % 2].add(picture, find(picture.image))
    halves = [{name: judge.scores[name] for name in classes} for judge in judges]
    tables = {name: pooled([half[name] for half in halves]) for name in classes}
    lines = lines_of(tables)
    print("class: line; error of the raw score, with the line, with a line of the other half of the pictures")
    for name, line in lines.items():
        own = _finds_of(tables, name)
        errors = (expected_error(own, None), expected_error(own, line), crossed_error(halves, name))
        told = ", ".join("-" if value is None else f"{value:.4f}" for value in errors)
        print(f"{name}: slope {line.slope:.3f}, offset {line.offset:.3f}; {told}")
    print(f"{len(pictures)} pictures")
    if options.output:
        write(Path(options.weights), lines, options.output)


def _names(weights: str) -> tuple[str, ...]:
    from autoremove.models.detector_names import detector_names

    return detector_names(weights) or ()


if __name__ == "__main__":
    main()
