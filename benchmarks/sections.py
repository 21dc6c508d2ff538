"""The parts of RESULTS.md: the command that makes each one's figures, and the tables it shows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from autoremove.evaluation.table import (
    Table,
    calibration_table,
    causes_table,
    detect_table,
    inpaint_table,
    mask_table,
    models_table,
    number,
    removal_table,
)
from autoremove.evaluation.upscaling import upscale_table

ROOT = Path(__file__).resolve().parent.parent

MODELS = "deepfillv2,deepfillv2+none,deepfillv2+residuals,patchmatch,telea,ns"

ONE_PASS = "one pass at 640"
"""What benchmarks/small_people.py calls the way of looking that the others are compared with."""

Figures = dict[str, Any]


@dataclass(frozen=True)
class Section:
    """One part of the page.

    ``words``: arguments of `autoremove`, or of python where the first ends in .py; DATA in them stands for
    the data folder. ``tables``: what its figures look like. ``sheet``: the option that draws a picture.
    ``limit``: how many pictures are enough, None = all. ``device``: whether it can be told where to compute.
    ``needs``: a file without which there is nothing to measure. ``ranked``: whether it can draw the best, the
    median and the worst fills too.
    """

    words: tuple[str, ...]
    tables: Callable[[Figures], list[Table]]
    sheet: str = ""
    limit: int | None = None
    device: bool = True
    needs: str = ""
    ranked: bool = False

    @property
    def script(self) -> bool:
        """Whether it is a script of its own."""
        return self.words[0].endswith(".py")

    def exists(self) -> bool:
        """Whether there is anything to run."""
        needed = [self.needs, self.words[0] if self.script else ""]
        return all((ROOT / path).is_file() for path in needed if path)

    def command(self, data: str, out: str, limit: int | None, device: str) -> list[str]:
        """The whole command; ``out``: path of the figures without its ending."""
        command = [word.replace("DATA", data) for word in self.words]
        command += ["--json", f"{out}.json"]
        command += [self.sheet, f"{out}.png"] if self.sheet else []
        command += ["--sheet-ranked", f"{out}-ranked.png"] if self.ranked else []
        least = min((count for count in (limit, self.limit) if count), default=None)
        command += ["--limit", str(least)] if least and not self.script else []
        return [*command, *(["--device", device] if device != "auto" and self.device else [])]


def _detect(result: Figures) -> list[Table]:
    return [detect_table(result), causes_table(result["causes"], "objects"), calibration_table(result)]


def _mask(result: Figures) -> list[Table]:
    keys = {"iou": ".3f", "uncovered": ".2%", "area_ratio": ".2f", "objects": "d"}

    def table(what: str, groups: Figures, least: int) -> Table:
        rows = [
            [name, *[number(figures[key], form) for key, form in keys.items()]]
            for name, figures in groups.items()
            if figures["objects"] >= least or name.startswith("all-")
        ]
        return [[what, "IoU", "uncovered", "area ratio", "objects"], *rows]

    # Figures of former versions tell no sizes.
    sizes = [table("longer side", result["sizes"], 1)] if "sizes" in result else []
    classes = table("class (5 objects and more)", result["classes"], 5)
    return [mask_table(result), classes, *sizes, causes_table(result["causes"], "objects")]


def _inpaint(result: Figures) -> list[Table]:
    return [inpaint_table(result), models_table(result), causes_table(result["causes"], "fills")]


def _removal(result: Figures) -> list[Table]:
    return [removal_table(result), causes_table(result["causes"], "removed")]


def _upscale(result: Figures) -> list[Table]:
    return [upscale_table(result)]


def _small(result: Figures) -> list[Table]:
    """One row a way of looking: recall by height, false finds, seconds."""
    ways = result["ways"]
    recalls = [key for key in next(iter(ways.values())) if key.startswith("recall_")]
    heights = [f"{key.removeprefix('recall_').replace('_', '-')} px" for key in recalls]
    rows = [
        [
            name,
            *[number(row[key]) for key in ("recall", *recalls)],
            number(row["false_per_photo"], ".2f"),
            number(row["seconds"], ".2f"),
        ]
        for name, row in ways.items()
    ]
    return [[["way of looking", "recall", *heights, "false/photo", "s a photo"], *rows]]


def _shadows(result: Figures) -> list[Table]:
    """As the script itself tells them."""
    from shadows import table

    return [table(result["shadows"])]


def _told_by(script: str) -> Callable[[Figures], list[Table]]:
    """The tables that a script of ours makes of its own figures."""

    def tables(result: Figures) -> list[Table]:
        found: list[Table] = import_module(script).tables(result)
        return found

    return tables


def _curve(result: Figures) -> list[Table]:
    """What more would give, and where the curve ends."""
    names = {"1": "as trained", **{times: f"{times} times more" for times in result["times"] if times != "1"}}
    rows = [
        [names[times], number(row["figure"]), f"{number(row['least'])} to {number(row['most'])}"]
        for times, row in result["times"].items()
    ]
    end = result["limit"]
    rows.append(["without end", number(end["figure"]), f"{number(end['least'])} to {number(end['most'])}"])
    over = {"seen": "pictures seen", "time": "hours of training", "data": "pictures in the data"}
    return [[[over[result["over"]], result["figure"], "a point left out"], *rows]]


def _training(result: Figures) -> list[Table]:
    """The held-out figure over the hours of training, at most twelve points, and what more would give."""
    points = result["points"]
    shown = [points[round(i * (len(points) - 1) / 11)] for i in range(12)] if len(points) > 12 else points
    rows = [[number(point["n"], ".2f"), number(point["figure"], ".2f")] for point in shown]
    return [[["hours of training", result["figure"]], *rows], *_curve(result)]


def _time(result: Figures) -> list[Table]:
    """One row a speed setting: median, spread, and where the time goes."""
    rows: Table = [["speed setting", "median s", "least to most", "runs", "CPU s", "objects", "of which"]]
    for name, row in result["speeds"].items():
        parts = ", ".join(f"{stage} {number(seconds, '.2f')}" for stage, seconds in row["stages"].items())
        rows.append([name, *median(row), number(row["cpu_seconds"], ".2f"), str(row["objects"]), parts])
    return [rows]


def _speed(result: Figures) -> list[Table]:
    """One row a scenario: median and spread."""
    rows: Table = [["run", "median s", "least to most", "runs", "peak memory"]]
    words = {
        "cold": "a photo, cold",
        "changed_growth": "a photo, growth changed",
        "cached": "a photo, all cached",
    }
    for key, figures in result["seconds_per_photo"].items():
        rows.append([words[key], *median(figures), f"{result['peak_memory_mb'][key]} MB"])
    return [[*rows, ["`autoremove --help`", *median(result["help_seconds"]), "-"]]]


def median(figures: Figures) -> list[str]:
    """Median, spread, and how many runs."""
    between = f"{number(figures['least'], '.2f')} to {number(figures['most'], '.2f')}"
    return [number(figures["median"], ".2f"), between, str(len(figures["runs"]))]


def _evaluate(kind: str, data: str, *more: str) -> tuple[str, ...]:
    return ("evaluate", kind, "--data", f"DATA/{data}", *more)


FILLS = ("--models", MODELS, "--fid-features", "embedded")

SECTIONS = {
    "detect": Section(_evaluate("detect", "instances/test"), _detect, "--sheet"),
    "street": Section(_evaluate("detect", "instances/test", "--recipe", "street"), _detect, "--sheet"),
    "small": Section(("benchmarks/small_people.py", "--data", "DATA"), _small, device=False),
    "curve": Section(
        ("benchmarks/curves.py", "runs/detector"),
        _curve,
        "--plot",
        device=False,
        needs="runs/detector/log.jsonl",
    ),
    "limits": Section(("benchmarks/limits.py", "--data", "DATA"), _told_by("limits"), device=False),
    "looks": Section(
        (
            "benchmarks/looks.py",
            "--data",
            "runs/held-out/data-person_boxes",
            "--data",
            "runs/held-out/instances-train",
        ),
        _told_by("looks"),
        device=False,
        needs="runs/held-out/instances-train/instances.jsonl",
    ),
    "trials": Section(
        ("benchmarks/trials.py", "--data", "DATA", "--minutes", "6"),
        _told_by("trials"),
        "--plot",
        device=False,
        needs="runs/trials/detector/all-pictures/done",  # it takes an hour and a half
    ),
    "half": Section(
        ("benchmarks/half.py", "runs/detector", "runs/rescorer", "runs/masknet", "runs/inpainter"),
        _told_by("half"),
        device=False,
        needs="runs/detector/checkpoint.pt",
    ),
    "mask": Section(_evaluate("mask", "instances/test"), _mask, "--sheet"),
    "shadows": Section(("benchmarks/shadows.py", "--data", "DATA/pairs"), _shadows, device=False),
    "removal": Section(_evaluate("removal", "pairs"), _removal, "--sheet"),
    "found-again": Section(_evaluate("removal", "instances/test"), _removal, "--sheet", limit=60),
    "time": Section(("benchmarks/large_photo.py",), _time, device=False),
    "inpaint": Section(
        _evaluate("inpaint", "scenes/test", *FILLS, "--shares", "10-30"), _inpaint, "--sheet", ranked=True
    ),
    "brush": Section(
        _evaluate("inpaint", "scenes/test", *FILLS, "--holes", "brush"), _inpaint, "--sheet", ranked=True
    ),
    "neighbours": Section(
        (
            "benchmarks/neighbours.py",
            "--data",
            "DATA/scenes/test",
            "--trained",
            "runs/neighbours",
            "--fid-features",
            "embedded",
            "--models",
            "deepfillv2",
            "partialconv",
            "deepfillv1",
            "glcic",
            "edgeconnect",
            "gain",
            "telea",
            "ns",
            "--limit",
            "20",
        ),
        _told_by("neighbours_tables"),
        "--sheet",
        device=False,
    ),
    "upscale": Section(_evaluate("upscale", "scenes/test"), _upscale, "--sheet"),
    "training": Section(
        (
            "benchmarks/curves.py",
            "runs/inpainter",
            "--figure",
            "val_psnr_full",
            "--over",
            "time",
            "--after",
            "0",
        ),
        _training,
        "--plot",
        device=False,
        needs="runs/inpainter/log.jsonl",
    ),
    "generator": Section(("benchmarks/generator.py",), _told_by("generator_tables"), device=False),
    "fast": Section(("benchmarks/fast.py", "--data", "DATA/instances/test"), _told_by("fast")),
    "fill-large": Section(("benchmarks/fill_large.py",), _told_by("fill_large"), device=False),
    "speed": Section(("benchmarks/speed.py",), _speed),
}
"""Named as the markers in RESULTS.md."""
