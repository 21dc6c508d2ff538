"""Writing the report: previews while the run goes on, the page at its end."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from types import TracebackType

from autoremove import __version__, journal
from autoremove.errors import AutoremoveError, InputError
from autoremove.journal import Row
from autoremove.report import previews
from autoremove.report.page import Page, render
from autoremove.report.views import loader_for
from autoremove.store import write_atomically

NAME = "report.html"
INTERRUPTED = "This run was interrupted. The page shows the pictures that were finished by then."

_log = logging.getLogger("autoremove")


class Reporter:
    """Makes previews in a thread beside the run, so that the page is ready the moment the run is.

    As a context: leaving it through Ctrl-C writes the page with what there is.
    """

    def __init__(self, output: Path, max_pixels: int) -> None:
        self.output = output
        self._load = loader_for(output, max_pixels)
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="previews")
        self._waiting: list[tuple[Row, Future[None]]] = []

    def __enter__(self) -> Reporter:
        return self

    def row(self, row: Row) -> None:
        """Make the previews of a finished picture when there is time."""
        self._waiting.append((row, self._pool.submit(previews.make, row, self.output, self._load)))

    def finish(self, rows: Sequence[Row]) -> Path:
        """Wait for the previews and write the page. Raises OutputError."""
        for row, future in self._waiting:
            problem = future.exception()
            if (
                problem is not None
            ):  # the results are there: a missing preview must not make the run a failure
                _log.warning("no preview of %s: %s", row.relative, problem)
        return write_page(self.output, rows)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(cancel_futures=True)
        rows = list(journal.read(self.output / journal.NAME).values())
        if isinstance(error, KeyboardInterrupt) and rows:
            try:
                write_page(self.output, rows, INTERRUPTED)
            except AutoremoveError as problem:  # the interruption is what matters; the page can be made anew
                _log.warning("%s", problem)


def write_report(
    output: Path, max_pixels: int, on_row: Callable[[int, int], None] = lambda done, total: None
) -> Path:
    """Make previews and page anew from the journal in ``output``.

    ``on_row``: called with (number done, total). Raises InputError where there is no journal, OutputError.
    """
    rows = list(journal.read(output / journal.NAME).values())
    if not rows:
        raise InputError(
            f"There is no {journal.NAME} with finished pictures in {output}.",
            hint="Give the --output folder of an `autoremove run`.",
        )
    load = loader_for(output, max_pixels)
    for number, row in enumerate(rows, 1):
        previews.make(row, output, load)
        on_row(number, len(rows))
    return write_page(output, rows)


def write_page(output: Path, rows: Sequence[Row], note: str = "") -> Path:
    """Write ``report.html`` with the previews that are there, and delete those nothing shows."""
    recipe = output / "recipe.yaml"
    page = Page(
        rows=[(row, previews.there(row, output)) for row in sorted(rows, key=lambda row: row.relative)],
        folder=output.resolve().name,
        recipe=recipe.read_text(encoding="utf-8") if recipe.is_file() else "",
        version=__version__,
        made=datetime.now(),
        note=note,
    )
    path = output / NAME
    write_atomically(path, render(page).encode("utf-8", "backslashreplace"))
    previews.sweep(rows, output)
    return path
