"""Looks at parts of a picture made one: who can judge votes, what is cut by a slice stays one object."""

from __future__ import annotations

import numpy as np
import pytest

from autoremove.stages.combine import DOUBT, WELL_SEEN, _extents, combined, trust
from autoremove.stages.views import View, plan_views
from autoremove.types import Detections

WHOLE = View((0, 0, 1000, 600), 640)
LEFT, RIGHT = View((0, 0, 550, 600), 640), View((450, 0, 1000, 600), 640)

Row = tuple[tuple[float, float, float, float], float] | tuple[tuple[float, float, float, float], float, str]


def seen(*rows: Row) -> Detections:
    boxes = np.array([row[0] for row in rows], np.float32).reshape(-1, 4)
    labels = tuple(row[2] if len(row) == 3 else "person" for row in rows)
    return Detections(boxes, np.array([row[1] for row in rows], np.float32), labels)


NEAR = (100, 100, 300, 500)
FAR = (100, 100, 112, 130)


def test_trust_falls_on_both_sides_and_never_to_nothing() -> None:
    sizes = np.array(
        [0, 6, WELL_SEEN[0] / 2, WELL_SEEN[0], 64, WELL_SEEN[1], 2 * WELL_SEEN[1], 5000], np.float32
    )
    given = trust(sizes)
    assert given[3:6].tolist() == [1, 1, 1]
    assert given[2] == pytest.approx(1 / 4)
    assert given[6] == pytest.approx(1 / 16)
    assert (given > 0).all()
    assert (np.diff(given[:4]) >= 0).all()
    assert (np.diff(given[5:]) <= 0).all()


def test_looks_that_see_alike_share_the_vote() -> None:
    views = [View(WHOLE.window, size, mirror) for size, mirror in ((256, False), (256, True), (192, False))]
    (found,) = [combined(views, [seen((NEAR, 0.9)), seen((NEAR, 0.6)), seen()], 0.1)]
    assert found.score.tolist() == pytest.approx([1.5 / (3 + DOUBT)])
    assert found.xyxy.tolist() == [list(NEAR)]


def test_a_far_person_is_not_voted_down_by_coarse_looks() -> None:
    coarse = [View(WHOLE.window, size) for size in (128, 256, 384)]
    fine = View(WHOLE.window, 2560)
    found = combined([*coarse, fine], [*[seen()] * 3, seen((FAR, 0.8))], 0.05)
    assert found.score[0] == pytest.approx(0.8 / (1 + DOUBT), abs=0.05)
    nearby = combined([*coarse, fine], [*[seen()] * 3, seen((NEAR, 0.8))], 0.0)
    assert nearby.score[0] < 0.1


def test_a_near_person_is_not_voted_down_by_slices_that_cut_it() -> None:
    across = (400, 50, 600, 550)
    alone = combined([WHOLE, View(WHOLE.window, 640, True)], [seen((across, 0.8))] * 2, 0.1)
    both = combined(
        [WHOLE, View(WHOLE.window, 640, True), LEFT, RIGHT], [seen((across, 0.8))] * 2 + [seen()] * 2, 0
    )
    assert both.score == pytest.approx(alone.score)


def test_parts_of_a_person_whom_a_coarser_look_sees_whole_are_dropped() -> None:
    across = (400, 50, 600, 550)
    parts = [seen(((400, 50, 549, 550), 0.9)), seen(((451, 50, 600, 550), 0.9))]
    found = combined([WHOLE, LEFT, RIGHT], [seen((across, 0.6)), *parts], 0.01)
    assert found.xyxy.tolist() == [list(across)]


def test_parts_that_nothing_covers_are_joined_and_must_face_the_looks_that_hold_them() -> None:
    parts = [seen(((430, 50, 549, 550), 0.9)), seen(((451, 50, 570, 550), 0.9))]
    found = combined([LEFT, RIGHT, WHOLE], [*parts, seen()], 0.01)
    assert found.xyxy.tolist() == [[430, 50, 570, 550]]
    assert 0.05 < found.score[0] < 0.75, "the whole look that did not see it counts"


def test_a_whole_person_at_the_picture_s_border_is_not_taken_for_cut() -> None:
    corner = (0, 500, 60, 600)
    found = combined([WHOLE, LEFT, RIGHT], [seen(), seen((corner, 0.9)), seen()], 0.1)
    assert found.xyxy.tolist() == [list(corner)]


