"""How good fills are where the truth is known: holes cut into whole pictures, filled by each model."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from tqdm import tqdm

from autoremove.errors import InputError
from autoremove.evaluation.fills import TRUTH, Record
from autoremove.evaluation.holes import Holes, named
from autoremove.evaluation.labelled import spread
from autoremove.evaluation.perceptual import NOTHING_MORE, Measures
from autoremove.evaluation.ranking import Ranked, Ranking, write_ranked
from autoremove.evaluation.sheet import blanked, cell, write_sheet
from autoremove.evaluation.unread import Unread
from autoremove.types import Image, Mask

Fill = Callable[[Image, Mask], Image]
"""Picture and hole (True = fill) to the filled picture, as a user would get it."""

MOST_ROWS = 40
"""Pictures on a sheet, evenly spaced."""

TENS = ((0.1, 0.2), (0.2, 0.3), (0.3, 0.4), (0.4, 0.5), (0.5, 0.6))
"""Shares of the picture that holes cover."""


@dataclass(frozen=True)
class Cases:
    """The holes of one run: each picture's middle square, and what is cut into it, the same at any time."""

    paths: Sequence[Path]
    names: Sequence[str]
    holes: Holes
    size: int
    shares: Sequence[tuple[float, float]]
    repeats: int
    seed: int
    unread: Unread = field(default_factory=Unread)

    def truth(self, number: int) -> Image:
        """The true square of a picture."""
        return square(self.paths[number], self.size)

    def hole(self, number: int, repeat: int) -> Mask:
        """One of its holes, True = fill."""
        share = self.shares[(number + repeat) % len(self.shares)]
        return self.holes.of(self.names[number], self.size, share, (self.seed, number, repeat))

    def about(self, pictures: int) -> dict[str, Any]:
        """What the record says of them; ``pictures``: of how many holes were filled."""
        told = {"pictures": pictures, "unread": self.unread.told}
        return {"holes": self.holes.origin, "size": self.size, "seed": self.seed, **told}

    def __iter__(self) -> Iterator[tuple[int, int, Image, Mask]]:
        """Number, repeat, true square and hole; what cannot be read is told and left out."""
        for number in tqdm(range(len(self.paths)), "inpaint", disable=None):
            truth = self.unread.attempt(partial(self.truth, number))
            for repeat in range(self.repeats if truth is not None else 0):
                hole = self.unread.attempt(partial(self.hole, number, repeat))
                if truth is not None and hole is not None:
                    yield number, repeat, truth, hole


def evaluate_inpaint(
    folder: Path,
    holes: Holes,
    models: Mapping[str, Fill],
    *,
    size: int = 256,
    shares: Sequence[tuple[float, float]] = TENS,
    repeats: int = 1,
    seed: int = 0,
    limit: int | None = None,
    sheet: Path | None = None,
    ranked: Path | None = None,
    measures: Measures = NOTHING_MORE,
) -> dict[str, Any]:
    """Measure inpainting models on a folder of whole pictures, each as its middle square of ``size`` pixels.

    Drawn holes go through the buckets of ``shares`` in turn, ``repeats`` for each picture; by ``seed`` every
    model and run has the same. The figures are those of :func:`~autoremove.evaluation.fills.figures_of`, the
    ``seconds`` a fill took, and what ``measures`` adds, by bucket. ``truth``: the ratios of the true pictures
    there; ``causes``: what the worst fills of the first model have in common; ``pictures``: how many could be
    read; ``unread``: what could not; ``skipped``: holes that are empty, leave nothing or are of such.
    ``sheet``: a PNG with a row for each of up to forty pictures; ``ranked``: one of the best, the median and
    the worst ten fills of the first model. Raises InputError where there is nothing to fill.
    """
    paths = pictures_below(folder)
    chosen = list(spread(paths, len(paths), limit))
    names = [named(path.relative_to(folder)) for path in chosen]
    cases = Cases(chosen, names, holes.dealt(names), size, shares, repeats, seed)
    record, ranking = Record.of(list(models), measures), Ranking()
    rows, pictures = _measured(cases, models, record, ranking, draw=sheet is not None)
    if not ranking.entries:
        raise InputError(f"No hole of {holes.origin} can be filled: all empty, or nothing left.")
    if sheet:
        write_sheet(sheet, rows)
    if ranked:
        first = next(iter(models.values()))
        write_ranked(ranked, ranking, lambda entry: _again(cases, first, entry))
    skipped = len(chosen) * repeats - len(ranking.entries)
    return {**record.figures(), "causes": ranking.causes(), **cases.about(pictures), "skipped": skipped}


def _measured(
    cases: Cases, models: Mapping[str, Fill], record: Record, ranking: Ranking, *, draw: bool
) -> tuple[list[list[Image]], int]:
    """Fill every hole with every model; the rows of the sheet, and how many pictures could be read."""
    rows: list[list[Image]] = []
    shown = np.linspace(0, len(cases.paths) - 1, min(MOST_ROWS, len(cases.paths))).astype(int).tolist()
    pictures = set()
    for number, repeat, truth, hole in cases:
        pictures.add(number)
        if not hole.any() or hole.all():
            continue
        fills = {TRUTH: truth}
        record.add(TRUTH, truth, truth, hole)
        for name, fill in models.items():
            started = time.perf_counter()
            fills[name] = fill(truth, hole)
            record.add(name, fills[name], truth, hole, time.perf_counter() - started)
        name = cases.names[number]
        ranking.add((number, repeat, name), truth, hole, record.last())
        if draw and repeat == 0 and number in shown:
            rows.append(_sheet_row(name, hole, fills, record))
    cases.unread.refuse_nothing(len(pictures))
    return rows, len(pictures)


def _again(cases: Cases, fill: Fill, entry: Ranked) -> tuple[Image, Mask, Image]:
    """The truth, the hole and the fill of one case once more."""
    truth, hole = cases.truth(entry.number), cases.hole(entry.number, entry.repeat)
    return truth, hole, fill(truth, hole)


def pictures_below(folder: Path) -> list[Path]:
    """Every picture in the folder, by content and not by extension; those that cannot be read come last."""
    from autoremove.images import list_pictures

    found = [source.path for sources in list_pictures([folder]) for source in sources]
    if not found:
        raise InputError(f"{folder} holds no picture.", hint="Give a folder of whole pictures.")
    return found


def square(path: Path, size: int) -> Image:
    """The middle square of a picture at ``size`` x ``size`` pixels."""
    from autoremove.images import read

    rgb = read(path).rgb
    side = min(rgb.shape[:2])
    top, left = (rgb.shape[0] - side) // 2, (rgb.shape[1] - side) // 2
    part = np.ascontiguousarray(rgb[top : top + side, left : left + side])
    how = cv2.INTER_AREA if side > size else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(part, (size, size), interpolation=how), np.uint8)


def _sheet_row(name: str, hole: Mask, fills: dict[str, Image], record: Record) -> list[Image]:
    """The picture with its hole, each model's fill with its hole PSNR, the truth."""
    cells = [cell(blanked(fills[TRUTH], hole), f"{hole.mean():.0%} {name}")]
    for model, result in fills.items():
        if model != TRUTH:
            cells.append(cell(result, f"{model} {record.rows[model][-1]['hole_psnr']:.1f} dB"))
    return [*cells, cell(fills[TRUTH], "truth")]
