"""The totals of a run, from its journal rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from autoremove.journal import STATUSES, Row


@dataclass(frozen=True)
class StageFigures:
    """One stage over all pictures: ``seconds`` of computing, how often it computed and was cached."""

    name: str
    seconds: float
    computed: int
    cached: int


@dataclass(frozen=True)
class Figures:
    """``counts``: status -> pictures. ``removed``: label -> objects, most first. ``seconds``: of all."""

    counts: dict[str, int]
    removed: dict[str, int]
    stages: tuple[StageFigures, ...]
    seconds: float


def figures(rows: Sequence[Row]) -> Figures:
    """The totals of a run from its rows."""
    removed = Counter(str(found["label"]) for row in rows if row.cleaned for found in row.objects)
    return Figures(
        {status: sum(row.status == status for row in rows) for status in STATUSES},
        dict(removed.most_common()),
        _stages(rows),
        sum(row.seconds for row in rows),
    )


def _stages(rows: Sequence[Row]) -> tuple[StageFigures, ...]:
    """In the order in which they run, whichever picture got furthest."""
    names = dict.fromkeys(
        str(s["stage"]) for row in sorted(rows, key=lambda r: -len(r.steps)) for s in row.steps
    )
    steps = [step for row in rows for step in row.steps]
    return tuple(
        StageFigures(
            name,
            sum(float(s["seconds"]) for s in steps if s["stage"] == name),
            sum(not s["cached"] for s in steps if s["stage"] == name),
            sum(bool(s["cached"]) for s in steps if s["stage"] == name),
        )
        for name in names
    )
