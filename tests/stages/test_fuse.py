"""Several looks at one picture: what many of them see a little beats what one is sure of."""

from __future__ import annotations

import numpy as np
import pytest

from autoremove.models.boxes import overlap
from autoremove.stages.fuse import fused, mirrored
from autoremove.types import NO_CUTOUT, Detections

BOX = (10, 10, 50, 90)
NEAR = (12, 10, 52, 90)
FAR = (100, 10, 140, 90)


def look(
    *rows: tuple[tuple[int, int, int, int], float] | tuple[tuple[int, int, int, int], float, str],
) -> Detections:
    boxes = np.array([row[0] for row in rows], np.float32).reshape(-1, 4)
    labels = tuple(row[2] if len(row) == 3 else "person" for row in rows)
    return Detections(boxes, np.array([row[1] for row in rows], np.float32), labels)


NOTHING = Detections.empty()


@pytest.mark.parametrize(
    ("views", "expected"),
    [
        ([look((BOX, 0.9)), look((BOX, 0.5))], [(BOX, 0.7, "person")]),
        ([look((BOX, 0.9)), NOTHING], [(BOX, 0.45, "person")]),
        ([look((BOX, 0.9)), NOTHING, NOTHING, NOTHING], []),
        ([look((BOX, 0.3)), look((BOX, 0.3)), look((BOX, 0.3))], [(BOX, 0.3, "person")]),
        ([look((BOX, 0.8)), look((FAR, 0.9))], [(FAR, 0.45, "person"), (BOX, 0.4, "person")]),
        ([look((BOX, 0.8, "car")), look((BOX, 0.9))], [(BOX, 0.45, "person"), (BOX, 0.4, "car")]),
        ([look((BOX, 0.6)), look((NEAR, 0.6))], [((11, 10, 51, 90), 0.6, "person")]),
        ([look((BOX, 0.9)), look((NEAR, 0.3))], [((10.5, 10, 50.5, 90), 0.6, "person")]),
        # Two boxes of one view on one thing: it was seen once, as surely as the surer of them.
        ([look((BOX, 0.8), (BOX, 0.6)), look((BOX, 0.4))], [(BOX, 0.6, "person")]),
        ([look((BOX, 0.0)), look((BOX, 0.0))], []),
        ([NOTHING, NOTHING], []),
    ],
)
def test_views_become_one(views: list[Detections], expected: list[tuple]) -> None:
    found = fused(views, 0.25)
    assert found.label == tuple(row[2] for row in expected)
    assert found.score == pytest.approx(np.array([row[1] for row in expected]))
    assert found.xyxy == pytest.approx(np.array([row[0] for row in expected]).reshape(-1, 4))


def test_a_single_view_is_only_thresholded() -> None:
    found = fused([look((BOX, 0.9), (NEAR, 0.5), (FAR, 0.1))], 0.25)
    assert found.score == pytest.approx([0.9, 0.5])


def test_the_order_of_the_views_does_not_matter() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        views = [
            look(
                *((tuple(box + rng.integers(-3, 4, 4)), rng.uniform(0.1, 1)) for box in np.array([BOX, FAR]))
            )
            for _ in range(3)
        ]
        one, other = fused(views, 0.1), fused(views[::-1], 0.1)
        assert np.allclose(one.xyxy, other.xyxy, atol=1e-3)
        assert np.allclose(one.score, other.score)


def test_the_mask_is_that_of_the_surest_view() -> None:
    cutouts = [((0, 0, 4, side), np.ones((side, 4), bool)) for side in (2, 3)]
    views = [
        Detections(np.array([BOX], np.float32), np.array([score], np.float32), ("person",), (cutout,))
        for cutout, score in zip(cutouts, (0.4, 0.9), strict=True)
    ]
    for seen in (views, views[::-1], [*views, NOTHING]):
        found = fused(seen, 0.2)
        assert found.masks is not None
        assert [window for window, _ in found.masks] == [(0, 0, 4, 3)]
    assert fused([*views, look((FAR, 0.9))], 0.2).masks is None


def test_mirroring_twice_is_nothing() -> None:
    mask = np.random.default_rng(0).random((5, 30)) > 0.5
    masks = (((10, 20, 40, 25), mask), NO_CUTOUT)
    found = Detections(np.array([BOX, FAR], np.float32), np.ones(2, np.float32), ("a", "b"), masks)
    once = mirrored(found, 160)
    assert once.xyxy.tolist() == [[110, 10, 150, 90], [20, 10, 60, 90]]
    assert once.masks is not None
    assert once.masks[0][0] == (120, 20, 150, 25)
    assert np.array_equal(once.masks[0][1], mask[:, ::-1])
    assert np.array_equal(mirrored(once, 160).xyxy, found.xyxy)
    assert np.array_equal(found.xyxy, np.array([BOX, FAR], np.float32))


def test_overlap_is_that_of_counted_pixels() -> None:
    rng = np.random.default_rng(3)
    boxes = np.sort(rng.integers(0, 20, (30, 2, 2)), 1).reshape(-1, 4).astype(np.float32)
    planes = np.zeros((30, 20, 20), bool)
    for plane, (x1, y1, x2, y2) in zip(planes, boxes.astype(int), strict=True):
        plane[y1:y2, x1:x2] = True
    for box, plane in zip(boxes, planes, strict=True):
        counted = (plane & planes).sum((1, 2)) / np.maximum(1, (plane | planes).sum((1, 2)))
        assert overlap(box, boxes) == pytest.approx(counted, abs=1e-6)
