"""Detect asks its network for the looks of the plan, and gives boxes in the frame of the picture."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from autoremove.errors import RecipeError
from autoremove.models import cache, weights
from autoremove.stages.detect import WEAK, Detect, moved
from autoremove.stages.fuse import mirrored
from autoremove.stages.views import SPEEDS
from autoremove.types import NO_CUTOUT, Detections, Image
from tests import builders
from tests.cases.chain import FindRed


class Spy:
    """A detector that finds what is red, and notes how it was asked."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.seen: list[list[Image]] = []

    def detect(self, images: list[Image], *, mirror: bool, **options: Any) -> list[Detections]:
        self.asked.append({"mirror": mirror, **options})
        self.seen.append(images)
        if not mirror:
            return FindRed(confidence=0.0)(images)
        found = FindRed(confidence=0.0)([np.ascontiguousarray(image[:, ::-1]) for image in images])
        return [mirrored(one, image.shape[1]) for one, image in zip(found, images, strict=True)]


@pytest.fixture
def spy(monkeypatch: pytest.MonkeyPatch) -> Spy:
    fake = Spy()

    def load(kind: str, name: str, device: str) -> Spy:
        assert (kind, name, device) == ("detector", "mine", "cpu")
        return fake

    monkeypatch.setattr(cache, "load", load)
    return fake


def test_given_sizes_are_seen_straight_and_mirrored(spy: Spy) -> None:
    picture = builders.scene()
    (found,) = Detect(weights="mine", sizes=(64, 96))([picture])
    assert [(row["imgsz"], row["mirror"]) for row in spy.asked] == [
        (64, False),
        (64, True),
        (96, False),
        (96, True),
    ]
    assert all(np.array_equal(seen, picture) for (seen,) in spy.seen)
    # The person is off the middle: only mirrored back does every view say the same.
    assert found.xyxy.tolist() == [list(builders.PERSON)]
    (plain,) = FindRed(confidence=0.0)([picture])
    assert 0.7 * plain.score[0] < found.score[0] < plain.score[0]


@pytest.mark.parametrize("speed", SPEEDS)
def test_a_large_picture_is_searched_through_and_each_person_found_once(spy: Spy, speed: str) -> None:
    picture = np.zeros((1800, 2600, 3), np.uint8)
    part = builders.scene()
    x1, y1, x2, y2 = builders.PERSON
    # One near the middle, where slices meet, and one in the last corner.
    places = [(900, 1280), (1800 - part.shape[0], 2600 - part.shape[1])]
    for top, left in places:
        picture[top : top + part.shape[0], left : left + part.shape[1]] = part
    (found,) = Detect(weights="mine", speed=speed)([picture])
    wanted = sorted([left + x1, top + y1, left + x2, top + y2] for top, left in places)
    if speed == "fast":  # the fake finds one box round all that is red: only slices tell the two apart
        assert len(spy.asked) == 6
        return
    assert len(spy.asked) > 6
    assert any(len(seen) > 3 for seen in spy.seen), "slices go through the network together"
    boxes = found[found.score > 0.05].xyxy.round().tolist()
    assert all(box in boxes for box in wanted)


def test_weak_finds_count_where_several_views_may_confirm_them(spy: Spy) -> None:
    stage = Detect(weights="mine", sizes=(64,), confidence=0.4, iou=0.5, labels=("person", "dog"), max_det=9)
    stage([builders.scene()])
    assert {row["confidence"] for row in spy.asked} == {WEAK}
    assert all(row["iou"] == 0.5 and row["labels"] == ("person", "dog") for row in spy.asked)
    assert {row["max_det"] for row in spy.asked} == {9}


def test_a_single_view_is_asked_for_sure_finds_only_and_taken_as_it_is(spy: Spy) -> None:
    (found,) = Detect(weights="mine", sizes=(64,), mirror=False, confidence=0.4)([builders.scene()])
    assert [(row["confidence"], row["mirror"]) for row in spy.asked] == [(0.4, False)]
    (plain,) = FindRed(confidence=0.0)([builders.scene()])
    assert np.array_equal(found.score, plain.score)


def test_no_labels_means_all_of_them(spy: Spy) -> None:
    Detect(weights="mine")([builders.scene()])
    assert {row["labels"] for row in spy.asked} == {None}


def test_pictures_of_one_batch_go_together_and_keep_to_themselves(spy: Spy) -> None:
    pictures = [builders.scene(person=False), builders.scene(), builders.scene((64, 300))]
    found = Detect(weights="mine", sizes=(64, 96))(pictures)
    assert [len(row) for row in found] == [0, 1, 1]
    assert all(len(seen) == 3 for seen in spy.seen)
    assert Detect(weights="mine")([]) == []


def test_no_more_than_the_surest_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    class Many:
        def detect(self, images: list[Image], **_: Any) -> list[Detections]:
            left = np.arange(50, dtype=np.float32)[:, None] * 20
            boxes = np.hstack([left, left * 0, left + 10, left * 0 + 10])
            score = np.linspace(0.9, 0.3, 50, dtype=np.float32)
            return [Detections(boxes, score, ("person",) * 50) for _ in images]

    monkeypatch.setattr(cache, "load", lambda *_: Many())
    (found,) = Detect(sizes=(64,), max_det=7)([np.zeros((64, 1000, 3), np.uint8)])
    assert len(found) == 7
    assert (np.diff(found.score) <= 0).all()
    assert found.xyxy[0, 0] == 0


def test_masks_move_with_their_window() -> None:
    mask = np.ones((3, 2), bool)
    found = Detections(
        np.array([[1, 2, 3, 5]] * 2, np.float32),
        np.ones(2, np.float32),
        ("a", "b"),
        (((1, 2, 3, 5), mask), NO_CUTOUT),
    )
    there = moved(found, (10, 100))
    assert there.xyxy[0].tolist() == [11, 102, 13, 105]
    assert there.masks is not None
    assert there.masks[0][0] == (11, 102, 13, 105)
    assert there.masks[1][1].size == 0
    assert moved(found, (0, 0)) is found


@pytest.mark.parametrize("fields", [{"speed": "slow"}, {"sizes": (16,)}, {"max_det": 0}])
def test_settings_that_make_no_sense_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(RecipeError, match=f"detect.{next(iter(fields))}"):
        Detect(**fields)


def test_the_key_has_the_hash_of_the_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "digest", lambda name, kind: f"hash of {kind} {name}")
    assert Detect(weights="mine").weights_digest() == "hash of detector mine"
