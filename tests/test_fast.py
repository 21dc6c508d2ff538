"""What benchmarks/fast.py tells of two recipes: medians, ratios of the same picture, and its tables."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from autoremove.errors import ReviewNeeded
from benchmarks import fast


class Stage:
    """Takes so many seconds of a pretended clock."""

    needs, gives = ("image",), "detections"

    def __init__(self, name: str, seconds: float, clock: list[float]) -> None:
        self.name, self._seconds, self._clock = name, seconds, clock

    def __call__(self, image: list[Any]) -> list[Any]:
        self._clock[0] += self._seconds * len(image[0])
        return [image]


def test_recipes_are_compared_picture_by_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr("time.perf_counter", lambda: clock[0])
    chains = {
        "people": [Stage("detect", 3.0, clock), Stage("refine", 1.0, clock)],
        "fast": [Stage("detect", 0.5, clock), Stage("refine", 1.5, clock)],
    }
    told = fast.times([np.zeros((size, 1)) for size in (1, 2, 4)], chains)
    assert told["people"]["runs"] == [4.0, 8.0, 16.0]
    assert told["people"]["median"] == 8.0
    assert told["fast"]["stages"] == {"detect": 1.0, "refine": 3.0}
    assert told["fast"]["times_faster"] == 2.0
    assert told["fast"]["times_faster_detect"] == 6.0
    assert "times_faster" not in told["people"]


def test_a_picture_that_is_put_up_for_review_is_not_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr("time.perf_counter", lambda: clock[0])

    class Filling(Stage):
        def __call__(self, image: list[Any]) -> list[Any]:
            if len(image[0]) == 2:
                raise ReviewNeeded("It is covered.")
            return super().__call__(image)

    chains = {"people": [Stage("detect", 3.0, clock)], "fast": [Filling("detect", 1.0, clock)]}
    told = fast.times([np.zeros((size, 1)) for size in (1, 2, 4)], chains)
    assert told["people"]["runs"] == [3.0, 12.0]
    assert told["fast"]["times_faster"] == 3.0


def test_the_tables_have_a_row_for_each_recipe() -> None:
    finds = dict.fromkeys(fast.FIGURES, 0.5)
    time = {"median": 2.0, "least": 1.0, "most": 3.0, "stages": {"detect": 1.25}}
    recipes = {
        "people": {"finds": finds, "time": time},
        "fast": {"finds": finds, "time": {**time, "times_faster": 2.5, "times_faster_detect": 6.0}},
    }
    figures, stages = fast.tables({"recipes": recipes})
    assert [row[0] for row in figures] == ["recipe", "people", "fast"]
    assert all(len(row) == len(figures[0]) for row in figures)
    assert figures[2][-2:] == ["2.50", "6.00"]
    assert stages[1] == ["people", "detect 1.25"]
