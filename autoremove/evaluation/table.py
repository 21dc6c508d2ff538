"""The figures of an evaluation as tables for a terminal or a page, and as JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

Table = list[list[str]]
"""Rows of cells, the header first."""


def rounded(value: Any, digits: int = 4) -> Any:
    """A copy fit for JSON: numbers rounded, NaN as null."""
    if isinstance(value, Mapping):
        return {str(key): rounded(item, digits) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [rounded(item, digits) for item in value]
    if isinstance(value, float):
        return round(value, digits) if math.isfinite(value) else None
    return value


def write_json(path: Path, result: Mapping[str, Any]) -> None:
    """Write a result so that the file appears whole or not at all."""
    from autoremove.images.atomic import appearing

    with appearing(path) as stream:
        stream.write((json.dumps(rounded(result), indent=1) + "\n").encode())


def markdown(table: Table) -> str:
    """A pipe table; columns after the first are set right."""
    header, *rows = table
    rule = ["---", *["---:"] * (len(header) - 1)]
    return "\n".join("| " + " | ".join(row) + " |" for row in (header, rule, *rows))


def number(value: Any, form: str = ".3f") -> str:
    """A figure, or a dash where there was nothing to measure."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return "-"
    return format(value, form)


DETECT_COLUMNS = {
    "ap50": "AP50",
    "ap50_95": "AP50-95",
    "recall_over_64": "recall > 64 px",
    "recall_32_64": "32-64 px",
    "recall_under_32": "< 32 px",
    "precision": "precision",
    "false_per_picture": "false/picture",
    "confidence": "confidence",
}


def detect_table(result: Mapping[str, Any]) -> Table:
    """One row a class or group."""
    rows = [
        [name, *[number(figures.get(key)) for key in DETECT_COLUMNS], str(figures["objects"])]
        for name, figures in result["classes"].items()
    ]
    return [["class", *DETECT_COLUMNS.values(), "objects"], *rows]


def calibration_table(result: Mapping[str, Any]) -> Table:
    """What a score is worth: one row a band of scores."""
    rows = [
        [
            f"{band['score_from']:.2f} to {band['score_to']:.2f}",
            str(band["finds"]),
            number(band["right"] / band["finds"] if band["finds"] else None, ".0%"),
        ]
        for band in result["calibration"]
    ]
    return [["score", "finds", "right"], *rows]


def causes_table(causes: Mapping[str, Mapping[str, Any]], base: str) -> Table:
    """How often each trait occurs among the mistakes, beside the share of all objects (``base``) with it."""
    groups = {name: group for name, group in causes.items() if group["all"]}
    traits = dict.fromkeys(
        key for group in groups.values() for key in group if key not in ("all", "by_source")
    )
    rows = [
        [
            trait.replace("_", " "),
            *[number(group.get(trait, 0) / group["all"], ".0%") for group in groups.values()],
        ]
        for trait in traits
    ]
    told = [f"all {name}" if name == base and base != "objects" else name for name in groups]
    return [
        ["trait", *[f"{name} ({groups[key]['all']})" for name, key in zip(told, groups, strict=True)]],
        *rows,
    ]


def mask_table(result: Mapping[str, Any]) -> Table:
    """One row a method."""
    header = [
        "method",
        "IoU person",
        "IoU all",
        "IoU found person",
        "uncovered",
        "area ratio",
        "person uncovered",
        "person area",
    ]
    rows = [header]
    for name, figures in result["methods"].items():
        given, found, person = figures["iou_given_boxes"], figures["iou_found"], figures["person"]
        values = [number(given["person"]), number(given["all"]), number(found["person"])]
        for group in (figures, person):
            values += [number(group["uncovered"], ".2%"), number(group["area_ratio"], ".2f")]
        rows.append([name, *values])
    return rows


INPAINT_COLUMNS = {
    "hole_psnr": ("hole PSNR", ".2f"),
    "hole_l1": ("hole l1 %", ".2f"),
    "hole_l2": ("hole l2 %", ".2f"),
    "hole_ssim": ("hole SSIM", ".3f"),
    "psnr": ("PSNR", ".2f"),
    "ssim": ("SSIM", ".3f"),
    "lpips": ("LPIPS", ".3f"),
    "fid": ("FID", ".1f"),
    "fid_embedded": ("own FID", ".4f"),
}
"""Key, name and form of the columns before the ratios; those without any figure are left out."""


