"""What fewer looks, bfloat16, OpenVINO, no second verdict and the recipe `fast` gain in time, and lose.

Method: the recipes take the same pictures in turn, in one warm process, all their stages one after another;
told are the median seconds a picture with their spread, the median of each stage, and the median over the
pictures of the one time over the other. The finds are judged on all pictures of the folder, from the
confidence on that each recipe has.

    python benchmarks/fast.py --data DATA/instances/test --json fast.json
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from large_photo import timed
from machine import commit, in_words, machine
from speed import spread

from autoremove.errors import ReviewNeeded
from autoremove.evaluation.table import Table, number

BFLOAT16 = ("detect.precision=fast",)

LOOKS = ("detect.speed=fast",)
"""Only the looks of the recipe `fast`."""

RECIPES: dict[str, tuple[str, tuple[str, ...]]] = {
    "people": ("people", ()),
    "people, looks of fast": ("people", LOOKS),
    "people, bfloat16": ("people", BFLOAT16),
    "people, PyTorch": ("people", ("detect.runtime=torch",)),
    "people, not rescored": ("people", ("detect.rescorer=none",)),
    "fast": ("fast", ()),
}
"""What is compared with the first of them: a recipe and what is set in it."""

FIGURES = {"ap50": ".3f", "ap50_95": ".3f", "recall": ".3f", "precision": ".3f", "false_per_picture": ".3f"}


def times(images: Sequence[Any], chains: dict[str, Sequence[Any]]) -> dict[str, Any]:
    """Seconds of every recipe on every picture, the recipes in turn; the first picture warms up.

    Left out are pictures that one of the recipes would put up for review, as those that a person fills.
    """
    rows: dict[str, list[dict[str, float]]] = {name: [] for name in chains}
    for image in [images[0], *images]:
        try:
            own = {name: timed(image, stages)[0] for name, stages in chains.items()}
        except ReviewNeeded:
            continue
        for name in chains:
            rows[name].append(own[name])
    told: dict[str, Any] = {}
    for name, seconds in rows.items():
        parts = {
            stage.name: statistics.median(row[stage.name] for row in seconds[1:]) for stage in chains[name]
        }
        told[name] = {
            **spread([sum(row.values()) for row in seconds[1:]]),
            "stages": {stage: round(value, 3) for stage, value in parts.items()},
        }
    first, *others = chains
    for name in others:
        ratios = [a / b for a, b in zip(told[first]["runs"], told[name]["runs"], strict=True)]
        finding = [a["detect"] / b["detect"] for a, b in zip(rows[first][1:], rows[name][1:], strict=True)]
        told[name]["times_faster"] = round(statistics.median(ratios), 2)
        told[name]["times_faster_detect"] = round(statistics.median(finding), 2)
    return told


def finds(data: Path, recipe: str, device: str, limit: int | None) -> dict[str, float]:
    """How well a recipe finds people."""
    from tqdm import tqdm

    from autoremove.evaluation import shipped
    from autoremove.evaluation.detect import Judge
    from autoremove.evaluation.labelled import read_boxed
    from autoremove.stages.detect import Detect

    name, settings = RECIPES[recipe]
    stages = shipped.recipe_stages(name, settings, device=device)
    find = shipped.finder(shipped.stage_of(stages, Detect))
    judge = Judge({"person": shipped.confidence_of(stages)("person")})
    for picture in tqdm(list(read_boxed(data, limit)), recipe, disable=None):
        judge.add(picture, find(picture.image))
    own = judge.figures()["classes"]["person"]
    return {key: own[key] for key in FIGURES}


def tables(result: dict[str, Any]) -> list[Table]:
    """One row a recipe: what it finds, and what it takes."""
    rows: Table = [
        ["recipe", "AP50", "AP50-95", "recall", "precision", "false/picture", "s a picture", "spread",
         "times faster", "detect alone"]
    ]  # fmt: skip
    for name, row in result["recipes"].items():
        own = [number(row["finds"][key], form) for key, form in FIGURES.items()]
        between = f"{row['time']['least']:.2f} to {row['time']['most']:.2f}"
        faster = [number(row["time"].get(key), ".2f") for key in ("times_faster", "times_faster_detect")]
        rows.append([name, *own, f"{row['time']['median']:.2f}", between, *faster])
    stages = [
        [name, ", ".join(f"{stage} {seconds:.2f}" for stage, seconds in row["time"]["stages"].items())]
        for name, row in result["recipes"].items()
    ]
    return [rows, [["recipe", "median seconds of"], *stages]]


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="People, in bfloat16, and fast, side by side.")
    parser.add_argument("--data", type=Path, required=True, help="`instances` or YOLO form.")
    parser.add_argument("--pictures", type=int, default=20, help="How many are timed (default 20).")
    parser.add_argument("--limit", type=int, help="Finds are judged on at most so many pictures.")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu", help="As torch spells it.")
    parser.add_argument("--json", type=Path, help="File for the figures.")
    options = parser.parse_args(arguments)
    import torch

    from autoremove.evaluation import shipped
    from autoremove.evaluation.labelled import read_boxed
    from autoremove.evaluation.table import markdown

    torch.set_num_threads(options.threads)
    facts = machine()
    chains = {
        shown: shipped.recipe_stages(name, settings, device=options.device)
        for shown, (name, settings) in RECIPES.items()
    }
    images = [picture.image for picture in read_boxed(options.data, options.pictures)]
    seconds = times(images, chains)
    found = {name: finds(options.data, name, options.device, options.limit) for name in RECIPES}
    result = {
        "recipes": {name: {"finds": found[name], "time": seconds[name]} for name in RECIPES},
        "command": f"python benchmarks/fast.py --threads {options.threads} --pictures {options.pictures}",
        "machine": facts,
        "commit": commit(),
    }
    print("\n\n".join(markdown(table) for table in tables(result)))
    print(f"{in_words(facts)}, commit {result['commit']}")
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
