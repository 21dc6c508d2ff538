"""Run every evaluation and write its figures into RESULTS.md, each with its command, machine and commit.

    python benchmarks/results.py --data DATA                      # all
    python benchmarks/results.py --data DATA --only detect,mask   # some
    python benchmarks/results.py --tables-only                    # only tables, from figures already there

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
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from goals import FILLING, FINDING, goals_table
from machine import ROOT, commit, in_words, machine
from sections import SECTIONS, Section

from autoremove.evaluation.table import Table, markdown, number, write_json

PAGE = ROOT / "benchmarks" / "RESULTS.md"

TIMED = ("speed", "time", "generator", "fill-large", "neighbours")
"""Sections that repeat what they time."""


def command_of(name: str, data: str, work: str, limit: int | None, device: str) -> list[str]:
    """The command that makes one section's figures."""
    return SECTIONS[name].command(data, f"{work}/{name}", limit, device)


def told(name: str, command: list[str]) -> str:
    """A command as a person types it."""
    return shlex.join(["python" if SECTIONS[name].script else "autoremove", *command])


def measure(name: str, options: argparse.Namespace) -> None:
    """Run one section and add to its figures where and how they were made."""
    section, target = SECTIONS[name], options.work / f"{name}.json"
    extra = ["--runs", str(options.runs)] if name in TIMED else []
    extra += ["--confidence", shipped_confidence()] if name == "small" else []
    command = command_of(name, str(options.data), str(options.work), options.limit, options.device)
    start = [sys.executable] if section.script else [sys.executable, "-m", "autoremove"]
    facts, made_of, started = machine(), commit(), time.perf_counter()
    subprocess.run([*start, *command, *extra], check=True, cwd=ROOT, env=_environment())
    result = json.loads(target.read_text())
    words = [*command_of(name, "DATA", "OUT", options.limit, options.device), *extra]
    result |= {"command": told(name, words), "machine": facts, "commit": made_of}
    write_json(target, {**result, "seconds": time.perf_counter() - started})


def shipped_confidence() -> str:
    """The score from which the recipe people removes a person."""
    from autoremove.evaluation.shipped import confidence_of, recipe_stages

    return f"{confidence_of(recipe_stages('people'))('person'):g}"


def _environment() -> dict[str, str]:
    """The environment of a section: this checkout before any installed copy."""
    import os

    before = os.environ.get("PYTHONPATH")
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *([before] if before else [])])}


def section_text(name: str, result: dict[str, Any]) -> str:
    """Command, tables, and what it was measured on."""
    tables = [markdown(table) for table in SECTIONS[name].tables(result) if len(table) > 1]
    pictures = f"{result['pictures']} pictures, " if isinstance(result.get("pictures"), int) else ""
    seconds = f", {result['seconds']:.0f} s" if "seconds" in result else ""
    facts = f"commit {result['commit']}, {in_words(result['machine'])}" if "machine" in result else ""
    made = f"{pictures}{facts}{seconds}.".strip(".")
    return "\n\n".join([f"```\n{result['command']}\n```", *tables, *([f"{made}."] if made else [])])


def replaced(page: str, name: str, text: str) -> str:
    """The page with what stands between the markers of ``name`` replaced; fails where there are none."""
    pattern = re.compile(rf"(<!-- {name}:begin -->\n).*?(<!-- {name}:end -->)", re.DOTALL)
    page, count = pattern.subn(lambda found: f"{found[1]}\n{text}\n\n{found[2]}", page)
    if count != 1:
        raise ValueError(f"RESULTS.md has {count} pairs of markers for {name}")
    return page


def short_commands() -> dict[str, str]:
    """The command of each section without its output files, as the table of goals names it."""
    words = {name: [*section.words, *_limited(section)] for name, section in SECTIONS.items()}
    words["small"] += ["--confidence", shipped_confidence()]
    return {name: f"`{told(name, own)}`" for name, own in words.items()}


def _limited(section: Section) -> list[str]:
    return ["--limit", str(section.limit)] if section.limit else []


def write_page(work: Path) -> None:
    """All tables whose figures are there, and the goals beside what was reached."""
    page = PAGE.read_text()
    files = {name: work / f"{name}.json" for name in SECTIONS}
    results = {name: json.loads(path.read_text()) for name, path in files.items() if path.is_file()}
    for name, result in list(results.items()):
        try:
            page = replaced(page, name, section_text(name, result))
        except KeyError as error:
            print(
                f"{name}: {files[name]} is of an older form (no {error}); measure it again", file=sys.stderr
            )
            del results[name]
    commands = short_commands()
    for name, goals in (("goals", FINDING), ("goals-filling", FILLING)):
        page = replaced(page, name, markdown(with_former(goals_table(goals, results, commands), page)))
    PAGE.write_text(page)


def with_former(table: Table, page: str) -> Table:
    """The goals with the page's own figures of what was not measured now."""
    former = {}
    for line in page.splitlines():
        cells = [cell.strip() for cell in line.strip("| ").split(" | ")]
        if len(cells) == len(table[0]):
            former.setdefault(cells[0], cells)
    missing = number(None)
    return [[*former.get(row[0], row)[:-1], row[-1]] if row[2] == missing else row for row in table]


def parsed() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="Measure everything and write RESULTS.md.")
    parser.add_argument("--data", type=Path, help="Folder with instances/test, scenes/test and pairs.")
    parser.add_argument("--only", help=f"Some of {', '.join(SECTIONS)}, with commas.")
    parser.add_argument(
        "--work", type=Path, default=ROOT / "runs" / "results", help="Folder for JSON and sheets."
    )
    parser.add_argument("--limit", type=int, help="At most so many pictures each: for a trial.")
    parser.add_argument("--runs", type=int, default=5, help="Rounds of the timings.")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--tables-only", action="store_true", help="Measure nothing.")
    options = parser.parse_args()
    options.names = options.only.split(",") if options.only else list(SECTIONS)
    unknown = set(options.names) - set(SECTIONS)
    if unknown:
        parser.error(f"--only: no {', '.join(sorted(unknown))}")
    needs_data = any("DATA" in word for name in options.names for word in SECTIONS[name].words)
    if options.data is None and needs_data and not options.tables_only:
        parser.error("--data is needed")
    options.data = options.data.resolve() if options.data else None
    options.work = options.work.resolve()
    return options


def main() -> None:
    """Measure, section by section, and write the page after each."""
    options = parsed()
    options.work.mkdir(parents=True, exist_ok=True)
    for name in [] if options.tables_only else options.names:
        if not SECTIONS[name].exists():
            section = SECTIONS[name]
            print(f"{name}: no {section.needs or section.words[0]}, left out", file=sys.stderr)
            continue
        measure(name, options)
        write_page(options.work)
    write_page(options.work)


if __name__ == "__main__":
    main()
