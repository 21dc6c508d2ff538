"""`autoremove run`: pictures in, a cleaned tree with its journal and report out."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from autoremove.cli.lazy import say
from autoremove.cli.options import (
    GivenPath,
    Request,
    absolute,
    folder_option,
    inputs_argument,
    pipeline_options,
)
from autoremove.cli.outputs import refuse_masks
from autoremove.cli.text import plural, printable
from autoremove.errors import EXIT_SOME_FAILED, InputError, UsageError

if TYPE_CHECKING:
    from autoremove.folder import Plan
    from autoremove.jobs import Job
    from autoremove.journal import Row
    from autoremove.recipe import Recipe

NAMED = 10
"""So many masks without a picture are named."""


@dataclass(frozen=True)
class Run:
    """One run as asked for. Paths are absolute; ``workers`` > 1 means several processes.

    ``masks``: folder of masks of one's own; ``only_masks``: pictures without one are left as they are.
    """

    inputs: tuple[Path, ...]
    output: Path
    request: Request
    workers: int = 1
    report: bool = True
    masks: Path | None = None
    only_masks: bool = False


def workers_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """--executor and --workers, which :func:`chosen_workers` reads."""
    executor = click.option(
        "--executor", type=click.Choice(["local", "processes"]), help="[default: processes if workers > 1]"
    )
    workers = click.option("--workers", type=click.IntRange(1, 256), help="How many processes. [default: 1]")
    return executor(workers(function))


@click.command("run", short_help="Remove people from a folder of photos.")
@inputs_argument
@folder_option(
    "--output", "-o", required=True, help="Folder for the results; the tree of the inputs is kept."
)
@pipeline_options("people")
@click.option(
    "--masks",
    type=GivenPath(),
    help="Masks of your own, as `autoremove mask` names them: a folder, or a COCO file. Pictures without one "
    "are done as usual.",
)
@click.option("--only-masks", is_flag=True, help="Leave pictures without a mask in --masks as they are.")
@workers_options
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
    masks: Path | None,
    only_masks: bool,
    executor: str | None,
    workers: int | None,
    report: bool,
    **options: Any,
) -> None:
    """Remove people (or other objects) from INPUTS, which are pictures and folders of pictures.

    \b
    autoremove run photos/ --output clean/
    autoremove run photos/ -o clean/ --set refine.grow=0.12
    autoremove run photos/ -o clean/ --masks masks/

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
        masks=absolute(masks) if masks else None,
        only_masks=only_masks,
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
    from autoremove.folder import Plan
    from autoremove.jobs import plan_jobs

    started = time.perf_counter()
    recipe = checked_recipe(run.request)
    store = chosen_store(run.request)
    _check_masks(run)
    jobs = plan_jobs(run.inputs, run.output, [store.root, *([run.masks] if run.masks else [])])
    refuse_masks(
        run.output,
        [job.target for job in jobs],
        f"Choose another --output; to fill by these masks, add --masks {run.output}.",
    )
    if not run.request.quiet:  # before torch is imported, which takes seconds
        say(f"{plural(len(jobs), 'picture')}, {described(recipe)}")
    jobs = _masked(jobs, run, recipe)
    plan = Plan(ready_recipe(run.request), store, run.request.max_pixels)
    rows = _pictures(run, plan, jobs)
    page = run.output / "report.html"
    for line in summary(rows, time.perf_counter() - started, run.output, page if run.report else None):
        if not run.request.quiet:
            click.echo(line)
    if not run.report and page.exists():
        say(f"note: {page} of an earlier run is still there, and shows who was removed.")
    return rows


def _check_masks(run: Run) -> None:
    """Refuse folders in which masks, pictures and results would be taken for one another."""
    if run.masks is None:
        if run.only_masks:
            raise UsageError("--only-masks says nothing without --masks.", hint="Name the folder of masks.")
        return
    masks, output = run.masks.resolve(), run.output.resolve()
    if masks == output or masks.is_relative_to(output):
        raise InputError(
            f"The masks {run.masks} lie in the output folder {run.output}, which holds pictures.",
            hint="Choose another --output.",
        )
    for path in run.inputs:
        if path.resolve().is_relative_to(masks):
            raise InputError(
                f"The input {path} is, or lies in, the folder of masks {run.masks}.",
                hint="Keep masks in a folder of their own.",
            )


def _masked(jobs: list[Job], run: Run, recipe: Recipe) -> list[Job]:
    """The jobs with their masks of one's own; masks that no picture has are told."""
    if run.masks is None:
        return jobs
    from autoremove.jobs import with_masks
    from autoremove.own_masks.finding import NOTHING, find
    from autoremove.own_masks.stages import chain

    found = find(run.masks, [job.source.relative for job in jobs], [run.output])
    chain(recipe.stages, NOTHING, run.masks, run.request.max_pixels)  # refuses a recipe without masks
    if found.stray:
        names = ", ".join(printable(name) for name in found.stray[:NAMED])
        more = f" and {len(found.stray) - NAMED} more" if len(found.stray) > NAMED else ""
        say(f"note: no picture for {plural(len(found.stray), 'mask')} in {run.masks}: {names}{more}")
    if not run.request.quiet:
        rest = "left as they are" if run.only_masks else "done as usual"
        without = len(jobs) - len(found.masks)
        say(f"masks of your own: {len(found.masks)}; {plural(without, 'picture')} without one {rest}")
    return with_masks(jobs, found.masks, others=NOTHING if run.only_masks else None)


def _pictures(run: Run, plan: Plan, jobs: Sequence[Job]) -> list[Row]:
    """All pictures under one progress bar, with the report made alongside."""
    from autoremove.cli.alone import alone_in
    from autoremove.cli.progress import Progress
    from autoremove.folder import work
    from autoremove.report.making import Reporter

    with ExitStack() as stack:
        stack.enter_context(alone_in(run.output))
        progress = stack.enter_context(Progress(run.request.quiet))
        reporter = stack.enter_context(Reporter(run.output, run.request.max_pixels)) if run.report else None

        def on_row(row: Row) -> None:
            progress.row(row)
            if reporter:
                reporter.row(row)

        rows = work(jobs, run.output, plan, workers=run.workers, on_start=progress.start, on_row=on_row)
        if reporter:
            reporter.finish(rows)
        return rows
