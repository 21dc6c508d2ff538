"""What limits each network: short trainings from nothing that differ in one thing from the first of them.

A quarter, a half and all of the pictures, a wider generator, smaller crops for MaskNet. All of a network get
the same minutes of computing on one thread, the same seed and the same held-out pictures, so what differs in
the end is what that thing is worth within that time:

    python benchmarks/trials.py --data DATA -o runs/trials --minutes 6 --plot trials.png

A trial that was stopped goes on with the same command, and a finished one is not done again. They are short:
where a quarter of the pictures does as well as all, it is time that is wanting, and not pictures. What more
pictures would bring to a training of full length tells the gap between pictures that were learnt from and
others (benchmarks/limits.py).
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from autoremove.evaluation.table import Table, markdown, number

Figures = dict[str, Any]

BASE = "all pictures"
"""The trial that the others of its network differ from in one thing."""

SHARES = {"a quarter": ("share=0.25",), "a half": ("share=0.5",)}

TRIALS: dict[str, dict[str, tuple[str, ...]]] = {
    "detector": {BASE: (), **SHARES},
    "masknet": {BASE: (), **SHARES, "smaller: 96 pixels": ("side=96",)},
    "inpainter": {
        BASE: (),
        **SHARES,
        "wider: 32 channels": ("cnum=32",),
    },
}
"""By network: what a trial is called, and what is set in it beside COMMON."""

COMMON: dict[str, tuple[str, ...]] = {
    "detector": ("labels=[person]", "sizes=[160]", "validation_size=256", "batch=16"),
    "masknet": (),
    "inpainter": ("stages=[{until: 1, size: 64, batch: 12}]", "gan_from=1.0"),
}

FIGURES = {"detector": "val_ap50", "masknet": "val_iou_all", "inpainter": "val_psnr"}

LENGTH = {"detector": 1.0, "masknet": 1.0, "inpainter": 2 / 3}
"""Of the minutes that are told: the generator's steps are short ones."""

LOOKS = 6
"""How often a trial is measured."""


class Where(NamedTuple):
    """The data folder, the folder of the trials, the weights of the detector on which MaskNet stands."""

    data: Path
    output: Path
    minutes: float
    eyes: Path

    def run(self, network: str, name: str) -> Path:
        """The folder of one trial."""
        return self.output / network / "-".join("".join(c if c.isalnum() else " " for c in name).split())


def train(network: str, settings: Sequence[str], output: Path, where: Where) -> None:
    """One trial, or the rest of it."""
    minutes = where.minutes * LENGTH[network]
    every = minutes / LOOKS
    if network == "inpainter":
        from autoremove.training import inpainter
        from autoremove.training.inpainter_config import InpainterConfig
        from autoremove.training.settings import read_values

        values = read_values(network, None, settings) | {"validate_minutes": every}
        config = InpainterConfig.of({**values, "data": (str(where.data / "scenes" / "train"),)})
        inpainter.run(config, output, resume=True, device="cpu", time_budget=minutes, cpu_time=True)
        return
    from autoremove.training import boxmask, detector
    from autoremove.training.boxmask import BoxMaskConfig
    from autoremove.training.detector import DetectorConfig
    from autoremove.training.loop import LoopConfig
    from autoremove.training.settings import read_config

    loop = LoopConfig(time_budget_minutes=minutes, validate_minutes=every, cpu_time=True)
    masks = str(where.data / "instances" / "train")
    if network == "masknet":
        settings = (*settings, f"eyes={where.eyes}", f"data=[{masks}]")
        boxmask.run(read_config(BoxMaskConfig, network, None, settings), output, resume=True, loop=loop)
    else:
        settings = (*settings, f"data=[{where.data / 'person_boxes'}, {masks}]")
        detector.run(read_config(DetectorConfig, network, None, settings), output, resume=True, loop=loop)


