"""What a run came to, as lines for the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from autoremove.cli.progress import problem
from autoremove.cli.text import columns, duration, plural, printable

if TYPE_CHECKING:
    from autoremove.journal import Row

LISTED = 50
"""So many problems are listed; the rest are in the report and the journal."""

_MEANING = {
    "done": "cleaned",
    "unchanged": "nothing to remove, copied as they are",
    "review": "please look at them: the reasons are below",
    "failed": "could not be processed",
}
_ONLY_FOUND = "copied as they are: this recipe fills nothing (`autoremove mask` writes what it finds)"


def summary(rows: Sequence[Row], seconds: float, output: Path, report: Path | None) -> list[str]:
    """Counts, what was removed, where the time went, what went wrong, where the results are."""
    from autoremove.report.figures import figures

    numbers = figures(rows)
    meaning = {**_MEANING, **({"unchanged": _ONLY_FOUND} if any(map(_only_found, rows)) else {})}
    counts = [(f"  {s}", str(numbers.counts[s]), what) for s, what in meaning.items() if numbers.counts[s]]
    lines = ["", *columns(counts, right=(1,)), ""]
    removed = ", ".join(f"{count} {printable(label)}" for label, count in numbers.removed.items())
    lines.append(f"Removed: {removed or 'nothing'}")
    lines.append(f"Time: {duration(seconds)}, {plural(len(rows), 'picture')}")
    stages = [
        (f"  {s.name}", duration(s.seconds), f"computed {s.computed}", f"cached {s.cached}")
        for s in numbers.stages
    ]
    lines += columns(stages, right=(1,))
    lines += _problems(rows)
    lines += ["", f"Results: {printable(output)}"]
    if report is not None:
        lines.append(f"Report:  {printable(report)}")
    return lines


def _only_found(row: Row) -> bool:
    """Whether there was something to remove, and no stage that would."""
    return row.status == "unchanged" and bool(row.objects) and "patches" not in row.artefacts


def _problems(rows: Sequence[Row]) -> list[str]:
    lines: list[str] = []
    for status, heading in (("failed", "failed"), ("review", "to review")):
        bad = [row for row in rows if row.status == status]
        if not bad:
            continue
        lines += ["", f"{len(bad)} {heading}:", *(f"  {status}: {problem(row)}" for row in bad[:LISTED])]
        if len(bad) > LISTED:
            lines.append(f"  ... and {len(bad) - LISTED} more, see the journal or the report")
    return lines
