"""Seconds and peak memory of removing people from a photo of 12 megapixels and a panorama of 100.

Method: whole processes of `autoremove run` with an empty store, imports included, on pictures made for this:
the people of the ultralytics package's bus.jpg, up to 1,500 pixels tall, on a ground of noise of all sizes,
three in the photo and five in the panorama. One run of the photo is discarded as warm-up; what is told is the
median of the others with its spread, the median of each stage as the journal has it, and the largest peak.
CPU seconds are those of all threads: what a run costs, however busy the machine is.

    python benchmarks/fill_large.py --runs 5 --panorama-runs 1 --json fill_large.json
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from machine import commit, in_words, machine
from speed import photo_of, spread, timed

PEOPLE = ((30, 380, 250, 920), (205, 385, 355, 880))
"""Two of bus.jpg with what is round them, x1, y1, x2, y2."""

PHOTO, PANORAMA = "photo", "panorama"

SIZES_HW = {PHOTO: (3024, 4032), PANORAMA: (7071, 14142)}

PLACES = {
    PHOTO: ((0, 500, 900, 1650), (1, 1900, 1300, 1200), (0, 3150, 1700, 800)),
    PANORAMA: (
        (0, 900, 3600, 1650),
        (1, 4200, 4100, 1300),
        (0, 7000, 3900, 1000),
        (1, 9400, 3500, 1650),
        (0, 12300, 4300, 800),
    ),
}
"""Who stands where: which of PEOPLE, left, top, and height, in pixels."""


@dataclass(frozen=True)
class Run:
    """One process: wall and CPU seconds, peak memory in MB, seconds by stage, people removed."""

    seconds: float
    cpu_seconds: float
    memory_mb: float
    stages: dict[str, float]
    objects: int


def drawn(size_hw: tuple[int, int], places: Sequence[tuple[int, int, int, int]], seed: int = 0) -> Any:
    """People on a ground of noise, H x W x 3 uint8."""
    import cv2
    import numpy as np
    from PIL import Image

    with Image.open(photo_of("bus.jpg")) as opened:
        photo = np.asarray(opened.convert("RGB"))
    picture = ground(size_hw, np.random.default_rng(seed))
    for who, left, top, tall in places:
        x1, y1, x2, y2 = PEOPLE[who]
        size = (round(tall * (x2 - x1) / (y2 - y1)), tall)
        person = cv2.resize(photo[y1:y2, x1:x2], size, interpolation=cv2.INTER_CUBIC)
        picture[top : top + tall, left : left + size[0]] = person
    return picture


def ground(size_hw: tuple[int, int], rng: Any) -> Any:
    """Grey and brown with structure of every size, and grain."""
    import cv2
    import numpy as np

    total = np.full((*size_hw, 3), (36, 30, 22), np.uint8)
    for cells, strength in ((5, 60), (23, 40), (101, 30), (449, 20), (1993, 16)):
        high, wide = max(2, cells * size_hw[0] // size_hw[1]), cells
        noise = rng.integers(0, strength, (high, wide, 1), np.uint8).repeat(3, 2)
        total = cv2.add(total, cv2.resize(noise, size_hw[::-1], interpolation=cv2.INTER_CUBIC))
    return total


def run_once(picture: Path, folder: Path, options: Sequence[str], threads: int) -> Run:
    """One cold `autoremove run`; ends this script where it fails."""
    output = folder / "out"
    arguments = ["run", str(picture), "--output", str(output), "--cache", str(folder / "store")]
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    spent = timed([*arguments, "--quiet", "--no-report", *options], environment)
    row = json.loads((output / "journal.jsonl").read_text().splitlines()[-1])
    stages: dict[str, float] = {}
    for step in row["steps"]:  # a stage behind the mask runs twice where the audit asks for it
        stages[step["stage"]] = stages.get(step["stage"], 0.0) + step["seconds"]
    return Run(*spent, stages, len(row["objects"]))


def summary(rows: Sequence[Run], size_hw: tuple[int, int]) -> dict[str, Any]:
    """Median and spread of the whole, medians of the stages, and the largest peak."""
    names = list(dict.fromkeys(name for row in rows for name in row.stages))
    return {
        **spread([row.seconds for row in rows]),
        "cpu_seconds": round(statistics.median(row.cpu_seconds for row in rows), 2),
        "stages": {
            name: round(statistics.median(row.stages.get(name, 0.0) for row in rows), 3) for name in names
        },
        "peak_memory_mb": round(max(row.memory_mb for row in rows)),
        "objects": rows[0].objects,
        "size_hw": list(size_hw),
    }


def measure(name: str, runs: int, warm_up: bool, options: Sequence[str], threads: int) -> dict[str, Any]:
    """All runs of one picture."""
    from PIL import Image

    Image.MAX_IMAGE_PIXELS = None
    with tempfile.TemporaryDirectory() as root:
        picture = Path(root) / f"{name}.jpg"
        Image.fromarray(drawn(SIZES_HW[name], PLACES[name])).save(picture, quality=92)
        rows = []
        for number in range(runs + warm_up):
            folder = Path(root) / f"run-{number}"
            folder.mkdir()
            rows.append(run_once(picture, folder, options, threads))
    return summary(rows[warm_up:], SIZES_HW[name])


def told(name: str, row: dict[str, Any]) -> str:
    """One line."""
    parts = ", ".join(f"{stage} {seconds:.2f}" for stage, seconds in row["stages"].items())
    return (
        f"{name:9} {row['median']:6.1f} s ({row['least']:.1f} to {row['most']:.1f}), "
        f"CPU {row['cpu_seconds']:.1f} s, {row['peak_memory_mb']} MB, {row['objects']} people: {parts}"
    )


def tables(result: dict[str, Any]) -> list[list[list[str]]]:
    """For the page of results: a row a picture, and the stages of each."""
    rows = [["picture", "size", "removed", "s", "spread", "CPU s", "peak MB"]]
    stages = [["picture", "stage", "s"]]
    for name in (PHOTO, PANORAMA):
        if name in result:
            row = result[name]
            size = f"{row['size_hw'][1]} x {row['size_hw'][0]}"
            spread_of = f"{row['least']:.1f} to {row['most']:.1f}"
            seconds = [f"{row['median']:.1f}", spread_of, f"{row['cpu_seconds']:.1f}"]
            rows.append([name, size, str(row["objects"]), *seconds, str(row["peak_memory_mb"])])
            stages += [[name, stage, f"{spent:.2f}"] for stage, spent in row["stages"].items()]
    return [rows, stages]


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Seconds and memory of removal from large pictures.")
    parser.add_argument(
        "--runs", type=int, default=5, help="Runs of the photo after the warm-up (default 5)."
    )
    parser.add_argument("--panorama-runs", type=int, default=1, help="Runs of the panorama; 0 = none.")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu", help="auto, cpu, cuda, cuda:N or mps.")
    parser.add_argument("--set", action="append", default=[], metavar="STAGE.FIELD=VALUE")
    parser.add_argument("--json", type=Path, help="File for the figures.")
    options = parser.parse_args()
    facts, result = machine(), {}
    more = ["--device", options.device, *(word for setting in options.set for word in ("--set", setting))]
    for name, runs in ((PHOTO, options.runs), (PANORAMA, options.panorama_runs)):
        if runs:
            result[name] = measure(name, runs, name == PHOTO, more, options.threads)
            print(told(name, result[name]), flush=True)
    command = f"python benchmarks/fill_large.py --runs {options.runs} --panorama-runs {options.panorama_runs}"
    command += f" --threads {options.threads} --device {options.device}"
    whole = {**result, "command": command, "machine": facts, "commit": commit()}
    print(f"{in_words(facts)}, commit {whole['commit']}")
    if options.json:
        options.json.write_text(json.dumps(whole, indent=1) + "\n")


if __name__ == "__main__":
    main()