def inpaint_table(result: Mapping[str, Any]) -> Table:
    """One row a model and bucket."""
    groups = [group for groups in result["models"].values() for group in groups.values()]
    shown = {key: INPAINT_COLUMNS[key] for key in INPAINT_COLUMNS if any(key in group for group in groups)}
    names = [name for name, _ in shown.values()]
    rows = [["model", "holes", "fills", *names, "seam", "in range", "sharpness", "in range"]]
    for name, buckets in result["models"].items():
        for bucket, row in buckets.items():
            values = [number(row.get(key), form) for key, (_, form) in shown.items()]
            rows.append([name, bucket, str(row["fills"]), *values, *_ratios(row)])
    rows.append(["true picture", "all", str(result["fills"]), *["-"] * len(shown), *_ratios(result["truth"])])
    return rows


def models_table(result: Mapping[str, Any]) -> Table:
    """What each model is and how long it takes: one row a model."""
    rows = [["model", "parameters", "s a fill (median)", "weights (sha256)"]]
    for name, about in result["about"].items():
        seconds = number(result["models"][name]["all"].get("seconds"), ".2f")
        digest = (about["weights"] or "-")[:12]
        rows.append([name, number(about["parameters"], ",d"), seconds, digest])
    return rows


def _ratios(row: Mapping[str, Any]) -> list[str]:
    within = [number(row.get(f"{key}_within"), ".0%") for key in ("seam", "sharpness")]
    return [number(row.get("seam"), ".2f"), within[0], number(row.get("sharpness"), ".2f"), within[1]]


SHADOW_ROWS = {
    "object pixels outside the first mask, with the stage shadow (without)": "shadow_missed",
    "mask outside the object, of the picture, with it (without)": "shadow_needless",
}

REMOVAL_WAYS = {
    "psnr_object": "pipeline",
    "psnr_untouched": "untouched",
    "psnr_telea_own_mask": "Telea, the pipeline's mask",
    "psnr_ns_own_mask": "Navier-Stokes, the pipeline's mask",
    "psnr_patchmatch_own_mask": "PatchMatch, the pipeline's mask",
    "psnr_deepfillv2_none_own_mask": "DeepFillv2 without detail, the pipeline's mask",
    "psnr_model_true_mask": "the pipeline's model, true mask",
    "psnr_telea_true_mask": "Telea, true mask",
    "psnr_ns_true_mask": "Navier-Stokes, true mask",
    "psnr_patchmatch_true_mask": "PatchMatch, true mask",
    "psnr_deepfillv2_none_true_mask": "DeepFillv2 without detail, true mask",
}


def removal_table(result: Mapping[str, Any]) -> Table:
    """PSNR by way of removing, then the other figures."""
    ways = [
        [name, number(result[key], ".2f") + " dB"] for key, name in REMOVAL_WAYS.items() if result.get(key)
    ]
    outside = [number(result.get(key), ".2f") for key in ("psnr_outside", "psnr_outside_untouched")]
    rows = [
        ["PSNR outside the object (untouched)", f"{outside[0]} ({outside[1]}) dB"],
        ["object pixels outside the mask", number(result.get("mask_missed"), ".1%")],
        ["mask outside the object, of the picture", number(result.get("mask_needless"), ".1%")],
        ["objects left in place", str(result["objects_left"])],
    ]
    for words, key in SHADOW_ROWS.items() if "shadow_missed" in result else ():
        rows.append([words, " ".join(_pair(result[key], result[f"{key}_without"]))])
    rows = rows if ways else []
    found = f"{number(result['found_again'], '.1%')} of {result['removed']} removed"
    rows += [
        ["found again", found],
        ["found again and not put up for review", number(result["found_again_unnoticed"], ".1%")],
        ["put up for review", str(result["review"])],
        ["of these without a result", str(result["unwritten"])],
        ["pictures", str(result["pictures"])],
    ]
    return [["figure", "value"], *[[f"PSNR inside the object: {name}", value] for name, value in ways], *rows]


def _pair(value: float, other: float) -> tuple[str, str]:
    return number(value, ".1%"), f"({number(other, '.1%')})"
