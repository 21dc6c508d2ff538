"""The figures of fills: of one, of all of a model, and by how much of the picture is filled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from autoremove.evaluation.metrics import (
    SEAM_RANGE,
    SHARPNESS_RANGE,
    errors,
    psnr,
    ssim,
    within,
)
from autoremove.evaluation.perceptual import Measures, Vectors, frechet
from autoremove.stages.quality import seam_ratio, sharpness_ratio
from autoremove.types import Image, Mask

Row = dict[str, float]
"""The figures of one fill."""

TRUTH = "truth"
"""The name under which the true pictures stand among the models."""

MEDIANS = ("seam", "sharpness", "seconds")
"""Figures of which the median is told: a few odd ones would move the mean."""


def figures_of(result: Image, truth: Image, hole: Mask) -> Row:
    """All figures of one fill: of the hole, and of the whole composite.

    l1 and l2 in per cent of the range, PSNR in dB, SSIM 0..1; ``colour``: how far the mean colour of the fill
    is off, in per cent of the range.
    """
    hole_l1, hole_l2 = errors(result, truth, hole)
    l1, l2 = errors(result, truth)
    off = (result[hole].astype(np.float64) - truth[hole]).mean(0)
    return {
        "share": float(hole.mean()),
        "hole_psnr": psnr(result, truth, hole),
        "hole_l1": hole_l1,
        "hole_l2": hole_l2,
        "hole_ssim": ssim(result, truth, hole),
        "psnr": psnr(result, truth),
        "ssim": ssim(result, truth),
        "l1": l1,
        "l2": l2,
        "colour": float(np.abs(off).mean() / 255 * 100),
        "seam": seam_ratio(result, hole),
        "sharpness": sharpness_ratio(result, hole),
    }


def buckets_of(rows: Sequence[Row]) -> dict[str, list[int]]:
    """The positions of the rows in ``all``, and in each ten per cent of the picture that has a fill."""
    buckets: dict[str, list[int]] = {"all": list(range(len(rows)))}
    for number in sorted(buckets["all"], key=lambda number: rows[number]["share"]):
        low = int(rows[number]["share"] * 10 + 1e-9) * 10
        buckets.setdefault(f"{low}-{low + 10}", []).append(number)
    return buckets


def by_bucket(rows: Sequence[Row]) -> dict[str, dict[str, Any]]:
    """The summary of each bucket."""
    return {name: summary([rows[number] for number in numbers]) for name, numbers in buckets_of(rows).items()}


def summary(rows: Sequence[Row]) -> dict[str, Any]:
    """Means of the errors, medians of MEDIANS, and the shares of fills whose ratio the eye accepts."""
    columns = {key: np.array([row[key] for row in rows], np.float64) for key in (rows[0] if rows else {})}
    figures: dict[str, Any] = {"fills": len(rows)}
    for key, values in columns.items():
        known = values[~np.isnan(values)]
        middle = np.median if key in MEDIANS else np.mean
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


@dataclass
class Record:
    """The figures of all fills so far, by model; the true pictures stand among them as TRUTH.

    ``vectors``: the features of the filled pictures, where a distance between sets is taken.
    """

    rows: dict[str, list[Row]]
    vectors: dict[str, list[Vectors]]
    measures: Measures

    @classmethod
    def of(cls, models: Sequence[str], measures: Measures) -> Record:
        """An empty one."""
        names = (TRUTH, *models)
        return cls({name: [] for name in names}, {name: [] for name in names}, measures)

    def add(self, name: str, result: Image, truth: Image, hole: Mask, seconds: float | None = None) -> None:
        """One fill, and how long it took."""
        row = figures_of(result, truth, hole)
        if seconds is not None:
            row["seconds"] = seconds
        if self.measures.lpips and name != TRUTH:
            row["lpips"] = self.measures.lpips(result, truth)
        self.rows[name].append(row)
        if self.measures.features:
            self.vectors[name].append(self.measures.features(result))

    def last(self) -> list[Row]:
        """The figures of the models at the last hole, in their order."""
        return [rows[-1] for name, rows in self.rows.items() if name != TRUTH]

    def figures(self) -> dict[str, Any]:
        """The models' figures by bucket, and what the true pictures score in the ratios."""
        truth = summary(self.rows[TRUTH])
        return {
            "models": {name: self._of(name) for name in self.rows if name != TRUTH},
            TRUTH: {key: truth.get(key) for key in ("seam", "seam_within", "sharpness", "sharpness_within")},
            "fills": len(self.rows[TRUTH]),
        }

    def _of(self, name: str) -> dict[str, Any]:
        groups = by_bucket(self.rows[name])
        if self.measures.features:
            for bucket, numbers in buckets_of(self.rows[name]).items():
                sets = [np.stack([self.vectors[key][i] for i in numbers]) for key in (name, TRUTH)]
                groups[bucket][self.measures.fid] = frechet(*sets)
        return groups
