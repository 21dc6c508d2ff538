"""Label files in the YOLO form: boxes, polygons, and lines that are neither."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from autoremove.errors import InputError
from autoremove.training.boxes import read_boxed
from autoremove.training.yolo_labels import boxes_of, label_files, read_labels
from tests.cases import labelled


def labels(folder: Path, text: str) -> Path:
    path = folder / "a.txt"
    path.write_text(text)
    return path


def test_boxes_and_polygons_are_told_by_how_many_numbers_there_are(tmp_path: Path) -> None:
    path = labels(tmp_path, "\n3 0.5 0.25 0.5 0.5\n 0.0\t0.25 0.5 0.75 1 0.5 0\n1 0 0 1 0 1 0.5 0 0.5\n\n")
    rows = [(3, 0.5, 0.25, 0.5, 0.5), (0, 0.5, 0.5, 0.5, 1.0), (1, 0.5, 0.25, 1.0, 0.5)]
    assert read_labels(path) == rows
    xyxy, kinds = boxes_of(rows, (100, 200))
    assert xyxy.tolist() == [[50, 0, 150, 50], [50, 0, 150, 100], [0, 0, 200, 50]]
    assert kinds.tolist() == [3, 0, 1]
    assert (xyxy.dtype, kinds.dtype) == (np.float32, np.int64)


def test_a_file_without_lines_has_no_objects(tmp_path: Path) -> None:
    xyxy, kinds = boxes_of(read_labels(labels(tmp_path, " \n")), (10, 10))
    assert (xyxy.shape, kinds.shape) == ((0, 4), (0,))


@pytest.mark.parametrize(
    "line",
    [
        "0 0.5 0.5",
        "0 0.5 0.5 0.1 0.1 0.9",
        "0 0.5 0.5 0.1 0.1 0.9 0.2 0.3",
        "person 0.5 0.5 0.1 0.1",
        "0 0.5 0.5 nan 0.1",
        "0.5 0.5 0.5 0.1 0.1",
        "-1 0.5 0.5 0.1 0.1",
        "inf 0.5 0.5 0.1 0.1",
        "0 320 240 64 90",
        "0 0.5 0.5 0.1 inf",
        "0 0,5 0,5 0,1 0,1",
    ],
)
def test_a_line_that_is_no_object_is_told_with_its_file_and_number(tmp_path: Path, line: str) -> None:
    with pytest.raises(InputError, match=r"a\.txt, line 3: .* is no object") as told:
        read_labels(labels(tmp_path, f"0 0.5 0.5 0.1 0.1\n\n{line}\n"))
    assert "`class cx cy w h`" in str(told.value.hint)


def test_a_file_of_bytes_is_told_too(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"\xff\xfe0\x00")
    with pytest.raises(InputError, match=r"a\.txt, line 1"):
        read_labels(tmp_path / "a.txt")


def test_polygons_are_learnt_as_boxes_and_names_are_no_labels(tmp_path: Path) -> None:
    folder = labelled.yolo(tmp_path, labelled.PICTURES[:1])
    (folder / "labels" / "picture0.txt").write_text("0 0.25 0.25 0.75 0.25 0.5 0.75\n")
    (folder / "labels" / "classes.txt").write_text("person\n")
    assert [path.name for path in label_files(folder)] == ["picture0.txt"]
    (picture,) = read_boxed(folder, ("person",), 640)
    assert picture.xyxy.tolist() == [[32, 24, 96, 72]]
