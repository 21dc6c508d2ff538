"""What an edited mask means: erased, widened and new parts, with and without what was recorded."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from autoremove.own_masks.coco import entry, run_lengths
from autoremove.own_masks.editing import outlined, taken_back
from autoremove.types import Detections, ObjectMask

SHAPE = (40, 60)


def block(*boxes: tuple[int, int, int, int]) -> np.ndarray:
    mask = np.zeros(SHAPE, bool)
    for x1, y1, x2, y2 in boxes:
        mask[y1:y2, x1:x2] = True
    return mask


MAN, BAG = (10, 10, 20, 30), (20, 20, 25, 26)
IDS = block(MAN).astype(np.uint16) + 2 * block(BAG).astype(np.uint16)
WHITE = block((7, 7, 28, 33))
RECORD: dict[str, Any] = {
    "grown": run_lengths(WHITE),
    "objects": [
        {"number": 1, "owner": 0, "label": "person", "score": 0.9, "xyxy": [9.5, 10, 20, 30.25]},
        {"number": 2, "owner": 1, "label": "handbag", "score": 0.4, "xyxy": [20, 20, 25, 26]},
    ],
}


def test_untouched_it_is_what_was_written() -> None:
    found, mask = taken_back(WHITE, IDS, RECORD)
    assert (mask.grown == WHITE).all() and (mask.ids == IDS).all()
    assert found.label == ("person", "handbag") and found.owner is not None
    assert found.owner.tolist() == [-1, 0]
    assert found.xyxy[0].tolist() == [9.5, 10, 20, 30.25]


def test_an_object_without_pixels_stays_while_nothing_is_touched() -> None:
    found, _ = taken_back(WHITE, np.where(IDS == 2, 0, IDS).astype(np.uint16), RECORD)
    assert len(found) == 2


def test_erased_objects_are_no_longer_listed() -> None:
    found, mask = taken_back(block((19, 17, 28, 29)), IDS, RECORD)
    assert found.label == ("person", "handbag")
    found, mask = taken_back(block((20, 17, 28, 29)), IDS, RECORD)
    assert found.label == ("handbag",) and found.owner is not None
    assert found.owner.tolist() == [-1]
    assert (mask.ids == block(BAG)).all()
    assert found.xyxy.tolist() == [list(BAG)]


def test_white_that_touches_joins_the_nearest_object() -> None:
    hat = (8, 2, 16, 7)
    found, mask = taken_back(WHITE | block(hat), IDS, RECORD)
    assert found.label == ("person", "handbag")
    assert (mask.ids == np.where(block(hat), 1, IDS)).all()
    assert found.xyxy[0].tolist() == [8, 2, 20, 30]


def test_white_apart_is_an_object_of_its_own() -> None:
    dog = (40, 30, 50, 38)
    found, mask = taken_back(WHITE | block(dog), IDS, RECORD)
    assert found.label == ("person", "handbag", "object")
    assert ((mask.ids == 3) == block(dog)).all()
    assert found.xyxy[2].tolist() == list(dog) and found.score[2] == 1


def test_without_a_record_white_with_an_object_is_its_ring() -> None:
    dog = (40, 30, 50, 38)
    found, mask = taken_back(WHITE | block(dog), IDS, {})
    assert found.label == ("object",) * 3
    assert (mask.ids == IDS + 3 * block(dog)).all()


def test_without_ids_every_piece_is_an_object() -> None:
    found, mask = taken_back(block(MAN, (40, 5, 44, 8)), None, RECORD)
    assert found.label == ("object", "object")
    assert ((mask.ids > 0) == mask.grown).all()
    assert sorted(found.xyxy.tolist()) == sorted([[*MAN], [40, 5, 44, 8]])


def test_a_speckled_mask_is_one_object() -> None:
    speckled = np.zeros((100, 100), bool)
    speckled[::2, ::2] = True
    found, mask = taken_back(speckled, None, {})
    assert len(found) == 1 and set(np.unique(mask.ids)) == {0, 1}


def test_nothing_white() -> None:
    for ids in (None, IDS):
        found, mask = taken_back(np.zeros(SHAPE, bool), ids, RECORD)
        assert len(found) == 0 and not mask.grown.any() and not mask.ids.any()


def test_ids_beyond_the_record_are_objects() -> None:
    found, mask = taken_back(WHITE, np.where(IDS == 2, 7, IDS).astype(np.uint16), RECORD)
    assert found.label == ("person", "object")
    assert set(np.unique(mask.ids)) == {0, 1, 2}


def test_a_record_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="segmentation"):
        taken_back(WHITE[:, :30], IDS[:, :30], RECORD)


def test_outlines_become_masks_to_grow() -> None:
    found = Detections(np.array([MAN, BAG], np.float32), np.ones(2, np.float32), ("person", "handbag"))
    rows = entry("a.jpg", "a.png", found, ObjectMask(WHITE, IDS))["annotations"]
    objects = [{**row, "segmentation": rows[n]["segmentation"]} for n, row in enumerate(RECORD["objects"])]
    hidden = {**RECORD["objects"][1], "number": 0, "segmentation": []}
    back = outlined({"objects": [*objects, hidden]}, SHAPE)
    assert back.masks is not None and back.owner is not None
    assert [window for window, _ in back.masks] == [MAN, BAG, (0, 0, 0, 0)]
    assert back.masks[0][1].all() and back.owner.tolist() == [-1, 0, 0]
