"""Detect asks its network for several views, and gives boxes in the frame of the picture."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from autoremove.models import cache, weights
from autoremove.stages.detect import WEAK, Detect
from autoremove.types import Detections, Image
from tests import builders
from tests.cases.chain import FindRed


class Spy:
    """A detector that finds what is red, and notes how it was asked."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.seen: list[list[Image]] = []

    def detect(self, images: list[Image], **options: Any) -> list[Detections]:
        self.asked.append(options)
        self.seen.append(images)
        return FindRed(confidence=0.0)(images)


@pytest.fixture
def spy(monkeypatch: pytest.MonkeyPatch) -> Spy:
    fake = Spy()

    def load(kind: str, name: str, device: str) -> Spy:
        assert (kind, name, device) == ("detector", "mine", "cpu")
        return fake

    monkeypatch.setattr(cache, "load", load)
    return fake


def test_every_size_is_seen_straight_and_mirrored(spy: Spy) -> None:
    picture = builders.scene()
    (found,) = Detect(weights="mine", sizes=(64, 96))([picture])
    assert [row["imgsz"] for row in spy.asked] == [64, 64, 96, 96]
    for number, (seen,) in enumerate(spy.seen):
        assert np.array_equal(seen, picture[:, ::-1] if number % 2 else picture)
        assert seen.flags.c_contiguous
    # The person is off the middle: only mirrored back does every view say the same.
    assert found.xyxy.tolist() == [list(builders.PERSON)]
    assert found.score[0] > 0.5


def test_weak_finds_count_where_several_views_may_confirm_them(spy: Spy) -> None:
    stage = Detect(weights="mine", sizes=(64,), confidence=0.4, iou=0.5, labels=("person", "dog"))
    stage([builders.scene()])
    assert {row["confidence"] for row in spy.asked} == {WEAK}
    assert all(row["iou"] == 0.5 and row["labels"] == ("person", "dog") for row in spy.asked)


def test_a_single_view_is_asked_for_sure_finds_only(spy: Spy) -> None:
    Detect(weights="mine", sizes=(64,), mirror=False, confidence=0.4)([builders.scene()])
    assert [row["confidence"] for row in spy.asked] == [0.4]


def test_no_labels_means_all_of_them(spy: Spy) -> None:
    Detect(weights="mine", sizes=(64,), labels=())([builders.scene()])
    assert {row["labels"] for row in spy.asked} == {None}


def test_pictures_of_one_batch_keep_to_themselves(spy: Spy) -> None:
    pictures = [builders.scene(person=False), builders.scene(), builders.scene((64, 300))]
    found = Detect(weights="mine", sizes=(64, 96))(pictures)
    assert [len(row) for row in found] == [0, 1, 1]
    assert all(len(seen) == 3 for seen in spy.seen)
    assert Detect(weights="mine")([]) == []


def test_the_key_has_the_hash_of_the_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "digest", lambda name, kind: f"hash of {kind} {name}")
    assert Detect(weights="mine").weights_digest() == "hash of detector mine"