def test_slices_that_overlap_see_one_person_once() -> None:
    middle = (480, 100, 520, 200)
    found = combined(
        [WHOLE, LEFT, RIGHT], [seen((middle, 0.4)), seen((middle, 0.9)), seen((middle, 0.8))], 0.1
    )
    assert len(found) == 1
    assert found.score[0] > 0.35


def test_two_people_side_by_side_stay_two() -> None:
    one, other = (100, 100, 200, 400), (190, 100, 290, 400)
    assert len(combined([WHOLE, LEFT], [seen((one, 0.8), (other, 0.7))] * 2, 0.1)) == 2


@pytest.mark.parametrize(
    ("labels", "kept"),
    [
        (("car", "truck"), ("car",)),
        (("dog", "cat"), ("dog",)),
        (("person", "dog"), ("person", "dog")),
        (("car", "person"), ("car", "person")),
        (("chair", "couch"), ("chair", "couch")),
    ],
)
def test_of_classes_taken_for_one_another_the_best_stays(
    labels: tuple[str, str], kept: tuple[str, ...]
) -> None:
    same, shifted = (100, 100, 300, 300), (104, 100, 304, 300)
    view = View(WHOLE.window, 512)
    rows = seen((same, 0.9, labels[0]), (shifted, 0.7, labels[1]))
    assert combined([WHOLE, view], [rows, rows], 0.1).label == kept
    apart = seen((same, 0.9, labels[0]), ((400, 100, 600, 300), 0.7, labels[1]))
    assert len(combined([WHOLE, view], [apart, apart], 0.1)) == 2


def test_what_is_too_small_for_every_look_is_judged_by_the_finest() -> None:
    coarse, fine = View(WHOLE.window, 128), View(WHOLE.window, 640)
    tiny = (100, 100, 104, 110)
    assert combined([coarse, fine], [seen(), seen((tiny, 0.9))], 0.0).score[0] > 0.5
    assert combined([coarse, fine], [seen((tiny, 0.9)), seen()], 0.0).score[0] < 0.1


def test_nothing_seen_is_nothing() -> None:
    assert len(combined([WHOLE, LEFT], [seen(), seen()], 0.0)) == 0


def test_a_single_look_is_only_thresholded() -> None:
    found = combined([WHOLE], [seen((NEAR, 0.9), (NEAR, 0.5), (FAR, 0.1))], 0.3)
    assert found.score.tolist() == pytest.approx([0.9, 0.5])


def test_the_order_of_the_looks_does_not_matter() -> None:
    rng = np.random.default_rng(0)
    views = plan_views((3000, 4000))
    people = rng.uniform(0, 2500, (12, 2))
    truth = np.hstack([people, people + rng.uniform(30, 200, (12, 1)) * [1, 2]]).astype(np.float32)
    finds = []
    for view in views:
        low, high = np.array(view.window[:2] * 2), np.array(view.window[2:] * 2)
        inside = np.clip(truth + rng.normal(0, 1, truth.shape), low, high)
        rows = inside[((inside[:, 2:] - inside[:, :2]) > 8).all(1)]
        finds.append(seen(*((tuple(row), float(rng.uniform(0.2, 0.9))) for row in rows.tolist())))
    one = combined(views, finds, 0.1)
    order = rng.permutation(len(views))
    other = combined([views[k] for k in order], [finds[k] for k in order], 0.1)
    assert len(one) == len(truth)
    assert np.allclose(one.score, other.score, atol=1e-5)
    assert np.allclose(one.xyxy, other.xyxy, atol=1e-2)


def test_where_looks_are_of_two_minds_the_box_reaches_as_far_as_the_weightier_says() -> None:
    """Half of a man, or all of him: a mean would cut him off somewhere between."""
    whole, half = [10.0, 20, 100, 200], [50.0, 20, 100, 200]
    boxes = np.array([whole, whole, half, half, half], np.float32)
    level = np.array([0.4, 0.4, 0.4, 0.4, 0.4], np.float32)
    (extent,) = _extents(boxes, level, [np.arange(4)])
    assert extent[0] < 20  # two say half, two the whole; their mean is 30
    assert extent[1:].tolist() == [20, 100, 200]
    (alone,) = _extents(boxes, np.array([0.02, 0.02, 0.4, 0.4, 0.4], np.float32), [np.arange(5)])
    assert alone[0] > 45  # hardly anybody says the whole
    (single,) = _extents(boxes, level, [np.array([0])])
    assert single.tolist() == whole
