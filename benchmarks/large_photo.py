"""Seconds to find objects and their masks in a photo of 12 megapixels, by speed setting.

Method: the stages of a recipe up to the finished mask, in one warm process on ``--threads`` threads, on the
photo bus.jpg of the ultralytics package enlarged to 3024 x 4032. Each setting runs once as a warm-up (it
loads the networks); what is told is the median of the runs after it, with its spread, and the median of
each stage.

    python benchmarks/large_photo.py --runs 5 --json large.json
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from machine import commit, in_words, machine
from speed import photo_of, spread

SIZE_HW = (4032, 3024)

SPEEDS = ("fast", "normal", "max")


def masking(recipe: str, settings: Sequence[str], speed: str | None, device: str) -> tuple[Any, ...]:
    """The stages of a recipe up to the last that gives a mask, the detector at a speed setting."""
    from autoremove.recipe import load_recipe

    stages: tuple[Any, ...] = load_recipe(recipe, settings, device=device).stages
    last = max(number for number, stage in enumerate(stages) if stage.gives == "mask")
    first = stages[: last + 1]
    return tuple(dataclasses.replace(s, speed=speed) if speed and s.name == "detect" else s for s in first)


def timed(image: Any, stages: Sequence[Any]) -> tuple[dict[str, float], Any]:
    """Seconds of each stage, and the finished values."""
    values, seconds = {"image": image}, {}
    for stage in stages:
        started = time.perf_counter()
        values[stage.gives] = stage(**{slot: [values[slot]] for slot in stage.needs})[0]
        seconds[stage.name] = time.perf_counter() - started
    return seconds, values


def measure(image: Any, stages: Sequence[Any], runs: int) -> dict[str, Any]:
    """Median and spread of the whole, and the median of each stage."""
    timed(image, stages)
    rows, values, spent = [], {}, time.process_time()
    for _ in range(runs):
        seconds, values = timed(image, stages)
        rows.append(seconds)
    spent = time.process_time() - spent
    parts = {stage.name: spread([row[stage.name] for row in rows])["median"] for stage in stages}
    return {
        **spread([sum(row.values()) for row in rows]),
        "cpu_seconds": round(spent / runs, 2),  # of all threads: what it costs, however busy the machine is
        "stages": parts,
        "objects": len(values["detections"]),
    }


def enlarged(size_hw: tuple[int, int]) -> Any:
    """The photo at that size, RGB."""
    import numpy as np
    from PIL import Image

    with Image.open(photo_of("bus.jpg")) as opened:
        return np.asarray(opened.convert("RGB").resize(size_hw[::-1], Image.Resampling.BICUBIC))


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Seconds for detection and masks of a large photo.")
    parser.add_argument("--runs", type=int, default=5, help="Runs after the warm-up (default 5).")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--recipe", default="people")
    parser.add_argument("--set", action="append", default=[], metavar="STAGE.FIELD=VALUE")
    parser.add_argument("--device", default="cpu", help="As torch spells it.")
    parser.add_argument("--json", type=Path, help="File for the figures.")
    options = parser.parse_args()
    import torch

    torch.set_num_threads(options.threads)
    facts, image, result = machine(), enlarged(SIZE_HW), {}
    detect = masking(options.recipe, options.set, None, options.device)[0]
    has_speeds = any(field.name == "speed" for field in dataclasses.fields(detect))
    for speed in SPEEDS if has_speeds else ("normal",):
        chain = masking(options.recipe, options.set, speed if has_speeds else None, options.device)
        row = result[speed] = measure(image, chain, options.runs)
        parts = ", ".join(f"{name} {seconds:.2f}" for name, seconds in row["stages"].items())
        between = f"{row['least']:.2f} to {row['most']:.2f}"
        print(f"{speed:8} {row['median']:6.2f} s ({between}), CPU {row['cpu_seconds']:.2f} s: {parts}")
    command = f"python benchmarks/large_photo.py --runs {options.runs} --threads {options.threads}"
    whole = {"speeds": result, "size_hw": SIZE_HW, "command": command, "machine": facts, "commit": commit()}
    print(f"{in_words(facts)}, commit {whole['commit']}")
    if options.json:
        options.json.write_text(json.dumps(whole, indent=1) + "\n")


if __name__ == "__main__":
    main()
