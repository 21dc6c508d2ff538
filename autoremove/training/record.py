"""What a run leaves behind for people: its record, its curve and its sample sheets."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from autoremove.types import Image

T = TypeVar("T")


def write_run_record(run_dir: Path, settings: dict[str, Any]) -> None:
    """run.json: settings, command, commit and versions; one entry per start, so resumes are seen."""
    import torch

    path = run_dir / "run.json"
    starts = json.loads(path.read_text()) if path.exists() else []
    starts.append(
        {
            "started": time.strftime("%Y-%m-%dT%H:%M:%S"),
            "command": " ".join(["autoremove", *sys.argv[1:]]),
            "commit": _commit(),
            "torch": torch.__version__,
            "settings": settings,
        }
    )
    path.write_text(json.dumps(starts, indent=1, default=str))


def _commit() -> str | None:
    """The commit of the code, or None outside a checkout."""
    here = Path(__file__).parent
    try:
        done = subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"], cwd=here, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


def some_of(rows: Sequence[T], share: float) -> list[T]:
    """That share (0..1) of the rows, evenly spread, at least one: for curves over the number of pictures."""
    count = max(1, round(share * len(rows))) if rows else 0
    return [rows[int(number)] for number in np.linspace(0, len(rows) - 1, count).round()]


def data_digest(paths: Sequence[Path]) -> str:
    """sha256 over names and sizes: tells whether two runs saw the same files, wherever they lay."""
    digest = hashlib.sha256()
    for line in sorted(f"{path.name}:{path.stat().st_size}\n" for path in paths):
        digest.update(line.encode())
    return digest.hexdigest()[:16]


def write_grid(path: Path, grid: Image) -> None:
    """Write a sample sheet as PNG."""
    from PIL import Image as PillowImage

    path.parent.mkdir(parents=True, exist_ok=True)
    PillowImage.fromarray(grid).save(path)


def tile(rows: Sequence[Sequence[Image]], gap: int = 4) -> Image:
    """Lay equally large pictures out in rows on white."""
    height, width = rows[0][0].shape[:2]
    columns = max(len(row) for row in rows)
    sheet = np.full((len(rows) * (height + gap) + gap, columns * (width + gap) + gap, 3), 255, np.uint8)
    for r, row in enumerate(rows):
        for c, cell in enumerate(row):
            y, x = gap + r * (height + gap), gap + c * (width + gap)
            sheet[y : y + height, x : x + width] = cell
    return sheet


def draw_curve(log: Path, target: Path) -> None:
    """Plot every logged figure against the step: losses above, validation below."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = [json.loads(line) for line in log.read_text().splitlines()]
    names = [name for row in rows for name in row if name not in ("step", "seconds")]
    ordered = sorted(dict.fromkeys(names), key=lambda name: (name.startswith("val_"), name))
    figure = Figure(figsize=(10, 2.2 * max(1, (len(ordered) + 1) // 2)), layout="constrained")
    FigureCanvasAgg(figure)
    for position, name in enumerate(ordered):
        axes = figure.add_subplot((len(ordered) + 1) // 2, 2, position + 1)
        points = [(row["step"], row[name]) for row in rows if name in row]
        axes.plot(*zip(*points, strict=True), marker="." if len(points) < 40 else None, linewidth=1)
        axes.set_title(name, fontsize=9)
        axes.grid(alpha=0.3)
    figure.savefig(target, dpi=80)
