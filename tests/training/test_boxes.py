"""Boxes stay on their objects, whatever is done to the picture."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from autoremove.errors import InputError
from autoremove.training.augmentation import EVERY, Canvas, augmented, degraded, placed, recoloured
from autoremove.training.boxes import (
    GREY,
    BoxedPicture,
    letterboxed,
    read_backgrounds,
    read_boxed,
    shrunk,
)
from autoremove.training.instances import IGNORE
from tests.cases import labelled


def boxed(number: int = 0) -> BoxedPicture:
    image, _ = labelled.drawn(labelled.PICTURES[number])
    people = [box for label, box in labelled.PICTURES[number] if label == "person"]
    xyxy = np.array(people, np.float32).reshape(-1, 4)
    return BoxedPicture(image, xyxy, np.zeros(len(people), np.int64))


def reddish(image: np.ndarray) -> np.ndarray:
    """Red at any brightness and paleness that the colour changes may give."""
    r, g, b = (image[..., i].astype(int) for i in range(3))
    return (r > g + 40) & (r > b + 40)


def extent(plane: np.ndarray) -> np.ndarray:
    ys, xs = np.nonzero(plane)
    return np.array([xs.min(), ys.min(), xs.max() + 1, ys.max() + 1])


def test_both_forms_of_data_give_the_same_boxes(tmp_path: Path) -> None:
    one = list(read_boxed(labelled.instances(tmp_path / "i"), ("person",), 640))
    other = list(read_boxed(labelled.yolo(tmp_path / "y"), ("person",), 640))
    assert len(one) == len(other) == 4
    for a, b in zip(one, other, strict=True):
        assert np.array_equal(a.image, b.image)
        assert a.xyxy == pytest.approx(b.xyxy, abs=1e-3)
        assert np.array_equal(a.kind, b.kind)
        assert a.xyxy.dtype == b.xyxy.dtype == np.float32
    assert one[2].xyxy.shape == (0, 4)


def test_labels_are_numbered_as_they_were_asked_for(tmp_path: Path) -> None:
    pictures = list(read_boxed(labelled.instances(tmp_path / "i"), ("dog", "person"), 640))
    assert [picture.kind.tolist() for picture in pictures] == [[1], [1, 0], [0], [1]]


def test_what_could_teach_something_wrong_is_left_in_doubt(tmp_path: Path) -> None:
    objects = ((("bicycle+rider", (10, 10, 40, 40)), ("person", (60, 20, 80, 60))),)
    folder = labelled.instances(tmp_path / "i", objects)
    from PIL import Image as PilImage

    ids = labelled.drawn(objects[0])[1]
    ids[80:90, 80:90] = IGNORE
    PilImage.fromarray(ids).save(folder / "masks" / "picture0.png")
    (picture,) = read_boxed(folder, ("person",), 640)
    assert picture.unclear is not None
    assert picture.unclear[10:40, 10:40].all()
    assert picture.unclear[80:90, 80:90].all()
    assert picture.unclear.sum() == 30 * 30 + 10 * 10
    assert picture.xyxy.tolist() == [[60, 20, 80, 60]]
    canvas = Canvas.of(128)
    placed(picture, canvas, (0, 0, 128, 128), np.random.default_rng(0), 1.0)
    assert 0.02 < (canvas.unknown == EVERY).mean() < 0.3


@pytest.mark.parametrize(
    ("source", "unknown"),
    [("COCO", [0, 0, 0]), ("CamVid frames", [4, 4, 4]), ("Clothing, person only", [7, 7, 7])],
)
def test_a_source_is_no_judge_of_what_it_does_not_label(tmp_path, source: str, unknown: list[int]) -> None:
    folder = labelled.instances(tmp_path / "i", labelled.PICTURES[:3], source=source)
    pictures = list(read_boxed(folder, ("person", "car", "sheep"), 640))
    assert [picture.unknown for picture in pictures] == unknown
    assert [p.unknown for p in read_boxed(labelled.yolo(tmp_path / "y"), ("person", "car"), 640)] == [2] * 4


def test_backgrounds_teach_only_that_nobody_is_there(tmp_path: Path) -> None:
    folder = labelled.instances(tmp_path / "i") / "images"
    names = sorted(path.name for path in folder.iterdir())
    found = tmp_path / "coco.json"
    found.write_text(
        json.dumps({"images": [{"id": 7, "file_name": names[1]}], "annotations": [{"image_id": 7}]})
    )
    assert len(list(read_backgrounds(folder, None, None, 3, 64))) == len(names)
    rows = list(read_backgrounds(folder, found, None, 3, 64))
    assert [row.weight for row in rows] == [0.5] * (len(names) - 1)
    empty = tmp_path / "empty.txt"
    empty.write_text(f"{names[1]}\n{names[2]}\n")
    all_of_them = list(read_backgrounds(folder, found, empty, 3, 64))
    assert [row.weight for row in all_of_them] == [0.5, 1.0, *[0.5] * (len(names) - 2)]
    with pytest.raises(InputError, match="absent"):
        list(read_backgrounds(folder, found, tmp_path / "absent", 3, 64))
    assert all(len(row.xyxy) == 0 and row.unknown == 0b110 and max(row.image.shape) == 64 for row in rows)


@pytest.mark.parametrize(
    ("source", "weights"),
    [("COCO", [1.0] * 4), ("DAVIS, person only", [0.3] * 4), ("DAVIS, object only", [])],
)
def test_partly_labelled_pictures_count_less_or_not_at_all(
    tmp_path, source: str, weights: list[float]
) -> None:
    folder = labelled.instances(tmp_path / "i", source=source)
    assert [picture.weight for picture in read_boxed(folder, ("person",), 640)] == weights


@pytest.mark.parametrize("most", [32, 64, 127, 640])
def test_shrunk_boxes_stay_on_their_objects(most: int) -> None:
    picture = shrunk(boxed(), most)
    assert max(picture.image.shape[:2]) == min(most, 128)
    assert np.abs(extent(reddish(picture.image)) - picture.xyxy[0]).max() <= 1


def test_letterboxed_boxes_stay_on_their_objects() -> None:
    for size in (64, 200):
        canvas, xyxy = letterboxed(boxed(), size)
        assert canvas.shape == (size, size, 3)
        assert np.abs(extent(reddish(canvas)) - xyxy[0]).max() <= 1.5
        assert (canvas[-1] == GREY).all()


def test_a_placed_box_follows_its_object_everywhere() -> None:
    rng = np.random.default_rng(0)
    seen = flipped = 0
    for _ in range(150):
        paper = Canvas.of(160)
        canvas = paper.pixels
        x1, y1 = (int(v) for v in rng.integers(0, 60, 2))
        region = (x1, y1, x1 + int(rng.integers(50, 100)), y1 + int(rng.integers(50, 100)))
        zoom = float(rng.uniform(0.5, 1.5))
        boxes, kinds = placed(boxed(), paper, region, rng, zoom)
        red = reddish(canvas)
        assert len(kinds) == len(boxes) <= 1
        assert (canvas[~inside(region, 160)] == GREY).all()
        if len(boxes):
            assert np.abs(extent(red) - boxes[0]).max() <= 2
            seen += 1
            middle = (boxes[0, 0] + boxes[0, 2]) / 2
            green = np.nonzero((canvas == labelled.GROUND).all(2).any(0))[0]
            flipped += bool(len(green)) and middle > green.mean()
    assert seen > 100
    assert 0.2 < flipped / seen < 0.8


def inside(region: tuple[int, int, int, int], side: int) -> np.ndarray:
    plane = np.zeros((side, side), bool)
    plane[region[1] : region[3], region[0] : region[2]] = True
    return plane


def test_only_objects_mostly_out_of_sight_go_without_a_box() -> None:
    rng = np.random.default_rng(1)
    without = 0
    for _ in range(200):
        canvas = Canvas.of(96)
        boxes, _ = placed(boxed(), canvas, (0, 0, 96, 96), rng, 2.0)
        whole = 40 * 72 * 2.0**2  # the object's area at this zoom
        shown = reddish(canvas.pixels).sum() / whole
        assert (canvas.unknown > 0).any() == (not len(boxes) and shown > 0.02) or shown < 0.05
        assert shown > 0.28 if len(boxes) else shown < 0.33
        without += not len(boxes)
    assert without > 10


@pytest.mark.parametrize("mosaic", [0.0, 1.0])
def test_every_box_of_a_training_picture_is_on_a_person(mosaic: float) -> None:
    rng = np.random.default_rng(2)
    pictures = [boxed(number) for number in range(4)]
    chances = np.full(4, 0.25)
    count = 0
    for _ in range(60):
        paper, boxes, kinds = augmented(pictures, chances, 128, mosaic, rng)
        canvas = recoloured(paper.pixels, rng)
        assert canvas.shape == (128, 128, 3)
        assert len(boxes) == len(kinds)
        assert boxes.dtype == np.float32
        assert kinds.dtype == np.int64
        red = reddish(canvas)
        for x1, y1, x2, y2 in boxes:
            assert 0 <= x1 < x2 <= 128
            assert 0 <= y1 < y2 <= 128
            part = (slice(int(np.floor(y1)), int(np.ceil(y2))), slice(int(np.floor(x1)), int(np.ceil(x2))))
            assert red[part].mean() > 0.6
            count += 1
    assert count > 30


def test_beside_the_labelled_one_somebody_may_stand_unlabelled() -> None:
    """Where a source labels its main person only, all else is in doubt, but not what is in that one's box."""
    picture = replace(boxed(), unknown=0b11)
    for seed in range(5):
        canvas = Canvas.of(128)
        shown, _ = placed(picture, canvas, (0, 0, 128, 128), np.random.default_rng(seed), 1.0)
        x1, y1, x2, y2 = np.rint(shown[0] / 8).astype(int)
        person = (canvas.unknown & 1) > 0
        assert not person[y1:y2, x1:x2].any()
        person[y1:y2, x1:x2] = True
        assert person.all()
        assert (canvas.unknown & 2 > 0).all()


