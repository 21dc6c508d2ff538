"""Detection figures on pictures and finds made by hand."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image as PilImage

from autoremove.errors import InputError
from autoremove.evaluation.detect import evaluate_detect
from autoremove.evaluation.labelled import known_labels, read_boxed, spread
from autoremove.evaluation.matching import box_iou, match, share_inside
from autoremove.types import Detections
from tests.evaluation.folders import PERSON, SMALL, instances, picture, yolo

STRAY = (95, 60, 115, 95)


def finds(*rows, label="person"):
    """A detector that gives the same rows (xyxy, score) for every picture."""
    xyxy = np.array([box for box, _ in rows], np.float32).reshape(-1, 4)
    score = np.array([value for _, value in rows], np.float32)
    return lambda image: Detections(xyxy, score, (label,) * len(rows))


def judged(folder, find, **options):
    options = {"classes": ["person"], "confidence": 0.25, **options}
    return evaluate_detect(folder, find, **options)


def test_overlap_of_boxes():
    a = np.array([[0, 0, 10, 10]], np.float32)
    b = np.array([[0, 0, 10, 10], [5, 0, 15, 10], [20, 20, 30, 30]], np.float32)
    assert box_iou(a, b)[0].tolist() == pytest.approx([1.0, 1 / 3, 0.0])


def test_each_true_box_is_taken_once():
    truth = np.array([[0, 0, 10, 10], [100, 0, 110, 10]], np.float32)
    found = np.array([[0, 0, 10, 9], [0, 0, 10, 10], [100, 0, 110, 10]], np.float32)
    assert match(found, truth).tolist() == [0, -1, 1]
    assert match(found, truth[:0]).tolist() == [-1, -1, -1]


def test_share_of_a_box_in_a_region():
    region = np.zeros((20, 20), bool)
    region[:, :5] = True
    boxes = np.array([[0, 0, 10, 10], [30, 30, 40, 40]], np.float32)
    assert share_inside(boxes, region).tolist() == [0.5, 0.0]


def test_perfect_finds(tmp_path):
    folder = instances(tmp_path, [{"name": "a", "objects": [("person", PERSON), ("person", SMALL)]}])
    result = judged(folder, finds((PERSON, 0.9), (SMALL, 0.8)))
    person = result["classes"]["person"]
    assert person["ap50"] == pytest.approx(1.0)
    assert person["ap50_95"] == pytest.approx(1.0)
    assert (person["recall_over_64"], person["recall_32_64"], person["recall_under_32"]) == (1.0, None, 1.0)
    assert (person["precision"], person["objects"], result["false_per_picture"]) == (1.0, 2, 0.0)


def test_a_loose_box_counts_at_half_overlap_only(tmp_path):
    folder = instances(tmp_path, [{"name": "a", "objects": [("person", PERSON)]}])
    x1, y1, x2, y2 = PERSON
    result = judged(folder, finds(((x1, y1, x2, y1 + 0.72 * (y2 - y1)), 0.9)))
    person = result["classes"]["person"]
    assert person["ap50"] == pytest.approx(1.0)
    assert person["ap50_95"] == pytest.approx(0.5)  # right at 0.50, 0.55, 0.60, 0.65, 0.70


def test_average_precision_of_a_false_find_on_top(tmp_path):
    folder = instances(tmp_path, [{"name": "a", "objects": [("person", PERSON)]}])
    result = judged(folder, finds((STRAY, 0.9), (PERSON, 0.8)))
    assert result["classes"]["person"]["ap50"] == pytest.approx(0.5)
    assert result["classes"]["person"]["precision"] == 0.5
    assert result["false_per_picture"] == 1.0


def test_finds_below_the_shipped_confidence_count_only_for_average_precision(tmp_path):
    folder = instances(tmp_path, [{"name": "a", "objects": [("person", PERSON)]}])
    person = judged(folder, finds((PERSON, 0.1)))["classes"]["person"]
    assert person["ap50"] == pytest.approx(1.0)
    assert (person["recall_over_64"], person["precision"]) == (0.0, None)


def test_bystanders_without_labels_are_no_false_finds(tmp_path):
    rows = [
        {
            "name": "a",
            "objects": [("person", PERSON)],
            "extra": [STRAY],
            "source": "clips (main object only)",
        },
        {"name": "b", "objects": [("person", PERSON)]},
    ]
    result = judged(instances(tmp_path, rows), finds((STRAY, 0.9), (PERSON, 0.8)))
    assert result["false_per_picture"] == 1.0  # one stray in the one picture that is judged
    assert result["classes"]["person"]["precision"] == pytest.approx(2 / 3)


@pytest.mark.parametrize("unclear", [{"ignore": [STRAY]}, {"objects": [("bicycle+rider", STRAY)]}])
def test_finds_in_unclear_regions_count_neither_way(tmp_path, unclear):
    row = {
        "name": "a",
        "objects": [("person", PERSON)],
        **{k: v for k, v in unclear.items() if k == "ignore"},
    }
    row["objects"] = row["objects"] + unclear.get("objects", [])
    result = judged(instances(tmp_path, [row]), finds((STRAY, 0.9), (PERSON, 0.8)))
    assert result["false_per_picture"] == 0.0
    assert result["classes"]["person"]["ap50"] == pytest.approx(1.0)


def test_a_source_is_no_judge_of_classes_that_it_never_labels(tmp_path):
    rows = [
        {"name": "a", "objects": [("person", PERSON)], "source": "streets"},
        {"name": "b", "objects": [("dog", PERSON)], "source": "animals"},
    ]
    folder = instances(tmp_path, rows)
    result = judged(folder, finds((STRAY, 0.9), label="dog"), classes=["person", "dog"])
    assert result["classes"]["dog"]["false_per_picture"] == 1.0
    assert result["false_per_picture"] == 0.5
    only = judged(folder, finds((STRAY, 0.9), label="dog"), classes=["person", "dog"], removed=["person"])
    assert only["false_per_picture"] == 0.0


def test_a_class_that_is_not_there_has_no_figures(tmp_path):
    folder = instances(tmp_path, [{"name": "a", "objects": [("person", PERSON)]}])
    result = judged(folder, finds(), classes=["person", "cow"])
    assert result["classes"]["cow"]["ap50"] is None
    assert result["classes"]["person"]["ap50"] == 0.0


def test_yolo_form_without_names_is_people(tmp_path):
    folder = yolo(tmp_path)
    assert known_labels(folder) == ["person"]
    result = judged(folder, finds((PERSON, 0.9), (SMALL, 0.9)))
    assert result["classes"]["person"]["recall"] == 1.0


def test_yolo_form_with_names(tmp_path):
    folder = yolo(tmp_path, ["person", "dog"])
    (boxed,) = read_boxed(folder)
    assert boxed.label == ("person", "dog")
    np.testing.assert_allclose(boxed.xyxy, [PERSON, SMALL], atol=0.01)
    (folder / "classes.txt").write_text("person\n")
    with pytest.raises(InputError, match="class 1"):
        known_labels(folder)


@pytest.mark.parametrize("text", [b"names: [person", b"names: 5", b"no table", b"\xff\xfe", b"names: {a: b}"])
def test_names_that_cannot_be_read_are_told(tmp_path, text):
    folder = yolo(tmp_path)
    (folder / "data.yaml").write_bytes(text)
    with pytest.raises(InputError, match=r"data\.yaml cannot be read"):
        known_labels(folder)


def test_yolo_boxes_are_of_the_upright_picture(tmp_path):
    folder = yolo(tmp_path)
    turned = PilImage.Exif()
    turned[0x0112] = 6
    stored = np.ascontiguousarray(np.rot90(picture(PERSON, SMALL)))
    PilImage.fromarray(stored).save(folder / "images" / "a.webp", exif=turned, lossless=True)
    (boxed,) = read_boxed(folder)
    assert np.array_equal(boxed.image, picture(PERSON, SMALL))
    assert boxed.xyxy.tolist() == [pytest.approx(PERSON, abs=0.01), pytest.approx(SMALL, abs=0.01)]


def test_polygons_count_as_their_extent(tmp_path):
    folder = yolo(tmp_path)
    (folder / "labels" / "a.txt").write_text("0 0.25 0.5 0.5 0.2 0.75 0.5 0.5 0.7\n")
    (boxed,) = read_boxed(folder)
    assert boxed.xyxy.tolist() == [pytest.approx([30, 20, 90, 70], abs=1e-4)]


@pytest.mark.parametrize("line", ["0 0.5 0.5", "person 0.5 0.5 0.1 0.1", "1.5 0.5 0.5 0.1 0.1"])
def test_a_label_line_that_is_none_is_told_with_its_file(tmp_path, line):
    folder = yolo(tmp_path)
    (folder / "labels" / "a.txt").write_text(f"{line}\n")
    with pytest.raises(InputError, match=r"a\.txt, line 1"):
        known_labels(folder)


def test_neither_form_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"instances\.jsonl"):
        judged(tmp_path, finds())


def test_a_limit_is_spread_over_the_whole_set(tmp_path):
    assert list(spread(range(10), 10, 3)) == [0, 4, 9]
    assert list(spread(range(3), 3, None)) == [0, 1, 2]
    rows = [{"name": f"p{i}", "objects": [("person", PERSON)]} for i in range(5)]
    assert judged(instances(tmp_path, rows), finds(), limit=2)["pictures"] == 2


def test_the_sheet_shows_pictures_with_mistakes(tmp_path):
    folder = instances(tmp_path / "data", [{"name": "a", "objects": [("person", PERSON)]}])
    judged(folder, finds((PERSON, 0.9)), sheet=tmp_path / "none.png")
    assert not (tmp_path / "none.png").exists()
    judged(folder, finds((STRAY, 0.9)), sheet=tmp_path / "bad.png")
    assert (tmp_path / "bad.png").read_bytes().startswith(b"\x89PNG")


def test_what_the_recipe_leaves_alone_is_no_false_find(tmp_path):
    folder = instances(tmp_path, [{"name": "a", "objects": [("person", PERSON)]}])

    def none_of_them(image, found):
        return found[[]]

    result = judged(folder, finds((STRAY, 0.9), (PERSON, 0.8)), choose=none_of_them)
    assert result["false_per_picture"] == 0.0
    assert result["classes"]["person"]["precision"] == 0.5, "the class itself is judged as it is found"


def test_a_thing_that_goes_with_its_person_counts_as_removed(tmp_path):
    rows = [{"name": "a", "objects": [("person", PERSON), ("handbag", SMALL)]}]
    folder = instances(tmp_path, rows)
    both = finds((STRAY, 0.9), label="handbag")
    result = judged(
        folder, both, classes=["person", "handbag"], removed=["person"], choose=lambda _, found: found
    )
    assert result["false_per_picture"] == 1.0
    assert result["causes"]["missed"]["all"] == 1, "the bag is nobody's aim, so only the person is missed"


def test_each_class_may_have_its_own_confidence(tmp_path):
    folder = instances(tmp_path, [{"name": "a", "objects": [("dog", PERSON), ("cow", SMALL)]}])
    find = finds((PERSON, 0.4), label="dog")
    limits = {"dog": 0.3, "cow": 0.9}
    result = judged(folder, find, classes=["dog", "cow"], confidence=limits.__getitem__)
    assert result["classes"]["dog"]["recall"] == 1.0
    assert result["classes"]["dog"]["confidence"] == 0.3
    assert result["classes"]["all-animals"]["recall"] == 0.5
    assert result["classes"]["all-animals"]["ap50"] == pytest.approx(0.5, abs=0.01)


def test_calibration_and_causes_are_about_what_is_removed(tmp_path):
    folder = instances(tmp_path, [{"name": "a", "objects": [("person", PERSON), ("person", SMALL)]}])
    result = judged(folder, finds((PERSON, 0.9), (STRAY, 0.31)))
    assert [(b["score_from"], b["finds"], b["right"]) for b in result["calibration"]] == [
        (0.3, 1, 0),
        (0.9, 1, 1),
    ]
    causes = result["causes"]
    assert (causes["missed"]["under_32"], causes["objects"]["all"], causes["false"]["background"]) == (
        1,
        2,
        1,
    )
    assert causes["missed"]["by_source"] == {"ours": 1}


def test_a_damaged_table_is_told_with_its_line(tmp_path):
    folder = instances(tmp_path, [{"name": "a", "objects": [("person", PERSON)]}])
    with (folder / "instances.jsonl").open("a") as stream:
        stream.write('{"name": "b"}\n')
    with pytest.raises(InputError, match="line 2"):
        known_labels(folder)
