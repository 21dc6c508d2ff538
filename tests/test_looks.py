"""benchmarks/looks.py: plans in words, sheets of four, and a table with a row a plan."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autoremove.evaluation.labelled import Boxed
from autoremove.types import Detections, Image
from benchmarks import looks
from tests.cases import labelled


class FindRed:
    """Finds the red of the data set's people, at one size only."""

    def detect(self, images: list[Image], *, imgsz: int, mirror: bool, **_: Any) -> list[Detections]:
        rows, columns = np.nonzero((images[0][..., 0] > 200) & (images[0][..., 2] < 100))
        if imgsz < 128 or not len(rows):
            return [Detections.empty()]
        box = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        return [Detections(np.array([box], np.float32), np.array([0.9], np.float32), ("person",))]


def test_a_plan_in_words_and_back() -> None:
    plan = looks.looks_of("256 384m")
    assert plan == ((256, False), (384, True))
    assert looks.in_words(plan) == "256 384m"
    fast, normal = (set(looks.looks_of(looks.of_speed(speed))) for speed in ("fast", "normal"))
    assert {(256, False), (384, True)} < fast < normal


def test_a_sheet_holds_four_pictures_and_their_boxes_where_they_lie() -> None:
    box = np.array([[10, 20, 30, 40]], np.float32)
    pictures = [
        Boxed(str(n), np.full((50, 100, 3), 40 * n, np.uint8), box, ("person",), frozenset({"person"}))
        for n in range(5)
    ]
    (sheet,) = looks.sheets(pictures, 200)
    assert sheet.name == "0+1+2+3"
    assert [sheet.image[y, x, 0] for y in (50, 150) for x in (50, 150)] == [0, 40, 80, 120]
    assert sheet.xyxy.tolist()[0] == [10, 40, 30, 80]
    assert sheet.xyxy.tolist()[3] == [110, 140, 130, 180]
    assert sheet.judged == {"person"}


def test_every_plan_has_a_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("autoremove.models.cache.load", lambda *_: FindRed())
    data = labelled.instances(tmp_path / "data")
    target = tmp_path / "looks.json"
    looks.main(["--data", str(data), "--plan", "256 128m", "--plan", "64 96", "--json", str(target)])
    result = json.loads(target.read_text())
    good, blind = result["plans"]["256 128m"], result["plans"]["64 96"]
    assert good["pictures"]["ap50"] == 1.0
    assert good["cost"] == 1.25
    assert blind["pictures"]["ap50"] == blind["sheets"]["ap50"] == 0.0
    assert [row[0] for row in looks.tables(result)[0]] == ["looks", "256 128m", "64 96"]
