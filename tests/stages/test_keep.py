"""Who stays: made scenes with known answers, and photos whose subject nobody would doubt."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as PilImage

from autoremove.errors import RecipeError
from autoremove.stages.keep import focus, kept, parsed, subjects
from tests.cases.people import Box, boxes, sharp_but, standing

PARENTS = [standing(380, 560, 300), standing(500, 560, 280)]
KIDS = [standing(440, 562, 160), standing(590, 555, 130)]
FAR = [standing(120, 380, 60), standing(760, 390, 75), standing(440, 370, 55)]


def row_of(count: int, height: float, feet: float = 560, step: float = 0.45) -> list[Box]:
    """People side by side, as for a group photo."""
    start = 450 - (count - 1) * step * height / 2
    return [standing(start + i * step * height, feet, height * (1 - 0.05 * (i % 3))) for i in range(count)]


SCENES: dict[str, tuple[list[Box], list[Box]]] = {
    "one alone": ([standing(300, 560, 300)], []),
    "one in front of far people": ([standing(430, 570, 400)], FAR),
    "one to the side": ([standing(700, 570, 400)], FAR[:1] + FAR[2:]),
    "a couple": (PARENTS, FAR[:2]),
    "a family of four": (PARENTS + KIDS, FAR[:2]),
    "a family of like size": (row_of(4, 320), FAR[:2]),
    "seven across the whole picture": (row_of(7, 260), [standing(60, 380, 70), standing(850, 380, 60)]),
    "a child on the arm": ([*PARENTS, (390, 300, 450, 400)], FAR[:2]),
    "a child alone, adults far": (
        [standing(450, 560, 200)],
        [standing(700, 400, 80), standing(150, 390, 85)],
    ),
    "two rows, the legs behind hidden": (
        [*row_of(4, 250, 580), (230, 190, 320, 400), (340, 185, 430, 400), (460, 190, 550, 400)],
        [standing(830, 400, 70)],
    ),
    "a portrait cut below": ([(250, 80, 650, 600)], [standing(100, 560, 200), standing(800, 600, 210)]),
    "a selfie of three": (
        [(40, 150, 430, 600), (330, 120, 620, 600), (560, 180, 830, 600)],
        [standing(880, 330, 90)],
    ),
    "sitting beside standing": ([standing(400, 560, 300), (460, 380, 600, 560)], FAR[:1]),
    "a passer-by cut off at the border": ([standing(450, 560, 330)], [(0, 150, 110, 600)]),
    "a stranger of like size far to the side": ([standing(330, 560, 300)], [standing(780, 560, 290)]),
    "a crowd at the back": (
        row_of(3, 340),
        [standing(40 + 45 * i, 330 + 7 * (i % 3), 50 + 5 * (i % 4)) for i in range(19)],
    ),
}


@pytest.mark.parametrize("scene", list(SCENES))
def test_the_subject_is_known(scene: str) -> None:
    meant, others = SCENES[scene]
    xyxy = boxes([*meant, *others])
    assert subjects(xyxy, sharp_but()).tolist() == [True] * len(meant) + [False] * len(others)
    turned = xyxy[:, [2, 1, 0, 3]] * [-1, 1, -1, 1] + [900, 0, 900, 0]  # left is as good as right
    assert subjects(turned.astype(np.float32), sharp_but()).tolist() == subjects(xyxy, sharp_but()).tolist()


@pytest.mark.parametrize("scene", list(SCENES))
def test_the_order_of_the_boxes_says_nothing(scene: str) -> None:
    meant, others = SCENES[scene]
    xyxy = boxes([*others, *meant])[::-1].copy()
    assert subjects(xyxy, sharp_but()).tolist() == [True] * len(meant) + [False] * len(others)


def test_who_is_out_of_focus_is_a_bystander() -> None:
    near_border, middle = standing(780, 590, 500), standing(420, 500, 300)
    assert subjects(boxes([near_border, middle]), sharp_but([near_border])).tolist() == [False, True]
    child = standing(330, 500, 120)  # would pass for a child of hers
    assert subjects(boxes([middle, child]), sharp_but()).tolist() == [True, True]
    assert subjects(boxes([middle, child]), sharp_but([child])).tolist() == [True, False]


def test_focus_is_one_where_all_is_alike_and_small_where_it_is_soft() -> None:
    soft, sharp = standing(200, 500, 300), standing(700, 500, 300)
    values = focus(boxes([soft, sharp]), sharp_but([soft]))
    assert values[0] < 0.4 < 0.9 < values[1] < 1.2
    assert focus(boxes([sharp]), np.zeros((600, 900, 3), np.uint8)).tolist() == [0.0]
    tiny = np.array([[5, 5, 5.5, 5.5], [899, 599, 900, 600]], np.float32)
    assert np.isfinite(focus(tiny, sharp_but())).all()


def test_largest_and_central() -> None:
    xyxy = boxes([standing(100, 500, 300), standing(430, 400, 100), standing(700, 580, 400), (0, 0, 30, 30)])
    image = sharp_but()
    assert kept("largest", xyxy, image).tolist() == [False, False, True, False]
    assert kept("largest:2", xyxy, image).tolist() == [True, False, True, False]
    assert kept("central", xyxy, image).tolist() == [False, True, False, False]
    assert kept("central:3", xyxy, image).tolist() == [True, True, True, False]
    assert kept("largest:9", xyxy, image).all()


@pytest.mark.parametrize("way", ["largest", "central", "subject", "subject:1"])
def test_a_second_find_of_who_stays_is_no_bystander(way: str) -> None:
    person, upper_half, far = standing(450, 560, 400), (390, 165, 510, 340), standing(480, 520, 50)
    xyxy = boxes([person, upper_half, far, standing(100, 400, 90)])
    assert kept(way, xyxy, sharp_but()).tolist() == [True, True, False, False]


def test_so_many_subjects() -> None:
    meant, others = SCENES["a family of four"]
    xyxy = boxes([*meant, *others])
    assert kept("subject", xyxy, sharp_but()).sum() == 4
    assert kept("subject:1", xyxy, sharp_but()).tolist() == [True, False, False, False, False, False]
    assert kept("subject:2", xyxy, sharp_but()).tolist() == [True, True, False, False, False, False]
    five = kept("subject:5", xyxy, sharp_but())
    assert five[:4].all() and five.sum() == 5


@pytest.mark.parametrize("way", ["largest", "central:2", "subject"])
def test_nobody_there(way: str) -> None:
    assert kept(way, np.zeros((0, 4), np.float32), sharp_but()).shape == (0,)


def test_what_is_no_way_is_refused() -> None:
    assert parsed("subject") == ("subject", 0)
    assert parsed("largest:12") == ("largest", 12)
    for wrong in ("", "biggest", "largest:", "largest:0", "largest:-1", "largest:two", "subject:1.5", ":2"):
        with pytest.raises(RecipeError, match=r"select\.keep"):
            parsed(wrong)


REAL = {
    "coco_000000000328": 3,  # three on a bench
    "coco_000000000389": 1,  # a bearded man before a crowd
    "coco_000000000395": 1,  # a man with a telephone, a blurred crowd behind him
    "coco_000000000536": 3,  # three in a row, one cut off
    "coco_000000060932": 1,  # a man in white at the border, guests behind him
    "coco_000000269316": 4,  # four at play
    "coco_000000566282": 2,  # two walking, people far behind
    "coco_000000064523": 11,  # a class in two rows
    "coco_000000000110": 2,  # a mother and her child, guests behind
    "coco_000000515289": 3,  # three cyclists
}
"""Photos and how many of their people, the largest ones, anyone would say they are of."""


@pytest.mark.parametrize("name", list(REAL))
def test_the_subject_of_real_photos(name: str, data_dir: Path) -> None:
    folder = data_dir / "instances" / "train"
    lines = (folder / "instances.jsonl").read_text().splitlines()
    (row,) = (row for row in map(json.loads, lines) if row["name"] == name)
    image, xyxy = people_of(folder, row)
    largest = np.argsort(-(xyxy[:, 2:] - xyxy[:, :2]).prod(1))[: REAL[name]]
    assert set(np.flatnonzero(subjects(xyxy, image)).tolist()) == set(largest.tolist())


def people_of(folder: Path, row: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """The picture, and the true boxes of its people."""
    image = np.asarray(PilImage.open(folder / "images" / f"{row['name']}.webp").convert("RGB"))
    masks = np.asarray(PilImage.open(folder / "masks" / f"{row['name']}.png"))
    xyxy = []
    for item in row["instances"]:
        ys, xs = np.nonzero(masks == item["id"])
        if item["label"] == "person" and len(ys) >= 30:
            xyxy.append([xs.min(), ys.min(), xs.max() + 1, ys.max() + 1])
    return image, np.array(xyxy, np.float32)
