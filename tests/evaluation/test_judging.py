"""Right, false, or neither: finds of one class and of groups, on pictures made by hand."""

from __future__ import annotations

import numpy as np
import pytest

from autoremove.evaluation.judging import judge, kinds_of, rows_to_show
from autoremove.evaluation.labelled import Boxed, read_boxed
from autoremove.types import Detections
from tests.evaluation.folders import PERSON, SMALL, instances

CAR, OTHER, APART = (0, 0, 40, 20), (60, 60, 100, 80), (60, 0, 100, 20)


def picture(*objects: tuple[str, tuple[int, int, int, int]], judged: tuple[str, ...] = ()) -> Boxed:
    boxes = np.array([box for _, box in objects], np.float32).reshape(-1, 4)
    labels = tuple(label for label, _ in objects)
    return Boxed("a", np.zeros((100, 120, 3), np.uint8), boxes, labels, frozenset(judged or labels))


def finds(*rows: tuple[str, tuple[int, int, int, int], float]) -> Detections:
    boxes = np.array([box for _, box, _ in rows], np.float32).reshape(-1, 4)
    scores = np.array([score for *_, score in rows], np.float32)
    return Detections(boxes, scores, tuple(label for label, *_ in rows))


def test_a_class_counts_only_its_own_objects() -> None:
    row = judge(
        picture(("car", CAR), ("bus", OTHER)), finds(("car", CAR, 0.5), ("car", OTHER, 0.9)), ("car",)
    )
    assert row.found.score.tolist() == pytest.approx([0.9, 0.5]), "best first"
    assert row.taken.tolist() == [-1, 0]
    assert row.false.tolist() == [True, False]
    assert row.hit.tolist() == [True]


def test_within_a_group_the_class_does_not_matter() -> None:
    seen = finds(("truck", CAR, 0.5), ("car", CAR, 0.9), ("bus", OTHER, 0.8))
    row = judge(picture(("car", CAR), ("truck", OTHER)), seen, ("car", "truck", "bus"))
    assert row.hit.all()
    assert len(row.found) == 2, "found as car and as truck it is one find"
    assert not row.false.any()


def test_classes_that_a_source_leaves_unlabelled_are_never_false() -> None:
    view = picture(("car", CAR), judged=("car",))
    row = judge(view, finds(("bus", OTHER, 0.9), ("car", APART, 0.8), ("bus", CAR, 0.7)), ("bus", "car"))
    assert row.found.label == ("car", "bus")
    assert row.false.tolist() == [True, False]
    assert row.hit.all(), "a van labelled as car is found, as whatever vehicle"


def test_touching_objects_that_share_an_id_may_be_found_one_by_one(tmp_path) -> None:
    rows = [
        {"name": "a", "objects": [("car", PERSON)], "source": "streets (touching objects share an id)"},
        {"name": "b", "objects": [("car", PERSON)], "source": "streets"},
    ]
    x1, y1, x2, _ = PERSON
    part = finds(("car", (x1, y1, x2, y1 + 30), 0.9), ("car", SMALL, 0.8))
    merged, single = (judge(view, part, ("car",)) for view in read_boxed(instances(tmp_path, rows)))
    assert merged.false.tolist() == [True], "only the stray"
    assert single.false.tolist() == [True, True]


def test_groups_are_rows_when_two_of_their_classes_are_judged() -> None:
    rows = rows_to_show(["person", "car", "dog", "bus"])
    assert rows["car"] == ("car",)
    assert rows["all-vehicles"] == ("car", "bus")
    assert "all-animals" not in rows and "all-people" not in rows


def test_kinds() -> None:
    kinds = kinds_of(["person", "bus", "car", "handbag", "tv"])
    assert kinds == {
        "person": ("person",),
        "vehicles": ("bus", "car"),
        "carried": ("handbag",),
        "tv": ("tv",),
    }
