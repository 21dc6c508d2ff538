"""Shadow: what an object casts at its feet joins the hole, the rest of the street does not."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoremove.errors import RecipeError
from autoremove.stages import stage_class
from autoremove.stages.shadow import Shadow
from autoremove.stages.shadow_rules import explains
from autoremove.types import Detections, Image, Mask, ObjectMask

SIZE = (260, 360)

Y, X = np.mgrid[: SIZE[0], : SIZE[1]].astype(np.float32)


def floor(seed: int = 0, slope: float = 0.0) -> np.ndarray:
    """Brownish ground with a fine texture, ``slope`` brighter from left to right."""
    rng = np.random.default_rng(seed)
    light = 1 + slope * (X / SIZE[1] - 0.5)
    grain = cv2.GaussianBlur(rng.normal(0, 1, SIZE).astype(np.float32), (0, 0), 1.2) * 0.1
    return np.asarray(np.array([170, 140, 110]) * (light * (1 + grain))[..., None], np.float32)


def body(left: int = 165, top: int = 60, width: int = 34, height: int = 130) -> Mask:
    mask = np.zeros(SIZE, bool)
    mask[top : top + height, left : left + width] = True
    mask[top + int(height * 0.7) :, left + width // 2 - 4 : left + width // 2 + 4] = False  # between the legs
    return mask


def ellipse(x: float, y: float, rx: float, ry: float, soft: float = 2.0) -> np.ndarray:
    """1 inside, 0 outside, a penumbra between."""
    hard = (((X - x) / rx) ** 2 + ((Y - y) / ry) ** 2 < 1).astype(np.float32)
    return np.asarray(cv2.GaussianBlur(hard, (0, 0), soft), np.float32)


def shaded(ground: np.ndarray, where: np.ndarray, keep: float | tuple[float, ...]) -> np.ndarray:
    return np.asarray(ground * (1 - where[..., None] * (1 - np.asarray(keep, np.float32))), np.float32)


def scene(ground: np.ndarray, *bodies: Mask, margin: int = 4) -> tuple[Image, Detections, ObjectMask]:
    """Dark blue figures on a ground, and the masks that the stage before has made of them."""
    image, ids = ground.copy(), np.zeros(SIZE, np.uint16)
    rows = []
    for number, own in enumerate(bodies, 1):
        image[own] = (40, 50, 90)
        ids[own] = number
        ys, xs = np.nonzero(own)
        rows.append([xs.min(), ys.min(), xs.max() + 1, ys.max() + 1])
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * margin + 1,) * 2)
    grown = cv2.dilate((ids > 0).astype(np.uint8), kernel) > 0
    xyxy = np.array(rows, np.float32).reshape(-1, 4)
    found = Detections(xyxy, np.ones(len(rows), np.float32), ("person",) * len(rows))
    return image.clip(0, 255).astype(np.uint8), found, ObjectMask(np.asarray(grown), ids)


def joined(given_: tuple[Image, Detections, ObjectMask], **fields: Any) -> Mask:
    """What the stage adds; it never takes away, and leaves the ids alone."""
    image, found, mask = given_
    before = mask.grown.copy(), mask.ids.copy()
    (after,) = Shadow(**fields)([image], [found], [mask])
    assert np.array_equal(mask.grown, before[0])
    assert np.array_equal(after.ids, before[1])
    assert (after.grown | ~mask.grown).all()
    return np.asarray(after.grown & ~mask.grown)


def share(part: Mask, whole: Mask) -> float:
    return float((part & whole).sum() / max(1, whole.sum()))


@pytest.mark.parametrize("keep", [0.4, 0.6, 0.8])
@pytest.mark.parametrize("soft", [1.0, 4.0])
def test_a_shadow_beside_the_feet_joins_with_its_penumbra(keep: float, soft: float) -> None:
    where = ellipse(215, 188, 45, 9, soft)
    ours = scene(shaded(floor(), where, keep), body())
    got = joined(ours)
    free = ~ours[2].grown
    assert share(got, (where > 0.5) & free) > 0.95
    assert share(got, (where > 0.15) & free) > 0.85
    assert (got & (cv2.dilate(where, np.ones((25, 25))) < 0.05)).sum() < 0.1 * got.sum()


def test_a_bluish_shadow_outdoors_joins_and_one_on_a_gradient() -> None:
    where = ellipse(215, 188, 45, 9)
    free = ~scene(floor(), body())[2].grown
    for ground in (
        shaded(floor(), where, (0.56, 0.6, 0.66)),
        shaded(floor(1, slope=0.8), where, 0.6),
        shaded(floor(2, slope=-0.8), where, 0.6),
    ):
        assert share(joined(scene(ground, body())), (where > 0.5) & free) > 0.9


SUN = (0.30, 0.40, 0.55)
"""What a shadow in the sun leaves of red, green and blue under a clear sky."""


def test_a_shadow_in_the_sun_is_bluish_and_nothing_of_another_colour_is_one() -> None:
    where = ellipse(215, 188, 45, 9)
    ours = scene(shaded(floor(), where, SUN), body())
    assert share(joined(ours), (where > 0.5) & ~ours[2].grown) > 0.9
    for tinted in (SUN[::-1], (0.40, 0.30, 0.55), (0.55, 0.30, 0.40)):
        reddish = scene(shaded(floor(), where, tinted), body())
        assert share(joined(reddish), (where > 0.5) & ~reddish[2].grown) < 0.3


def test_a_clear_shadow_is_followed_beyond_what_is_looked_at_and_a_faint_one_is_not() -> None:
    """From the feet to the right border of the picture, farther than ``reach``."""
    long = cv2.GaussianBlur(((X > 175) & (np.abs(Y - 186) < 7)).astype(np.float32), (0, 0), 1.0)
    figure = body(left=100)
    clear = scene(shaded(floor(), long, 0.5), figure)
    assert not joined(clear).any(), "it does not touch"
    long = cv2.GaussianBlur(((X > 120) & (np.abs(Y - 186) < 7)).astype(np.float32), (0, 0), 1.0)
    near = (long > 0.5) & (X < 134 + 0.9 * 68)
    clear = scene(shaded(floor(), long, 0.5), figure)
    assert share(joined(clear), near & ~clear[2].grown) > 0.9
    faint = scene(shaded(floor(), long, 0.86), figure)
    assert share(joined(faint), near & (X > 160) & ~faint[2].grown) < 0.1


def test_a_post_beside_the_feet_is_no_shadow() -> None:
    post = (np.abs(X - 212) < 6) & (Y < 190)
    assert not joined(scene(shaded(floor(), post.astype(np.float32), 0.45), body())).any()


def test_of_a_shadow_that_is_too_large_what_is_next_to_the_feet_joins() -> None:
    ours = scene(shaded(floor(), ellipse(225, 188, 60, 11), 0.6), body())
    assert np.nonzero(joined(ours, max_area=2.0))[1].max() > 270
    got = joined(ours, max_area=0.3)
    assert got.any()
    assert np.nonzero(got)[1].max() < 220
    assert got.sum() < 0.3 * (ours[2].ids > 0).sum()


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("slope", [0.0, 0.8, -0.8])
def test_without_a_shadow_nothing_joins(seed: int, slope: float) -> None:
    assert not joined(scene(floor(seed, slope), body())).any()


def test_a_dark_carpet_is_no_shadow() -> None:
    """Another colour; the same colour but all across the floor; dark asphalt from the feet on."""
    red = shaded(floor(), ellipse(215, 195, 60, 14, 0.5), (0.7, 0.35, 0.3))
    runner = shaded(floor(), ((Y > 165) & (Y < 215)).astype(np.float32), 0.5)
    road = shaded(floor(), (X > 182).astype(np.float32), 0.6)
    own = body().sum()
    for ground in (red, runner, road):
        assert joined(scene(ground, body())).sum() < 0.08 * own


def test_a_thing_that_is_nearly_black_or_has_a_texture_of_its_own_is_no_shadow() -> None:
    where = ellipse(225, 192, 45, 12, 0.5)
    hole = shaded(floor(), where, 0.03)
    stripes = floor() * np.where((where > 0.5) & (X.astype(int) // 3 % 2 == 0), 0.25, 1.0)[..., None]
    for ground in (hole, stripes):
        assert share(joined(scene(np.asarray(ground, np.float32), body())), where > 0.5) < 0.4


def test_a_shadow_that_does_not_touch_the_feet_is_somebody_elses() -> None:
    where = ellipse(290, 120, 40, 9)
    assert not (joined(scene(shaded(floor(), where, 0.5), body())) & (where > 0.1)).any()


def test_an_object_cut_by_the_lower_border_has_no_feet() -> None:
    where = ellipse(215, 250, 60, 12)
    cut = body(top=SIZE[0] - 120, height=140)
    assert not joined(scene(shaded(floor(), where, 0.5), cut)).any()


def test_each_of_several_objects_gets_its_own() -> None:
    first, second = ellipse(110, 188, 40, 8), ellipse(285, 188, 40, 8)
    ours = scene(shaded(shaded(floor(), first, 0.6), second, 0.6), body(left=70), body(left=245))
    got, free = joined(ours), ~ours[2].grown
    assert share(got, (first > 0.5) & free) > 0.9
    assert share(got, (second > 0.5) & free) > 0.9


def test_only_what_stands_is_looked_at_unless_what_goes_with_it_does() -> None:
    where = ellipse(215, 188, 45, 9)
    image, found, mask = scene(shaded(floor(), where, 0.6), body())
    for label in ("boat", "vase"):
        other = Detections(found.xyxy, found.score, (label,))
        assert not joined((image, other, mask)).any()
        assert joined((image, other, mask), labels=(label,)).any()
    two = Detections(
        np.repeat(found.xyxy, 2, 0), np.ones(2, np.float32), ("vase", "person"), owner=np.array([-1, 0])
    )
    assert joined((image, two, mask)).any(), "a group stands if one of it does"


def test_half_a_person_behind_a_table_has_no_feet() -> None:
    where = ellipse(150, 188, 120, 9)
    bust = body(left=90, width=120, top=80, height=110)
    image, found, mask = scene(shaded(floor(), where, 0.6), bust)
    assert not joined((image, found, mask)).any()
    assert joined((image, Detections(found.xyxy, found.score, ("car",)), mask)).any()


def test_strength_and_bounds_do_what_they_say() -> None:
    where = ellipse(225, 188, 60, 11)
    ours = scene(shaded(floor(), where, 0.6), body())
    usual = joined(ours)
    assert usual.any()
    for fields in ({"on": False}, {"strength": 0.0}, {"reach": 0.0}, {"max_area": 0.0}, {"max_area": 0.02}):
        assert not joined(ours, **fields).any(), fields
    faint = scene(shaded(floor(), where, 0.92), body())
    assert joined(faint, strength=2.0).sum() > joined(faint, strength=0.5).sum()


@pytest.mark.parametrize(
    "fields", [{"strength": -1.0}, {"strength": 9.0}, {"reach": -0.1}, {"max_area": -1.0}]
)
def test_settings_out_of_bounds_are_refused(fields: dict[str, float]) -> None:
    with pytest.raises(RecipeError, match=f"shadow.{next(iter(fields))}"):
        Shadow(**fields)


def polished(own: Mask, weight: float) -> np.ndarray:
    """A floor in which the figure, half red and half blue, is seen again upside down."""
    ground = floor()
    foot = int(np.nonzero(own.any(1))[0].max())
    colours = np.where((foot - Y)[..., None] % 24 < 12, (210, 60, 60), (40, 60, 200))
    ground[own] = colours[own]
    for row in range(foot + 1, SIZE[0]):
        mirrored = own[2 * foot + 1 - row]
        ground[row, mirrored] += weight * (ground[2 * foot + 1 - row, mirrored] - ground[row, mirrored])
    return ground


def test_a_mirror_image_on_a_polished_floor_joins() -> None:
    own = body(height=120)
    image, found, mask = scene(polished(own, 0.4), own)
    bright = polished(own, 0.4)
    image[own] = bright[own].clip(0, 255).astype(np.uint8)
    ours = image, found, mask
    below = np.roll(own[::-1], 2 * 180 - SIZE[0], 0) & (Y > 186) & (Y < 200) & ~mask.grown
    assert share(joined(ours), below) > 0.9
    matt = image.copy()
    matt[~own] = floor()[~own].astype(np.uint8)
    assert not joined((matt, found, mask)).any()


def test_a_mirror_image_is_more_than_being_dark() -> None:
    rng = np.random.default_rng(3)
    above = rng.normal(0, 1, (200, 3)).astype(np.float32)
    noise = rng.normal(0, 0.1, (200, 3)).astype(np.float32)
    assert explains(above, 0.4 * above + noise)
    assert not explains(above, noise - 0.5), "a plain shadow has no structure"
    assert not explains(above, -0.4 * above)
    assert not explains(above, 1.5 * above), "a mirror image is not stronger than what it shows"
    assert not explains(above[:20], 0.4 * above[:20])


def test_without_objects_or_masks_nothing_happens() -> None:
    image, found, mask = scene(floor(), body())
    empty = ObjectMask(np.zeros(SIZE, bool), np.zeros(SIZE, np.uint16))
    assert not joined((image, Detections.empty(), empty)).any()
    assert not joined((image, found, empty)).any()
    assert not joined((image, Detections.empty(), mask)).any()
    assert Shadow()([], [], []) == []


def test_the_table_knows_the_stage() -> None:
    assert stage_class("shadow") is Shadow


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    height=st.integers(8, 90),
    width=st.integers(8, 90),
    count=st.integers(0, 3),
    max_area=st.sampled_from([0.1, 0.5, 2.0]),
)
def test_bounds_hold_for_any_picture(seed: int, height: int, width: int, count: int, max_area: float) -> None:
    rng = np.random.default_rng(seed)
    low = rng.integers(0, 256, (4, 4, 3)).astype(np.uint8)
    image = cv2.resize(low, (width, height), interpolation=cv2.INTER_CUBIC)
    ids, grown = np.zeros((height, width), np.uint16), np.zeros((height, width), bool)
    boxes = rng.uniform(-20, 110, (count, 4)).astype(np.float32)
    for number, (x1, y1, x2, y2) in enumerate(boxes.astype(int), 1):
        part = np.s_[max(0, y1) : max(0, y2), max(0, x1) : max(0, x2)]
        ids[part] = number
        grown[part] = True
    found = Detections(boxes, np.ones(count, np.float32), ("person",) * count)
    got = joined((image, found, ObjectMask(grown, ids)), max_area=max_area)
    # Scaling to the working size and back moves the edge by up to a pixel.
    assert got.sum() <= 1.3 * max_area * (ids > 0).sum() + 4 * (height + width)
