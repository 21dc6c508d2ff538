"""Set up the pictures that the trainings of detector and mask network hold out, as data sets of their own.

The detector's training keeps every 25th picture of its folders for validation, counted through all of them in
the order given, and learns nothing from it; choices of confidences and calibrations are made there and not on
test folders. Here they become folders of links that `evaluate`, `thresholds.py` and `calibrate.py` take:

    python benchmarks/held_out.py --data DATA/person_boxes --data DATA/instances/train -o held-out/

Pictures in which many people lack a label are left out: a detector that finds them is not wrong. Those of the
project's data were looked at, and stand in `held_out_unlabelled.txt`; `--without` takes another list.

The training of the mask network keeps every 20th picture with masks, those with bystanders among them:

    python benchmarks/held_out.py --data DATA/instances/train --every 20 --for masknet -o held-out-masks/
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from autoremove.training.detector import DetectorConfig
from autoremove.training.instances import ONE_OBJECT, find_picture

UNLABELLED = Path(__file__).resolve().parent / "held_out_unlabelled.txt"
"""Names of pictures that do not serve to measure with, one a line."""


def names_of(folder: Path, partly: bool = False) -> list[str]:
    """The pictures of a data set in the order in which a training reads them.

    ``partly``: also those with unlabelled bystanders, which the mask network learns from.
    """
    table = folder / "instances.jsonl"
    if not table.exists():
        return [path.stem for path in sorted((folder / "labels").glob("*.txt"))]
    rows = [json.loads(line) for line in table.read_text().splitlines()]
    return [row["name"] for row in rows if partly or ONE_OBJECT not in row.get("source", "")]


def chosen(folders: Sequence[Path], every: int, partly: bool = False) -> list[list[str]]:
    """The held-out names of each folder."""
    names = [(number, name) for number, folder in enumerate(folders) for name in names_of(folder, partly)]
    held = names[::every]
    return [[name for own, name in held if own == number] for number in range(len(folders))]


def link(folder: Path, names: Sequence[str], output: Path) -> None:
    """A data set of these pictures of a folder, made of links."""
    table = folder / "instances.jsonl"
    parts = ("images", "masks") if table.exists() else ("images", "labels")
    for part in parts:
        (output / part).mkdir(parents=True, exist_ok=True)
        for name in names:
            found = find_picture(folder / part, name).resolve()
            place = output / part / found.name
            place.unlink(missing_ok=True)
            place.symlink_to(found)
    if table.exists():
        rows = [line for line in table.read_text().splitlines() if json.loads(line)["name"] in set(names)]
        (output / table.name).write_text("\n".join(rows) + "\n")


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the names, link the pictures, print the folders."""
    parser = argparse.ArgumentParser(description="The held-out pictures as data sets.")
    parser.add_argument("--data", type=Path, action="append", required=True, help="As given to the training.")
    parser.add_argument("--every", type=int, default=DetectorConfig.hold_out)
    parser.add_argument("--for", choices=["detector", "masknet"], default="detector", dest="task")
    parser.add_argument("--without", type=Path, default=UNLABELLED, help="Names to leave out, one a line.")
    parser.add_argument("--output", "-o", type=Path, required=True)
    options = parser.parse_args(arguments)
    left_out = set(options.without.read_text().split()) if options.task == "detector" else set()
    names_by_folder = chosen(options.data, options.every, options.task == "masknet")
    for folder, names in zip(options.data, names_by_folder, strict=True):
        place = options.output / "-".join(folder.parts[-2:])
        kept = [name for name in names if name not in left_out]
        link(folder, kept, place)
        print(f"{place}: {len(kept)} pictures of {len(names)}")


if __name__ == "__main__":
    main()
