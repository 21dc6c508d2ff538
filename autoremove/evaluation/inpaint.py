"""How good fills are where the truth is known: holes cut into whole pictures, filled by each model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from tqdm import tqdm

from autoremove.errors import InputError
from autoremove.evaluation.holes import Holes
from autoremove.evaluation.labelled import spread
from autoremove.evaluation.metrics import (
    SEAM_RANGE,
    SHARPNESS_RANGE,
    errors,
    psnr,
    ssim,
    within,
)
from autoremove.evaluation.sheet import blanked, cell, write_sheet
from autoremove.stages.quality import seam_ratio, sharpness_ratio
from autoremove.types import Image, Mask

Fill = Callable[[Image, Mask], Image]
"""Picture and hole (True = fill) to the filled picture, as a user would get it."""

Row = dict[str, float]
"""The figures of one fill."""

MOST_ROWS = 40
"""Pictures on a sheet, evenly spaced."""


def evaluate_inpaint(
    folder: Path,
    holes: Holes,
    models: Mapping[str, Fill],
    *,
    size: int = 256,
    shares: Sequence[tuple[float, float]] = ((0.1, 0.2), (0.2, 0.3), (0.3, 0.4), (0.4, 0.5), (0.5, 0.6)),
    repeats: int = 1,
    seed: int = 0,
    limit: int | None = None,
    sheet: Path | None = None,
) -> dict[str, Any]:
    """Measure inpainting models on a folder of whole pictures, each as its middle square of ``size`` pixels.

    Drawn holes go through the buckets of ``shares`` in turn, ``repeats`` for each picture; by ``seed`` every
    model and run has the same. The figures are those of :func:`figures_of`, summed up by :func:`summary`;
    ``truth`` holds seam and sharpness of the true pictures at the same holes.
    ``sheet``: a PNG with a row for each of up to forty pictures.
    """
    paths = pictures_below(folder)
    chosen = list(spread(paths, len(paths), limit))
    rows: dict[str, list[Row]] = {name: [] for name in ("truth", *models)}
    cells: list[list[Image]] = []
    drawn = set(np.linspace(0, len(chosen) - 1, min(MOST_ROWS, len(chosen))).astype(int).tolist())
    for number, path in enumerate(tqdm(chosen, "inpaint", disable=None)):
        truth = square(path, size)
        for repeat in range(repeats):
            hole = holes.of(path.stem, size, shares[(number + repeat) % len(shares)], (seed, number, repeat))
            if hole.any() and not hole.all():
                fills = {"truth": truth, **{name: fill(truth, hole) for name, fill in models.items()}}
                for name, result in fills.items():
                    rows[name].append(figures_of(result, truth, hole))
                if sheet and repeat == 0 and number in drawn:
                    cells.append(_sheet_row(path.stem, hole, fills, rows))
    if sheet:
        write_sheet(sheet, cells)
    return {**_result(rows), "holes": holes.origin, "size": size, "seed": seed, "pictures": len(chosen)}


def _result(rows: dict[str, list[Row]]) -> dict[str, Any]:
    """The models' figures by bucket, and what the true pictures score in the ratios."""
    truth = summary(rows["truth"])
    return {
        "models": {name: by_bucket(found) for name, found in rows.items() if name != "truth"},
        "truth": {key: truth.get(key) for key in ("seam", "seam_within", "sharpness", "sharpness_within")},
        "fills": len(rows["truth"]),
    }


def pictures_below(folder: Path) -> list[Path]:
    """Every picture in the folder, by content and not by extension."""
    from autoremove.images import list_pictures

    found = [source.path for source in list_pictures([folder])[0]]
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


def figures_of(result: Image, truth: Image, hole: Mask) -> Row:
    """All figures of one fill: of the hole, and of the whole composite.

    l1 and l2 in per cent of the range, PSNR in dB, SSIM over the composite.
    """
    hole_l1, hole_l2 = errors(result, truth, hole)
    l1, l2 = errors(result, truth)
    return {
        "share": float(hole.mean()),
        "hole_psnr": psnr(result, truth, hole),
        "hole_l1": hole_l1,
        "hole_l2": hole_l2,
        "psnr": psnr(result, truth),
        "ssim": ssim(result, truth),
        "l1": l1,
        "l2": l2,
        "seam": seam_ratio(result, hole),
        "sharpness": sharpness_ratio(result, hole),
    }


def by_bucket(rows: Sequence[Row]) -> dict[str, Any]:
    """``all``, and each bucket of ten per cent of the picture that has a fill."""
    buckets: dict[str, list[Row]] = {}
    for row in sorted(rows, key=lambda row: row["share"]):
        low = int(row["share"] * 10 + 1e-9) * 10
        buckets.setdefault(f"{low}-{low + 10}", []).append(row)
    return {"all": summary(rows), **{name: summary(group) for name, group in buckets.items()}}


def summary(rows: Sequence[Row]) -> dict[str, Any]:
    """Means of the errors, medians of the ratios, and the shares of fills whose ratio the eye accepts."""
    columns = {key: np.array([row[key] for row in rows], np.float64) for key in (rows[0] if rows else {})}
    figures: dict[str, Any] = {"fills": len(rows)}
    for key, values in columns.items():
        known = values[~np.isnan(values)]
        middle = np.median if key in ("seam", "sharpness") else np.mean
        figures[key] = float(middle(known)) if known.size else None
    if rows:
        figures["seam_within"] = within(columns["seam"], SEAM_RANGE)
        figures["sharpness_within"] = within(columns["sharpness"], SHARPNESS_RANGE)
    return figures


def gain(
    result: Mapping[str, Any], model: str, over: Sequence[str], figure: str = "hole_psnr"
) -> float | None:
    """How far a model lies above the best of others in one figure."""
    others = [result["models"][name]["all"][figure] for name in over if name in result["models"]]
    own = result["models"].get(model, {}).get("all", {}).get(figure)
    return None if own is None or not others else float(own - max(others))


def _sheet_row(name: str, hole: Mask, fills: dict[str, Image], rows: dict[str, list[Row]]) -> list[Image]:
    """The picture with its hole, each model's fill with its hole PSNR, the truth."""
    cells = [cell(blanked(fills["truth"], hole), f"{hole.mean():.0%} {name}")]
    for model, result in fills.items():
        if model != "truth":
            cells.append(cell(result, f"{model} {rows[model][-1]['hole_psnr']:.1f} dB"))
    return [*cells, cell(fills["truth"], "truth")]
