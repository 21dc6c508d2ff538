"""Pictures with true boxes to measure a detector on, from the `instances` form or the YOLO form."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np
import yaml

from autoremove.errors import InputError
from autoremove.evaluation.matching import Boxes
from autoremove.labels import VEHICLES
from autoremove.training.instances import (
    IGNORE,
    LabelledPicture,
    find_picture,
    read_instances,
    read_pixels,
    read_rows,
)
from autoremove.training.yolo_labels import boxes_of, label_files, read_labels
from autoremove.types import Image, Mask

HIDES = {"bicycle+rider": ("person", "bicycle"), "person+vehicle": ("person", *VEHICLES)}
"""Labels of regions in which objects of other classes lie without a label of their own."""

MERGED = "share an id"
"""What the source of a picture says when touching objects of one class are labelled as one."""

T = TypeVar("T")


@dataclass(frozen=True)
class Boxed:
    """One picture with its true boxes: ``xyxy`` N x 4 in its pixels, ``label`` N names.

    ``judged``: the classes whose false finds count here; of other classes bystanders may be unlabelled.
    ``unclear``: regions, by class ("" = every class), where a find is neither right nor wrong.
    ``source``: where the picture is from, as its data set says.
    """

    name: str
    image: Image
    xyxy: Boxes
    label: tuple[str, ...]
    judged: frozenset[str]
    unclear: dict[str, Mask] = field(default_factory=dict)
    source: str = ""

    def unclear_for(self, label: str) -> Mask:
        """H x W: where a find of that class counts neither way."""
        region = np.zeros(self.image.shape[:2], bool)
        for key in ("", label):
            if key in self.unclear:
                region |= self.unclear[key]
        return region


def spread(rows: Iterable[T], total: int, limit: int | None) -> Iterator[T]:
    """At most ``limit`` of ``total`` rows, evenly spaced, so that a small sample still sees every source."""
    chosen = set(spread_numbers(total, limit))
    yield from (row for number, row in enumerate(rows) if number in chosen)


def spread_numbers(total: int, limit: int | None) -> list[int]:
    """Which rows :func:`spread` takes."""
    if limit is None:
        return list(range(total))
    numbers: list[int] = np.linspace(0, total - 1, min(limit, total)).astype(int).tolist()
    return sorted(set(numbers))


def known_labels(folder: Path) -> list[str]:
    """The class names that occur in a data set, sorted; label files that are damaged say none."""
    if is_instances(folder):
        return sorted(set().union(*_labels_by_source(folder).values()))
    numbers, damaged = set[int](), list[InputError]()
    for path in _label_files(folder):
        try:
            numbers |= {row[0] for row in read_labels(path)}
        except InputError as error:  # told when its picture is read
            damaged.append(error)
    if damaged and not numbers:
        raise damaged[0]
    names = _yolo_names(folder)
    return sorted({_name(names, number, folder) for number in numbers})


def is_instances(folder: Path) -> bool:
    """Whether the data set is in the `instances` form."""
    return (folder / "instances.jsonl").is_file()


def count_pictures(folder: Path) -> int:
    """How many labelled pictures there are; raises InputError where the folder has neither form."""
    if is_instances(folder):
        return len(read_rows(folder))
    return len(_label_files(folder))


def read_boxed(
    folder: Path, limit: int | None = None, unread: Callable[[InputError], None] | None = None
) -> Iterator[Boxed]:
    """Pictures with boxes from either form; raises InputError where the folder has neither.

    What cannot be read goes to ``unread`` and is left out; without that it raises InputError.
    """
    numbers = spread_numbers(count_pictures(folder), limit)
    if is_instances(folder):
        labelled = _labels_by_source(folder)
        for picture in read_instances(folder, numbers, unread):
            yield _from_instances(picture, labelled[picture.source])
        return
    names, present = _yolo_names(folder), frozenset(known_labels(folder))
    files = _label_files(folder)
    for number in numbers:
        try:
            boxed = _from_yolo(folder, files[number], names, present)
        except InputError as error:
            if unread is None:
                raise
            unread(error)
        else:
            yield boxed


def _labels_by_source(folder: Path) -> dict[str, set[str]]:
    """The classes that each source labels at all: one that labels only people is no judge of dogs."""
    labels: dict[str, set[str]] = defaultdict(set)
    for row in read_rows(folder):
        labels[row["source"]] |= {item["label"] for item in row["instances"]}
    return labels


def _from_instances(picture: LabelledPicture, labelled: set[str]) -> Boxed:
    boxes, labels = [], []
    unclear = {"": picture.ids == IGNORE}
    for identity, label in picture.objects:
        box = picture.box(identity)
        merged = (label,) if MERGED in picture.source else ()
        for hidden in (*HIDES.get(label, ()), *merged):
            before = unclear.get(hidden, np.zeros(picture.ids.shape, bool))
            unclear[hidden] = before | (picture.ids == identity)
        if box is not None:
            boxes.append(box)
            labels.append(label)
    judged = frozenset(labelled) if picture.fully_labelled else frozenset[str]()
    xyxy = np.array(boxes, np.float32).reshape(-1, 4)
    return Boxed(picture.name, picture.image, xyxy, tuple(labels), judged, unclear, picture.source)


def _label_files(folder: Path) -> list[Path]:
    found = label_files(folder)
    if not found:
        raise InputError(
            f"{folder} has neither instances.jsonl nor labels/*.txt.",
            hint="Give a data set in the `instances` form or in the YOLO form.",
        )
    return found


def _yolo_names(folder: Path) -> dict[int, str]:
    """Class names from data.yaml or classes.txt; without either, class 0 is a person. Raises InputError."""
    for place in (folder / "data.yaml", folder.parent / "data.yaml"):
        if place.is_file():
            return _of_yaml(place)
    for place in (folder / "classes.txt", folder / "labels" / "classes.txt"):
        if place.is_file():
            lines = place.read_text(encoding="utf-8-sig", errors="replace").splitlines()
            return dict(enumerate(line.strip() for line in lines if line.strip()))
    return {0: "person"}


def _of_yaml(place: Path) -> dict[int, str]:
    try:
        names = (yaml.safe_load(place.read_text(encoding="utf-8-sig")) or {}).get("names", {})
        pairs = names.items() if isinstance(names, dict) else enumerate(names)
        return {int(number): str(name) for number, name in pairs}
    except (OSError, ValueError, TypeError, AttributeError, yaml.YAMLError) as error:
        first = str(error).splitlines()[0]
        raise InputError(
            f"{place} cannot be read ({first}).", hint="Its `names` are a list, or numbers with a name each."
        ) from error


def _name(names: dict[int, str], number: int, folder: Path) -> str:
    if number not in names:
        raise InputError(
            f"{folder} labels class {number}, which has no name.",
            hint="Put a classes.txt with one name a line beside images/ and labels/.",
        )
    return names[number]


def _from_yolo(folder: Path, path: Path, names: dict[int, str], judged: frozenset[str]) -> Boxed:
    image = read_pixels(find_picture(folder / "images", path.stem))
    xyxy, kinds = boxes_of(read_labels(path), (image.shape[0], image.shape[1]))
    labels = tuple(_name(names, int(kind), folder) for kind in kinds)
    return Boxed(path.stem, image, xyxy, labels, judged, source=folder.name)
