"""Fills brought to full size by an enlarging network: exactly in place, with their known ring."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
import torch

from autoremove.models import cache
from autoremove.models.srgan import SRGANConfig, SRResNet
from autoremove.stages.inpaint import Scene
from autoremove.stages.network import Answer, Seen
from autoremove.stages.plan import Crop
from autoremove.stages.shrinking import enlarged, fitted, shrink
from autoremove.stages.superresolved import LEAST_SCALE, RING, brought_up, steps, with_super_resolution


class Enlarging(SRResNet):
    """What bicubic interpolation does; keeps what it was shown."""

    def __init__(self) -> None:
        super().__init__(SRGANConfig(4, 1, 3, False, True, True))
        self.shown: list[tuple[int, int]] = []
        with torch.no_grad():
            self.conv3.weight.zero_()

    def forward(self, low: torch.Tensor) -> torch.Tensor:
        self.shown.append((low.shape[2], low.shape[3]))
        return super().forward(low)


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Enlarging:
    net = Enlarging().eval()
    asked: list[Any] = []
    monkeypatch.setattr(cache, "load", lambda *args: asked.append(args) or net)
    net.asked = asked  # type: ignore[assignment]
    return net


def waves(size_hw: tuple[int, int], scale: float = 1.0) -> np.ndarray:
    y, x = ((np.arange(side) + 0.5) * scale for side in size_hw)
    planes = [np.sin(x / 23)[None] + 0 * y[:, None], np.cos(y / 31)[:, None] + 0 * x[None]]
    planes.append(np.sin((x[None] + y[:, None]) / 41))
    return np.rint(127 + 90 * np.stack(planes, 2)).astype(np.uint8)


def case(side: int) -> tuple[Scene, Crop, Seen]:
    """A picture of waves with a hole, cut and shrunk as the stage does it."""
    image = waves((300, 360))
    mask = np.zeros(image.shape[:2], bool)
    mask[120:190, 140:230] = True
    crop = Crop((40, 30, 330, 280), (140, 120, 230, 190), mask[120:190, 140:230])
    x1, y1, x2, y2 = crop.window
    seen = Seen(*shrink(image[y1:y2, x1:x2], mask[y1:y2, x1:x2], fitted(crop.window, side)))
    return Scene(image, mask), crop, seen


def true_fill(seen: Seen, crop: Crop) -> np.ndarray:
    x1, y1, x2, y2 = crop.window
    size = (seen.size_hw[1], seen.size_hw[0])
    return np.asarray(cv2.resize(waves((300, 360))[y1:y2, x1:x2], size, interpolation=cv2.INTER_AREA))


@pytest.mark.parametrize("side", [128, 96, 61, 40])
def test_the_fill_lies_exactly_where_it_belongs(network: Enlarging, side: int) -> None:
    scene, crop, seen = case(side)
    patch = with_super_resolution(scene, crop, seen, Answer(true_fill(seen, crop)))
    x1, y1, x2, y2 = patch.xyxy
    truth = scene.image[y1:y2, x1:x2].astype(int)
    assert patch.pixels.shape == truth.shape and patch.alpha.shape == truth.shape[:2]
    assert np.abs(patch.pixels - truth).mean() < 2.5
    for shifted in (np.roll(truth, 3, 0), np.roll(truth, -3, 1)):
        assert np.abs(patch.pixels - truth).mean() < np.abs(patch.pixels - shifted).mean()
    assert (
        patch.alpha[crop.hole[1] - y1 : crop.hole[3] - y1, crop.hole[0] - x1 : crop.hole[2] - x1] == 255
    ).all()
    assert np.count_nonzero(patch.alpha) == crop.own.size


def test_it_is_shown_the_hole_and_a_ring_of_known_pixels_alone(network: Enlarging) -> None:
    scene, crop, seen = case(128)
    with_super_resolution(scene, crop, seen, Answer(true_fill(seen, crop)), "cpu", "mine")
    (shown,) = network.shown
    assert shown[0] < seen.size_hw[0] and shown[1] < seen.size_hw[1]
    assert shown[1] >= (230 - 140) * 128 / 290 + 2 * RING
    assert network.asked == [("srgan", "mine", "cpu")]  # type: ignore[comparison-overlap]


def test_the_ring_is_the_networks_own_picture(network: Enlarging) -> None:
    """By it the next stage can tell how far the network's colours are off."""
    scene, crop, seen = case(96)
    darker = (true_fill(seen, crop) * 0.8).astype(np.uint8)
    patch = with_super_resolution(scene, crop, seen, Answer(darker))
    x1, y1, x2, y2 = patch.xyxy
    ring = patch.alpha == 0
    known = scene.image[y1:y2, x1:x2][ring].astype(float)
    assert ring.any()
    assert abs(float(patch.pixels[ring].mean() / known.mean()) - 0.8) < 0.02


def test_a_crop_at_full_size_needs_no_network(network: Enlarging) -> None:
    scene, crop, seen = case(round(290 / LEAST_SCALE) + 10)
    fill = true_fill(seen, crop)
    patch = with_super_resolution(scene, crop, seen, Answer(fill))
    assert not network.shown
    assert np.array_equal(patch.pixels, enlarged(fill, crop.window, patch.xyxy))


def test_steps_reach_the_scale() -> None:
    assert [steps(scale) for scale in (1.05, 1.5, 4.0, 4.3, 4.5, 16.0, 60.0)] == [0, 1, 1, 1, 2, 2, 2]


@pytest.mark.parametrize("scale", [3, 7, 30])
def test_any_scale_gives_the_size_of_the_box(network: Enlarging, scale: int) -> None:
    small = waves((24, 30), scale)
    window = (10, 20, 10 + 30 * scale, 20 + 24 * scale)
    box = (window[0] + 5 * scale, window[1] + 4 * scale, window[2], window[3] - 7)
    pixels = brought_up(small, window, box)
    assert pixels.shape == (box[3] - box[1], box[2] - box[0], 3)
    truth = waves((24 * scale, 30 * scale))[4 * scale : -7, 5 * scale :].astype(int)
    if scale < 30:
        assert np.abs(pixels - truth).mean() < 4
