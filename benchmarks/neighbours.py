"""DeepFillv2 and its neighbours on one bench: errors by mask share, parameters, arithmetic, seconds, memory.

Method: the middle squares of whole pictures get holes that depend on the seed alone, the same for every
system; each system's stage `inpaint` fills them (detail none), its own pixels are judged before anything is
blended. Costs: for each system and side a fresh process on ``--threads`` threads with one picture (bus.jpg of
the ultralytics package) and a hole in the shape of a standing figure; one warm-up, then ``--runs`` fills, of
which the median and the spread are told, and the fewest seconds of all cores together, which a busy machine
moves less; peak memory is the largest resident size of that process, beside what it was with everything
loaded. GFLOP: two for every multiplication with its addition in the network's own whole picture
(``raw``), its smallest parts left out. A system without weights is left out, and the output says why.

    python benchmarks/neighbours.py --data DATA --trained runs/neighbours --json neighbours.json
    python benchmarks/neighbours.py --data DATA --sheet-only --limit 8 --sheet systems.png
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import torch
from machine import commit, in_words, machine
from neighbours_costs import FULL, System, full_width, in_own_process
from neighbours_tables import section

from autoremove.errors import AutoremoveError
from autoremove.evaluation.perceptual import NOTHING_MORE, Measures
from autoremove.evaluation.table import write_json
from autoremove.models.families import INPAINTERS

MODELS = (
    "deepfillv2",
    "partialconv",
    "deepfillv1",
    "glcic",
    "edgeconnect",
    "gain",
    "telea",
    "ns",
    "patchmatch",
)

SIDES = (256, 512)


def systems_of(
    models: Sequence[str], weights: Sequence[str], also: Sequence[str], trained: Path | None = None
) -> list[System]:
    """The rows to measure: ``NAME=FILE`` gives a model its weights, ``LABEL=NAME@FILE`` adds a row.

    Weights that are not named are ``trained``/NAME/best.safetensors where that is there, else embedded.
    """
    best = {name: trained / name / "best.safetensors" for name in models} if trained else {}
    files = {name: str(path) for name, path in best.items() if path.is_file()}
    files |= dict(_split(text, "=", "--weights") for text in weights)
    unknown = files.keys() - set(models)
    if unknown:
        sys.exit(f"--weights: {', '.join(sorted(unknown))} is not among --models.")
    rows = [System(name, name, files.get(name, "embedded")) for name in models]
    for text in also:
        label, rest = _split(text, "=", "--also")
        rows.append(System(label, *_split(rest, "@", "--also")))
    order = list(dict.fromkeys(row.model for row in rows))
    return sorted(rows, key=lambda row: order.index(row.model))


def _systems(options: argparse.Namespace) -> list[System]:
    return systems_of(options.models, options.weights, options.also, options.trained)


def _split(text: str, sign: str, option: str) -> tuple[str, str]:
    first, found, rest = text.partition(sign)
    if not found or not first or not rest:
        sys.exit(f"{option} {text}: a {sign} with something on both sides is needed.")
    return first.strip(), rest.strip()


def training_of(weights: str) -> dict[str, float] | None:
    """Steps and minutes of the run whose folder the weights lie in; None where there is no log."""
    log = Path(weights).parent / "log.jsonl"
    if not weights.endswith(".safetensors") or not log.is_file():
        return None
    last = json.loads(log.read_text().splitlines()[-1])
    return {"steps": last["step"], "minutes": round(last["seconds"] / 60, 1)}


def present(rows: Sequence[System]) -> tuple[dict[str, System], dict[str, str], dict[str, Any]]:
    """What can be measured by label, why the rest cannot, and parameters and weights of each."""
    from autoremove.evaluation import shipped

    stages = shipped.recipe_stages("people")
    there: dict[str, System] = {}
    left: dict[str, str] = {}
    about: dict[str, Any] = {}
    for system in rows:
        try:
            about[system.label] = {
                "model": system.model,
                **shipped.about_inpainter(stages, system.text),
                "trained": training_of(system.weights),
            }
            there[system.label] = system
        except AutoremoveError as error:
            left[system.label] = error.message
    return there, left, about


def judged(
    there: Mapping[str, System], data: Path, kind: str, measures: Measures = NOTHING_MORE, **options: Any
) -> dict[str, Any]:
    """What `evaluate inpaint` says of all systems at one kind of holes; options as of `evaluate_inpaint`."""
    from autoremove.evaluation import shipped
    from autoremove.evaluation.holes import holes_of
    from autoremove.evaluation.inpaint import evaluate_inpaint

    stages = shipped.recipe_stages("people")
    models = {label: shipped.filler(stages, system.text, blend=False) for label, system in there.items()}
    return evaluate_inpaint(data, holes_of(kind, data), models, measures=measures, **options)


def draw_sheet(
    there: Mapping[str, System], data: Path, path: Path, *, rows: int = 8, kind: str = "brush", seed: int = 0
) -> None:
    """One PNG: a row a picture with its hole, every system's fill and the truth."""
    judged(there, data, kind, limit=rows, seed=seed, sheet=path)


