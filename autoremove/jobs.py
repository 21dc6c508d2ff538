"""Which pictures there are to do, the files that each becomes, and its mask where it has one of its own."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from autoremove import images
from autoremove.errors import InputError
from autoremove.journal import Row
from autoremove.own_masks.finding import OwnMask
from autoremove.products import Pictures, Product


@dataclass(frozen=True)
class Job:
    """One picture: where it is, the files it becomes, a mask of its own, and how it ended last time."""

    source: images.Source
    files: tuple[Path, ...]
    own: OwnMask | None = None
    before: Row | None = None

    @property
    def target(self) -> Path:
        """The file that counts; others lie beside it."""
        return self.files[0]


def plan_jobs(
    inputs: Sequence[Path], output: Path, exclude: Sequence[Path] = (), product: Product | None = None
) -> list[Job]:
    """List the pictures and decide every output's name before anything is written.

    What lies in a folder of ``exclude`` (the store, masks) is no input.
    """
    sources = listed(inputs, output, exclude)
    files = (product or Pictures()).files(sources, output)
    return [Job(source, files[source]) for source in sources]


def listed(inputs: Sequence[Path], output: Path, exclude: Sequence[Path] = ()) -> list[images.Source]:
    """The pictures in the order of their places in the tree, with those that cannot be read.

    Raises InputError where there is none, or an input lies where nothing is read as input.
    """
    refuse_inside(inputs, output, exclude)
    readable, broken = images.list_pictures(inputs, exclude=[output, *exclude])
    sources = sorted([*readable, *broken], key=lambda source: source.relative)
    if not sources:
        raise InputError(
            f"No pictures in {', '.join(str(path) for path in inputs)}.",
            hint="JPEG, PNG, WebP, TIFF, BMP, HEIC and AVIF files are taken.",
        )
    return sources


def with_masks(jobs: Sequence[Job], masks: Mapping[Path, OwnMask], *, others: OwnMask | None) -> list[Job]:
    """The jobs with the masks given for their pictures; the rest get ``others``, None = as usual."""
    return [dataclasses.replace(job, own=masks.get(job.source.relative, others)) for job in jobs]


def refuse_inside(inputs: Sequence[Path], output: Path, exclude: Sequence[Path] = ()) -> None:
    """Raise InputError for what lies in the output, the store or masks.

    Nothing there is ever read as input, so naming it would find nothing.
    """
    for path in inputs:
        if _lies_in(path, output):
            raise InputError(
                f"The input {path} is, or lies in, the output folder {output}.",
                hint="Inputs are never changed: choose another output folder.",
            )
        for folder in exclude if path.is_dir() else ():  # a picture named outright is read wherever it lies
            if _lies_in(path, folder):
                raise InputError(
                    f"The input {path} is, or lies in, {folder}, which is no folder of inputs.",
                    hint="Keep pictures, masks and the cache in folders of their own.",
                )


def _lies_in(path: Path, folder: Path) -> bool:
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))