def test_small_people_are_brought_near() -> None:
    """A child of 6 x 12 pixels, in a corner of its picture, is seen at 28 to 160 pixels, and whole."""
    image = np.full((200, 300, 3), labelled.GROUND, np.uint8)
    image[180:192, 285:291] = (200, 30, 30)
    child = BoxedPicture(image, np.array([[285, 180, 291, 192]], np.float32), np.zeros(1, np.int64))
    rng = np.random.default_rng(5)
    sizes = []
    for _ in range(60):
        canvas, boxes, _ = augmented([child], np.ones(1), 224, 0.0, rng, focus=1.0)
        assert len(boxes) == 1
        assert np.abs(extent(reddish(canvas.pixels)) - boxes[0]).max() <= 6  # edges are soft so near
        assert (canvas.pixels != GREY).any(2).mean() > 0.95
        sizes.append(np.sqrt((boxes[0, 2:] - boxes[0, :2]).prod()))
    assert min(sizes) > 0.9 * 28
    assert max(sizes) < 1.1 * 6.0 * np.sqrt(72) * 224 / 200  # as near as it goes
    assert max(sizes) > 50
    plain = [augmented([child], np.ones(1), 224, 0.0, rng)[1] for _ in range(60)]
    assert np.median([np.sqrt((b[:, 2:] - b[:, :2]).prod()) for b in plain if len(b)]) < 15


def test_pictures_of_chance_nought_are_never_drawn() -> None:
    rng = np.random.default_rng(3)
    for _ in range(20):
        _, boxes, _ = augmented([boxed(0), boxed(2)], np.array([0.0, 1.0]), 64, 0.5, rng)
        assert len(boxes) == 0


def test_degraded_pictures_are_still_the_picture() -> None:
    rng = np.random.default_rng(4)
    image = np.repeat(np.add.outer(np.arange(96), np.arange(96)).astype(np.uint8)[..., None], 3, 2)
    changed = 0
    for _ in range(40):
        worse = degraded(image.copy(), rng)
        assert worse.shape == image.shape
        assert worse.dtype == np.uint8
        assert np.corrcoef(worse.ravel(), image.ravel())[0, 1] > 0.9
        changed += not np.array_equal(worse, image)
    assert 5 < changed < 35
