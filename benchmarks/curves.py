"""The learning curve of one or several training runs: what twice, five and ten times as much would give.

Points are held-out figures of run folders (``log.jsonl``). One run gives a point a validation, over the
pictures it had seen by then (step times batch). Several runs of different shares of the data give, with
``--over data``, a point a run: its best figure over the number of pictures it was given. Through the errors
(1 - figure) goes a power law, error = a + b * n ** -c, fitted by least squares on a grid of c, with a and b
at least 0. How sure it is shows in the range of the same answer with each point left out in turn. Within
one run the learning rate falls as well, so its last rise is not the pictures' alone: runs of different
lengths, each to its end, say more.

    python benchmarks/curves.py runs/detector --figure val_ap50 --plot curve.png
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


def points_of(run: Path, figure: str, after: float) -> tuple[Values, Values]:
    """Pictures seen and the held-out figure, by validation, from the share ``after`` of the run on."""
    rows = [json.loads(text) for text in (run / "log.jsonl").read_text().splitlines() if text.strip()]
    known = [row for row in rows if figure in row]
    if not known:
        names = sorted({name for row in rows for name in row if name.startswith("val_")})
        sys.exit(f"{run}/log.jsonl has no {figure}; there are {', '.join(names) or 'no validations'}.")
    batch = _setting(run, "batch", 1)
    seen = np.array([row["step"] * batch for row in known], np.float64)
    values = np.array([row[figure] for row in known], np.float64)
    late = seen >= after * seen.max()
    return seen[late], values[late]


def given_to(run: Path) -> float:
    """How many pictures the run was given, as its record says."""
    pictures = _setting(run, "pictures", None)
    if pictures is None:
        sys.exit(f"{run}/run.json does not say how many pictures there were.")
    return float(pictures)


def _setting(run: Path, name: str, default: Any) -> Any:
    """A setting of the last start of a run."""
    path = run / "run.json"
    settings: dict[str, Any] = json.loads(path.read_text())[-1]["settings"] if path.is_file() else {}
    return {**settings, **settings.get("config", {})}.get(name, default)


def gathered(runs: Sequence[Path], figure: str, over: str, after: float) -> tuple[Values, Values]:
    """All points, by what the curve goes over: ``seen`` or ``data``; sorted."""
    if over == "data":
        pairs = [(given_to(run), float(points_of(run, figure, 0.0)[1].max())) for run in runs]
    else:
        parts = [points_of(run, figure, after) for run in runs]
        pairs = [pair for n, values in parts for pair in zip(n.tolist(), values.tolist(), strict=True)]
    rows = np.array(sorted(pairs), np.float64)
    return rows[:, 0], rows[:, 1]


def forecast(n: Values, values: Values) -> dict[str, Any]:
    """The law, and what it says of 1, 2, 5 and 10 times the most there was, with the range of its doubt."""
    law, most = fitted(n, 1 - values), float(n.max())
    others = (
        [fitted(np.delete(n, i), 1 - np.delete(values, i)) for i in range(len(n))] if len(n) > 3 else [law]
    )
    rows = {}
    for times in (1, *TIMES):
        answers = [1 - float(one.at(most * times)) for one in (law, *others)]
        rows[str(times)] = {"figure": answers[0], "least": min(answers), "most": max(answers)}
    ends = [1 - one.floor for one in (law, *others)]
    return {
        "points": [{"n": a, "figure": b} for a, b in zip(n.tolist(), values.tolist(), strict=True)],
        "law": law._asdict(),
        "limit": {"figure": ends[0], "least": min(ends), "most": max(ends)},
        "times": rows,
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
    axes.plot(line, 1 - law.at(line), label=f"1 - ({law.floor:.2f} + {law.scale:.3g} n^-{law.exponent:.2f})")
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
    what = "training pictures seen" if over == "seen" else "pictures in the data"
    most = max(point["n"] for point in result["points"])
    lines = [f"{figure} over {what}: {len(result['points'])} points up to {most:,.0f}."]
    for times, row in result["times"].items():
        name = "there is" if times == "1" else f"{times} times more"
        lines.append(f"  {name:14} {row['figure']:.3f}  ({row['least']:.3f} to {row['most']:.3f})")
    end = result["limit"]
    lines.append(f"  {'without end':14} {end['figure']:.3f}  ({end['least']:.3f} to {end['most']:.3f})")
    lines.append(f"  The law misses the points by {result['law']['miss']:.3f} on average.")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="What more data or more training would give.")
    parser.add_argument("runs", type=Path, nargs="+", help="Run folders with log.jsonl and run.json.")
    parser.add_argument("--figure", default="val_score", help="Held-out figure, 0..1, higher is better.")
    parser.add_argument("--over", choices=("seen", "data"), default="seen")
    parser.add_argument("--after", type=float, default=0.1, help="Leave out the first share of each run.")
    parser.add_argument("--plot", type=Path, help="PNG file.")
    parser.add_argument("--json", type=Path, help="File for points, law and forecast.")
    options = parser.parse_args(arguments)
    n, values = gathered(options.runs, options.figure, options.over, options.after)
    if len(n) < 3:
        sys.exit(f"{len(n)} points: a curve needs at least three.")
    words = shlex.join(str(run) for run in options.runs)
    command = f"python benchmarks/curves.py {words} --figure {options.figure} --over {options.over}"
    result = {**forecast(n, values), "figure": options.figure, "over": options.over, "command": command}
    print(said(result))
    if options.plot:
        draw(result, options.plot, (f"pictures ({options.over})", options.figure))
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
