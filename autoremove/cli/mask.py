"""`autoremove mask`: what would be removed, as PNG masks and one COCO file; no picture is changed."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from autoremove.cli.lazy import say
from autoremove.cli.options import Request, absolute, folder_option, inputs_argument, pipeline_options
from autoremove.cli.text import plural, printable
from autoremove.errors import EXIT_SOME_FAILED, InputError, RecipeError

if TYPE_CHECKING:
    from autoremove.folder import Job, Plan
    from autoremove.journal import Row
    from autoremove.types import Sample


@click.command("mask")
@inputs_argument
@folder_option(
    "--output", "-o", required=True, help="Folder for masks and coco.json; the tree of the inputs is kept."
)
@pipeline_options("masks-only")
@click.pass_context
def command(ctx: click.Context, /, inputs: tuple[Path, ...], output: Path, **options: Any) -> None:
    """Find objects in INPUTS and write their masks.

    For sub/photo.jpg: sub/photo.png, white where something would be filled (the grown mask), and
    sub/photo.objects.png, 16 bit, 0 or the number of the object (its tight mask). All of them together are in
    coco.json. The masks are upright, as a viewer shows the picture, and fit `autoremove inpaint`.
    """
    rows = write_masks([absolute(path) for path in inputs], absolute(output), Request(**options))
    failed = sum(row.status == "failed" for row in rows)
    found = sum(len(row.objects) for row in rows)
    if not options["quiet"]:
        click.echo(f"{plural(found, 'object')} in {plural(len(rows) - failed, 'picture')}, {failed} failed")
        click.echo(f"Results: {printable(absolute(output))}")
    if failed:
        ctx.exit(EXIT_SOME_FAILED)


def write_masks(inputs: list[Path], output: Path, request: Request) -> list[Row]:
    """Masks, objects and coco.json for every picture; one that fails becomes a row and the others go on."""
    from autoremove.cli.alone import alone_in
    from autoremove.cli.prepare import checked_recipe, chosen_store, described, ready_recipe
    from autoremove.cli.progress import Progress
    from autoremove.folder import Plan, plan_jobs
    from autoremove.report.coco import Coco
    from autoremove.store import write_atomically

    recipe = checked_recipe(request)
    if not {"detections", "mask"} <= {stage.gives for stage in recipe.stages}:
        raise RecipeError(
            f"The recipe {recipe.name} makes no masks.", hint="Take masks-only, or one like it."
        )
    store = chosen_store(request)
    jobs = plan_jobs(inputs, output, store.root)
    names = mask_names(jobs)
    if not request.quiet:
        say(f"{plural(len(jobs), 'picture')}, {described(recipe)}")
    ready = ready_recipe(request)
    # What comes behind the mask (filling) is not asked for.
    last = max(i for i, stage in enumerate(ready.stages) if stage.gives == "mask")
    plan = Plan(replace(ready, stages=ready.stages[: last + 1]), store, request.max_pixels)
    coco = Coco()
    rows = []
    with ExitStack() as stack:
        stack.enter_context(alone_in(output))
        progress = stack.enter_context(Progress(request.quiet))
        progress.start(len(jobs))
        for job in jobs:
            row = _one(job, plan, output, names[job], coco)
            rows.append(row)
            progress.row(row)
        write_atomically(output / "coco.json", json.dumps(coco.body()).encode())
    return rows


def mask_names(jobs: list[Job]) -> dict[Job, Path]:
    """The relative name of each picture's mask: its stem, or its full name where two share a stem."""
    stems = Counter(str(job.source.relative.with_suffix("")).casefold() for job in jobs)
    names = {}
    for job in jobs:
        relative = job.source.relative
        shared = stems[str(relative.with_suffix("")).casefold()] > 1
        names[job] = relative.with_name(f"{relative.name if shared else relative.stem}.png")
    taken = Counter(str(path).casefold() for name in names.values() for path in (name, objects_name(name)))
    for name, count in taken.items():
        if count > 1:
            raise InputError(f"Two masks would be written to {name}.", hint="Rename one of the pictures.")
    return names


def objects_name(name: Path) -> Path:
    """Where the object ids lie: beside the mask, `NAME.objects.png`."""
    return name.with_name(f"{name.stem}.objects.png")


def _one(job: Job, plan: Plan, output: Path, name: Path, coco: Any) -> Row:
    from autoremove.journal import DONE, FAILED, REVIEW, UNCHANGED, Row
    from autoremove.pipeline import FATAL, describe, run_stages, sample_of

    source, relative = str(job.source.path), job.source.relative.as_posix()
    try:
        sample = run_stages([sample_of(job.source.path)], plan.recipe.stages, plan.store, plan.max_pixels)[0]
        if sample.error is not None:
            return Row(source, relative, REVIEW if sample.review else FAILED, reason=sample.error)
        found = _write(sample, plan, output, name, relative, coco)
    except FATAL:
        raise
    except Exception as error:  # as in the folder's run: one bad file must not end it
        return Row(source, relative, FAILED, reason=describe(error, "mask"))
    return Row(source, relative, DONE if found else UNCHANGED, objects=found)


def _write(
    sample: Sample, plan: Plan, output: Path, name: Path, relative: str, coco: Any
) -> list[dict[str, Any]]:
    """Both PNG files, and the rows of coco.json; gives the objects found."""
    import numpy as np

    from autoremove.codecs import load
    from autoremove.report.coco import png_of
    from autoremove.store import write_atomically

    found, mask = (load(slot, sample.slots[slot], plan.max_pixels) for slot in ("detections", "mask"))
    write_atomically(output / name, png_of(mask.grown.astype(np.uint8) * 255))
    write_atomically(output / objects_name(name), png_of(mask.ids))
    coco.add(relative, name.as_posix(), found, mask)
    return [
        {"label": label, "score": float(score)} for label, score in zip(found.label, found.score, strict=True)
    ]
