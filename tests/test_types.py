"""Values hold what they say: columns of one length, lazy digests, samples that never change."""

from __future__ import annotations

import hashlib
import pickle
from pathlib import Path

import numpy as np
import pytest

from autoremove.types import NO_CUTOUT, Detections, ObjectMask, Ref, Sample, Step


def detections() -> Detections:
    boxes = np.array([[0, 0, 4, 4], [2, 2, 9, 9], [5, 1, 7, 3]], np.float32)
    masks = tuple(((0, 0, width, 2), np.ones((2, width), bool)) for width in (4, 2, 3))
    return Detections(boxes, np.array([0.9, 0.5, 0.7], np.float32), ("person", "car", "person"), masks)


@pytest.mark.parametrize("index", [np.array([True, False, True]), [0, 2], slice(0, 3, 2)])
def test_rows_are_taken_from_all_columns_alike(index: object) -> None:
    kept = detections()[index]
    assert kept.label == ("person", "person")
    assert kept.score.tolist() == pytest.approx([0.9, 0.7])
    assert kept.xyxy.tolist() == [[0, 0, 4, 4], [5, 1, 7, 3]]
    assert kept.masks is not None
    assert [window for window, _ in kept.masks] == [(0, 0, 4, 2), (0, 0, 3, 2)]


def test_no_row_at_all_is_a_value_too() -> None:
    for none in (Detections.empty(), detections()[np.zeros(3, bool)], detections()[[]]):
        assert len(none) == 0
        assert none.xyxy.shape == (0, 4)
        assert none.label == ()


@pytest.mark.parametrize(
    ("boxes", "scores", "labels", "masks"),
    [
        (np.zeros((2, 4)), np.zeros(1), ("a",), None),
        (np.zeros((1, 4)), np.zeros(2), ("a",), None),
        (np.zeros((1, 5)), np.zeros(1), ("a",), None),
        (np.zeros((1, 4)), np.zeros(1), ("a",), (NO_CUTOUT, NO_CUTOUT)),
    ],
)
def test_columns_of_unlike_length_are_refused(boxes, scores, labels, masks) -> None:
    with pytest.raises(ValueError, match=r"\d"):
        Detections(boxes, scores, labels, masks)


def test_a_digest_is_of_the_content_and_taken_when_asked(tmp_path: Path) -> None:
    ref = Ref(tmp_path / "later")
    (tmp_path / "later").write_bytes(b"x" * 3_000_000)
    assert ref.digest == hashlib.sha256(b"x" * 3_000_000).hexdigest()
    assert ref == Ref(tmp_path / "later")


def test_a_sample_carries_references_and_is_small(tmp_path: Path) -> None:
    sample = Sample("a.jpg", {"image": Ref(tmp_path / "a.jpg")})
    after = sample.with_slot("mask", Ref(tmp_path / "m"), Step("refine", False, 0.1))
    assert set(sample.slots) == {"image"}
    assert set(after.slots) == {"image", "mask"}
    assert after.steps == (Step("refine", False, 0.1),)
    assert len(pickle.dumps(after)) < 1000
    assert pickle.loads(pickle.dumps(after)) == after


def test_a_failure_keeps_what_is_known() -> None:
    failed = (
        Sample("a.jpg").with_slot("mask", Ref(Path("m")), Step("refine", True, 0)).failed("why", review=True)
    )
    assert (failed.error, failed.review, set(failed.slots)) == ("why", True, {"mask"})


def test_the_share_of_a_mask() -> None:
    grown = np.zeros((4, 5), bool)
    grown[:2] = True
    assert ObjectMask(grown, grown.astype(np.uint16)).share == pytest.approx(0.5)


def test_who_loses_its_owner_stands_for_itself() -> None:
    boxes, scores = np.zeros((4, 4), np.float32), np.ones(4, np.float32)
    owner = np.array([-1, 0, -1, 2])
    found = Detections(boxes, scores, ("person", "handbag", "person", "umbrella"), None, owner)
    kept = found[[3, 2, 1]]
    assert kept.owner is not None
    assert kept.owner.tolist() == [1, -1, -1]
    with pytest.raises(ValueError, match="owner"):
        Detections(boxes, scores, found.label, None, owner[:3])
