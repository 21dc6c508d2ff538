"""The main job: pictures in, cleaned tree, journal and saved recipe out."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from autoremove import images, journal
from autoremove.codecs import load
from autoremove.errors import BrokenArtefact, InputError, OutputError
from autoremove.executors import executor
from autoremove.journal import DONE, FAILED, REVIEW, UNCHANGED, Row
from autoremove.pipeline import FATAL, MAX_PIXELS, describe, run_stages, sample_of, without_pixels
from autoremove.recipe import Recipe
from autoremove.store import Store, write_atomically
from autoremove.types import Ref, Sample

WRITER = 1
"""Raised when the same patches would be written in another way: finished outputs are then written anew."""


@dataclass(frozen=True)
class Job:
    """One picture: where it is, where it goes, and how it ended last time."""

    source: images.Source
    target: Path
    before: Row | None = None


@dataclass(frozen=True)
class Plan:
    """Everything a worker needs besides its job; small enough to be sent with every one."""

    recipe: Recipe
    store: Store
    max_pixels: int = MAX_PIXELS


def clean(
    inputs: Sequence[Path],
    output: Path,
    plan: Plan,
    *,
    executor_name: str = "local",
    workers: int = 1,
    on_start: Callable[[int], None] = lambda total: None,
    on_row: Callable[[Row], None] = lambda row: None,
) -> list[Row]:
    """Run the recipe over every picture of ``inputs`` and write the results under ``output``.

    Every input ends in exactly one journal row. Raises InputError before anything is written if there is
    nothing to do or two inputs would meet in one output, and OutputError if the output cannot be written;
    rows that are finished by then are kept.
    """
    jobs = plan_jobs(inputs, output, plan.store.root)
    path = output / journal.NAME
    journal.mend(path)
    write_atomically(output / "recipe.yaml", plan.recipe.to_yaml().encode())
    on_start(len(jobs))
    rows = {row.relative: row for row in journal.read(path).values()}
    wanted = {job.source.relative.as_posix() for job in jobs}
    try:
        with executor(executor_name, workers) as mapper:
            for row in mapper(partial(finish, plan=plan), jobs):
                journal.append(path, row)
                rows[row.relative] = row
                on_row(row)
    except OSError as error:
        raise OutputError(
            f"Cannot write {path}: {error.strerror or error}.", hint="Free some space."
        ) from error
    # Rows of pictures that are no longer among the inputs go; those of this run stand in its order.
    final = [rows[relative] for relative in sorted(rows) if relative in wanted]
    journal.compact(path, final)
    return final


def plan_jobs(inputs: Sequence[Path], output: Path, store_root: Path) -> list[Job]:
    """List the pictures and decide every output's name before anything is written."""
    _refuse_inside(inputs, output)
    readable, broken = images.list_pictures(inputs, exclude=[output, store_root])
    sources = sorted([*readable, *broken], key=lambda source: source.relative)
    if not sources:
        raise InputError(
            f"No pictures in {', '.join(str(path) for path in inputs)}.",
            hint="JPEG, PNG, WebP, TIFF, BMP, HEIC and AVIF files are taken.",
        )
    targets = images.plan_outputs(sources, output)
    before = journal.read(output / journal.NAME)
    return [Job(source, targets[source], before.get(source.relative.as_posix())) for source in sources]


def _refuse_inside(inputs: Sequence[Path], output: Path) -> None:
    """What lies in the output is never read as input, so naming it there would find nothing."""
    own = os.path.realpath(output)
    for path in inputs:
        if Path(os.path.realpath(path)).is_relative_to(own):
            raise InputError(
                f"The input {path} is, or lies in, the output folder {output}.",
                hint="Inputs are never changed: choose another output folder.",
            )


def finish(job: Job, plan: Plan) -> Row:
    """Take one picture all the way; whatever goes wrong with it becomes its row."""
    started = time.perf_counter()
    try:
        row = _finish(job, plan)
    except FATAL:
        raise
    except Exception as error:  # a foreign decoder may raise anything; one bad file must not end the run
        _withdraw(job)
        row = _row(job, FAILED, reason=describe(error, "read"))
    return dataclasses.replace(row, seconds=round(time.perf_counter() - started, 3))


