"""Select chooses what goes, surest first, and what goes with it; the kept and their things stay."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from autoremove.errors import RecipeError
from autoremove.stages.select import Select
from autoremove.types import Detections
from tests.cases.people import Box, found, sharp_but, standing

IMAGE = np.full((120, 80, 3), 90, np.uint8)


def five() -> Detections:
    """Rows 0 to 4: small sure person, large person, car, thin person, person as sure as row 1."""
    boxes = [[0, 0, 5, 9], [0, 0, 40, 60], [5, 5, 30, 20], [0, 0, 2, 60], [1, 1, 41, 61]]
    scores = [0.9, 0.6, 0.8, 0.3, 0.6]
    masks = tuple(((0, 0, row, 1), np.ones((1, row), bool)) for row in range(5))
    labels = ("person", "person", "car", "person", "person")
    return Detections(np.array(boxes, np.float32), np.array(scores, np.float32), labels, masks)


@pytest.mark.parametrize(
    ("settings", "rows"),
    [
        ({}, [0, 1, 4, 3]),
        ({"labels": ()}, [0, 2, 1, 4, 3]),
        ({"labels": ("all-people",)}, [0, 1, 4, 3]),
        ({"labels": ("all-vehicles", "person")}, [0, 2, 1, 4, 3]),
        ({"labels": ("car",)}, [2]),
        ({"labels": ("dog",)}, []),
        ({"labels": (), "confidence": 0.6}, [0, 2, 1, 4]),
        ({"labels": (), "confidence": 0.95}, []),
        ({"labels": (), "confidence": 0.6, "thresholds": {"car": 0.81, "person": 0.2}}, [0, 1, 4, 3]),
        ({"labels": (), "thresholds": {"all-people": 0.7}}, [0, 2]),
        ({"labels": (), "thresholds": {"all-people": 0.7, "person": 0.5}}, [0, 2, 1, 4]),
        ({"min_size": 9.0}, [0, 1, 4, 3]),
        ({"min_size": 9.5}, [1, 4, 3]),
        ({"labels": (), "min_size": 0.1}, [2, 1, 4, 3]),  # of 120 pixels
        ({"min_size": 0.5}, [1, 4, 3]),
        ({"min_size": 0.51}, []),
        ({"max_count": 2}, [0, 1]),
        ({"max_count": 9}, [0, 1, 4, 3]),
        ({"min_size": 10.0, "max_count": 2}, [1, 4]),
        ({"keep": "largest"}, [0, 3]),
        ({"keep": "largest:3"}, [0]),
        ({"labels": (), "keep": "largest:4"}, [2]),  # people are kept where people go
        ({"labels": ("car",), "keep": "largest"}, []),
        ({"keep_region": ((0.0, 0.0, 10.0, 10.0),)}, [1, 4, 3]),
        ({"labels": (), "keep_region": ((0.0, 0.0, 0.2, 1.0),)}, [2, 1, 4]),
    ],
)
def test_rows_that_go(settings: dict[str, Any], rows: list[int]) -> None:
    (chosen,) = Select(**settings)([IMAGE], [five()])
    expected = five()[rows]
    assert chosen.label == expected.label
    assert np.array_equal(chosen.xyxy, expected.xyxy)
    assert np.array_equal(chosen.score, expected.score)
    assert [window for window, _ in chosen.masks or ()] == [window for window, _ in expected.masks or ()]
    assert chosen.owner is None


def test_pictures_are_handled_one_by_one() -> None:
    one, two, three = Select(labels=(), max_count=1)(
        [IMAGE] * 3, [five(), Detections.empty(), five()[[2, 3]]]
    )
    assert (one.label, two.label, three.label) == (("person",), (), ("car",))


US = [standing(400, 560, 320), standing(520, 560, 300)]
BYSTANDER = standing(160, 400, 110)


def bag(person: Box) -> Box:
    x1, y1, x2, y2 = person
    return ((x1 + x2) / 2, y1 + 0.2 * (y2 - y1), x2, y1 + 0.4 * (y2 - y1))


def street() -> Detections:
    """Two in front with a bag each; far behind one with a bag, one by a parked bicycle, a rider, a dog."""
    rider, beside = standing(620, 380, 110), standing(800, 400, 110)
    return found(
        ("person", US[0], 0.9),  # 0
        ("person", US[1], 0.8),
        ("handbag", bag(US[0]), 0.7),
        ("handbag", bag(US[1]), 0.21),
        ("person", BYSTANDER, 0.5),  # 4
        ("backpack", bag(BYSTANDER), 0.205),
        ("suitcase", (130, 330, 170, 390), 0.15),
        ("person", rider, 0.4),  # 7
        ("bicycle", (570, 325, 670, 395), 0.6),
        ("person", beside, 0.3),  # 9
        ("bicycle", (820, 340, 895, 400), 0.65),
        ("dog", (170, 380, 200, 400), 0.9),
    )


def rows_of(chosen: Detections) -> list[int]:
    everything = street().xyxy.tolist()
    return [everything.index(box) for box in chosen.xyxy.tolist()]


def selected(**settings: Any) -> Detections:
    return Select(**settings)([sharp_but()], [street()])[0]


def test_things_go_with_their_people() -> None:
    chosen = selected()
    assert rows_of(chosen) == [0, 1, 4, 7, 9, 2, 8, 3, 5]
    assert chosen.owner is not None
    assert chosen.owner.tolist() == [-1, -1, -1, -1, -1, 0, 3, 1, 2]
    assert rows_of(selected(attach=False)) == [0, 1, 4, 7, 9]
    assert selected(attach=False).owner is None


def test_the_floor_for_things_can_be_set() -> None:
    assert 6 in rows_of(selected(attach_confidence=0.1))
    assert not {3, 5} & set(rows_of(selected(attach_confidence=0.5)))


def test_a_thing_found_as_several_classes_goes_once_as_the_surest() -> None:
    left, top, right, bottom = bag(US[0])
    shifted = (left + 2, top + 2, right + 2, bottom + 2)
    twice = found(
        ("person", US[0], 0.9),
        ("suitcase", shifted, 0.4),
        ("handbag", (left, top, right, bottom), 0.6),
        ("backpack", shifted, 0.3),
        ("handbag", (left, top - 80, right, bottom - 80), 0.3),
    )
    chosen = Select()([sharp_but()], [twice])[0]
    assert chosen.label == ("person", "handbag", "handbag")
    assert chosen.score.tolist() == pytest.approx([0.9, 0.6, 0.3])
    assert chosen.owner is not None and chosen.owner.tolist() == [-1, 0, 0]


def test_bystanders_go_and_the_subject_stays_with_its_things() -> None:
    chosen = selected(keep="subject")
    assert rows_of(chosen) == [4, 7, 9, 8, 5]
    assert chosen.owner is not None and chosen.owner.tolist() == [-1, -1, -1, 1, 0]
    chosen = selected(keep="subject", labels=("person", "handbag", "bicycle", "dog"))
    assert rows_of(chosen) == [11, 10, 4, 7, 9, 8, 5]  # neither of the two handbags
    assert rows_of(selected(keep="subject", labels=("person", "handbag"), attach=False)) == [2, 4, 7, 9]


def test_things_do_not_count() -> None:
    chosen = selected(max_count=3, keep="subject")
    assert rows_of(chosen) == [4, 7, 9, 8, 5]
    assert rows_of(selected(max_count=1, keep="subject")) == [4, 5]


def test_who_is_too_small_takes_nothing_along() -> None:
    assert rows_of(selected(min_size=150.0)) == [0, 1, 2, 3]


def test_a_ridden_bicycle_goes_with_its_rider_and_a_parked_one_by_its_label() -> None:
    chosen = selected(labels=("person", "bicycle"), keep="subject")
    assert rows_of(chosen) == [10, 4, 7, 9, 8, 5]
    assert chosen.owner is not None and chosen.owner.tolist() == [-1, -1, -1, -1, 2, 1]
    assert rows_of(selected(labels=("bicycle",))) == [10, 8]


def test_a_region_protects_people_with_their_things_and_things_alone() -> None:
    x1, y1, x2, y2 = BYSTANDER
    assert not {4, 5} & set(rows_of(selected(keep_region=((x1, y1, x2 - x1, y2 - y1),))))
    bag_alone = bag(BYSTANDER)
    region = (bag_alone[0], bag_alone[1], bag_alone[2] - bag_alone[0], bag_alone[3] - bag_alone[1])
    chosen = rows_of(selected(keep_region=(region,)))
    assert 4 in chosen and 5 not in chosen


@pytest.mark.parametrize(
    "wrong",
    [
        {"keep": "biggest"},
        {"confidence": 1.5},
        {"confidence": -0.1},
        {"attach_confidence": 2.0},
        {"thresholds": {"car": 3.0}},
        {"min_size": -1.0},
        {"max_count": -1},
        {"keep_region": ((1.0, 2.0, 3.0),)},
    ],
)
def test_what_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(RecipeError, match="select"):
        Select(**wrong)


def test_what_is_kept_is_handed_on_and_what_is_only_not_named_is_not() -> None:
    there = Detections(
        np.array([[40, 10, 60, 90], [5, 50, 12, 70], [0, 0, 30, 30]], np.float32),
        np.array([0.9, 0.8, 0.9], np.float32),
        ("person", "person", "dog"),
    )
    [kept] = Select(labels=("person",), keep="largest")([np.zeros((100, 100, 3), np.uint8)], [there])
    assert kept.label == ("person",) and kept.staying is not None
    assert kept.staying.tolist() == [[40, 10, 60, 90]]
    [gone] = Select(labels=("person",))([np.zeros((100, 100, 3), np.uint8)], [there])
    assert gone.staying is None


HALF, WHOLE = (40, 20, 68, 80), (15, 20, 70, 80)


@pytest.mark.parametrize(
    ("others", "rows"),
    [
        ([(WHOLE, 0.44, "person")], [0, 1]),  # nearly sure, and holds the sure one
        ([(WHOLE, 0.35, "person")], [0]),  # not sure enough
        ([(WHOLE, 0.44, "dog")], [0]),  # another class
        ([((15, 20, 60, 80), 0.44, "person")], [0]),  # it cuts the sure one
        ([((0, 0, 120, 100), 0.44, "person")], [0]),  # far larger: somebody before a crowd
        ([((16, 21, 30, 79), 0.6, "person"), (WHOLE, 0.44, "person")], [0, 1]),  # round two people
    ],
)
def test_a_nearly_sure_find_goes_where_it_holds_a_sure_one(
    others: list[tuple[Box, float, str]], rows: list[int]
) -> None:
    boxes, scores, labels = zip((HALF, 0.52, "person"), *others, strict=True)
    finds = Detections(np.array(boxes, np.float32), np.array(scores, np.float32), tuple(labels))
    (chosen,) = Select(confidence=0.45, attach=False)([np.zeros((100, 120, 3), np.uint8)], [finds])
    kept = sorted(finds.xyxy.tolist().index(box) for box in chosen.xyxy.tolist())
    assert kept == rows
