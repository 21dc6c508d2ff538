"""The figures of neighbours.py as tables: each system's own rows, and the published ones beneath them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from autoremove.evaluation.published import MARK, SIZES, judged_table, reports
from autoremove.evaluation.table import Table, markdown, number

FIGURES = {
    "hole_l1": ("hole l1 %", ".2f"),
    "hole_l2": ("hole l2 %", ".2f"),
    "hole_psnr": ("hole PSNR", ".2f"),
    "l1": ("l1 %", ".2f"),
    "l2": ("l2 %", ".2f"),
    "psnr": ("PSNR", ".2f"),
    "ssim": ("SSIM", ".3f"),
    "fid": ("FID", ".2f"),
    "fid_embedded": ("own FID", ".4f"),
}
"""Keys of `evaluate inpaint` in the order of the columns."""

HOLES = {"brush": "free-form holes", "box": "rectangles", "silhouettes": "holes shaped like objects"}

Result = Mapping[str, Any]


def tables(result: Result) -> list[Table]:
    """Of each kind of holes the whole and the rows by share; costs; what people said; what is missing."""
    found: list[Table] = []
    for kind, figures in result["holes"].items():
        found += [overall(result, kind, figures), by_share(result, kind, figures)]
    return [*found, costs(result), judged_table(), left_out(result)]


def section(result: Result) -> str:
    """All tables as markdown."""
    return "\n\n".join(markdown(table) for table in tables(result) if len(table) > 1)


def overall(result: Result, kind: str, figures: Result) -> Table:
    """One row a system over all holes of a kind, then what was published of it."""
    columns = _columns(figures)
    rows = [_head(HOLES.get(kind, kind), columns)]
    return rows + _bucket(result, kind, figures, "all", "")


def by_share(result: Result, kind: str, figures: Result) -> Table:
    """The same for each ten per cent of the picture that the holes cover."""
    columns = _columns(figures)
    rows = [_head(f"{HOLES.get(kind, kind)}, by share of the picture", columns)]
    groups = dict.fromkeys(name for buckets in figures["models"].values() for name in buckets)
    for bucket in [name for name in groups if name != "all"]:
        rows += _bucket(result, kind, figures, bucket, f"{bucket} %: ")
    return rows


def _bucket(result: Result, kind: str, figures: Result, bucket: str, before: str) -> Table:
    """The rows of one bucket; what was published of a model stands once, under the last of its systems."""
    columns, rows = _columns(figures), []
    models = {label: result["systems"][label]["model"] for label in figures["models"]}
    last = {model: label for label, model in models.items()}
    for label, buckets in figures["models"].items():
        if bucket in buckets:
            rows.append(_own(f"{before}{label}", buckets[bucket], columns))
        if last[models[label]] == label:
            rows += _published(f"{before}{models[label]}", models[label], kind, bucket, columns)
    return rows


def _columns(figures: Result) -> dict[str, tuple[str, str]]:
    """Those with any figure."""
    groups = [group for buckets in figures["models"].values() for group in buckets.values()]
    return {key: FIGURES[key] for key in FIGURES if any(group.get(key) is not None for group in groups)}


def _head(first: str, columns: Mapping[str, tuple[str, str]]) -> list[str]:
    return [first, "fills", *(name for name, _ in columns.values())]


def _own(label: str, group: Result, columns: Mapping[str, tuple[str, str]]) -> list[str]:
    values = [number(group.get(key), form) for key, (_, form) in columns.items()]
    return [f"**{label}**", str(group["fills"]), *values]


def _published(
    name: str, model: str, kind: str, bucket: str, columns: Mapping[str, tuple[str, str]]
) -> Table:
    return [
        [
            f"{name}, {MARK}: {report.words}",
            "-",
            *(number(report.figures.get(key), form) for key, (_, form) in columns.items()),
        ]
        for report in reports(model, kind, bucket)
    ]


def costs(result: Result) -> Table:
    """Parameters, arithmetic, seconds and memory: one row a system."""
    sides = [str(side) for side in result["sides"]]
    header = ["system", "trained here", "parameters", *(f"GFLOP at {side}" for side in sides)]
    header += [f"s at {side} (spread)" for side in sides] + [f"CPU s at {side}" for side in sides]
    header += [f"peak MB at {side} (loaded)" for side in sides]
    rows = [[*header, "parameters as published"]]
    wide = {
        f"{model}, full width, random weights": {"model": model, **about}
        for model, about in result.get("full_width", {}).items()
    }
    for label, about in [*result["systems"].items(), *wide.items()]:
        by_side = [about["costs"].get(side, {}) for side in sides]
        rows.append(
            [
                label,
                _training(about),
                number(about["parameters"], ",d"),
                *(number(cost.get("gflop"), ".1f") for cost in by_side),
                *map(_seconds, by_side),
                *(number(cost.get("cpu_seconds")) for cost in by_side),
                *map(_memory, by_side),
                _size(about),
            ]
        )
    return rows


def _training(about: Result) -> str:
    run = about.get("trained")
    return f"{run['steps']:,d} steps, {run['minutes']:.0f} min" if run else "-"


def _seconds(cost: Result) -> str:
    if "median" not in cost:
        return cost.get("left_out", "-")
    return f"{cost['median']:.3f} ({cost['least']:.3f} to {cost['most']:.3f})"


def _memory(cost: Result) -> str:
    return f"{cost['peak_mb']} ({cost['peak_before_mb']})" if "peak_mb" in cost else "-"


def _size(about: Result) -> str:
    """What the paper's widths come to in our code, and what was published."""
    published = SIZES.get(about["model"])
    ours = about.get("parameters_at_full_width")
    built = f"{ours:,d} in our code" if ours is not None else ""
    told = f"{published.parameters:,d} ({MARK}: {published.about})" if published else ""
    return "; ".join(part for part in (told, built) if part) or "-"


def left_out(result: Result) -> Table:
    """Systems that could not be measured, and why."""
    return [["left out", "why"], *([label, why] for label, why in result["left_out"].items())]
