"""One JSON line per finished picture; the last line of a picture counts, and at the end only that stays."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from autoremove.store import write_atomically

NAME = "journal.jsonl"
DONE, UNCHANGED, REVIEW, FAILED = "done", "unchanged", "review", "failed"
STATUSES = (DONE, UNCHANGED, REVIEW, FAILED)


@dataclass(frozen=True)
class Row:
    """How one input ended.

    ``source``: the input's file, ``relative``: its place in the tree, ``output``: the written file or None.
    ``objects``: what was removed (label, score, xyxy). ``share``: of the picture that was filled, 0..1.
    ``steps``: stage, cached, seconds. ``artefacts``: slot -> file in the store, for the report.
    ``made_from``: what the output was written from, and ``output_sha256``: what it is, for resuming.
    ``findings``: what a second look does not like (kind, reason, xyxy, value): such a picture is written but
    put up for review. ``fills``: each fill beside its surroundings (xyxy, seam, sharpness).
    """

    source: str
    relative: str
    status: str
    output: str | None = None
    reason: str | None = None
    objects: list[dict[str, Any]] = field(default_factory=list)
    share: float = 0.0
    size_hw: list[int] | None = None
    seconds: float = 0.0
    steps: list[dict[str, Any]] = field(default_factory=list)
    artefacts: dict[str, str] = field(default_factory=dict)
    made_from: str | None = None
    output_sha256: str | None = None
    findings: list[dict[str, Any]] = field(default_factory=list)
    fills: list[dict[str, Any]] = field(default_factory=list)

    @property
    def cleaned(self) -> bool:
        """Whether there is an output from which something was removed, be it up for review or not."""
        return self.output is not None and self.status in (DONE, REVIEW)

    def to_json(self) -> str:
        return json.dumps(asdict(self), ensure_ascii=True)


def append(path: Path, row: Row) -> None:
    """Add a row and hand it to the operating system: a kill loses at most the line being written."""
    with path.open("a", encoding="utf-8") as stream:
        stream.write(row.to_json() + "\n")


def read(path: Path) -> dict[str, Row]:
    """Rows by relative path, the last one of each. A line cut short by a kill is skipped."""
    rows: dict[str, Row] = {}
    if not path.exists():
        return rows
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            row = Row(**json.loads(line))
        except (ValueError, TypeError):
            continue  # half a line; its picture is simply done again
        rows[row.relative] = row
    return rows


def mend(path: Path) -> None:
    """End a line that a kill cut short, so that the next row does not grow onto it."""
    if path.exists() and path.stat().st_size:
        with path.open("rb+") as stream:
            stream.seek(-1, os.SEEK_END)
            if stream.read(1) != b"\n":
                stream.write(b"\n")


def compact(path: Path, rows: Iterable[Row]) -> None:
    """Rewrite the journal with exactly one row per picture."""
    write_atomically(path, "".join(row.to_json() + "\n" for row in rows).encode())
