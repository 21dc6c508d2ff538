"""The goals beside what was reached: one row each, from the figures of the evaluations."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from autoremove.evaluation.fills import gain
from autoremove.evaluation.removal import BASELINES
from autoremove.evaluation.table import Table, number

Figures = Mapping[str, Any]

Value = Callable[[Figures], float | None]

DIFFUSION = ("telea", "ns")

MODEL = "deepfillv2"

ONE_PASS, NORMAL = "one pass at 640", "normal"
"""Two ways of looking at large photos in the figures of `small`."""


class Goal(NamedTuple):
    """``source``: the section with the figure; ``value`` takes it out; ``most``: lower is better.

    Without a ``limit`` the figure only stands beside the others.
    """

    about: str
    source: str
    value: Value
    limit: float | None
    form: str = ".3f"
    most: bool = False


def _person(key: str) -> Value:
    def value(result: Figures) -> float | None:
        found: float | None = result["classes"].get("person", {}).get(key)
        return found

    return value


def _method(name: str) -> Value:
    def value(result: Figures) -> float | None:
        found: float | None = result["methods"].get(name, {}).get("iou_given_boxes", {}).get("person")
        return found

    return value


def _points_over_one_pass(result: Figures) -> float | None:
    recall = [result["ways"].get(way, {}).get("recall") for way in (NORMAL, ONE_PASS)]
    return None if None in recall else 100 * (recall[0] - recall[1])


def _shadow_ratio(masks: str) -> Value:
    """The shadow left out with the stage, over that left out without it."""

    def value(result: Figures) -> float | None:
        both = result["shadows"][masks]
        without: float = both["without"]["shadow_error"]
        return both["with"]["shadow_error"] / without if without else None

    return value


def _shadow_needless(result: Figures) -> float | None:
    found: float = result["shadows"]["found"]["with"]["needless"]
    return found


def _seconds(result: Figures) -> float | None:
    found: float | None = result["speeds"].get(NORMAL, {}).get("median")
    return found


def _of_model(key: str) -> Value:
    def value(result: Figures) -> float | None:
        found: float | None = result["models"].get(MODEL, {}).get("all", {}).get(key)
        return found

    return value


def _over_baselines(own: str, which: str, *more: str) -> Value:
    """PSNR of one way of removing over the best baseline with the same mask (``which``) and over ``more``."""

    def value(result: Figures) -> float | None:
        best = [result.get(f"psnr_{name}{which}") for name in BASELINES]
        known = [other for other in (*best, *map(result.get, more)) if other is not None]
        return result[own] - max(known) if known and result.get(own) is not None else None

    return value


def _leads(holes: str, others: Sequence[str]) -> Value:
    """By how much DeepFillv2 leads others on the bench of all systems."""

    def value(result: Figures) -> float | None:
        kind = result["holes"].get(holes)
        return None if kind is None else gain(kind, MODEL, others)

    return value


def _at(*keys: str) -> Value:
    """The figure that lies so deep."""

    def value(result: Figures) -> float | None:
        found: Any = result
        for key in keys:
            found = found.get(key) if isinstance(found, Mapping) else None
        return None if found is None else float(found)

    return value


MEMORY_1024 = _at("sizes", "full", "1024", "memory", "fill", "peak_gb")

FINDING = (
    Goal("person recall, over 64 px, confidence as shipped", "detect", _person("recall_over_64"), 0.97),
    Goal(
        "false finds per picture, at that confidence",
        "detect",
        lambda r: r["false_per_picture"],
        0.3,
        ".2f",
        True,
    ),
    Goal("person recall, 32 to 64 px", "detect", _person("recall_32_64"), 0.90),
    Goal(
        "small persons in photos of 12 MP and more: points of recall over one 640 pass",
        "small",
        _points_over_one_pass,
        20,
        "+.1f",
    ),
    Goal("mask IoU given true boxes, person", "mask", _method("network"), 0.90),
    Goal("the same with GrabCut", "mask", _method("grabcut"), None),
    Goal("object pixels uncovered after growth", "mask", lambda r: r["uncovered"], 0.005, ".2%", True),
    Goal("mask area over object area", "mask", lambda r: r["area_ratio"], 1.6, ".2f", True),
    Goal("people found again after removal", "found-again", lambda r: r["found_again"], 0.01, ".1%", True),
    Goal(
        "shadow left out over that without shadow handling",
        "shadows",
        _shadow_ratio("found"),
        0.5,
        ".2f",
        True,
    ),
    Goal("the same, given true boxes", "shadows", _shadow_ratio("true box"), 0.5, ".2f", True),
    Goal("needless area elsewhere, of the picture", "shadows", _shadow_needless, 0.02, ".1%", True),
    Goal("detection and masks of a 12 MP photo, two cores, s", "time", _seconds, 3, ".2f", True),
)
"""What is to go is found, and only that."""

FILLING = (
    Goal(
        "hole PSNR over the better of Telea and Navier-Stokes, dB",
        "inpaint",
        lambda r: gain(r, MODEL, DIFFUSION),
        1.5,
        "+.2f",
    ),
    Goal(
        "SSIM over the better of Telea and Navier-Stokes",
        "inpaint",
        lambda r: gain(r, MODEL, DIFFUSION, "ssim"),
        0.0,
        "+.3f",
    ),
    Goal("hole PSNR over PatchMatch, dB", "inpaint", lambda r: gain(r, MODEL, ("patchmatch",)), 1.5, "+.2f"),
    Goal("SSIM over PatchMatch", "inpaint", lambda r: gain(r, MODEL, ("patchmatch",), "ssim"), 0.0, "+.3f"),
    Goal(
        "DeepFillv2 without detail: hole PSNR over Telea and Navier-Stokes, dB",
        "inpaint",
        lambda r: gain(r, f"{MODEL}+none", DIFFUSION),
        None,
        "+.2f",
    ),
    Goal("fills with a sharpness ratio of 0.7 to 1.4", "inpaint", _of_model("sharpness_within"), 0.8, ".0%"),
    Goal("fills with a seam ratio of 0.9 to 1.15", "inpaint", _of_model("seam_within"), 0.95, ".0%"),
    Goal(
        "real pairs, the pipeline's masks: PSNR over the best baseline and untouched, dB",
        "removal",
        _over_baselines("psnr_object", "_own_mask", "psnr_untouched"),
        0.0,
        "+.2f",
    ),
    Goal(
        "real pairs, true masks: PSNR over the best baseline, dB",
        "removal",
        _over_baselines("psnr_model_true_mask", "_true_mask"),
        0.0,
        "+.2f",
    ),
    Goal(
        "forward pass at 512: times faster than the plain form",
        "generator",
        _at("sizes", "full", "512", "times_faster"),
        4,
        ".1f",
    ),
    Goal("the same at 1024: memory, GB", "generator", MEMORY_1024, 2.5, ".2f", True),
    Goal("12 MP photo, three people, two cores: s", "fill-large", _at("photo", "median"), 15, ".1f", True),
    Goal("the same: memory, MB", "fill-large", _at("photo", "peak_memory_mb"), 3000, ".0f", True),
    Goal("100 MP panorama: memory, MB", "fill-large", _at("panorama", "peak_memory_mb"), 4000, ".0f", True),
    Goal(
        "free-form holes, equal budget: hole PSNR of DeepFillv2 over partial convolution and v1, dB",
        "neighbours",
        _leads("brush", ("partialconv", "deepfillv1")),
        0.0,
        "+.2f",
    ),
    Goal(
        "SRResNet over bicubic, luma PSNR, dB",
        "upscale",
        lambda r: r["models"]["srgan"]["psnr"] - r["models"]["bicubic"]["psnr"],
        1.0,
        "+.2f",
    ),
    Goal("start-up of --help, s", "speed", lambda r: r["help_seconds"]["median"], 0.5, ".2f", True),
)
"""What fills the holes, and how fast the program is there."""


def goals_table(goals: Sequence[Goal], results: Mapping[str, Figures], commands: Mapping[str, str]) -> Table:
    """Figure, goal, reached, whether that is enough, and the command; a dash where it was not measured."""
    rows: Table = [["figure", "goal", "reached", "met", "command"]]
    for goal in goals:
        value = goal.value(results[goal.source]) if goal.source in results else None
        reached = number(value, goal.form)
        rows.append([goal.about, wanted(goal), reached, met(goal, value), commands.get(goal.source, "-")])
    return rows


def wanted(goal: Goal) -> str:
    """The goal in words."""
    if goal.limit is None:
        return "-"
    return f"{'under' if goal.most else 'at least'} {number(goal.limit, goal.form)}"


def met(goal: Goal, value: float | None) -> str:
    """``yes``, ``no``, or a dash where nothing can be said."""
    if value is None or goal.limit is None:
        return "-"
    return "yes" if (value < goal.limit if goal.most else value >= goal.limit) else "no"
