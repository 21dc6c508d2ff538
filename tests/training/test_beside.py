"""What is found beside the labels: learnt where it is found surely, and else left open."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from autoremove.errors import InputError
from autoremove.evaluation.labelled import read_boxed as read_judged
from autoremove.training import beside
from autoremove.training.augmentation import Canvas, placed
from autoremove.training.beside import Find
from autoremove.training.box_split import read_split
from autoremove.training.boxes import BoxedPicture
from autoremove.training.detector import DetectorConfig
from autoremove.types import Detections
from benchmarks import unlabelled
from tests.cases import labelled

LABELS = ("person", "dog")


def picture(unknown: int = 0) -> BoxedPicture:
    boxes, kinds = np.array([[10, 10, 30, 60]], np.float32), np.zeros(1, np.int64)
    return BoxedPicture(np.zeros((80, 160, 3), np.uint8), boxes, kinds, unknown=unknown)


def finds(*rows: tuple[str, float]) -> list[Find]:
    return [Find(label, score, (0.5, 0.25, 0.75, 0.75)) for label, score in rows]


@pytest.mark.parametrize(
    ("unknown", "find", "learnt", "doubtful"),
    [
        (0b00, ("person", 0.9), [0, 0], []),
        (0b00, ("person", 0.7), [0], [0]),
        (0b10, ("dog", 0.9), [0, 1], []),  # no dog is ever labelled here
        (0b10, ("dog", 0.7), [0], [1]),
        (0b00, ("person", 0.2), [0], []),
        (0b00, ("car", 0.9), [0], []),
    ],
)
def test_sure_finds_are_labels_and_others_leave_it_open(
    unknown: int, find: tuple[str, float], learnt: list[int], doubtful: list[int]
) -> None:
    seen = beside.with_finds(picture(unknown), finds(find), LABELS)
    assert (seen.kind.tolist(), seen.doubtful_kind.tolist()) == (learnt, doubtful)
    for box in (*seen.xyxy[1:].tolist(), *seen.doubtful.tolist()):
        assert box == [80, 20, 120, 60]


def test_a_doubt_follows_its_place_in_the_training_picture() -> None:
    marked = np.zeros((80, 160, 3), np.uint8)
    marked[20:60, 80:120] = 250
    doubtful = beside.with_finds(replace(picture(), image=marked), finds(("person", 0.7)), LABELS)
    for seed in range(20):
        canvas = Canvas.of(128)
        placed(doubtful, canvas, (32, 0, 128, 128), np.random.default_rng(seed), 1.3)
        white = (canvas.pixels[..., 0] > 200).reshape(16, 8, 16, 8).mean((1, 3))
        open_ = (canvas.unknown & 1) > 0
        assert open_[white > 0.99].all()
        dark = canvas.pixels[..., 0].reshape(16, 8, 16, 8).max((1, 3)) == 0
        inner = cv2.erode(dark.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
        assert not open_[inner].any()
        assert not (canvas.unknown & 2).any()


def test_only_what_is_learnt_from_has_finds(tmp_path: Path) -> None:
    folder = labelled.yolo(tmp_path / "boxes")
    told = {f"boxes/picture{n}": finds(("dog", 0.9)) for n in range(4)}
    beside.write(tmp_path / "sub" / "beside.json", told)
    config = DetectorConfig(
        (str(folder),), hold_out=3, labels=LABELS, beside=str(tmp_path / "sub" / "beside.json")
    )
    learnt, held_out = read_split(config, 64)
    plain, _ = read_split(replace(config, beside=""), 64)
    assert [len(p.kind) - len(q.kind) for p, q in zip(learnt, plain, strict=True)] == [1, 1]
    assert not any((p.kind == 1).any() for p in held_out)
    # The boxes are of the picture at the size at which it is learnt from.
    assert learnt[0].xyxy[-1].tolist() == pytest.approx([32, 12, 48, 36])
    with pytest.raises(InputError, match=r"absent\.json"):
        read_split(replace(config, beside=str(tmp_path / "absent.json")), 64)
    (tmp_path / "other.json").write_text('{"images": 7}')
    with pytest.raises(InputError, match=r"other\.json"):
        read_split(replace(config, beside=str(tmp_path / "other.json")), 64)


def test_finds_on_labelled_objects_and_their_parts_are_not_beside_them(tmp_path: Path) -> None:
    (shown,) = read_judged(labelled.instances(tmp_path / "i", (labelled.PICTURES[1],)))
    (person,) = shown.xyxy[[name == "person" for name in shown.label]]
    part = person * [1, 1, 1, 0.5] + [0, 0, 0, 5]
    elsewhere = np.array([2, 2, 20, 30], np.float32)
    boxes = np.stack([person, part, elsewhere, person]).astype(np.float32)
    found = Detections(boxes, np.array([0.9, 0.8, 0.7, 0.6], np.float32), ("person",) * 3 + ("dog",))
    told = unlabelled.beside(shown, found)
    assert [(find.label, pytest.approx(find.score)) for find in told] == [("person", 0.7), ("dog", 0.6)]
    size = np.array([128, 96, 128, 96])
    np.testing.assert_allclose(np.array(told[0].box) * size, elsewhere, atol=1e-3)


def test_the_search_writes_what_a_training_reads(tmp_path: Path) -> None:
    folders = [labelled.yolo(tmp_path / "boxes"), labelled.instances(tmp_path / "masks")]
    words = [word for folder in folders for word in ("--data", str(folder))]
    unlabelled.main([*words, "--limit", "2", "-o", str(tmp_path / "found.json")])
    told = beside.read(tmp_path / "found.json")
    assert set(told) == {f"{name}/picture{n}" for name in ("boxes", "masks") for n in (0, 3)}


def test_pictures_that_no_detector_learns_from_are_not_searched(tmp_path: Path) -> None:
    one = labelled.instances(tmp_path / "one", source="DAVIS (main object only)")
    main = labelled.instances(tmp_path / "main", labelled.PICTURES[:1], source="Clothes (main person only)")
    unlabelled.main(["--data", str(one), "--data", str(main), "-o", str(tmp_path / "found.json")])
    assert set(beside.read(tmp_path / "found.json")) == {"main/picture0"}