def measured(options: argparse.Namespace) -> dict[str, Any]:
    """Everything, as it goes into the JSON file."""
    from autoremove.evaluation.holes import parse_shares
    from autoremove.evaluation.perceptual import measures

    there, left, about = present(_systems(options))
    for label, why in left.items():
        print(f"left out: {label}: {why}", file=sys.stderr)
    chosen, missing = measures(False, options.fid, options.fid_features)
    for line in missing:
        print(f"left out: {line}", file=sys.stderr)
    result: dict[str, Any] = {"systems": about, "left_out": left, "sides": options.sides, "holes": {}}
    shared = {"size": options.size, "limit": options.limit, "seed": options.seed, "repeats": options.repeats}
    shared["shares"] = parse_shares(options.shares)
    for kind in options.holes:
        sheet = options.sheet if kind == options.holes[0] else None
        result["holes"][kind] = judged(there, options.data, kind, chosen, sheet=sheet, **shared)
        result["pictures"] = result["holes"][kind]["pictures"]
    for label, system in there.items():
        about[label]["parameters_at_full_width"] = full_width(system.model)
        about[label]["costs"] = _by_side(system, options)
    result["full_width"] = {}
    for model in dict.fromkeys(system.model for system in there.values()) if options.full_width else ():
        if model in INPAINTERS:
            costs_of = _by_side(System(f"{model}, full width", model, FULL), options)
            result["full_width"][model] = {"parameters": full_width(model), "costs": costs_of}
    return result


def _by_side(system: System, options: argparse.Namespace) -> dict[str, Any]:
    found = {str(side): in_own_process(system, side, options.runs, options.threads) for side in options.sides}
    print(f"{system.label}: {found}", file=sys.stderr, flush=True)
    return found


def parsed(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="All systems on one bench.")
    parser.add_argument("--data", type=Path, required=True, help="Folder of whole pictures.")
    parser.add_argument("--models", nargs="+", default=MODELS, metavar="NAME")
    parser.add_argument("--weights", action="append", default=[], metavar="NAME=FILE")
    parser.add_argument("--trained", type=Path, help="Folder of runs: NAME/best.safetensors is taken.")
    parser.add_argument(
        "--also", action="append", default=[], metavar="LABEL=NAME@FILE", help="One more row."
    )
    parser.add_argument("--holes", nargs="+", default=["brush", "box"], help="As of evaluate inpaint.")
    parser.add_argument("--shares", default="10-60")
    parser.add_argument("--size", type=int, default=256, help="Side of the squares that are judged.")
    parser.add_argument("--sides", type=int, nargs="*", default=SIDES, help="Sides at which costs are taken.")
    parser.add_argument("--runs", type=int, default=5, help="Fills after the warm-up (default 5).")
    parser.add_argument("--full-width", action="store_true", help="Costs at the papers' widths too.")
    parser.add_argument("--repeats", type=int, default=1, help="Holes for each picture.")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--limit", type=int, help="At most so many pictures.")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--fid", action=argparse.BooleanOptionalAction, help="Where its weights are at hand.")
    parser.add_argument("--fid-features", choices=["inception", "embedded"], default="inception")
    parser.add_argument("--sheet", type=Path, help="PNG of all systems side by side.")
    parser.add_argument("--sheet-only", action="store_true", help="Draw it and measure nothing.")
    parser.add_argument("--json", type=Path, help="File for the figures.")
    parser.add_argument("--markdown", type=Path, help="File for the tables.")
    return parser.parse_args(arguments)


def main() -> None:
    """The command line."""
    options = parsed()
    torch.set_num_threads(options.threads)
    if options.sheet_only:
        there, _, _ = present(_systems(options))
        draw_sheet(there, options.data, options.sheet, rows=options.limit or 8, kind=options.holes[0])
        return
    facts, result = machine(), measured(options)
    command = f"python benchmarks/neighbours.py {' '.join(sys.argv[1:])}"
    whole = {**result, "command": command, "machine": facts, "commit": commit()}
    text = section(whole)
    print(f"{text}\n\n{in_words(facts)}, commit {whole['commit']}")
    if options.json:
        write_json(options.json, whole)
    if options.markdown:
        options.markdown.write_text(text + "\n")


if __name__ == "__main__":
    main()
