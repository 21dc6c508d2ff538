"""Run every evaluation and write its figures into RESULTS.md, each with its command, machine and commit.

    python benchmarks/results.py --data DATA                 # all
    python benchmarks/results.py --data DATA --only removal  # one
    python benchmarks/results.py --tables-only               # only tables, from figures already there

DATA holds instances/test, scenes/test and pairs. Figures (JSON) and sheets (PNG) go to --work. Sheets show
pictures of the data sets: mind their terms before you pass them on.
"""

from __future__ import annotations

import argparse
import json
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from goals import goals_table
from machine import ROOT, commit, in_words, machine

from autoremove.evaluation.table import (
    Table,
    detect_table,
    inpaint_table,
    markdown,
    mask_table,
    number,
    removal_table,
    write_json,
)

PAGE = ROOT / "benchmarks" / "RESULTS.md"

MODELS = "deepfillv2,deepfillv2+none,patchmatch,telea,ns"


@dataclass(frozen=True)
class Section:
    """One part of the page: ``arguments`` of `autoremove evaluate` after the data, and the table it makes."""

    kind: str
    data: str
    table: Callable[[dict[str, Any]], Table]
    arguments: tuple[str, ...] = ()


def _inpaint_table(result: dict[str, Any]) -> Table:
    return inpaint_table(result, list(next(iter(result["models"].values()))))


SECTIONS = {
    "detect": Section("detect", "instances/test", detect_table),
    "mask": Section("mask", "instances/test", mask_table),
    "inpaint": Section("inpaint", "scenes/test", _inpaint_table, ("--models", MODELS, "--shares", "10-30")),
    "brush": Section("inpaint", "scenes/test", _inpaint_table, ("--models", MODELS, "--holes", "brush")),
    "removal": Section("removal", "pairs", removal_table),
    "found-again": Section("removal", "instances/test", removal_table),
}
"""Named as the markers in RESULTS.md; `speed` and `goals` are made apart."""


def command_of(name: str, data: str, work: str, limit: int | None, device: str) -> list[str]:
    """The command that makes one section's figures."""
    section = SECTIONS[name]
    command = ["evaluate", section.kind, "--data", f"{data}/{section.data}", *section.arguments]
    command += ["--json", f"{work}/{name}.json", "--sheet", f"{work}/{name}.png"]
    command += ["--limit", str(limit)] if limit else []
    return [*command, *(["--device", device] if device != "auto" else [])]


def measure(name: str, options: argparse.Namespace) -> None:
    """Run one section and add to its figures where and how they were made."""
    target = options.work / f"{name}.json"
    if name == "speed":
        command = [
            "benchmarks/speed.py",
            "--json",
            str(target),
            "--device",
            options.device,
            "--runs",
            str(options.runs),
        ]
        subprocess.run([sys.executable, *command], check=True, cwd=ROOT)
        return
    facts, made_of = machine(), commit()
    command = command_of(name, str(options.data.resolve()), str(options.work), options.limit, options.device)
    started = time.perf_counter()
    subprocess.run([sys.executable, "-m", "autoremove", *command], check=True, cwd=ROOT)
    result = json.loads(target.read_text())
    told = command_of(name, "DATA", "OUT", options.limit, options.device)
    result |= {"command": shlex.join(["autoremove", *told]), "machine": facts, "commit": made_of}
    write_json(target, {**result, "seconds": time.perf_counter() - started})


def section_text(name: str, result: dict[str, Any]) -> str:
    """Command, table, and what it was measured on."""
    table = speed_table(result) if name == "speed" else SECTIONS[name].table(result)
    pictures = f"{result['pictures']} pictures, " if isinstance(result.get("pictures"), int) else ""
    seconds = f", {result['seconds']:.0f} s" if "seconds" in result else ""
    made = f"{pictures}commit {result['commit']}, {in_words(result['machine'])}{seconds}."
    return f"```\n{result['command']}\n```\n\n{markdown(table)}\n\n{made}"


def speed_table(result: dict[str, Any]) -> Table:
    """One row a scenario: median and spread."""
    rows = [["run", "median s", "least to most", "runs", "peak memory"]]
    words = {
        "cold": "a photo, cold",
        "changed_growth": "a photo, growth changed",
        "cached": "a photo, all cached",
    }
    for key, figures in result["seconds_per_photo"].items():
        peak = f"{result['peak_memory_mb'][key]} MB"
        rows.append([words[key], *_median(figures), peak])
    return [*rows, ["`autoremove --help`", *_median(result["help_seconds"]), "-"]]


def _median(figures: dict[str, Any]) -> list[str]:
    between = f"{number(figures['least'], '.2f')} to {number(figures['most'], '.2f')}"
    return [number(figures["median"], ".2f"), between, str(len(figures["runs"]))]


def replaced(page: str, name: str, text: str) -> str:
    """The page with what stands between the markers of ``name`` replaced; fails where there are none."""
    pattern = re.compile(rf"(<!-- {name}:begin -->\n).*?(<!-- {name}:end -->)", re.DOTALL)
    page, count = pattern.subn(lambda found: f"{found[1]}\n{text}\n\n{found[2]}", page)
    if count != 1:
        raise ValueError(f"RESULTS.md has {count} pairs of markers for {name}")
    return page


def write_page(work: Path) -> None:
    """All tables whose figures are there, and the goals beside what was reached."""
    page = PAGE.read_text()
    results = {
        name: json.loads((work / f"{name}.json").read_text())
        for name in (*SECTIONS, "speed")
        if (work / f"{name}.json").is_file()
    }
    for name, result in results.items():
        page = replaced(page, name, section_text(name, result))
    PAGE.write_text(replaced(page, "goals", markdown(goals_table(results))))


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Measure everything and write RESULTS.md.")
    parser.add_argument("--data", type=Path, help="Folder with instances/test, scenes/test and pairs.")
    parser.add_argument("--only", help=f"Some of {', '.join((*SECTIONS, 'speed'))}, with commas.")
    parser.add_argument(
        "--work", type=Path, default=ROOT / "runs" / "results", help="Folder for JSON and sheets."
    )
    parser.add_argument("--limit", type=int, help="At most so many pictures each: for a trial.")
    parser.add_argument("--runs", type=int, default=5, help="Rounds of the speed measurement.")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--tables-only", action="store_true", help="Measure nothing.")
    options = parser.parse_args()
    names = options.only.split(",") if options.only else [*SECTIONS, "speed"]
    unknown = set(names) - {*SECTIONS, "speed"}
    if unknown:
        parser.error(f"--only: no {', '.join(sorted(unknown))}")
    options.work = options.work.resolve()
    options.work.mkdir(parents=True, exist_ok=True)
    if not options.tables_only:
        if options.data is None and names != ["speed"]:
            parser.error("--data is needed")
        for name in names:
            measure(name, options)
            write_page(options.work)
    write_page(options.work)


if __name__ == "__main__":
    main()
