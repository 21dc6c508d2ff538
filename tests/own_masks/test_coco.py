"""COCO files: what pycocotools reads from ours, and what we read from others'."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from autoremove.own_masks.coco import all_run_lengths, body, entries, entry, is_ours, mask_from, run_lengths
from autoremove.types import Detections, ObjectMask

SHAPE = (9, 12)


def two() -> tuple[Detections, ObjectMask]:
    """A person with a bag, and a third object that is hidden whole."""
    ids = np.zeros(SHAPE, np.uint16)
    ids[0:6, 0:4] = 1
    ids[4:9, 3:7] = 2
    grown = np.zeros(SHAPE, bool)
    grown[0:9, 0:8] = True
    boxes = np.array([[0, 0, 4, 6], [3, 4, 7, 9], [3, 4, 5, 6]], np.float32)
    found = Detections(
        boxes,
        np.array([0.9, 0.5, 0.4], np.float32),
        ("person", "handbag", "person"),
        owner=np.array([-1, 0, -1]),
    )
    return found, ObjectMask(grown, ids)


def test_pycocotools_reads_the_file_and_its_masks_are_the_ids(tmp_path: Path) -> None:
    coco = pytest.importorskip("pycocotools.coco")
    found, mask = two()
    path = tmp_path / "coco.json"
    path.write_text(json.dumps(body([entry("b/c.jpg", "b/c.png", found, mask)] * 2, "1")))
    read = coco.COCO(str(path))
    assert [row["file_name"] for row in read.loadImgs(read.getImgIds())] == ["b/c.jpg"] * 2
    assert {row["name"] for row in read.loadCats(read.getCatIds())} == {"person", "handbag"}
    rows = read.loadAnns(read.getAnnIds(imgIds=2))
    assert len(rows) == 3
    for number, row in enumerate(rows, 1):
        assert (read.annToMask(row).astype(bool) == (mask.ids == number)).all()
        assert row["area"] == (mask.ids == number).sum()
    assert rows[1]["bbox"] == [3, 4, 4, 5]
    assert [row["attributes"] for row in rows] == [{"object": 1}, {"object": 2, "owner": 1}, {"object": 3}]
    assert (mask_from(read.loadImgs(1)[0]["grown"], SHAPE) == mask.grown).all()


def test_all_at_once_is_one_by_one() -> None:
    random = np.random.default_rng(5)
    for ids in (random.integers(0, 4, SHAPE), np.full(SHAPE, 2), np.zeros(SHAPE, int)):
        rows = all_run_lengths(ids.astype(np.uint16), 3)
        assert rows == [run_lengths(ids == number) for number in (1, 2, 3)]
        for number, row in enumerate(rows, 1):
            assert (mask_from(row, SHAPE) == (ids == number)).all()
            assert sum(row["counts"]) == ids.size


def test_polygons_and_packed_run_lengths_are_read() -> None:
    from pycocotools import mask as tool

    square = [[2.0, 1.0, 6.0, 1.0, 6.0, 5.0, 2.0, 5.0]]
    wanted = np.zeros(SHAPE, bool)
    wanted[1:5, 2:6] = True
    assert (mask_from(square, SHAPE) == wanted).all()
    packed = tool.encode(np.asfortranarray(wanted.astype(np.uint8)))
    for counts in (packed["counts"], packed["counts"].decode()):
        assert (mask_from({"size": list(SHAPE), "counts": counts}, SHAPE) == wanted).all()
    assert not mask_from([], SHAPE).any()


@pytest.mark.parametrize("wrong", ["text", 7, {"counts": [3]}, [["a"]], run_lengths(np.ones((3, 3), bool))])
def test_what_is_no_segmentation_is_refused(wrong: object) -> None:
    with pytest.raises(ValueError, match="segmentation"):
        mask_from(wrong, SHAPE)


def test_our_files_are_told_from_others(tmp_path: Path) -> None:
    (tmp_path / "ours.json").write_text(json.dumps(body([entry("a.jpg", "a.png", *two())], "9.9"), indent=2))
    (tmp_path / "theirs.json").write_text('{"info": {"description": "COCO 2017"}}')
    (tmp_path / "list.json").write_text("[]")
    (tmp_path / "half.json").write_text('{"info": {"descri')
    named = ("ours", "theirs", "list", "half", "none")
    assert [name for name in named if is_ours(tmp_path / f"{name}.json")] == ["ours"]


def test_the_entries_of_a_file_are_read_back(tmp_path: Path) -> None:
    written = {name: entry(name, "m.png", *two()) for name in ("a.jpg", "sub/b.jpg")}
    path = tmp_path / "coco.json"
    path.write_text(json.dumps(body(written.values(), "9.9")))
    assert entries(path) == written
    path.write_text('{"images": [{"id": 1}]}')
    assert entries(path) == {}
    assert entries(tmp_path / "none.json") == {}
