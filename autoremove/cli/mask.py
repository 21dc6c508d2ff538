"""`autoremove mask`: what would be removed, as PNG masks and one COCO file; no picture is changed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from autoremove.cli.lazy import say
from autoremove.cli.options import Request, absolute, folder_option, inputs_argument, pipeline_options
from autoremove.cli.run import chosen_workers, workers_options
from autoremove.cli.text import plural, printable
from autoremove.errors import EXIT_SOME_FAILED, OutputError, RecipeError

if TYPE_CHECKING:
    from autoremove.folder import Plan
    from autoremove.jobs import Job
    from autoremove.journal import Row
    from autoremove.own_masks.coco import Entry
    from autoremove.recipe import Recipe


@click.command("mask")
@inputs_argument
@folder_option(
    "--output", "-o", required=True, help="Folder for masks and coco.json; the tree of the inputs is kept."
)
@pipeline_options("masks-only")
@workers_options
@click.pass_context
def command(
    ctx: click.Context,
    /,
    inputs: tuple[Path, ...],
    output: Path,
    executor: str | None,
    workers: int | None,
    **options: Any,
) -> None:
    """Find objects in INPUTS and write their masks, to look at and to edit.

    \b
    autoremove mask photos/ -o masks/
    autoremove run photos/ -o clean/ --masks masks/

    For sub/photo.jpg: sub/photo.png, white where something would be filled (the grown mask), and
    sub/photo.objects.png, 16 bit, 0 or the number of the object (its tight mask). All of them together are in
    coco.json. The masks are upright, as a viewer shows the picture. A mask that was edited by hand is never
    replaced: delete it to have it made anew.
    """
    from autoremove.folder import EDITED

    count = chosen_workers(executor, workers)
    rows = write_masks([absolute(path) for path in inputs], absolute(output), Request(**options), count)
    failed = sum(row.status == "failed" for row in rows)
    found = sum(len(row.objects) for row in rows)
    edited = sum(row.reason == EDITED for row in rows)
    if not options["quiet"]:
        click.echo(f"{plural(found, 'object')} in {plural(len(rows) - failed, 'picture')}, {failed} failed")
        if edited:
            click.echo(f"Edited by hand and left as they are: {edited}")
        click.echo(f"Results: {printable(absolute(output))}")
    if failed:
        ctx.exit(EXIT_SOME_FAILED)


def write_masks(inputs: Sequence[Path], output: Path, request: Request, workers: int = 1) -> list[Row]:
    """Masks, objects and coco.json for every picture; one that fails becomes a row and the others go on."""
    from autoremove.cli.prepare import checked_recipe, chosen_store, described, ready_recipe
    from autoremove.folder import Plan
    from autoremove.jobs import plan_jobs
    from autoremove.products import Masks

    recipe = checked_recipe(request)
    if not {"detections", "mask"} <= {stage.gives for stage in recipe.stages}:
        raise RecipeError(
            f"The recipe {recipe.name} makes no masks.", hint="Take masks-only, or one like it."
        )
    store = chosen_store(request)
    jobs = plan_jobs(inputs, output, [store.root], Masks())
    _refuse_results(output)
    if not request.quiet:
        say(f"{plural(len(jobs), 'picture')}, {described(recipe)}")
    plan = Plan(up_to_the_mask(ready_recipe(request)), store, request.max_pixels, Masks())
    return _written(jobs, output, plan, workers, request.quiet)


def up_to_the_mask(recipe: Recipe) -> Recipe:
    """What comes behind the mask (filling) is not asked for."""
    last = max(place for place, stage in enumerate(recipe.stages) if stage.gives == "mask")
    return replace(recipe, stages=recipe.stages[: last + 1])


def _refuse_results(output: Path) -> None:
    """Masks must not take the place of cleaned pictures, of which some have the same names."""
    from autoremove import journal

    rows = journal.read(output / journal.NAME).values()
    if any("patches" in row.artefacts for row in rows):
        raise OutputError(
            f"The folder {output} holds cleaned pictures of `autoremove run`.",
            hint="Choose another --output.",
        )


def _written(jobs: Sequence[Job], output: Path, plan: Plan, workers: int, quiet: bool) -> list[Row]:
    """All masks under one progress bar; the COCO file at the end, its parts made as the masks come in.

    Masks of earlier runs on other pictures stay in it as long as they are there.
    """
    from autoremove import __version__, journal
    from autoremove.cli.alone import alone_in
    from autoremove.cli.progress import Progress
    from autoremove.folder import work
    from autoremove.own_masks.coco import body
    from autoremove.own_masks.coco import entries as recorded
    from autoremove.own_masks.names import COCO
    from autoremove.store import write_atomically

    entries: dict[str, Entry] = {}
    with alone_in(output), Progress(quiet) as progress:

        def on_row(row: Row) -> None:
            progress.row(row)
            if row.output is not None:
                entries.update(_entry(row, plan.max_pixels))

        rows = work(jobs, output, plan, workers=workers, on_start=progress.start, on_row=on_row)
        told, ended = journal.read(output / journal.NAME), {row.relative for row in rows}
        kept = [row for row in told.values() if row.relative not in ended]
        before = recorded(output / COCO) if kept else {}
        for row in kept:
            entries.update(_entry(row, plan.max_pixels, before.get(row.relative)))
        whole = body([entries[relative] for relative in told if relative in entries], __version__)
        write_atomically(output / COCO, json.dumps(whole).encode())
    return rows


def _entry(row: Row, max_pixels: int, recorded: Entry | None = None) -> dict[str, Entry]:
    """The row's part of the COCO file.

    Where what its mask was made of has left the cache it is what was ``recorded`` of it, if anything.
    """
    from autoremove.codecs import load
    from autoremove.errors import BrokenArtefact
    from autoremove.own_masks.coco import entry
    from autoremove.types import Ref

    name = Path(row.relative).with_name(Path(row.output or "").name).as_posix()
    try:
        found, mask = (
            load(slot, Ref(Path(row.artefacts[slot])), max_pixels) for slot in ("detections", "mask")
        )
    except BrokenArtefact:
        if recorded is None:
            named = printable(row.relative)
            say(f"note: coco.json says nothing of {named}: its mask is no longer in the cache")
        return {row.relative: recorded} if recorded else {}
    return {row.relative: entry(row.relative, name, found, mask)}
