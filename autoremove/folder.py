"""The main job: pictures in, cleaned tree, journal and saved recipe out."""

from __future__ import annotations

import dataclasses
import errno
import hashlib
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from autoremove import journal
from autoremove.codecs import check_unchanged, load
from autoremove.errors import BrokenArtefact, OutputError, PictureError
from autoremove.executors import executor
from autoremove.jobs import Job, plan_jobs
from autoremove.journal import DONE, FAILED, REVIEW, UNCHANGED, Row
from autoremove.own_masks.names import is_there
from autoremove.own_masks.stages import chain
from autoremove.pipeline import FATAL, MAX_PIXELS, describe, run_stages, sample_of
from autoremove.products import Made, Pictures, Product
from autoremove.recipe import Recipe
from autoremove.store import Store, write_atomically
from autoremove.types import Detections, Ref, Sample

EDITED = "edited by hand, and left as it is"
"""The reason in the row of a file that is not replaced."""


@dataclass(frozen=True)
class Plan:
    """Everything a worker needs besides its job; small enough to be sent with every one."""

    recipe: Recipe
    store: Store
    max_pixels: int = MAX_PIXELS
    product: Product = dataclasses.field(default_factory=Pictures)


def clean(
    inputs: Sequence[Path],
    output: Path,
    plan: Plan,
    *,
    workers: int = 1,
    on_start: Callable[[int], None] = lambda total: None,
    on_row: Callable[[Row], None] = lambda row: None,
) -> list[Row]:
    """Plan and :func:`work` in one: every picture of ``inputs``, the results under ``output``.

    Raises InputError before anything is written if there is nothing to do or two inputs would meet in one
    output, and OutputError as :func:`work` does.
    """
    jobs = plan_jobs(inputs, output, [plan.store.root], plan.product)
    return work(jobs, output, plan, workers=workers, on_start=on_start, on_row=on_row)


def work(
    jobs: Sequence[Job],
    output: Path,
    plan: Plan,
    *,
    workers: int = 1,
    on_start: Callable[[int], None] = lambda total: None,
    on_row: Callable[[Row], None] = lambda row: None,
) -> list[Row]:
    """Run the recipe over every job; ``workers`` > 1 means several processes.

    Every job ends in exactly one journal row, and these are returned. Raises OutputError if the output
    cannot be written; rows that are finished by then are kept.
    """
    path = output / journal.NAME
    journal.mend(path)
    write_atomically(output / "recipe.yaml", plan.recipe.to_yaml().encode())
    on_start(len(jobs))
    rows = dict(journal.read(path))
    wanted = {job.source.relative.as_posix() for job in jobs}
    started = [dataclasses.replace(job, before=rows.get(job.source.relative.as_posix())) for job in jobs]
    try:
        with executor("processes" if workers > 1 else "local", workers) as mapper:
            for row in mapper(partial(finish, plan=plan), started):
                journal.append(path, row)
                rows[row.relative] = row
                on_row(row)
    except OSError as error:
        raise OutputError(
            f"Cannot write {path}: {error.strerror or error}.", hint="Free some space."
        ) from error
    # Rows of pictures that are no longer among the inputs go, but for those that tell an edit of their files.
    kept = _still_told(rows.values(), output, jobs) if plan.product.editable else set()
    journal.compact(path, [rows[relative] for relative in sorted(rows) if relative in wanted | kept])
    return [rows[relative] for relative in sorted(rows) if relative in wanted]


def _still_told(rows: Iterable[Row], output: Path, jobs: Sequence[Job]) -> set[str]:
    """The pictures whose files of an earlier run are there, wherever that was, and are none of this run."""
    ours = {job.target for job in jobs}
    places = {
        row.relative: output / Path(row.relative).with_name(Path(row.output).name)
        for row in rows
        if row.output
    }
    return {relative for relative, place in places.items() if place not in ours and place.is_file()}


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
    stages = plan.recipe.stages
    if job.own is not None:
        stages = chain(stages, job.own, job.source.path, plan.max_pixels)
    for _ in range(3):
        sample = run_stages([sample_of(job.source.path)], stages, plan.store, plan.max_pixels)[0]
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
    made = plan.product.made(job.source.path, sample, plan.max_pixels)
    status = REVIEW if row.findings else DONE if made.changed else UNCHANGED
    row = dataclasses.replace(row, status=status, output=str(job.target), made_from=made.made_from)
    digest = _finished_digest(job, made.made_from)
    if digest is None:
        if plan.product.editable and _edited(job, made):
            return dataclasses.replace(_last(job) or row, reason=EDITED)
        image = sample.slots["image"]
        check_unchanged(image.path, image.digest)
        _write(made, job)
        digest = _digest(job)
    return dataclasses.replace(row, output_sha256=digest)


