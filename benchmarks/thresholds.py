"""Choose the confidence of each class on held-out pictures, for a wanted precision and rate of false finds.

Give it pictures that the detector was neither trained nor will be measured on. A class with few objects takes
the confidence of its group, a rare group that of all classes. What is printed last is a line for a recipe:

    python benchmarks/thresholds.py --data held-out/ --precision 0.9 --false-finds 0.1
    ...
    thresholds: {person: 0.31, car: 0.4}
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from autoremove.evaluation.calibration import Choice, chosen
from autoremove.evaluation.detect import Find, Judge
from autoremove.evaluation.labelled import Boxed, known_labels, read_boxed
from autoremove.evaluation.table import Table, markdown, number
from autoremove.labels import GROUPS, expanded


def scored(pictures: Iterable[Boxed], find: Find, classes: Sequence[str]) -> Judge:
    """All finds of the classes in the pictures, each judged."""
    judge = Judge(dict.fromkeys(classes, 0.0))
    for picture in pictures:
        judge.add(picture, find(picture.image))
    return judge


def table(choices: dict[str, tuple[str, Choice]], objects: dict[str, int]) -> Table:
    """One row a class: its confidence, whose finds decided it, and what it gives."""
    rows: Table = [["class", "objects", "confidence", "from", "precision", "recall", "false/picture", "met"]]
    for name, (source, choice) in choices.items():
        shares = (choice.precision, choice.recall, choice.false_per_picture)
        told = [str(objects[name]), number(choice.confidence), source, *(number(share) for share in shares)]
        rows.append([name, *told, "yes" if choice.met else "no"])
    return rows


def line(choices: dict[str, tuple[str, Choice]]) -> str:
    """The field of the stage select."""
    pairs = ", ".join(f"{name}: {choice.confidence:.3f}" for name, (_, choice) in choices.items())
    return f"thresholds: {{{pairs}}}"


def parsed(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="Confidences for a wanted precision.")
    parser.add_argument(
        "--data", type=Path, action="append", required=True, help="`instances` or YOLO form; repeatable."
    )
    parser.add_argument("--labels", help="Classes or groups. [default: all that data and detector share]")
    parser.add_argument("--precision", type=float, default=0.9, help="Least share of right finds.")
    parser.add_argument("--false-finds", type=float, help="Most false finds a picture, of each class.")
    parser.add_argument(
        "--least", type=int, default=20, help="Objects that a class needs for its own choice."
    )
    parser.add_argument("--recipe", default="people", help="The recipe whose detector is used.")
    parser.add_argument("--set", action="append", default=[], metavar="STAGE.FIELD=VALUE")
    parser.add_argument("--limit", type=int, help="At most so many pictures of each folder, evenly spaced.")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--json", type=Path, help="File for choices and calibration.")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    """Read, find, choose, print."""
    from tqdm import tqdm

    from autoremove.evaluation import shipped
    from autoremove.stages.detect import Detect

    options = parsed(arguments)
    detect = shipped.stage_of(shipped.recipe_stages(options.recipe, options.set, options.device), Detect)
    there = sorted({label for folder in options.data for label in known_labels(folder)})
    wanted = list(expanded(tuple(options.labels.split(",")))) if options.labels else there
    classes = shipped.known_classes(detect, wanted)
    pictures = (picture for folder in options.data for picture in read_boxed(folder, options.limit))
    judge = scored(tqdm(pictures, "pictures", disable=None), shipped.finder(detect), classes)
    tables = {name: judge.scores[name] for name in classes}
    choices = chosen(
        tables,
        GROUPS,
        precision=options.precision,
        false_per_picture=options.false_finds,
        least=options.least,
    )
    print(markdown(table(choices, {name: scores.objects for name, scores in tables.items()})))
    print(f"\n{judge.pictures} pictures; a recipe's field of the stage select:\n{line(choices)}")
    if options.json:
        result: dict[str, Any] = {
            "classes": {
                name: {**choice._asdict(), "from": source, "calibration": tables[name].bands()}
                for name, (source, choice) in choices.items()
            },
            "pictures": judge.pictures,
        }
        options.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
