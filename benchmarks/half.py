"""What half precision loses: each network's held-out figure in full precision, as shipped, and in bfloat16.

A finished run keeps its averaged weights in float32 in its checkpoint and exports them in half precision.
Both are measured on the run's own held-out pictures, and the exported ones once more with the arithmetic of
`precision: fast`, bfloat16:

    python benchmarks/half.py RUN... --json OUT/half.json

Runs whose folder is gone are left out, unless all are.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from autoremove.evaluation.table import Table, markdown, number

Figures = dict[str, Any]


def detector(settings: Figures, _: Path) -> tuple[Any, str]:
    """The training task of a detector's run, and its figure."""
    from autoremove.training.detector import DetectorConfig, DetectorTask

    return DetectorTask(DetectorConfig(**_tuples(settings["config"]))), "ap50"


def rescorer(settings: Figures, run: Path) -> tuple[Any, str]:
    """The training task of a rescorer's run, with the finds that lie in its folder, and its figure."""
    from autoremove.training.rescorer import RescorerConfig, RescorerTask, finds_at

    finds = finds_at(run, settings["finder"], settings["data_digest"])
    return RescorerTask(RescorerConfig(**_tuples(settings["config"])), finds), "ap50"


def masknet(settings: Figures, _: Path) -> tuple[Any, str]:
    """The training task of a mask network's run, and its figure."""
    from autoremove.training.boxmask import BoxMaskConfig, BoxMaskTask

    return BoxMaskTask(BoxMaskConfig(**_tuples(settings["config"]))), "iou_person"


def generator(settings: Figures, _: Path) -> tuple[Any, str]:
    """The training task of an inpainter's run, and its figure."""
    import torch

    from autoremove.training import inpainter
    from autoremove.training.inpainter_config import InpainterConfig
    from autoremove.training.inpainter_data import Pictures, held_out, hole_mixes, training_batches

    names = {name for name in InpainterConfig.__dataclass_fields__ if name != "network"}
    config = InpainterConfig.of({key: value for key, value in settings.items() if key in names})
    pictures = Pictures.of(config)
    learnt, fixed = hole_mixes(config)
    batches = training_batches(pictures, config, learnt, Path("runs") / "cache")
    held = held_out(pictures, config, fixed)
    return inpainter.InpainterTask(config, batches, held, torch.device("cpu")), "psnr"


KINDS: dict[str, Callable[[Figures, Path], tuple[Any, str]]] = {
    "finder": rescorer,
    "labels": detector,
    "eyes_rate": masknet,
    "hole_weight": generator,
}
"""A setting that only one kind of run has (of those that are left), and what rebuilds that kind."""


def _tuples(values: Figures) -> Figures:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}


def of_run(run: Path) -> Figures:
    """The figure of a run in the three precisions. Raises SystemExit for a folder that is no run."""
    import torch

    from autoremove.models.checkpoints import load_state

    record = run / "run.json"
    if not record.is_file():
        sys.exit(f"{run} is no run: it has no run.json. Name the output folder of a training.")
    settings = json.loads(record.read_text())[-1]["settings"]
    known = {**settings, **settings.get("config", {})}
    build = next(build for setting, build in KINDS.items() if setting in known)
    task, figure = build(settings, run)
    checkpoint = torch.load(run / "checkpoint.pt", map_location="cpu", weights_only=False)
    task.load_state_dict(checkpoint["task"])
    full = task.validate()[figure]
    shipped = load_state(run / "last.safetensors")
    own = task.average.state_dict()
    if not shipped.keys() <= own.keys():
        sys.exit(f"{run}: last.safetensors is of another network than checkpoint.pt.")
    task.average.load_state_dict({**own, **{name: value.float() for name, value in shipped.items()}})
    half = task.validate()[figure]
    with torch.autocast("cpu", torch.bfloat16):
        fast = task.validate()[figure]
    told = {"figure": figure, "float32": full, "half": half, "bfloat16": fast}
    return {
        **told,
        "network": build.__name__,
        "pictures": len(getattr(task.held_out, "pictures", task.held_out)),
    }


def tables(result: Figures) -> list[Table]:
    """One row a network."""
    rows: Table = [
        ["network", "held-out figure", "of", "float32", "half, as shipped", "half, computed in bfloat16"]
    ]
    for row in result["networks"]:
        values = [number(row[key], ".4f") for key in ("float32", "half", "bfloat16")]
        rows.append([row["network"], row["figure"], str(row["pictures"]), *values])
    return [rows]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description="What half precision loses.")
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="Output folder of a training.")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(arguments)
    there = [run for run in options.runs if run.is_dir()] or options.runs
    result = {"networks": [of_run(run) for run in there]}
    for table in tables(result):
        print(markdown(table))
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