def _write(made: Made, job: Job) -> None:
    """A name that is too long is said of its picture alone; what else stops the writing stops the run."""
    try:
        made.write(job.files)
    except OutputError as error:
        if getattr(error.__cause__, "errno", None) != errno.ENAMETOOLONG:
            raise
        raise PictureError(error.message, hint="Give the picture a shorter name.") from error


def _edited(job: Job, made: Made) -> bool:
    """Whether somebody else has changed what we wrote: neither the journal nor this run would make it so."""
    if not job.target.is_file() or made.lies_at(job.files):
        return False
    return job.before is None or job.before.output_sha256 != _digest(job)


def _last(job: Job) -> Row | None:
    """The row that tells from what an edited file was made, if it was ours once."""
    return job.before if job.before and job.before.output_sha256 else None


def _withdraw(job: Job) -> None:
    """A picture that failed now must not keep an output of an earlier run that looks finished.

    Only a file that we wrote ourselves, as the journal tells, is taken away.
    """
    ours = job.before.output_sha256 if job.before else None
    try:
        if ours and job.target.is_file() and _digest(job) == ours:
            for path in job.files:
                path.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(
            f"The outdated output {job.target} cannot be removed ({error.strerror or error}).",
            hint="Give yourself the right to write there, or choose another output folder.",
        ) from error


def _finished_digest(job: Job, made_from: str) -> str | None:
    """The digest of a finished output: the journal says from what, and it still is what was written."""
    before = job.before
    if before is None or before.made_from != made_from or not job.target.is_file():
        return None
    digest = _digest(job)
    return digest if digest == before.output_sha256 else None


def _digest(job: Job) -> str:
    """Of the one file, or of all together; one that is not there any more changes it."""
    digests = [Ref(path).digest if is_there(path) else "" for path in job.files]
    return digests[0] if len(digests) == 1 else hashlib.sha256("\n".join(digests).encode()).hexdigest()


def _described(job: Job, plan: Plan, sample: Sample) -> Row:
    """The row without its ending: what was found, how long each stage took, where the artefacts are."""
    objects: list[dict[str, Any]] = []
    share = 0.0
    size_hw = None
    if "detections" in sample.slots:
        objects = _objects(load("detections", sample.slots["detections"], plan.max_pixels))
    if "mask" in sample.slots:
        mask = load("mask", sample.slots["mask"], plan.max_pixels)
        share, size_hw = round(mask.share, 5), list(mask.grown.shape)
    artefacts = {slot: str(ref.path) for slot, ref in sample.slots.items() if slot != "image"}
    steps = [{"stage": s.stage, "cached": s.cached, "seconds": round(s.seconds, 4)} for s in sample.steps]
    row = _row(job, FAILED, objects=objects, share=share, size_hw=size_hw, steps=steps, artefacts=artefacts)
    return _judged(row, sample, plan.max_pixels)


def _judged(row: Row, sample: Sample, max_pixels: int) -> Row:
    """The row with what a second look found; the reasons in it are those for a review."""
    if sample.error is not None or "verdict" not in sample.slots:
        return row
    verdict = load("verdict", sample.slots["verdict"], max_pixels)
    both: list[list[dict[str, Any]]] = [
        [{**dataclasses.asdict(one), "xyxy": list(one.xyxy)} for one in rows]
        for rows in (verdict.findings, verdict.fills)
    ]
    reason = "; ".join(one.reason for one in verdict.findings) or None
    return dataclasses.replace(row, reason=reason, findings=both[0], fills=both[1])


def _objects(found: Detections) -> list[dict[str, Any]]:
    """Label, score and box of each; of one that goes with another also ``with``, the other's label."""
    rows: list[dict[str, Any]] = [
        {"label": label, "score": round(float(score), 3), "xyxy": [round(float(v), 1) for v in box]}
        for label, score, box in zip(found.label, found.score, found.xyxy, strict=True)
    ]
    for row, owner in enumerate(found.owner.tolist() if found.owner is not None else ()):
        if owner >= 0:
            rows[row]["with"] = found.label[owner]
    return rows


def _row(job: Job, status: str, **fields: object) -> Row:
    return Row(str(job.source.path), job.source.relative.as_posix(), status, **fields)  # type: ignore[arg-type]


def tally(rows: Sequence[Row]) -> dict[str, int]:
    """How many pictures ended how."""
    return {status: sum(row.status == status for row in rows) for status in journal.STATUSES}
