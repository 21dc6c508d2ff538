"""Refine: tight masks by every method, grown by exact discs of a bounded radius."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from autoremove.errors import RecipeError
from autoremove.models import cache, masknet, weights, yolo
from autoremove.pipeline import run_in_memory
from autoremove.recipe import load_recipe
from autoremove.stages.refine import METHODS, Refine, Shape, by_box, claim
from autoremove.types import NO_CUTOUT, Cutout, Detections, Image, ObjectMask


def boxes(*rows: tuple[float, float, float, float], masks: tuple[Cutout, ...] | None = None) -> Detections:
    xyxy = np.array(rows, np.float32).reshape(-1, 4)
    return Detections(xyxy, np.full(len(rows), 0.5, np.float32), ("person",) * len(rows), masks)


def refined(found: Detections, image: Image | None = None, **settings: object) -> ObjectMask:
    stage = Refine(**{"method": "box", "grow": 0.0, "grow_min": 0, **settings})
    picture = np.zeros((60, 80, 3), np.uint8) if image is None else image
    (mask,) = stage([picture], [found])
    assert mask.grown.shape == mask.ids.shape == picture.shape[:2]
    assert (mask.grown | (mask.ids == 0)).all(), "an object is not wholly in the grown mask"
    return mask


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


def shape(window: tuple[int, int, int, int], chance: int | None) -> Shape:
    """A full window that a network is that sure of; None = a method that knows no doubt."""
    x1, y1, x2, y2 = window
    cutout = window, np.ones((y2 - y1, x2 - x1), bool)
    return Shape(cutout, cutout, None if chance is None else np.full((y2 - y1, x2 - x1), chance, np.uint8))


@pytest.mark.parametrize(
    ("first", "second", "winner"),
    [
        (shape((0, 0, 6, 10), 250), shape((4, 0, 10, 10), 150), 1),
        (shape((0, 0, 6, 10), 150), shape((4, 0, 10, 10), 250), 2),
        (shape((0, 0, 10, 10), 240), shape((4, 4, 6, 6), 200), 2),  # a bag in front of its bearer
        (shape((0, 0, 10, 10), None), shape((4, 4, 6, 6), None), 2),
        (shape((0, 0, 10, 10), 120), shape((4, 4, 6, 6), 0), 1),  # only a box
        (shape((4, 4, 6, 6), 0), shape((0, 0, 10, 10), 120), 2),
    ],
)
def test_what_two_claim_goes_to_the_surer_or_the_smaller(first: Shape, second: Shape, winner: int) -> None:
    ids, best = np.zeros((10, 10), np.uint16), np.zeros((10, 10), np.float16)
    claim(ids, best, first, 1)
    claim(ids, best, second, 2)
    assert (ids[4:6, 4:6] == winner).all()
    assert set(np.unique(ids)) <= {0, 1, 2}


def figure() -> tuple[Image, np.ndarray]:
    """A red ellipse on green, with noise; and where it is."""
    y, x = np.mgrid[:60, :80]
    inside = ((x - 40) / 12) ** 2 + ((y - 30) / 20) ** 2 <= 1
    colours = np.where(inside[..., None], (200, 40, 40), (60, 140, 70))
    noise = np.random.default_rng(5).normal(0, 8, (60, 80, 3))
    return np.clip(colours + noise, 0, 255).astype(np.uint8), inside


def test_a_mask_stops_at_whom_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    found = Detections(np.array([[10, 10, 60, 90]], np.float32), np.ones(1, np.float32), ("person",))
    beside = replace(found, staying=np.array([[55, 10, 95, 90]], np.float32))
    image = np.full((100, 100, 3), 127, np.uint8)
    monkeypatch.setitem(METHODS, "grabcut", by_box)
    stage = Refine(method="grabcut", grow=0.3, grow_min=3)
    [alone], [kept] = stage([image], [found]), stage([image], [beside])
    assert alone.grown[50, 90] and not kept.grown[50, 90]
    assert kept.grown[50, 56] and not kept.grown[50, 62]  # the border is left to blend over
    assert kept.grown[50, 5] and set(np.unique(kept.ids)) == {0, 1}
    [boxes] = Refine(method="box", grow=0.3)([image], [beside])
    assert boxes.grown[50, 80]  # a box is no shape: what it holds must go all the same


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
    plane = np.zeros((60, 80), bool)
    plane[5:9, 7:12] = plane[20, 20] = True
    own = ((2, 1, 30, 30), plane[1:30, 2:30])
    mask = refined(boxes((0, 0, 30, 30), (40, 40, 50, 50), masks=(own, NO_CUTOUT)), method="detector")
    assert np.array_equal(mask.ids == 1, plane)
    plane[40:50, 40:50] = True  # without a mask of its own, the box
    assert np.array_equal(mask.grown, plane)


def test_a_detector_without_masks_is_told() -> None:
    with pytest.raises(RecipeError, match="gives masks") as told:
        refined(boxes((0, 0, 9, 9)), method="detector")
    assert "seg" in str(told.value.hint)


def test_a_segmenting_detector_is_a_drop_in(tmp_path: Path) -> None:
    """A whole recipe with an untrained -seg network, its looks mirrored and at two sizes."""
    yolo.import_ultralytics()
    torch.manual_seed(0)
    state = yolo._build("yolo11n-seg", 2).state_dict()
    state = {
        key: value + 6 if ".cv3." in key and key.endswith("2.bias") else value for key, value in state.items()
    }
    yolo.save_detector(state, ["person", "dog"], tmp_path / "seg.safetensors", architecture="yolo11n-seg")
    recipe = tmp_path / "seg.yaml"
    recipe.write_text(
        "stages: [detect: {sizes: [64, 96], max_det: 5}, select: {max_count: 3}, refine: {method: detector}]"
    )
    stages = load_recipe(str(recipe), [f"detect.weights={tmp_path / 'seg.safetensors'}"]).stages
    picture = np.random.default_rng(0).integers(0, 256, (90, 130, 3), np.uint8)
    values = run_in_memory(picture, stages)
    found, mask = values["detections"], values["mask"]
    assert 0 < len(found) <= 3
    assert len(found.masks) == len(found)
    assert set(np.unique(mask.ids)) - {0} <= set(range(1, len(found) + 1))
    assert mask.ids.any()
    assert (mask.grown | (mask.ids == 0)).all()


class Sam:
    """Says of every box that its left half is the object."""

    def masks(self, image: Image, xyxy: np.ndarray, features: np.ndarray | None) -> list[Cutout]:
        corners = [(x1, y1, (x1 + x2) // 2, y2) for x1, y1, x2, y2 in xyxy.astype(int).tolist()]
        return [((x1, y1, x2, y2), np.ones((y2 - y1, x2 - x1), bool)) for x1, y1, x2, y2 in corners]


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
    everything = refined(found, picture, method="network", threshold=0.0)
    window = masknet.crop_window(found.xyxy[0])
    x1, y1, x2, y2 = (round(v) for v in window)
    assert (everything.ids[y1 + 1 : y2 - 1, x1 + 1 : x2 - 1] == 1).all()
    assert set(np.unique(everything.ids)) == {0, 1}
    assert networks == [("masknet", "embedded")] * 2


class Blurred(torch.nn.Module):
    """Sees what is red, but hazily."""

    side = 96

    def __init__(self) -> None:
        super().__init__()
        self.nothing = torch.nn.Parameter(torch.zeros(1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        seen = (x[:, :1] > x[:, 1:2]).float()
        return torch.logit(torch.nn.functional.avg_pool2d(seen, 9, 1, 4), 1e-3)


def test_masks_of_large_objects_have_the_edge_of_the_photo(monkeypatch: pytest.MonkeyPatch) -> None:
    """The network's own edge would be a smear of nine of its pixels, forty of the photo's."""
    monkeypatch.setattr(cache, "load", lambda kind, name, device: Blurred())
    y, x = np.mgrid[:500, :400]
    inside = ((x - 200) / 110) ** 2 + ((y - 250) / 180) ** 2 <= 1
    picture = np.where(inside[..., None], (200, 60, 60), (60, 120, 80)).astype(np.uint8)
    found = boxes((90, 70, 311, 431))
    mask = refined(found, picture, method="network", loose=1.0)
    assert (mask.ids.astype(bool) & inside).sum() / (mask.ids.astype(bool) | inside).sum() > 0.98
    assert np.array_equal(mask.grown, mask.ids > 0), "growth starts from the mask when nothing is looser"
    loose = refined(found, picture, method="network", loose=0.05)
    assert np.array_equal(loose.ids, mask.ids)
    assert loose.grown.sum() > mask.grown.sum() * 1.02


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