def _finish(job: Job, plan: Plan) -> Row:
    for _ in range(3):
        sample = run_stages([sample_of(job.source.path)], plan.recipe.stages, plan.store, plan.max_pixels)[0]
        try:
            return _written(job, plan, sample)
        except BrokenArtefact as broken:
            plan.store.discard(Path(str(broken.path)))
    raise OutputError(
        f"The store in {plan.store.root} does not keep what is written to it.", hint="Use --cache."
    )


def _written(job: Job, plan: Plan, sample: Sample) -> Row:
    """Write the output that the sample calls for, and say so in a row."""
    row = _described(job, plan, sample)
    if sample.error is not None:
        _withdraw(job)
        return dataclasses.replace(row, status=REVIEW if sample.review else FAILED, reason=sample.error)
    patches = load("patches", sample.slots["patches"], plan.max_pixels) if "patches" in sample.slots else []
    status = DONE if patches else UNCHANGED
    made_from = _recipe_of_output(sample, changed=bool(patches))
    digest = _finished_digest(job, made_from)
    if digest is None:
        if patches:
            images.write(job.source.path, job.target, patches)
        else:
            images.copy(job.source.path, job.target)
        digest = Ref(job.target).digest
    return dataclasses.replace(
        row, status=status, output=str(job.target), made_from=made_from, output_sha256=digest
    )


def _withdraw(job: Job) -> None:
    """A picture that failed now must not keep an output of an earlier run that looks finished.

    Only a file that we wrote ourselves, as the journal tells, is taken away.
    """
    ours = job.before.output_sha256 if job.before else None
    try:
        if ours and job.target.is_file() and Ref(job.target).digest == ours:
            job.target.unlink()
    except OSError as error:
        raise OutputError(
            f"The outdated output {job.target} cannot be removed ({error.strerror or error}).",
            hint="Give yourself the right to write there, or choose another output folder.",
        ) from error


def _recipe_of_output(sample: Sample, *, changed: bool) -> str:
    """What decides the bytes of the output: the picture, its patches and the writer."""
    parts = [str(WRITER), sample.slots["image"].digest, sample.slots["patches"].digest if changed else "copy"]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _finished_digest(job: Job, made_from: str) -> str | None:
    """The digest of a finished output: the journal says from what, and it still is what was written."""
    before = job.before
    if before is None or before.made_from != made_from or not job.target.is_file():
        return None
    digest = Ref(job.target).digest
    return digest if digest == before.output_sha256 else None


def _described(job: Job, plan: Plan, sample: Sample) -> Row:
    """The row without its ending: what was found, how long each stage took, where the artefacts are."""
    objects: list[dict[str, object]] = []
    share = 0.0
    size_hw = None
    if "detections" in sample.slots:
        found = load("detections", sample.slots["detections"], plan.max_pixels)
        objects = [
            {"label": label, "score": round(float(score), 3), "xyxy": [round(float(v), 1) for v in box]}
            for label, score, box in zip(found.label, found.score, found.xyxy, strict=True)
        ]
    if "mask" in sample.slots:
        mask = load("mask", sample.slots["mask"], plan.max_pixels)
        share, size_hw = round(mask.share, 5), list(mask.grown.shape)
    bare = without_pixels(sample)
    artefacts = {slot: str(ref.path) for slot, ref in bare.slots.items() if slot != "image"}
    steps = [{"stage": s.stage, "cached": s.cached, "seconds": round(s.seconds, 4)} for s in sample.steps]
    return _row(job, FAILED, objects=objects, share=share, size_hw=size_hw, steps=steps, artefacts=artefacts)


def _row(job: Job, status: str, **fields: object) -> Row:
    return Row(str(job.source.path), job.source.relative.as_posix(), status, **fields)  # type: ignore[arg-type]


def tally(rows: Sequence[Row]) -> dict[str, int]:
    """How many pictures ended how."""
    return {status: sum(row.status == status for row in rows) for status in journal.STATUSES}
