"""Traits and kinds of mistakes, on boxes made by hand."""

from __future__ import annotations

import numpy as np
import pytest

from autoremove.evaluation.causes import Causes, Counts, false_in, missed_in, traits
from autoremove.evaluation.judging import judge
from tests.evaluation.test_judging import finds, picture

NOBODY = np.zeros((0, 4), np.float32)
SIZE = (100, 120)


def box(*numbers: float) -> np.ndarray:
    return np.array(numbers, np.float32)


@pytest.mark.parametrize(
    ("xyxy", "expected"),
    [
        ((40, 40, 50, 60), ("under_32",)),
        ((40, 20, 60, 60), ("32_64",)),
        ((0, 40, 10, 60), ("under_32", "touching_border")),
        ((40, 80, 50, 100), ("under_32", "touching_border")),
        ((40, 10, 60, 90), ("over_64", "large")),
    ],
)
def test_size_and_border(xyxy: tuple[int, ...], expected: tuple[str, ...]) -> None:
    assert traits(box(*xyxy), SIZE, NOBODY, NOBODY) == expected


def test_a_crowd_is_told_from_other_neighbours() -> None:
    beside = box(45, 40, 55, 60)[None]
    assert "crowded" in traits(box(40, 40, 50, 60), SIZE, beside, NOBODY)
    assert "beside_others" in traits(box(40, 40, 50, 60), SIZE, NOBODY, beside)
    assert "crowded" not in traits(box(40, 40, 50, 60), SIZE, box(48, 40, 58, 60)[None], NOBODY)


@pytest.mark.parametrize(
    ("find", "kind"),
    [
        (("person", (30, 30, 50, 70), 0.1), "seen_weakly"),
        (("dog", (30, 30, 50, 70), 0.9), "wrong_class"),
        (("person", (30, 30, 50, 45), 0.9), "loose_box"),
        (("person", (80, 30, 90, 70), 0.9), "unseen"),
    ],
)
def test_why_an_object_is_missed(find: tuple[str, tuple[int, int, int, int], float], kind: str) -> None:
    view, everything = picture(("person", (30, 30, 50, 70))), finds(find)
    shipped = everything[everything.score >= 0.2]
    (mistake,) = missed_in(view, judge(view, shipped, ("person",)), ("person",), shipped, everything)
    assert mistake.kind == kind
    assert mistake.traits == ("32_64",)


@pytest.mark.parametrize(
    ("find", "kind"),
    [
        ((30, 30, 50, 70), "duplicate"),
        ((70, 30, 90, 70), "wrong_class"),
        ((30, 30, 50, 42), "loose_box"),
        ((100, 0, 110, 20), "background"),
    ],
)
def test_why_a_find_is_false(find: tuple[int, int, int, int], kind: str) -> None:
    view = picture(("person", (30, 30, 50, 70)), ("dog", (70, 30, 90, 70)))
    row = judge(view, finds(("person", (30, 30, 50, 71), 0.9), ("person", find, 0.8)), ("person",))
    (mistake,) = false_in(view, row, ("person",))
    assert mistake.kind == kind


def test_causes_are_counted_beside_all_objects() -> None:
    view = picture(("person", (30, 30, 50, 70)), ("person", (0, 0, 10, 20)))
    found = finds(("person", (30, 30, 50, 70), 0.9))
    row, causes = judge(view, found, ("person",)), Causes()
    causes.add(view, row, ("person",), missed_in(view, row, ("person",), found, found), [])
    figures = causes.figures()
    assert figures["objects"]["all"] == 2
    assert figures["missed"] == {
        "all": 1,
        "under_32": 1,
        "touching_border": 1,
        "unseen": 1,
        "by_source": {"": 1},
    }
    assert figures["false"] == {"all": 0, "by_source": {}}


def test_a_trait_counts_once_an_object() -> None:
    counts = Counts()
    counts.add(("crowded", "crowded"), "here")
    assert counts.figures() == {"all": 1, "crowded": 1, "by_source": {"here": 1}}
