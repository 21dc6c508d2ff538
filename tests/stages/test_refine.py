"""Refine: tight masks by every method, grown by exact discs of a bounded radius."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from autoremove.errors import RecipeError
from autoremove.models import cache, masknet, weights
from autoremove.stages.refine import METHODS, Refine, add_grown
from autoremove.types import Detections, Image, ObjectMask


def boxes(*rows: tuple[float, float, float, float], masks: np.ndarray | None = None) -> Detections:
    xyxy = np.array(rows, np.float32).reshape(-1, 4)
    return Detections(xyxy, np.full(len(rows), 0.5, np.float32), ("person",) * len(rows), masks)


def refined(found: Detections, image: Image | None = None, **settings: object) -> ObjectMask:
    stage = Refine(**{"method": "box", "grow": 0.0, "grow_min": 0, **settings})
    picture = np.zeros((60, 80, 3), np.uint8) if image is None else image
    (mask,) = stage([picture], [found])
    assert mask.grown.shape == mask.ids.shape == picture.shape[:2]
    assert (mask.grown | (mask.ids == 0)).all(), "an object is not wholly in the grown mask"
    return mask


def dilated(mask: np.ndarray, radius: int) -> np.ndarray:
    """All pixels at most ``radius`` from one of the mask, counted out."""
    ys, xs = np.nonzero(mask)
    y, x = np.mgrid[: mask.shape[0], : mask.shape[1]]
    near = np.zeros(mask.shape, bool)
    for cy, cx in zip(ys, xs, strict=True):
        near |= (y - cy) ** 2 + (x - cx) ** 2 <= radius**2
    return near


@pytest.mark.parametrize("radius", [0, 1, 2, 5, 13])
def test_growth_is_an_exact_disc_everywhere_also_at_the_border(radius: int) -> None:
    rng = np.random.default_rng(radius)
    for _ in range(25):
        height, width = (int(v) for v in rng.integers(4, 26, 2))
        x1, y1 = int(rng.integers(0, width)), int(rng.integers(0, height))
        x2, y2 = int(rng.integers(x1, width + 1)), int(rng.integers(y1, height + 1))
        cutout = rng.random((y2 - y1, x2 - x1)) < 0.4
        whole = np.zeros((height, width), bool)
        whole[y1:y2, x1:x2] = cutout
        target = np.zeros((height, width), bool)
        add_grown(target, ((x1, y1, x2, y2), cutout), radius)
        assert np.array_equal(target, dilated(whole, radius))


def test_growth_adds_to_what_is_there() -> None:
    target = np.zeros((9, 9), bool)
    target[0, 0] = True
    add_grown(target, ((4, 4, 5, 5), np.ones((1, 1), bool)), 1)
    assert target.sum() == 6


@pytest.mark.parametrize(
    ("box", "grow", "radius"),
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
def test_the_radius_goes_with_the_object_within_bounds(box: tuple, grow: float, radius: int) -> None:
    assert Refine(method="box", grow=grow).radius(np.array(box, np.float32)) == radius


def test_a_box_is_its_pixels() -> None:
    mask = refined(boxes((10.4, 5.9, 20.2, 30.0)))
    expected = np.zeros((60, 80), bool)
    expected[5:30, 10:21] = True
    assert np.array_equal(mask.ids == 1, expected)
    assert np.array_equal(mask.grown, expected)


@pytest.mark.parametrize("method", ["box", "grabcut"])
@pytest.mark.parametrize(
    "box",
    [
        (-20, -20, 10, 10),
        (70, 50, 200, 200),
        (-9, -9, 99, 99),
        (30, 30, 30, 30),
        (30, 30, 30, 40),
        (100, 10, 120, 20),
        (-30, -30, -10, -10),
        (0, 0, 1, 1),
        (79.5, 59.5, 80, 60),
    ],
)
def test_boxes_at_outside_and_without_extent_do_no_harm(method: str, box: tuple) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
    for radius in (0, 3):
        mask = refined(boxes(box), noise, method=method, grow_min=radius)
        inside = max(box[0], 0) < min(box[2], 80) and max(box[1], 0) < min(box[3], 60)
        assert inside or not mask.grown.any()


@pytest.mark.parametrize("method", ["box", "grabcut", "detector"])
def test_without_objects_there_is_nothing_to_remove(method: str) -> None:
    mask = refined(Detections.empty(), method=method)
    assert mask.share == 0
    assert not mask.ids.any()


def test_where_objects_overlap_the_smaller_keeps_its_number() -> None:
    mask = refined(boxes((20, 20, 30, 30), (10, 10, 50, 50)))
    assert (mask.ids[20:30, 20:30] == 1).all()
    assert mask.ids[12, 12] == 2
    assert (mask.ids == 2).sum() == 40 * 40 - 100


def figure() -> tuple[Image, np.ndarray]:
    """A red ellipse on green, with noise; and where it is."""
    y, x = np.mgrid[:60, :80]
    inside = ((x - 40) / 12) ** 2 + ((y - 30) / 20) ** 2 <= 1
    colours = np.where(inside[..., None], (200, 40, 40), (60, 140, 70))
    noise = np.random.default_rng(5).normal(0, 8, (60, 80, 3))
    return np.clip(colours + noise, 0, 255).astype(np.uint8), inside


def test_grabcut_finds_a_figure_and_always_the_same() -> None:
    picture, inside = figure()
    found = boxes((28, 10, 53, 51), (0, 0, 6, 6))
    masks = []
    for _ in range(3):
        np.random.default_rng().random()
        masks.append(refined(found, picture, method="grabcut").ids)
    assert np.array_equal(masks[0], masks[1])
    assert np.array_equal(masks[0], masks[2])
    got = masks[0] == 1
    assert (got & inside).sum() / (got | inside).sum() > 0.85
    # Neither the order of the objects nor one beside it changes a mask.
    assert np.array_equal(refined(found[[0]], picture, method="grabcut").ids == 1, got)


def test_grabcut_with_nothing_outside_to_learn_from_is_the_box() -> None:
    picture, _ = figure()
    assert refined(boxes((0, 0, 80, 60)), picture, method="grabcut").grown.all()


def test_the_detectors_own_masks_are_taken_as_they_are() -> None:
    planes = np.zeros((2, 60, 80), bool)
    planes[0, 5:9, 7:12] = planes[0, 20, 20] = True
    mask = refined(boxes((0, 0, 30, 30), (40, 40, 50, 50), masks=planes), method="detector")
    assert np.array_equal(mask.ids == 1, planes[0])
    assert np.array_equal(mask.grown, planes.any(0))


def test_a_detector_without_masks_is_told() -> None:
    with pytest.raises(RecipeError, match="gives masks") as told:
        refined(boxes((0, 0, 9, 9)), method="detector")
    assert "seg" in str(told.value.hint)


class Sam:
    """Says of every box that its left half is the object."""

    def masks(self, image: Image, xyxy: np.ndarray) -> np.ndarray:
        planes = np.zeros((len(xyxy), *image.shape[:2]), bool)
        for plane, (x1, y1, x2, y2) in zip(planes, xyxy.astype(int), strict=True):
            plane[y1:y2, x1 : (x1 + x2) // 2] = True
        return planes


@pytest.fixture
def networks(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    asked: list[tuple[str, str]] = []
    net = masknet.MaskNet(widths=(4, 4, 4, 4, 4, 4), side=32).eval()

    def load(kind: str, name: str, device: str) -> object:
        asked.append((kind, name))
        return {"masknet": net, "segmenter": Sam()}[kind]

    monkeypatch.setattr(cache, "load", load)
    return asked


def test_sam_is_asked_with_the_boxes(networks: list[tuple[str, str]]) -> None:
    mask = refined(boxes((10, 10, 30, 20)), method="sam", weights="sam-vit-b")
    assert mask.ids.sum() == mask.ids[10:20, 10:20].sum() == 100
    assert networks == [("segmenter", "sam-vit-b")]
    refined(Detections.empty(), method="sam")
    assert len(networks) == 1


def test_the_network_decides_by_its_threshold(networks: list[tuple[str, str]]) -> None:
    picture, _ = figure()
    found = boxes((28, 10, 53, 51), (5, 5, 5, 9), (200, 200, 300, 300))
    nothing = refined(found, picture, method="network", threshold=1.0)
    boxed = refined(found, picture, method="box")
    assert np.array_equal(nothing.ids, boxed.ids), "an object that the network does not see is its box"
    everything = refined(found, picture, method="network", threshold=-1.0)
    window = masknet.crop_window(found.xyxy[0])
    x1, y1, x2, y2 = (round(v) for v in window)
    assert (everything.ids[y1 + 1 : y2 - 1, x1 + 1 : x2 - 1] == 1).all()
    assert set(np.unique(everything.ids)) == {0, 1}
    assert networks == [("masknet", "embedded")] * 2


def test_an_unknown_method_is_refused_with_those_there_are() -> None:
    with pytest.raises(RecipeError) as told:
        Refine(method="boxes")
    for method in METHODS:
        assert method in str(told.value)


def test_only_methods_with_weights_have_them_in_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "digest", lambda name, kind: f"{kind} {name}")
    digests = {method: Refine(method=method, weights="w").weights_digest() for method in METHODS}
    assert digests == {
        "network": "masknet w",
        "sam": "segmenter w",
        "box": None,
        "grabcut": None,
        "detector": None,
    }


def test_memory_goes_with_the_picture_not_with_the_number_of_objects() -> None:
    """Three hundred full-size planes of this picture would take 300 MB."""
    rng = np.random.default_rng(0)
    corners = rng.integers(0, 950, (300, 2))
    found = boxes(*(tuple(row) for row in np.hstack([corners, corners + 40])))
    picture = np.zeros((1000, 1000, 3), np.uint8)
    tracemalloc.start()
    refined(found, picture, grow=0.1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 40e6
