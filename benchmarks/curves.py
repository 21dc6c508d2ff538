"""The learning curve of one or several training runs: what twice, five and ten times as much would give.

Points are held-out figures of run folders (``log.jsonl``). One run gives a point a validation, over the
pictures it had seen by then (step times batch) or, with ``--over time``, over the hours it had computed.
Several runs of different shares of the data give, with ``--over data``, a point a run: its best figure over
the number of pictures it was given. Through the errors (1 - figure; of a PSNR in dB the root mean square
error, as a share of the range) goes a power law, error = a + b * n ** -c, fitted by least squares on a grid
of c, with a and b at least 0. How sure it is shows in the range of the same answer with each point left out
in turn. Within one run the learning rate falls as well, so its last rise is not the pictures' alone: runs of
different lengths, each to its end, say more.

    python benchmarks/curves.py runs/detector --figure val_ap50 --plot curve.png
    python benchmarks/curves.py runs/inpainter --figure val_psnr --over time --plot curve.png
    python benchmarks/curves.py runs/eighth runs/quarter runs/half runs/all --over data
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

TIMES = (2, 5, 10)

EXPONENTS = np.round(np.arange(0.02, 2.001, 0.02), 2)

Values = NDArray[np.float64]


class Law(NamedTuple):
    """error = floor + scale * n ** -exponent; ``miss``: root mean square of what it misses the points by."""

    floor: float
    scale: float
    exponent: float
    miss: float

    def at(self, n: Values | float) -> Any:
        """The error after n."""
        return self.floor + self.scale * np.asarray(n, np.float64) ** -self.exponent


def fitted(n: Values, error: Values) -> Law:
    """The law with the least squared miss; its floor is at least 0, and its scale too."""
    best: Law | None = None
    for exponent in EXPONENTS:
        falling = n**-exponent
        columns = np.stack([np.ones_like(n), falling], 1)
        (floor, scale), *_ = np.linalg.lstsq(columns, error, rcond=None)
        if floor < 0:
            floor, scale = 0.0, float((falling * error).sum() / (falling**2).sum())
        if scale < 0:
            floor, scale = float(error.mean()), 0.0
        miss = float(np.sqrt(np.mean((floor + scale * falling - error) ** 2)))
        if best is None or miss < best.miss:
            best = Law(float(floor), float(scale), float(exponent), miss)
    assert best is not None
    return best


OVER = {"seen": "training pictures seen", "time": "hours of training", "data": "pictures in the data"}
"""What a curve may go over, in words."""


def error_of(figure: str, values: Values) -> Values:
    """How far figures are from perfect, 0..1: of a PSNR in dB the root mean square error, else 1 - figure."""
    return np.asarray(10 ** (-values / 20) if figure.endswith("psnr") else 1 - values, np.float64)


def figure_of(figure: str, error: float) -> float | None:
    """The figure at an error; None for the PSNR of no error at all, which has no end."""
    if not figure.endswith("psnr"):
        return 1 - error
    return -20 * float(np.log10(error)) if error > 0 else None


def points_of(run: Path, figure: str, after: float, over: str = "seen") -> tuple[Values, Values]:
    """Pictures seen (or hours) and the held-out figure of each validation after the share ``after``."""
    rows = [json.loads(text) for text in (run / "log.jsonl").read_text().splitlines() if text.strip()]
    known = [row for row in rows if figure in row]
    if not known:
        names = sorted({name for row in rows for name in row if name.startswith("val_")})
        sys.exit(f"{run}/log.jsonl has no {figure}; there are {', '.join(names) or 'no validations'}.")
    batch = _setting(run, "batch", 1)
    ways = [row["seconds"] / 3600 if over == "time" else row["step"] * batch for row in known]
    seen = np.array(ways, np.float64)
    values = np.array([row[figure] for row in known], np.float64)
    late = seen >= after * seen.max()
    return seen[late], values[late]


def given_to(run: Path) -> float:
    """How many pictures the run was given, as its record says."""
    pictures = _setting(run, "pictures", _setting(run, "objects", None))
    if pictures is None:
        sys.exit(f"{run}/run.json does not say how many pictures there were.")
    return float(pictures)


def _setting(run: Path, name: str, default: Any) -> Any:
    """A setting of the last start of a run."""
    path = run / "run.json"
    settings: dict[str, Any] = json.loads(path.read_text())[-1]["settings"] if path.is_file() else {}
    return {**settings, **settings.get("config", {})}.get(name, default)


def gathered(runs: Sequence[Path], figure: str, over: str, after: float) -> tuple[Values, Values]:
    """All points, by what the curve goes over: ``seen``, ``time`` or ``data``; sorted."""
    if over == "data":
        pairs = [(given_to(run), float(points_of(run, figure, 0.0)[1].max())) for run in runs]
    else:
        parts = [points_of(run, figure, after, over) for run in runs]
        pairs = [pair for n, values in parts for pair in zip(n.tolist(), values.tolist(), strict=True)]
    rows = np.array(sorted(pairs), np.float64)
    return rows[:, 0], rows[:, 1]


def forecast(n: Values, values: Values, figure: str = "") -> dict[str, Any]:
    """The law, and what it says of 1, 2, 5 and 10 times the most there was, with the range of its doubt."""
    errors = error_of(figure, values)
    law, most = fitted(n, errors), float(n.max())
    left_out = [fitted(np.delete(n, i), np.delete(errors, i)) for i in range(len(n))] if len(n) > 3 else []
    laws = [law, *left_out]
    times = {str(k): _range(figure, [float(one.at(most * k)) for one in laws]) for k in (1, *TIMES)}
    return {
        "points": [{"n": a, "figure": b} for a, b in zip(n.tolist(), values.tolist(), strict=True)],
        "law": law._asdict(),
        "limit": _range(figure, [one.floor for one in laws]),
        "times": times,
    }


def _range(figure: str, errors: list[float]) -> dict[str, float | None]:
    """What the first law says, and the least and the most that any of them says."""
    worst, best = max(errors), min(errors)
    return {
        "figure": figure_of(figure, errors[0]),
        "least": figure_of(figure, worst),
        "most": figure_of(figure, best),
    }


def draw(result: dict[str, Any], path: Path, words: tuple[str, str]) -> None:
    """The points, the law through them and as far as it is asked; ``words``: names of the two axes."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    law = Law(**result["law"])
    n = np.array([point["n"] for point in result["points"]])
    canvas = Figure(figsize=(7, 4.5), layout="constrained")
    FigureCanvasAgg(canvas)
    axes = canvas.add_subplot()
    line = np.geomspace(n.min(), n.max() * TIMES[-1], 200)
    heights = np.array([figure_of(result["figure"], float(law.at(x))) for x in line], np.float64)
    axes.plot(line, heights, label=f"error = {law.floor:.2f} + {law.scale:.3g} n^-{law.exponent:.2f}")
    axes.scatter(n, [point["figure"] for point in result["points"]], s=18, color="black", label="measured")
    for times in TIMES:
        row, x = result["times"][str(times)], n.max() * times
        axes.plot([x, x], [row["least"], row["most"]], color="grey", linewidth=3, alpha=0.6)
    axes.set_xscale("log")
    axes.set_xlabel(words[0])
    axes.set_ylabel(words[1])
    axes.grid(alpha=0.3)
    axes.legend()
    canvas.savefig(path, dpi=110)


