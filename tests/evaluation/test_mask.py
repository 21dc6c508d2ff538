"""Mask figures on objects and masks made by hand."""

from __future__ import annotations

import numpy as np
import pytest

from autoremove.errors import InputError
from autoremove.evaluation.mask import evaluate_mask, kinds_of_mistake
from autoremove.types import Detections, ObjectMask
from tests.evaluation.folders import PERSON, SMALL, instances


def boxes_grown(grow: int = 0, shrink: int = 0):
    """A method that takes the box, less ``shrink`` pixels on each side, and grows it by ``grow``."""

    def refine(image, found):
        ids, grown = np.zeros(image.shape[:2], np.uint16), np.zeros(image.shape[:2], bool)
        for row, (x1, y1, x2, y2) in enumerate(
            np.rint(np.add(found.xyxy, [shrink, shrink, -shrink, -shrink])).astype(int)
        ):
            ids[y1:y2, x1:x2] = row + 1
            grown[y1 - grow : y2 + grow, x1 - grow : x2 + grow] = True
        return ObjectMask(grown, ids)

    return refine


@pytest.fixture
def folder(tmp_path):
    objects = [("person", PERSON), ("dog", SMALL)]
    return instances(tmp_path / "data", [{"name": "a", "objects": objects}])


def test_exact_masks(folder):
    result = evaluate_mask(folder, {"box": boxes_grown()})
    assert result["iou_given_boxes"] == {"person": 1.0, "all": 1.0}
    assert (result["uncovered"], result["area_ratio"]) == (0.0, 1.0)
    assert result["iou_found"] == {"person": None, "all": None}
    assert result["objects"] == 2


def test_short_masks_leave_a_rim_uncovered(folder):
    result = evaluate_mask(folder, {"box": boxes_grown(shrink=2)})
    person, dog = 26 * 76 / (30 * 80), 6 * 16 / (10 * 20)
    assert result["iou_given_boxes"]["person"] == pytest.approx(person)
    assert result["iou_given_boxes"]["all"] == pytest.approx((person + dog) / 2)
    left = 26 * 76 + 6 * 16
    assert result["uncovered"] == pytest.approx(1 - left / (30 * 80 + 10 * 20))
    assert result["area_ratio"] == pytest.approx(left / (30 * 80 + 10 * 20))
    assert result["person"]["uncovered"] == pytest.approx(1 - person)


def test_sizes_are_told_apart_by_the_longer_side(folder):
    sizes = evaluate_mask(folder, {"box": boxes_grown(shrink=2)})["sizes"]
    assert {name: row["objects"] for name, row in sizes.items()} == {"under 32 px": 1, "64 to 128 px": 1}
    assert sizes["under 32 px"]["iou"] == pytest.approx(6 * 16 / (10 * 20))
    assert sizes["64 to 128 px"]["iou"] == pytest.approx(26 * 76 / (30 * 80))


def test_growth_costs_area(folder):
    result = evaluate_mask(folder, {"box": boxes_grown(grow=2)})
    assert result["uncovered"] == 0.0
    assert result["person"]["area_ratio"] == pytest.approx(34 * 84 / (30 * 80))


def test_found_boxes(folder):
    x1, y1, x2, y2 = PERSON
    rows = np.array([(x1, y1, x2, y2 - 16), (0, 0, 5, 5)], np.float32)
    found = Detections(rows, np.array([0.9, 0.8], np.float32), ("person", "dog"))
    result = evaluate_mask(folder, {"box": boxes_grown()}, lambda image: found, classes=["person", "dog"])
    assert result["iou_found"] == {"person": pytest.approx(0.8), "all": pytest.approx(0.8)}
    assert result["found"] == {"person": 1.0, "all": 0.5}
    fewer = evaluate_mask(folder, {"box": boxes_grown()}, lambda image: found, classes=["person"])
    assert fewer["found"] == {"person": 1.0, "all": 1.0}


def test_methods_side_by_side_and_a_sheet(folder, tmp_path):
    methods = {"short": boxes_grown(shrink=4), "box": boxes_grown()}
    result = evaluate_mask(folder, methods, sheet=tmp_path / "sheet.png")
    assert list(result["methods"]) == ["short", "box"]
    assert result["iou_given_boxes"] == result["methods"]["short"]["iou_given_boxes"]
    assert result["methods"]["box"]["iou_given_boxes"]["all"] == 1.0
    assert (tmp_path / "sheet.png").read_bytes().startswith(b"\x89PNG")


def test_ignored_pixels_and_unclear_labels_never_count(tmp_path):
    x1, y1, x2, _ = PERSON
    row = {
        "name": "a",
        "objects": [("person", PERSON), ("bicycle+rider", SMALL)],
        "ignore": [(x1, y1, x2, y1 + 8)],
    }
    found = boxes_grown()
    result = evaluate_mask(
        instances(tmp_path, [row]), {"box": lambda image, given: found(image, whole(given))}
    )
    assert result["objects"] == 1
    assert result["iou_given_boxes"]["person"] == 1.0  # its mask reaches into pixels marked 255


def whole(given: Detections) -> Detections:
    return Detections(np.array([PERSON], np.float32), given.score, given.label)


def test_boxes_alone_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"instances\.jsonl"):
        evaluate_mask(tmp_path, {"box": boxes_grown()})


def test_poor_masks_and_what_they_have_in_common(folder):
    result = evaluate_mask(folder, {"box": boxes_grown(shrink=4)})
    poor = result["causes"]["poor"]
    assert (poor["all"], poor["missing"], poor["wrong_object"]) == (2, 1, 1)
    assert (poor["under_32"], poor["by_source"]) == (1, {"ours": 2})
    assert result["causes"]["objects"]["large"] == 1
    assert set(result["classes"]) == {"dog", "person"}
    assert result["classes"]["dog"]["objects"] == 1


def test_kinds_of_mistakes():
    truth = np.zeros((20, 20), bool)
    truth[5:15, 5:15] = True
    half, wide, none = truth.copy(), truth.copy(), np.zeros_like(truth)
    half[5:10] = False
    wide[2:18, 2:18] = True
    assert kinds_of_mistake(truth, truth, none) == ()
    assert kinds_of_mistake(half, truth, none) == ("missing",)
    assert kinds_of_mistake(wide, truth, none) == ("loose",)
    assert kinds_of_mistake(wide, truth, wide & ~truth) == ()
    assert kinds_of_mistake(none, truth, none) == ("wrong_object",)
