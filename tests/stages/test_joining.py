"""Parts of one hole go over into each other; holes of their own are left as they are."""

from __future__ import annotations

import numpy as np

from autoremove.stages.joining import MARGIN, joined, patch_box
from autoremove.stages.plan import Crop, plan
from autoremove.types import Patch

WIDE = (600, 3000)


def bar() -> list[Crop]:
    """A bar across a picture, and one hole apart from it."""
    mask = np.zeros(WIDE, bool)
    mask[200:240, 100:2900] = True
    mask[500:540, 1000:1040] = True
    return plan(mask, context=0.5, least=128)


def patches(crops: list[Crop]) -> list[Patch]:
    """Every crop filled with a level of its own."""
    rows = []
    for number, crop in enumerate(crops):
        box = patch_box(crop)
        size = (box[3] - box[1], box[2] - box[0])
        alpha = np.zeros(size, np.uint8)
        x1, y1, x2, y2 = crop.hole
        alpha[y1 - box[1] : y2 - box[1], x1 - box[0] : x2 - box[0]] = crop.own * 255
        rows.append(Patch(box, np.full((*size, 3), 10 * number, np.uint8), alpha))
    return rows


def test_where_parts_meet_there_is_no_step() -> None:
    crops = bar()
    before = patches(crops)
    after = joined(crops, before)
    picture, steps = np.zeros(WIDE, int), np.zeros(WIDE, int)
    for one, two in zip(before, after, strict=True):
        assert two.xyxy == one.xyxy
        assert np.array_equal(two.alpha, one.alpha)
        x1, y1, x2, y2 = two.xyxy
        picture[y1:y2, x1:x2][two.alpha > 0] = two.pixels[two.alpha > 0][:, 0]
        steps[y1:y2, x1:x2][one.alpha > 0] = one.pixels[one.alpha > 0][:, 0]
    line = slice(110, 2890)
    assert np.abs(np.diff(steps[220, line])).max() == 10
    assert np.abs(np.diff(picture[220, line])).max() <= 1
    assert picture[220, 110] == steps[220, 110]
    assert picture[220, 2890] == steps[220, 2890]


def test_a_hole_of_its_own_is_left_as_it_is() -> None:
    crops = bar()
    before = patches(crops)
    (row,) = (i for i, crop in enumerate(crops) if crop.parts == 1)
    assert joined(crops, before)[row] is before[row]


def test_a_patch_has_a_margin_within_its_window_and_parts_a_wider_one() -> None:
    for crop in bar():
        box = patch_box(crop)
        wide = min(crop.hole[0] - box[0], box[2] - crop.hole[2])
        assert wide >= MARGIN
        assert (wide > 2 * MARGIN) == (crop.parts > 1)
        assert crop.window[0] <= box[0] and box[2] <= crop.window[2]
        assert crop.window[1] <= box[1] and box[3] <= crop.window[3]
