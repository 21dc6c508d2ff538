"""The goals beside what was reached: one row each, from the figures of the evaluations."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from autoremove.evaluation.inpaint import gain
from autoremove.evaluation.table import Table, number

Figures = Mapping[str, Any]

BASELINES = ("telea", "ns")

MODEL = "deepfillv2"


class Goal(NamedTuple):
    """``source``: the section with the figure; ``value`` takes it out; ``most``: lower is better."""

    about: str
    source: str
    value: Callable[[Figures], float | None]
    limit: float
    form: str = ".3f"
    most: bool = False


def _person(key: str) -> Callable[[Figures], float | None]:
    def value(result: Figures) -> float | None:
        found: float | None = result["classes"].get("person", {}).get(key)
        return found

    return value


def _of_model(key: str) -> Callable[[Figures], float | None]:
    def value(result: Figures) -> float | None:
        found: float | None = result["models"].get(MODEL, {}).get("all", {}).get(key)
        return found

    return value


def _over_untouched(result: Figures) -> float | None:
    best = [result.get(f"psnr_{name}") for name in ("untouched", "telea_own_mask")]
    known = [value for value in best if value is not None]
    return result["psnr_object"] - max(known) if known and result["psnr_object"] is not None else None


GOALS = (
    Goal("person recall, over 64 px, confidence as shipped", "detect", _person("recall_over_64"), 0.97),
    Goal("person recall, 32 to 64 px", "detect", _person("recall_32_64"), 0.90),
    Goal("false finds per picture", "detect", lambda r: r["false_per_picture"], 0.3, ".2f", True),
    Goal("mask IoU given true boxes, person", "mask", lambda r: r["iou_given_boxes"]["person"], 0.90),
    Goal("object pixels uncovered after growth", "mask", lambda r: r["uncovered"], 0.005, ".2%", True),
    Goal("mask area over object area", "mask", lambda r: r["area_ratio"], 1.6, ".2f", True),
    Goal(
        "hole PSNR over the better of Telea and Navier-Stokes, dB",
        "inpaint",
        lambda r: gain(r, MODEL, BASELINES),
        1.5,
        "+.2f",
    ),
    Goal(
        "SSIM over the better of Telea and Navier-Stokes",
        "inpaint",
        lambda r: gain(r, MODEL, BASELINES, "ssim"),
        0.0,
        "+.3f",
    ),
    Goal("hole PSNR over PatchMatch, dB", "inpaint", lambda r: gain(r, MODEL, ("patchmatch",)), 1.5, "+.2f"),
    Goal("fills with a sharpness ratio of 0.7 to 1.4", "inpaint", _of_model("sharpness_within"), 0.8, ".0%"),
    Goal("fills with a seam ratio of 0.9 to 1.15", "inpaint", _of_model("seam_within"), 0.95, ".0%"),
    Goal("real pairs: PSNR over untouched and Telea, dB", "removal", _over_untouched, 0.0, "+.2f"),
    Goal("people found again after removal", "found-again", lambda r: r["found_again"], 0.01, ".1%", True),
    Goal("start-up of --help, s", "speed", lambda r: r["help_seconds"]["median"], 0.5, ".2f", True),
)


def goals_table(results: Mapping[str, Figures]) -> Table:
    """Figure, goal, reached, and whether that is enough; a dash where it was not measured."""
    rows: Table = [["figure", "goal", "reached", "met"]]
    for goal in GOALS:
        value = goal.value(results[goal.source]) if goal.source in results else None
        wanted = f"{'under' if goal.most else 'at least'} {number(goal.limit, goal.form)}"
        met = (
            "-"
            if value is None
            else ("yes" if (value < goal.limit if goal.most else value >= goal.limit) else "no")
        )
        rows.append([goal.about, wanted, number(value, goal.form), met])
    return rows
