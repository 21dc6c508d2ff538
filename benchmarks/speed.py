"""Seconds per photo of `autoremove run` cold, with a changed growth and fully cached; start-up of --help.

Method: every figure is the wall time of a whole process, imports included, over the two photos that come
with ultralytics, divided by two. One round is discarded as warm-up; what is told is the median of the others
with its spread. A cold run has an empty store and an empty output folder; the later ones keep the store, not
the output.

    python benchmarks/speed.py --runs 5 --json speed.json
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent))

from machine import ROOT, commit, in_words, machine

PHOTOS = ("bus.jpg", "zidane.jpg")

GROWN = ("--set", "refine.grow=0.1")

SCENARIOS: dict[str, tuple[str, ...]] = {
    "cold": (),
    "changed_growth": GROWN,
    "cached": (),
}


def photo_of(name: str) -> Path:
    """A photo of the ultralytics package, found without importing it."""
    spec = importlib.util.find_spec("ultralytics")
    if spec is None or not spec.submodule_search_locations:
        sys.exit("ultralytics is not installed: its photos are what is timed.")
    return Path(spec.submodule_search_locations[0]) / "assets" / name


def photos_to(folder: Path) -> int:
    """Copy the photos that are timed; how many there are."""
    folder.mkdir(parents=True)
    for name in PHOTOS:
        shutil.copyfile(photo_of(name), folder / name)
    return len(PHOTOS)


class Process(NamedTuple):
    """Wall and CPU seconds of a finished process, and its peak memory in MB."""

    seconds: float
    cpu_seconds: float
    memory_mb: float


def timed(arguments: Sequence[str], environment: Mapping[str, str] | None = None) -> Process:
    """One `autoremove` process, in this environment or another; ends this script where it fails."""
    command = [sys.executable, "-m", "autoremove", *arguments]
    with tempfile.TemporaryFile() as said:
        started = time.perf_counter()
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=said, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            said.seek(0)
            sys.exit(f"{' '.join(command)} failed:\n{said.read().decode(errors='replace')}")
    scale = 1e6 if sys.platform == "darwin" else 1e3  # bytes there, kilobytes elsewhere
    return Process(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / scale)


def one_round(folder: Path, device: str) -> dict[str, Process]:
    """One pass over all scenarios with a store of its own."""
    found = {"help": timed(["--help"])}
    for name, more in SCENARIOS.items():
        output = folder / f"out-{name}"
        arguments = [
            "run",
            str(folder.parent / "photos"),
            "--output",
            str(output),
            "--cache",
            str(folder / "store"),
        ]
        found[name] = timed([*arguments, "--device", device, "--quiet", "--no-report", *more])
    shutil.rmtree(folder)
    return found


def spread(values: Sequence[float]) -> dict[str, Any]:
    """Median, least and most, and the single values."""
    rows = [round(value, 3) for value in values]
    return {
        "median": round(statistics.median(values), 3),
        "least": min(rows),
        "most": max(rows),
        "runs": rows,
    }


def measure(runs: int, device: str) -> dict[str, Any]:
    """All scenarios, ``runs`` times after one warm-up round."""
    facts = machine()
    with tempfile.TemporaryDirectory() as name:
        photos = photos_to(Path(name) / "photos")
        rounds = [one_round(Path(name) / f"round-{number}", device) for number in range(runs + 1)][1:]
    per_photo = {key: spread([row[key].seconds / photos for row in rounds]) for key in SCENARIOS}
    return {
        "seconds_per_photo": per_photo,
        "help_seconds": spread([row["help"].seconds for row in rounds]),
        "peak_memory_mb": {key: max(round(row[key].memory_mb) for row in rounds) for key in SCENARIOS},
        "photos": list(PHOTOS),
        "device": device,
        "command": " ".join(["python", "benchmarks/speed.py", f"--runs {runs} --device {device}"]),
        "machine": facts,
        "commit": commit(),
    }


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Seconds per photo, cold and cached.")
    parser.add_argument("--runs", type=int, default=5, help="Rounds after the warm-up (default 5).")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:N or mps.")
    parser.add_argument("--json", type=Path, help="File for the figures.")
    options = parser.parse_args()
    result = measure(options.runs, options.device)
    for name, figures in [*result["seconds_per_photo"].items(), ("--help", result["help_seconds"])]:
        print(f"{name:15} {figures['median']:7.2f} s  ({figures['least']:.2f} to {figures['most']:.2f})")
    print(f"{in_words(result['machine'])}, commit {result['commit']}")
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
