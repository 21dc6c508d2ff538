"""`autoremove run`: pictures in, a cleaned tree with its journal and report out."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from autoremove.cli.lazy import say
from autoremove.cli.options import Request, absolute, folder_option, inputs_argument, pipeline_options
from autoremove.errors import EXIT_SOME_FAILED, UsageError

if TYPE_CHECKING:
    from autoremove.folder import Plan
    from autoremove.journal import Row


@dataclass(frozen=True)
class Run:
    """One run as asked for. Paths are absolute; ``workers`` > 1 means several processes."""

    inputs: tuple[Path, ...]
    output: Path
    request: Request
    workers: int = 1
    report: bool = True


@click.command("run", short_help="Remove people from a folder of photos.")
@inputs_argument
@folder_option(
    "--output", "-o", required=True, help="Folder for the results; the tree of the inputs is kept."
)
@pipeline_options("people")
@click.option(
    "--executor", type=click.Choice(["local", "processes"]), help="[default: processes if workers > 1]"
)
@click.option("--workers", type=click.IntRange(1, 256), help="How many processes. [default: 1]")
@click.option(
    "--report/--no-report",
    default=True,
    help="Make report.html (it shows the pictures before and after, so also who was removed). [default: yes]",
)
@click.pass_context
def command(
    ctx: click.Context,
    /,
    inputs: tuple[Path, ...],
    output: Path,
    executor: str | None,
    workers: int | None,
    report: bool,
    **options: Any,
) -> None:
    """Remove people (or other objects) from INPUTS, which are pictures and folders of pictures.

    \b
    autoremove run photos/ --output clean/
    autoremove run photos/ -o clean/ --set refine.grow=0.12

    Inputs are never changed. A picture with nothing to remove is copied byte for byte. Whatever goes wrong
    with one picture is listed, and the others go on. Stop whenever you like: the same command goes on where
    it stopped, and a changed setting runs only what it changes.
    """
    run = Run(
        tuple(absolute(path) for path in inputs),
        absolute(output),
        Request(**options),
        chosen_workers(executor, workers),
        report,
    )
    rows = clean_folder(run)
    if any(row.status == "failed" for row in rows):
        ctx.exit(EXIT_SOME_FAILED)


def chosen_workers(executor: str | None, workers: int | None) -> int:
    """How many processes; 1 means this one."""
    import os

    if executor == "local" and (workers or 1) > 1:
        raise UsageError(
            f"--executor local works in one process, not in {workers}.",
            hint="Leave out one of --executor, --workers.",
        )
    if executor == "processes":
        return workers if workers is not None else max(2, (os.cpu_count() or 2) // 2)
    return workers or 1


def clean_folder(run: Run) -> list[Row]:
    """The whole of one run: what is checked, in order of its cost, then the pictures, summary and report."""
    from autoremove.cli.prepare import checked_recipe, chosen_store, described, ready_recipe
    from autoremove.cli.summary import summary
    from autoremove.folder import Plan, plan_jobs

    started = time.perf_counter()
    recipe = checked_recipe(run.request)
    store = chosen_store(run.request)
    count = len(plan_jobs(run.inputs, run.output, store.root))
    if not run.request.quiet:  # before torch is imported, which takes seconds
        say(f"{count} picture{'s' if count != 1 else ''}, {described(recipe)}")
    plan = Plan(ready_recipe(run.request), store, run.request.max_pixels)
    rows = _pictures(run, plan)
    page = run.output / "report.html"
    for line in summary(rows, time.perf_counter() - started, run.output, page if run.report else None):
        if not run.request.quiet:
            click.echo(line)
    if not run.report and page.exists():
        say(f"note: {page} of an earlier run is still there, and shows who was removed.")
    return rows


def _pictures(run: Run, plan: Plan) -> list[Row]:
    """All pictures under one progress bar, with the report made alongside."""
    from autoremove.cli.alone import alone_in
    from autoremove.cli.progress import Progress
    from autoremove.folder import clean
    from autoremove.report.making import Reporter

    with ExitStack() as stack:
        stack.enter_context(alone_in(run.output))
        progress = stack.enter_context(Progress(run.request.quiet))
        reporter = stack.enter_context(Reporter(run.output, run.request.max_pixels)) if run.report else None

        def on_row(row: Row) -> None:
            progress.row(row)
            if reporter:
                reporter.row(row)

        rows = clean(
            run.inputs,
            run.output,
            plan,
            executor_name="processes" if run.workers > 1 else "local",
            workers=run.workers,
            on_start=progress.start,
            on_row=on_row,
        )
        if reporter:
            reporter.finish(rows)
        return rows