def said(result: dict[str, Any]) -> str:
    """What the curve says, in words."""
    figure, over = result["figure"], result["over"]
    most = max(point["n"] for point in result["points"])
    lines = [f"{figure} over {OVER[over]}: {len(result['points'])} points up to {most:,.4g}."]
    names = {"1": "there is", **{times: f"{times} times more" for times in result["times"] if times != "1"}}
    for times, row in (*result["times"].items(), ("", result["limit"])):
        told = ["no end" if row[key] is None else f"{row[key]:.3f}" for key in ("figure", "least", "most")]
        lines.append(f"  {names.get(times, 'without end'):14} {told[0]}  ({told[1]} to {told[2]})")
    lines.append(f"  The law misses the points by {result['law']['miss']:.3f} on average.")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="What more data or more training would give.")
    parser.add_argument("runs", type=Path, nargs="+", help="Run folders with log.jsonl and run.json.")
    parser.add_argument("--figure", default="val_score", help="Held-out figure, 0..1 or a PSNR in dB.")
    parser.add_argument("--over", choices=tuple(OVER), default="seen")
    parser.add_argument("--after", type=float, default=0.1, help="Leave out the first share of each run.")
    parser.add_argument("--plot", type=Path, help="PNG file.")
    parser.add_argument("--json", type=Path, help="File for points, law and forecast.")
    options = parser.parse_args(arguments)
    n, values = gathered(options.runs, options.figure, options.over, options.after)
    if len(n) < 3:
        sys.exit(f"{len(n)} points: a curve needs at least three.")
    words = shlex.join(str(run) for run in options.runs)
    command = f"python benchmarks/curves.py {words} --figure {options.figure} --over {options.over}"
    result = forecast(n, values, options.figure)
    result |= {"figure": options.figure, "over": options.over, "command": command}
    print(said(result))
    if options.plot:
        draw(result, options.plot, (OVER[options.over], options.figure))
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
