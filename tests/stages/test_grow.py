"""Growth: exact discs whose radius goes with the size of the object, its class and the doubt about it."""

from __future__ import annotations

import numpy as np
import pytest

from autoremove.models import cache, masknet
from autoremove.stages.grow import GROW_OF, add_grown, radius
from autoremove.stages.refine import Refine
from autoremove.types import Detections


def dilated(mask: np.ndarray, reach: int) -> np.ndarray:
    """All pixels at most ``reach`` from one of the mask, counted out."""
    ys, xs = np.nonzero(mask)
    y, x = np.mgrid[: mask.shape[0], : mask.shape[1]]
    near = np.zeros(mask.shape, bool)
    for cy, cx in zip(ys, xs, strict=True):
        near |= (y - cy) ** 2 + (x - cx) ** 2 <= reach**2
    return near


@pytest.mark.parametrize("reach", [0, 1, 2, 5, 13])
def test_growth_is_an_exact_disc_everywhere_also_at_the_border(reach: int) -> None:
    rng = np.random.default_rng(reach)
    for _ in range(25):
        height, width = (int(v) for v in rng.integers(4, 26, 2))
        x1, y1 = int(rng.integers(0, width)), int(rng.integers(0, height))
        x2, y2 = int(rng.integers(x1, width + 1)), int(rng.integers(y1, height + 1))
        cutout = rng.random((y2 - y1, x2 - x1)) < 0.4
        whole = np.zeros((height, width), bool)
        whole[y1:y2, x1:x2] = cutout
        target = np.zeros((height, width), bool)
        add_grown(target, ((x1, y1, x2, y2), cutout), reach)
        assert np.array_equal(target, dilated(whole, reach))


def test_growth_adds_to_what_is_there() -> None:
    target = np.zeros((9, 9), bool)
    target[0, 0] = True
    add_grown(target, ((4, 4, 5, 5), np.ones((1, 1), bool)), 1)
    assert target.sum() == 6


@pytest.mark.parametrize(
    ("box", "share", "expected"),
    [
        ((0, 0, 100, 100), 0.05, 5),
        ((0, 0, 200, 50), 0.05, 5),
        ((0, 0, 10, 10), 0.05, 3),
        ((0, 0, 5000, 5000), 0.05, 80),
        ((0, 0, 100, 100), 0.0, 3),
        ((0, 0, 100, 100), -1.0, 3),
        ((7, 7, 7, 7), 0.05, 3),
        ((9, 9, 5, 20), 0.05, 3),
    ],
)
def test_the_radius_goes_with_the_object_within_bounds(box: tuple, share: float, expected: int) -> None:
    assert radius(np.array(box, np.float32), "vase", share, 3, 80, {}) == expected


def test_the_class_has_its_say_and_the_recipe_the_last() -> None:
    box = np.array([0, 0, 1000, 1000], np.float32)
    got = {name: radius(box, name, 0.05, 3, 80, {}) for name in ("vase", "person", "car", "bicycle", "skis")}
    assert got == {name: round(50 * GROW_OF.get(name, 1.0)) for name in got}
    assert got["vase"] > got["car"] > got["bicycle"] > got["skis"]
    assert radius(box, "car", 0.05, 3, 80, {"car": 0.1}) == 5
    assert radius(box, "car", 0.05, 3, 80, {"car": 9}) == 80, "the bounds hold for any factor"
    assert radius(box, "vase", 0.05, 3, 80, {"car": 9}) == 50


def any_network(*_: object) -> masknet.MaskNet:
    """One whose answers the fixture replaces."""
    return masknet.MaskNet(widths=(4, 4, 4, 4, 4, 4), side=32).eval()


@pytest.fixture
def chances(monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    plane = np.full((32, 32), 0.02, np.float32)
    plane[8:24, 8:16], plane[8:24, 16:20] = 0.95, 0.2
    monkeypatch.setattr(cache, "load", any_network)
    monkeypatch.setattr(masknet, "_chances", lambda _net, planes: np.stack([plane] * len(planes)))
    return plane


def grown(**settings: object) -> tuple[np.ndarray, np.ndarray]:
    box = np.array([[30, 30, 130, 130]], np.float32)
    found = Detections(box, np.ones(1, np.float32), ("vase",))
    stage = Refine(**{"threshold": 0.5, "grow": 0.0, "grow_min": 2, **settings})
    (mask,) = stage([np.zeros((160, 160, 3), np.uint8)], [found])
    assert (mask.grown | (mask.ids == 0)).all()
    return mask.ids > 0, mask.grown


@pytest.mark.usefixtures("chances")
def test_growth_goes_further_where_the_network_is_unsure() -> None:
    tight, wide = grown(loose=0.1)
    edges = [int(np.nonzero(plane.any(0))[0][k]) for plane in (tight, wide) for k in (0, -1)]
    left, right = edges[0] - edges[2], edges[3] - edges[1]
    assert 2 <= left <= 4, "sharp edge: the disc and half a pixel of the network"
    assert right >= left + 14, "four unsure pixels of the network are 17 of the picture"


@pytest.mark.usefixtures("chances")
def test_without_a_looser_level_growth_starts_from_the_mask() -> None:
    tight, same = grown(loose=0.5)
    assert np.array_equal(same, dilated(tight, 2))
    assert np.array_equal(grown(loose=0.9)[1], same), "never from less than the mask"
    assert np.array_equal(grown(loose=0.1)[0], tight), "the tight mask does not know of it"


@pytest.mark.usefixtures("chances")
def test_an_unseen_object_is_its_box_at_both_levels() -> None:
    tight, wide = grown(threshold=0.99)
    assert tight.sum() == 100 * 100
    assert np.array_equal(wide, dilated(tight, 2))