def told(run: Path, figure: str) -> Figures:
    """What the log and the record of a trial say: steps, pictures, and its figure over minutes."""
    rows = [json.loads(text) for text in (run / "log.jsonl").read_text().splitlines()]
    known = [row for row in rows if figure in row]
    settings = json.loads((run / "run.json").read_text())[-1]["settings"]
    curve = [[round(row["seconds"] / 60, 6), row[figure]] for row in known]
    pictures = settings.get("pictures", settings.get("objects"))
    return {"steps": known[-1]["step"], "pictures": pictures, "curve": curve, "last": known[-1][figure]}


def measured(where: Where, networks: Sequence[str]) -> Figures:
    """Train what is not trained yet; the figures of all."""
    found: Figures = {}
    for network in networks:
        found[network] = {"figure": FIGURES[network], "trials": {}}
        for name, settings in TRIALS[network].items():
            run = where.run(network, name)
            if not (run / "done").exists():
                print(f"{network}, {name}", flush=True)
                train(network, (*COMMON[network], *settings), run, where)
                if told(run, FIGURES[network])["curve"][-1][0] < 0.99 * where.minutes * LENGTH[network]:
                    sys.exit(f"{run} was stopped; the same command goes on with it.")
                (run / "done").touch()
            found[network]["trials"][name] = told(run, FIGURES[network])
    return found


def tables(result: Figures) -> list[Table]:
    """A table a network, a row a trial: its figure half-way and at the end, and what it differs by."""
    found: list[Table] = []
    for network, own in result["networks"].items():
        form = ".2f" if own["figure"].endswith("psnr") else ".3f"
        rows: Table = [[network, "pictures", "steps", "minutes", "half-way", own["figure"], "over the first"]]
        base = own["trials"][BASE]["last"]
        for name, trial in own["trials"].items():
            minutes = trial["curve"][-1][0]
            middle = next(value for at, value in trial["curve"] if at >= minutes / 2)
            shown = [number(value, form) for value in (middle, trial["last"])]
            over = "-" if name == BASE else number(trial["last"] - base, f"+{form}")
            counts = [str(trial["pictures"]), str(trial["steps"]), f"{minutes:.1f}"]
            rows.append([name, *counts, *shown, over])
        found.append(rows)
    return found


def draw(result: Figures, path: Path) -> None:
    """The held-out figure of every trial over the minutes of computing, a panel a network."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    canvas = Figure(figsize=(5 * len(result["networks"]), 4), layout="constrained")
    FigureCanvasAgg(canvas)
    panels = canvas.subplots(1, len(result["networks"]), squeeze=False)[0]
    for axes, (network, own) in zip(panels, result["networks"].items(), strict=True):
        for name, trial in own["trials"].items():
            axes.plot(*zip(*trial["curve"], strict=True), marker=".", label=name)
        axes.set_title(network)
        axes.set_xlabel("minutes of computing on one thread")
        axes.set_ylabel(own["figure"])
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)
    canvas.savefig(path, dpi=110)


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="What is worth how much within a given time.")
    parser.add_argument("--data", type=Path, required=True, help="With person_boxes, instances and scenes.")
    parser.add_argument("--output", "-o", type=Path, default=Path("runs/trials"))
    parser.add_argument(
        "--minutes",
        type=float,
        default=6,
        help="Of computing, each trial (default 6; two thirds for a generator).",
    )
    parser.add_argument("--networks", nargs="+", default=list(TRIALS), choices=list(TRIALS))
    parser.add_argument("--eyes", type=Path, help="Weights on which MaskNet stands. [default: embedded]")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--plot", type=Path)
    options = parser.parse_args(arguments)
    import torch

    torch.set_num_threads(1)
    embedded = Path(__file__).resolve().parent.parent / "autoremove" / "weights" / "detector.safetensors"
    where = Where(options.data, options.output, options.minutes, options.eyes or embedded)
    result: Figures = {"networks": measured(where, options.networks), "minutes": options.minutes}
    words = ["benchmarks/trials.py", "--data", "DATA", "--minutes", f"{options.minutes:g}"]
    result["command"] = f"python {shlex.join(words)}"
    print("\n\n".join(markdown(table) for table in tables(result)))
    if options.plot:
        draw(result, options.plot)
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
