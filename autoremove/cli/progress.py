"""The progress bar of a run, and one line for each picture that did not end well."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import TYPE_CHECKING, Any

from autoremove.cli.text import printable

if TYPE_CHECKING:
    from autoremove.journal import Row


class Progress:
    """A bar on standard error, shown only on a terminal; lines of failed pictures are shown anywhere."""

    def __init__(self, quiet: bool) -> None:
        self.quiet = quiet
        self._bar: Any = None

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()

    def start(self, total: int) -> None:
        from tqdm import tqdm

        hidden = True if self.quiet else None  # None: hidden where there is no terminal
        self._bar = tqdm(total=total, unit="picture", disable=hidden, dynamic_ncols=True, file=sys.stderr)

    def row(self, row: Row) -> None:
        if row.status in ("failed", "review"):
            self.line(f"{row.status}: {problem(row)}")
        self._bar.update()

    def line(self, text: str) -> None:
        """A line above the bar."""
        from tqdm import tqdm

        tqdm.write(text, file=sys.stderr)


def problem(row: Row) -> str:
    """Which picture, and what is wrong with it, with its path said once and short; and if it was left out."""
    reason = row.reason or "no reason given"
    if row.status == "review" and row.output is None:
        reason += " Nothing was written."
    if reason.startswith(row.source):
        return printable(row.relative + reason[len(row.source) :])
    return printable(f"{row.relative}: {reason.replace(row.source, row.relative)}")
