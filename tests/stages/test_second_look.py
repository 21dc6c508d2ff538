"""Where a second look looks, and which of its finds are rests."""

from __future__ import annotations

import numpy as np

from autoremove.stages.second_look import Looking, look, rests, shares_inside, windows_round
from autoremove.types import Detections
from tests.cases.eyes import RED, Eyes

SIZE_HW = (400, 600)


def boxes(*rows: tuple[float, ...]) -> np.ndarray:
    return np.array(rows, np.float32).reshape(-1, 4)


def found(*rows: tuple[float, ...], score: float = 0.5, label: str = "person") -> Detections:
    return Detections(boxes(*rows), np.full(len(rows), score, np.float32), (label,) * len(rows))


def hole(x1: int, y1: int, x2: int, y2: int) -> np.ndarray:
    holes = np.zeros(SIZE_HW, bool)
    holes[y1:y2, x1:x2] = True
    return holes


def test_windows_are_squares_inside_the_picture() -> None:
    (window,) = windows_round(boxes((0, 0, 100, 200)), SIZE_HW)
    assert window == (0, 0, 300, 300)
    (window,) = windows_round(boxes((290, 190, 310, 210)), SIZE_HW)
    assert window == (225, 125, 375, 275)  # none is smaller than that
    (window,) = windows_round(boxes((0, 0, 600, 400)), SIZE_HW)
    assert window == (0, 0, 600, 400)
    assert windows_round(boxes(), SIZE_HW) == []


def test_one_window_serves_objects_of_like_size_only() -> None:
    assert len(windows_round(boxes((100, 100, 150, 200), (150, 100, 200, 180)), SIZE_HW)) == 1
    assert len(windows_round(boxes((100, 100, 150, 200), (150, 100, 160, 120)), SIZE_HW)) == 2
    assert len(windows_round(boxes((100, 100, 150, 200), (400, 100, 450, 200)), SIZE_HW)) == 2


def test_what_two_windows_show_is_seen_once() -> None:
    image = np.full((*SIZE_HW, 3), 128, np.uint8)
    image[100:200, 200:240] = RED
    how = Looking(Eyes(), ("person",), (96, 128), True, 8)
    seen = look(image, [(150, 50, 300, 250), (190, 90, 390, 290)], how, 0.2)
    assert len(seen) == 1 and np.abs(seen.xyxy - [[200, 100, 240, 200]]).max() <= 1
    assert len(look(image, [], how, 0.2)) == 0


def test_a_thing_cut_off_by_one_window_is_seen_once() -> None:
    image = np.full((*SIZE_HW, 3), 128, np.uint8)
    image[100:200, 200:240] = RED
    how = Looking(Eyes(), ("person",), (256,), False, 8)
    seen = look(image, [(150, 50, 350, 250), (120, 120, 320, 320)], how, 0.2)
    assert seen.xyxy.tolist() == [[200, 100, 240, 200]]


def test_large_windows_are_shrunk_once_and_their_finds_are_in_pixels_of_the_picture() -> None:
    image = np.full((*SIZE_HW, 3), 128, np.uint8)
    image[100:300, 200:280] = RED
    eyes = Eyes()
    seen = look(image, [(0, 0, 600, 400)], Looking(eyes, ("person",), (150, 300), True, 8), 0.2)
    assert np.abs(seen.xyxy - [[200, 100, 280, 300]]).max() <= 2
    assert eyes.shapes == {(200, 300)}


REMOVED = (100, 100, 140, 200)
HOLE = hole(98, 98, 142, 150)
"""Its lower half was not masked."""


def kept(find: Detections, before: Detections) -> int:
    return len(rests(find, before, found(REMOVED), HOLE, 0.4))


def test_the_half_that_was_left_is_a_rest() -> None:
    assert kept(found((100, 150, 140, 200)), found(REMOVED)) == 1
    assert kept(found(REMOVED), found(REMOVED)) == 1
    # Seen weakly before as a part of the whole: that does not make it somebody else.
    assert kept(found((100, 150, 140, 200)), Detections.empty()) == 1
    weak = Detections(
        boxes(REMOVED, (100, 150, 140, 200)), np.array([0.6, 0.25], np.float32), ("person",) * 2
    )
    assert kept(found((100, 150, 140, 200)), weak) == 1


def test_who_was_there_before_stays() -> None:
    beside, in_front = (130, 100, 170, 200), (105, 152, 135, 200)
    assert kept(found(beside), found(REMOVED, beside)) == 0
    assert kept(found(in_front), found(REMOVED, in_front)) == 0
    # Beside the hole even a weak look before counts: somebody hidden by the one who went.
    assert kept(found(beside), found(beside, score=0.21)) == 0


def test_another_class_was_not_there_before() -> None:
    before = Detections(boxes(REMOVED, (105, 152, 135, 200)), np.ones(2, np.float32), ("person", "car"))
    assert kept(found((105, 152, 135, 200)), before) == 1


def test_what_lies_elsewhere_is_no_rest() -> None:
    assert kept(found((300, 100, 340, 200)), found(REMOVED)) == 0
    assert kept(found((0, 0, 400, 400)), found(REMOVED)) == 0


def test_a_form_larger_than_what_was_removed_is_no_rest() -> None:
    wide = hole(50, 50, 350, 350)
    assert len(rests(found((100, 100, 200, 250)), found(REMOVED), found(REMOVED), wide, 0.4)) == 0
    assert len(rests(found((100, 100, 140, 220)), found(REMOVED), found(REMOVED), wide, 0.4)) == 1


def test_something_new_that_touches_the_hole_is_a_rest() -> None:
    below = (100, 140, 140, 190)
    short = found((100, 100, 140, 150))
    assert len(rests(found(below), short, short, HOLE, 0.4)) == 1
    assert len(rests(found(below), found((100, 100, 140, 150), below), short, HOLE, 0.4)) == 0


def test_shares_inside() -> None:
    shares = shares_inside(boxes((98, 98, 142, 202), (0, 0, 10, 10), (5, 5, 5, 5)), HOLE)
    assert shares.tolist() == [0.5, 0.0, 0.0]
