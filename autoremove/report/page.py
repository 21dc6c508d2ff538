"""The page itself: rows and the addresses of their previews in, one HTML text out; it reads no picture."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from autoremove.journal import FAILED, REVIEW, Row
from autoremove.report.figures import figures

_HERE = Path(__file__).parent
_PER_PAGE = 24


@dataclass(frozen=True)
class Page:
    """What a report shows. ``rows``: each with the addresses of its previews; ``note``: shown on top."""

    rows: Sequence[tuple[Row, Mapping[str, str]]]
    folder: str
    recipe: str
    version: str
    made: datetime
    note: str = ""


def render(page: Page) -> str:
    """A page that needs nothing but its previews: style and script are inside."""
    rows = [row for row, _ in page.rows]
    return str(
        _template().render(
            page=page,
            figures=figures(rows),
            problems=[_problem(row) for status in (FAILED, REVIEW) for row in rows if row.status == status],
            data=embedded([_card(row, addresses) for row, addresses in page.rows]),
            per_page=_PER_PAGE,
            style=(_HERE / "style.css").read_text(encoding="utf-8"),
            script=(_HERE / "page.js").read_text(encoding="utf-8"),
        )
    )


@lru_cache(maxsize=1)
def _template() -> Any:
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["seconds"] = seconds_as_text
    return environment.from_string((_HERE / "page.html").read_text(encoding="utf-8"))


def embedded(value: Any) -> str:
    """JSON that may stand inside a script element: nothing in it can end the element or open a comment."""
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def seconds_as_text(seconds: float) -> str:
    """4 ms, 0.31 s, 12.0 s, 3 min 20 s."""
    if seconds < 0.0995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def reason_of(row: Row) -> str:
    """Why a picture did not end well, without the path that the page shows anyway."""
    return (row.reason or "").replace(row.source, "This file").strip()


def address(relative: str) -> str:
    """A relative address for a place in the output tree; any bytes are spelt so that browsers agree."""
    return "/".join(quote(os.fsencode(part), safe="") for part in relative.split("/"))


def _problem(row: Row) -> dict[str, str]:
    return {"name": row.relative, "status": row.status, "reason": reason_of(row)}


def _card(row: Row, addresses: Mapping[str, str]) -> dict[str, Any]:
    """What the script needs of one row; keys that are empty are left out, for there may be thousands."""
    card = {
        "name": row.relative,
        "status": row.status,
        "reason": reason_of(row),
        "objects": [
            [found["label"], found["score"], *found["xyxy"], *([found["with"]] if "with" in found else [])]
            for found in row.objects
        ],
        "findings": [[found["kind"], *found["xyxy"], found["reason"]] for found in row.findings],
        "fills": [[fill["seam"], fill["sharpness"], *fill["xyxy"]] for fill in row.fills],
        "share": row.share,
        "seconds": row.seconds,
        "steps": [[step["stage"], step["cached"], step["seconds"]] for step in row.steps],
        "size": row.size_hw,
        "link": address(row.relative) if row.output is not None and row.status != FAILED else None,
        "previews": dict(addresses),
    }
    card["changed"] = row.cleaned
    card["again"] = "amend" in [step["stage"] for step in row.steps]
    return {key: value for key, value in card.items() if value not in (None, "", [], {}, False)}
