"""Composite: nothing changes outside the mask, the object goes whole, and colours meet at the border."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from autoremove import images
from autoremove.stages.composite import LARGEST, Composite, feathered, spread
from autoremove.stages.inpaint import Inpaint
from autoremove.stages.refine import Refine
from autoremove.types import Detections, Image, ObjectMask, Patch
from tests import builders


def random_jobs() -> Iterator[tuple[Image, ObjectMask, list[Patch]]]:
    """Pictures of noise with grown boxes and loud fills, as inpaint gives them."""
    rng = np.random.default_rng(4)
    for _ in range(20):
        height, width = (int(v) for v in rng.integers(20, 150, 2))
        picture = rng.integers(0, 256, (height, width, 3), np.uint8)
        low = rng.uniform(0, 0.9, (3, 2)) * (width, height)
        boxes = np.hstack([low, low + rng.uniform(2, 40, (3, 2))]).astype(np.float32)
        found = Detections(boxes, np.ones(3, np.float32), ("person",) * 3)
        grow = {"grow": float(rng.choice([0.0, 0.2])), "grow_min": int(rng.choice([0, 3]))}
        (mask,) = Refine(method="box", **grow)([picture], [found])
        (patches,) = Inpaint(model="telea", side=32, context=0.2, max_share=1.0)([picture], [mask])
        loud = [Patch(p.xyxy, rng.integers(0, 256, p.pixels.shape, np.uint8), p.alpha) for p in patches]
        yield picture, mask, loud


@pytest.mark.parametrize("settings", [{}, {"match": 0.0, "feather": 0.0}, {"feather": 1.0}, {"match": 0.5}])
def test_nothing_changes_outside_the_mask_and_the_object_goes_whole(settings: dict[str, float]) -> None:
    for picture, mask, patches in random_jobs():
        (done,) = Composite(**settings)([picture], [mask], [patches])
        alpha = np.zeros(mask.grown.shape, int)
        for before, patch in zip(patches, done, strict=True):
            x1, y1, x2, y2 = patch.xyxy
            assert patch.xyxy == before.xyxy
            assert (patch.alpha[before.alpha == 0] == 0).all()
            alpha[y1:y2, x1:x2] += patch.alpha
        assert (alpha[~mask.grown] == 0).all()
        assert (alpha[mask.ids > 0] == 255).all()
        after = images.apply_patches(picture, done)
        assert np.array_equal(after[~mask.grown], picture[~mask.grown])


def ring() -> tuple[Image, ObjectMask, Patch]:
    """A flat picture; an object of 20 x 20 grown by 10; a fill that is 30 levels too bright."""
    picture = np.full((80, 80, 3), 100, np.uint8)
    ids, grown = np.zeros((80, 80), np.uint16), np.zeros((80, 80), bool)
    ids[30:50, 30:50], grown[20:60, 20:60] = 1, True
    alpha = np.zeros((70, 70), np.uint8)
    alpha[15:55, 15:55] = 255
    return picture, ObjectMask(grown, ids), Patch((5, 5, 75, 75), np.full((70, 70, 3), 130, np.uint8), alpha)


def composed(**settings: float) -> Patch:
    picture, mask, patch = ring()
    return Composite(**settings)([picture], [mask], [[patch]])[0][0]


@pytest.mark.parametrize(("match", "level"), [(1.0, 100), (0.5, 115), (0.0, 130)])
def test_the_fill_takes_on_the_colour_of_its_surroundings(match: float, level: int) -> None:
    inside = composed(match=match, reach=0.0).pixels[15:55, 15:55].astype(int)
    assert np.abs(inside - level).max() <= 1


def test_matching_fades_inwards() -> None:
    row = composed(reach=0.3).pixels[35, 15:55, 0].astype(int)
    assert row[0] <= 105 and row[-1] <= 105
    assert row[20] > 112, "a rest of the object at the border must not tint the middle"
    assert (np.diff(row[:20]) >= 0).all()


def test_another_thing_at_the_border_is_no_tint() -> None:
    picture, mask, patch = ring()
    (done,) = Composite(reach=0.0)([picture // 100 * 250], [mask], [[patch]])[0]
    assert np.abs(done.pixels[15:55, 15:55] - (130 + LARGEST)).max() <= 1


def test_a_slope_of_brightness_is_continued_through_the_hole() -> None:
    picture, mask, patch = ring()
    slope = np.broadcast_to(np.arange(80, dtype=np.uint8)[None, :, None] + 60, picture.shape)
    (done,) = Composite(reach=0.0)([np.ascontiguousarray(slope)], [mask], [[patch]])[0]
    middle = done.pixels[35, 15:55, 0].astype(int)
    assert np.abs(middle - slope[40, 20:60, 0].astype(int)).max() <= 8
    assert (np.diff(middle) >= 0).all()


def test_the_fill_fades_in_within_the_ring() -> None:
    alpha = composed(feather=0.5).alpha.astype(int)
    row = alpha[35, :36]
    assert (row[:15] == 0).all()
    assert 0 < row[15] < 90
    assert (np.diff(row[14:26]) >= 0).all()
    assert (row[21:] == 255).all()
    assert set(np.unique(composed(feather=0.0).alpha)) == {0, 255}


def test_a_wider_feather_is_softer() -> None:
    sums = [int(composed(feather=share).alpha.sum()) for share in (0.0, 0.35, 1.0)]
    assert sums == sorted(sums, reverse=True)
    assert len(set(sums)) == 3


def test_a_mask_without_objects_is_filled_to_its_edge() -> None:
    holes = np.zeros((20, 20), bool)
    holes[5:15, 5:15] = True
    assert np.array_equal(feathered(holes, np.zeros_like(holes), 0.5), holes * np.uint8(255))


def test_a_hole_that_reaches_the_edge_does_not_fade_there() -> None:
    holes, tight = np.zeros((40, 40), bool), np.zeros((40, 40), bool)
    holes[:, :30], tight[10:30, :10] = True, True
    alpha = feathered(holes, tight, 0.35)
    assert (alpha[10:30, 0] == 255).all()
    assert (alpha[:, 0] > 100).all()
    assert (alpha[:, 30:] == 0).all()


def test_what_is_known_spreads_smoothly_and_never_beyond_its_range() -> None:
    rng = np.random.default_rng(0)
    for size_hw in ((1, 1), (2, 9), (40, 33), (64, 128)):
        values = rng.uniform(-50, 80, (*size_hw, 3)).astype(np.float32)
        known = rng.random(size_hw) < 0.3
        known[0, 0] = True
        everywhere = spread(values, known)
        assert everywhere.shape == values.shape
        assert np.allclose(everywhere[known], values[known], atol=1e-3)
        low, high = values[known].min(0), values[known].max(0)
        assert (everywhere >= low - 1e-3).all()
        assert (everywhere <= high + 1e-3).all()


def test_a_picture_that_is_all_hole_keeps_its_fill() -> None:
    everything = ObjectMask(np.ones((9, 9), bool), np.ones((9, 9), np.uint16))
    patch = Patch((0, 0, 9, 9), np.full((9, 9, 3), 7, np.uint8), np.full((9, 9), 255, np.uint8))
    (done,) = Composite()([builders.scene((9, 9), person=False)], [everything], [[patch]])[0]
    assert (done.pixels == 7).all()
    assert (done.alpha == 255).all()


def test_pictures_without_patches_stay_without() -> None:
    picture, mask, patch = ring()
    done = Composite()([picture, picture], [mask, mask], [[], [patch]])
    assert [len(row) for row in done] == [0, 1]


def test_a_shadow_joined_far_from_the_object_goes_whole() -> None:
    holes, tight = np.zeros((120, 300), bool), np.zeros((120, 300), bool)
    tight[20:100, 20:60] = True
    holes[10:110, 10:290] = True  # a long shadow to the right
    alpha = feathered(holes, tight, 0.35)
    assert (alpha[14:106, 14:286] == 255).all()
    assert 0 < alpha[60, 288] < 255
    assert (alpha[~holes] == 0).all()


def test_a_slope_filled_with_a_darker_slope_has_no_seam() -> None:
    picture, mask, patch = ring()
    slope = np.broadcast_to(np.arange(80)[None, :, None] + 60, picture.shape).astype(np.uint8)
    dark = Patch(patch.xyxy, slope[5:75, 5:75] - np.uint8(25), patch.alpha)
    (done,) = Composite(reach=0.0)([slope], [mask], [[dark]])[0]
    assert np.abs(images.apply_patches(slope, [done]).astype(int) - slope).max() <= 1


def test_the_texture_at_the_border_runs_on_for_a_pixel_and_not_as_streaks() -> None:
    picture, mask, patch = ring()
    picture = np.random.default_rng(0).integers(70, 131, picture.shape, np.uint8)
    flat = Patch(patch.xyxy, np.full_like(patch.pixels, 100), patch.alpha)
    (done,) = Composite(reach=0.0, grain=0.0)([picture], [mask], [[flat]])[0]
    rows = done.pixels[15:55, 15:55].astype(float)
    deviation = [rows[8:-8, column].std() for column in (0, 2, 8)]
    assert deviation[0] > 4
    assert deviation[1] < 0.7 * deviation[0]
    assert deviation[2] < 0.4 * deviation[0]


def test_grain_fills_in_the_noise_that_a_smooth_fill_lacks() -> None:
    picture, mask, patch = ring()
    picture = np.random.default_rng(0).normal(100, 3, (80, 80, 3)).astype(np.uint8)
    spreads = []
    for grain in (0.0, 1.0):
        (done,) = Composite(match=0.0, grain=grain)([picture], [mask], [[patch]])[0]
        spreads.append(done.pixels[25:45, 25:45].astype(float).std())
    assert spreads[0] < 1
    assert 1.2 < spreads[1] < 4
