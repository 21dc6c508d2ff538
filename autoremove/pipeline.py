"""The runner: ask the store, run only what is missing, and keep one bad picture from spoiling its batch."""

from __future__ import annotations

import logging
import time
from collections.abc import Container, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from autoremove.codecs import load, picture_digest
from autoremove.errors import (
    AutoremoveError,
    BrokenArtefact,
    DeviceError,
    OutputError,
    PictureError,
    RecipeError,
    ReviewNeeded,
    UsageError,
    WeightsError,
)
from autoremove.stages.amend import Amend
from autoremove.stages.base import Stage
from autoremove.store import Store, artefact_key
from autoremove.types import Ref, Sample, Step

MAX_PIXELS = 200_000_000
"""Default limit on the size of one picture; decoded, it is 600 MB."""

FATAL = (OutputError, WeightsError, RecipeError, UsageError, DeviceError)
"""Errors that every picture would meet: they end the run instead of failing one picture after another."""


_log = logging.getLogger("autoremove")


def run_stages(
    samples: Sequence[Sample], stages: Sequence[Stage], store: Store, max_pixels: int = MAX_PIXELS
) -> list[Sample]:
    """Take a batch of samples through all stages; broken artefacts are made anew.

    Where the verdict at the end amends the mask, what comes behind the mask runs once more with the new one.
    """
    # Each round finds at most one broken artefact; a redo adds a mask and runs at most all stages again.
    for _ in range((2 * len(stages) + 1) * len(samples) + 1):
        try:
            current = list(samples)
            for stage in stages:
                current = run_stage(current, stage, store, max_pixels)
            return redone(current, stages, store, max_pixels)
        except BrokenArtefact as broken:
            store.discard(Path(str(broken.path)))
    raise OutputError(
        f"The store in {store.root} does not keep what is written to it.",
        hint="Check the disk, or use --cache.",
    )


def redone(samples: Sequence[Sample], stages: Sequence[Stage], store: Store, max_pixels: int) -> list[Sample]:
    """Fill anew, once, where the verdict has found a rest; a redo that fails leaves the first result."""

    def asks(sample: Sample) -> bool:
        there = sample.error is None and "verdict" in sample.slots
        return there and load("verdict", sample.slots["verdict"], max_pixels).amended is not None

    rows = [position for position, sample in enumerate(samples) if asks(sample)]
    again = [samples[position] for position in rows]
    second: list[Any] = [Amend(), *behind_the_mask(stages)] if rows else []
    for stage in second:
        again = run_stage(again, stage, store, max_pixels)
    final = list(samples)
    for position, sample in zip(rows, again, strict=True):
        if sample.error is None:
            final[position] = sample
        else:  # its verdict still says what was found, so it is put up for review
            _log.warning("%s: the second filling failed: %s", sample.source, sample.error)
    return final


def behind_the_mask(stages: Sequence[Stage]) -> Sequence[Stage]:
    """The stages that follow when another mask is given: those after the last one that gives a mask."""
    return stages[1 + max((i for i, stage in enumerate(stages) if stage.gives == "mask"), default=-1) :]


def run_stage(samples: Sequence[Sample], stage: Stage, store: Store, max_pixels: int) -> list[Sample]:
    """One stage for a batch: hits from the store, the rest computed in sub-batches of ``stage.batch``."""
    done: dict[int, Sample] = {}
    missing: list[tuple[int, str]] = []
    for position, sample in enumerate(samples):
        if sample.error is not None:
            done[position] = sample
            continue
        try:
            key = key_of(stage, sample)
        except PictureError as error:
            done[position] = sample.failed(describe(error, stage.name))
            continue
        ref = store.find(stage.name, key, stage.gives)
        if ref is None:
            missing.append((position, key))
        else:
            done[position] = sample.with_slot(stage.gives, ref, Step(stage.name, True, 0.0))
    for start in range(0, len(missing), max(1, stage.batch)):
        rows = missing[start : start + max(1, stage.batch)]
        batch = [samples[position] for position, _ in rows]
        results = attempt(batch, [key for _, key in rows], stage, store, max_pixels)
        done.update(zip((position for position, _ in rows), results, strict=True))
    return [done[position] for position in range(len(samples))]


def key_of(stage: Stage, sample: Sample) -> str:
    """The key of the artefact that a stage gives for a sample. Raises PictureError if it cannot be read."""
    inputs = {slot: _digest(slot, sample.slots[slot]) for slot in stage.needs}
    return artefact_key(stage.name, stage.version, stage.params(), stage.weights_digest(), inputs)


def _digest(slot: str, ref: Ref) -> str:
    if slot == "image":
        return picture_digest(ref)
    try:
        return ref.digest
    except OSError as error:
        raise BrokenArtefact(ref.path) from error  # another process has pruned it in the meantime


def attempt(
    samples: Sequence[Sample], keys: Sequence[str], stage: Stage, store: Store, max_pixels: int
) -> list[Sample]:
    """Run the batch; if it fails, run its samples one by one, so that only the guilty one is marked."""
    started = time.perf_counter()
    try:
        slots = taken(stage, set.intersection(*(set(s.slots) for s in samples)))
        values = stage(**{slot: [load(slot, s.slots[slot], max_pixels) for s in samples] for slot in slots})
    except FATAL:
        raise
    except BrokenArtefact:
        raise
    except Exception as error:  # a foreign library may raise anything; the row in the journal names it
        if len(samples) == 1:
            return [samples[0].failed(describe(error, stage.name), review=isinstance(error, ReviewNeeded))]
        pairs = zip(samples, keys, strict=True)
        return [row for sample, key in pairs for row in attempt([sample], [key], stage, store, max_pixels)]
    seconds = (time.perf_counter() - started) / len(samples)
    return [
        sample.with_slot(
            stage.gives, store.put(stage.name, key, stage.gives, value), Step(stage.name, False, seconds)
        )
        for sample, key, value in zip(samples, keys, values, strict=True)
    ]


def taken(stage: Stage, there: Container[str]) -> list[str]:
    """The slots that a stage is called with: all that it needs, and those that it uses and that are there."""
    return [*stage.needs, *(slot for slot in stage.uses if slot in there)]


def describe(error: Exception, stage: str) -> str:
    """One line for the journal: our own errors as they are, foreign ones with their kind and the stage."""
    if isinstance(error, AutoremoveError):
        return str(error)
    return f"{stage}: {type(error).__name__}: {error}"


def run_in_memory(image: Any, stages: Sequence[Stage], **given: Any) -> dict[str, Any]:
    """All stages on one picture without a store, with the redo of a verdict; returns every slot's value."""
    values = _through({"image": image, **given}, stages)
    if "verdict" not in values or values["verdict"].amended is None:
        return values
    try:
        return _through({**values, "mask": values["verdict"].amended}, behind_the_mask(stages))
    except ReviewNeeded as error:
        _log.warning("the second filling failed: %s", error)
        return values


def _through(values: dict[str, Any], stages: Sequence[Stage]) -> dict[str, Any]:
    for stage in stages:
        slots = {slot: [values[slot]] for slot in taken(stage, values)}
        values = {**values, stage.gives: stage(**slots)[0]}
    return values


def sample_of(source: Path) -> Sample:
    """The start of a picture's way: only its file."""
    return Sample(str(source), {"image": Ref(source)})


def without_pixels(sample: Sample) -> Sample:
    """The sample as it goes back from a worker: digests that were computed are not carried along."""
    return replace(sample, slots={slot: Ref(ref.path) for slot, ref in sample.slots.items()})
