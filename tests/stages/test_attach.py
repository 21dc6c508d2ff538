"""What goes with a person and what only lies near one, class by class."""

from __future__ import annotations

import numpy as np
import pytest

from autoremove.labels import CARRIED
from autoremove.stages.attach import ATTACHED, RULES, fit, owners
from tests.cases.people import Box, boxes, standing

PERSON = standing(450, 500, 300)  # x 397.5 to 502.5, y 200 to 500


def box(middle: float, feet: float, width: float, height: float) -> Box:
    return (middle - width / 2, feet - height, middle + width / 2, feet)


WITH: dict[str, list[Box]] = {
    "backpack": [box(410, 350, 60, 100), box(450, 340, 70, 90)],
    "handbag": [box(510, 400, 50, 60), box(395, 380, 40, 50)],
    "suitcase": [box(540, 500, 70, 110), box(520, 505, 60, 150), box(370, 495, 55, 100)],
    "umbrella": [box(450, 230, 220, 90), box(480, 210, 250, 100), box(500, 480, 12, 170)],
    "skateboard": [box(450, 515, 110, 30), box(440, 530, 120, 30), box(500, 420, 40, 120)],
    "snowboard": [box(450, 510, 160, 40)],
    "skis": [box(450, 512, 260, 40)],
    "surfboard": [box(450, 520, 300, 70), box(450, 400, 350, 60)],
    "bicycle": [box(450, 540, 260, 160), box(460, 530, 60, 160)],
    "motorcycle": [box(440, 560, 280, 180)],
    "horse": [box(470, 640, 400, 400), box(450, 620, 160, 430)],
}

APART: dict[str, list[Box]] = {
    "backpack": [box(600, 500, 60, 100), box(450, 590, 60, 80), box(450, 480, 260, 260)],
    "handbag": [box(570, 500, 50, 60), box(450, 180, 50, 60)],
    "suitcase": [box(620, 500, 70, 110), box(540, 420, 70, 110), box(560, 500, 110, 250)],
    "umbrella": [box(450, 230, 500, 150), box(700, 230, 200, 90), box(450, 120, 200, 60)],
    "skateboard": [box(620, 510, 110, 30), box(450, 595, 110, 25)],
    "snowboard": [box(640, 500, 50, 220)],
    "skis": [box(600, 500, 30, 260)],
    "surfboard": [box(620, 500, 90, 320)],
    "bicycle": [box(600, 500, 260, 160), box(330, 500, 240, 150), box(450, 480, 260, 160)],
    "motorcycle": [box(640, 500, 280, 180), box(450, 470, 280, 180)],
    "horse": [box(700, 520, 350, 300), box(450, 505, 350, 330)],
    "dog": [box(510, 500, 60, 50)],
    "car": [box(450, 520, 400, 200)],
}


def rows(table: dict[str, list[Box]]) -> list[tuple[str, Box]]:
    return [(label, place) for label, places in table.items() for place in places]


def test_every_class_that_is_carried_or_ridden_has_a_rule() -> None:
    assert set(RULES) == set(ATTACHED) == {*CARRIED, "bicycle", "motorcycle", "horse"} == set(WITH)


@pytest.mark.parametrize(("label", "place"), rows(WITH))
def test_it_goes_with_the_person(label: str, place: Box) -> None:
    (value,) = fit(label, np.array(place, np.float32), np.array([PERSON], np.float32))
    assert 0 < value <= 1


@pytest.mark.parametrize(("label", "place"), rows(APART))
def test_it_only_lies_near(label: str, place: Box) -> None:
    assert fit(label, np.array(place, np.float32), np.array([PERSON], np.float32)) == [0]


@pytest.mark.parametrize("size", [0.15, 1.0, 3.0])
def test_the_size_of_the_picture_says_nothing(size: float) -> None:
    person = np.array([PERSON], np.float32) * size
    assert all(fit(label, np.array(place, np.float32) * size, person) > 0 for label, place in rows(WITH))
    assert not any(fit(label, np.array(place, np.float32) * size, person) for label, place in rows(APART))


def whose(label: str, thing: Box, people: list[Box], staying: tuple[int, ...] = ()) -> int:
    """The number of the person that the thing goes with; -1 = none."""
    xyxy = boxes([*people, thing])
    is_person = np.array([True] * len(people) + [False])
    stays = np.array([row in staying for row in range(len(xyxy))])
    got = owners(("person",) * len(people) + (label,), xyxy, ~is_person, is_person, stays)
    assert (got[:-1] == -1).all()
    return int(got[-1])


def test_it_goes_with_the_one_it_fits_best() -> None:
    people = [standing(300, 500, 300), standing(420, 500, 300), standing(700, 500, 300)]
    assert whose("handbag", box(315, 400, 40, 50), people) == 0
    assert whose("handbag", box(425, 400, 40, 50), people) == 1
    assert whose("handbag", box(560, 400, 40, 50), people) == -1
    assert whose("bicycle", box(700, 540, 260, 160), people) == 2
    assert whose("handbag", box(560, 400, 40, 50), []) == -1


def test_in_doubt_it_stays_with_who_stays() -> None:
    people = [standing(300, 500, 300), standing(400, 500, 300)]
    between = box(352, 400, 40, 50)
    assert whose("handbag", between, people) == 1
    assert whose("handbag", between, people, staying=(0,)) == 0
    assert whose("handbag", box(405, 400, 40, 50), people, staying=(0,)) == 1
