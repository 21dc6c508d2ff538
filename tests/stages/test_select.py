"""Select keeps the wanted rows, surest first, with all their columns."""

from __future__ import annotations

import numpy as np
import pytest

from autoremove.stages.select import Select
from autoremove.types import Detections


def found() -> Detections:
    """Rows 0 to 4: small sure person, large person, car, thin person, person as sure as row 1."""
    boxes = [[0, 0, 5, 9], [0, 0, 40, 60], [5, 5, 30, 20], [0, 0, 2, 60], [1, 1, 41, 61]]
    scores = [0.9, 0.6, 0.8, 0.3, 0.6]
    masks = np.arange(5)[:, None, None] * np.ones((1, 2, 2)) > 1
    labels = ("person", "person", "car", "person", "person")
    return Detections(np.array(boxes, np.float32), np.array(scores, np.float32), labels, masks)


@pytest.mark.parametrize(
    ("settings", "rows"),
    [
        ({}, [0, 2, 1, 4, 3]),
        ({"labels": ("person",)}, [0, 1, 4, 3]),
        ({"labels": ("car", "person")}, [0, 2, 1, 4, 3]),
        ({"labels": ("dog",)}, []),
        ({"confidence": 0.6}, [0, 2, 1, 4]),
        ({"confidence": 0.95}, []),
        ({"min_side": 5.0}, [0, 2, 1, 4]),
        ({"min_side": 5.5}, [2, 1, 4]),
        ({"max_count": 2}, [0, 2]),
        ({"max_count": 9}, [0, 2, 1, 4, 3]),
        ({"labels": ("person",), "min_side": 5.0, "max_count": 2}, [0, 1]),
    ],
)
def test_rows_that_are_kept(settings: dict, rows: list[int]) -> None:
    (kept,) = Select(**settings)([found()])
    expected = found()[rows]
    assert kept.label == expected.label
    assert np.array_equal(kept.xyxy, expected.xyxy)
    assert np.array_equal(kept.score, expected.score)
    assert np.array_equal(kept.masks, expected.masks)


def test_pictures_are_handled_one_by_one() -> None:
    one, two, three = Select(max_count=1)([found(), Detections.empty(), found()[[2, 3]]])
    assert (one.label, two.label, three.label) == (("person",), (), ("car",))
