"""MaskNet sees what it should, its masks land where the object is, and bad boxes or files do no harm."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from autoremove.errors import WeightsError
from autoremove.models import masknet
from autoremove.models.masknet import MaskNet, box_map, crop_window, cut, load_masknet, predict, save_masknet

WIDTHS = (4, 6, 6, 6, 6, 6)


class Echo(nn.Module):
    """Says of every pixel how bright one of its input's channels is: 3 is the box itself."""

    def __init__(self, channel: int, side: int = 96) -> None:
        super().__init__()
        self.nothing = nn.Parameter(torch.zeros(1))
        self.channel, self.side = channel, side
        self.batches: list[Tensor] = []

    def forward(self, x: Tensor) -> Tensor:
        self.batches.append(x)
        return (x[:, self.channel : self.channel + 1] - 0.5) * 20


def full(cutout: tuple[tuple[int, int, int, int], np.ndarray], size_hw: tuple[int, int]) -> np.ndarray:
    (x1, y1, x2, y2), mask = cutout
    assert mask.shape == (y2 - y1, x2 - x1)
    assert 0 <= x1 <= x2 <= size_hw[1]
    assert 0 <= y1 <= y2 <= size_hw[0]
    plane = np.zeros(size_hw, bool)
    plane[y1:y2, x1:x2] = mask
    return plane


def extent(plane: np.ndarray) -> list[int]:
    ys, xs = np.nonzero(plane)
    return [int(xs.min()), int(ys.min()), int(xs.max()) + 1, int(ys.max()) + 1]


def test_a_box_comes_back_where_it_was() -> None:
    """Through the crop and back: within a pixel, or half of the network's pixels where those are larger."""
    rng = np.random.default_rng(0)
    size_hw = (300, 400)
    picture = np.zeros((*size_hw, 3), np.uint8)
    for _ in range(60):
        low = rng.uniform(-40, 350, 2)
        box = np.concatenate([low, low + rng.uniform(3, 300, 2)]).astype(np.float32)
        inside = np.clip(box, 0, [400, 300, 400, 300])
        if min(inside[2] - inside[0], inside[3] - inside[1]) < 2:
            continue
        (cutout,) = predict(Echo(3), picture, box[None])
        window = crop_window(box)
        scale = np.array([(window[2] - window[0]) / 96, (window[3] - window[1]) / 96] * 2)
        off = np.abs(np.array(extent(full(cutout, size_hw))) - inside)
        assert (off <= np.maximum(1, 0.5 * scale + 0.6)).all(), (box, off)


@pytest.mark.parametrize("size", [12.0, 60.0, 200.0, 700.0])
def test_a_shape_comes_back_without_a_shift(size: float) -> None:
    """An ellipse off the middle, drawn in the picture, is found where it was drawn, at every scale."""
    side = int(size * 2)
    y, x = np.mgrid[:side, :side] + 0.5
    cx, cy, rx, ry = size * 0.93, size * 1.02, size * 0.35, size * 0.45
    inside = ((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2 <= 1
    picture = np.repeat((inside * 255).astype(np.uint8)[..., None], 3, 2)
    box = np.array([[cx - rx, cy - ry, cx + rx, cy + ry]], np.float32)
    got = full(predict(Echo(0), picture, box)[0], (side, side))
    assert (got & inside).sum() / (got | inside).sum() > 0.95
    shift = [np.nonzero(got)[axis].mean() - np.nonzero(inside)[axis].mean() for axis in (0, 1)]
    assert np.abs(shift).max() < max(0.2, size / 400)


def test_the_object_always_fills_the_same_part_of_the_input() -> None:
    for box in ([10, 10, 50, 30], [0, 0, 400, 300], [100, 50, 110, 290]):
        xyxy = np.array(box, np.float32)
        plane = box_map(xyxy, crop_window(xyxy), 96)
        assert extent(plane > 0) == [14, 14, 82, 82]


def test_outside_the_picture_the_network_sees_grey() -> None:
    picture = np.full((50, 50, 3), 200, np.uint8)
    seen = cut(picture, (-50.0, -50.0, 50.0, 50.0), 64)
    assert (seen[:30, :30] == 114).all()
    assert (seen[34:, 34:] == 200).all()


def test_a_large_object_is_averaged_not_sampled() -> None:
    """Fine stripes become grey; a plain bilinear warp would pick some of them."""
    picture = np.zeros((1200, 1200, 3), np.uint8)
    picture[::2] = 255
    seen = cut(picture, (0.0, 0.0, 1200.0, 1200.0), 96)
    assert np.abs(seen[4:-4, 4:-4].astype(int) - 127).max() < 20


BAD_BOXES = [
    (30, 30, 30, 30),
    (30, 30, 30, 50),
    (50, 50, 30, 30),
    (-300, -300, -200, -200),
    (500, 20, 600, 40),
    (np.nan, 0, 10, 10),
    (79, 59, 80, 60),
    (0, 0, 0.25, 0.25),
    (-1000, -1000, 1000, 1000),
    (60, 40, 200, 200),
]


@pytest.mark.parametrize("box", BAD_BOXES)
def test_boxes_outside_without_extent_or_beyond_the_edge_do_no_harm(box: tuple[float, ...]) -> None:
    net = MaskNet(WIDTHS, 32).eval()
    picture = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
    boxes = np.array([box, (10, 10, 40, 50)], np.float32)
    bad, good = predict(net, picture, boxes, threshold=0.0)
    assert full(good, (60, 80)).any()
    x1, y1, x2, y2 = box
    if not (max(x1, 0) < min(x2, 80) and max(y1, 0) < min(y2, 60)):
        assert not full(bad, (60, 80)).any()


def test_no_box_is_no_mask_and_asks_nothing() -> None:
    net = Echo(3)
    assert predict(net, np.zeros((9, 9, 3), np.uint8), np.zeros((0, 4), np.float32)) == []
    assert net.batches == []


def test_boxes_go_in_batches_and_each_gets_its_own_mask() -> None:
    boxes = np.array([[i, i, i + 20, i + 10] for i in range(7)], np.float32)
    net = Echo(3)
    masks = predict(net, np.zeros((60, 80, 3), np.uint8), boxes, batch=3)
    assert {len(batch) for batch in net.batches} == {1, 3}
    for number, cutout in enumerate(masks):
        assert np.abs(np.array(extent(full(cutout, (60, 80)))) - boxes[number]).max() <= 1


@pytest.mark.parametrize("side", [32, 64, 96])
def test_the_output_is_as_large_as_the_input(side: int) -> None:
    net = MaskNet(WIDTHS, side).eval()
    assert net(torch.rand(2, 4, side, side)).shape == (2, 1, side, side)


def test_saved_weights_come_back(tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = MaskNet(WIDTHS, 32).eval()
    path = tmp_path / "mine.safetensors"
    save_masknet(net, path, {"step": "7"})
    again = load_masknet(path)
    assert (again.widths, again.side, again.training) == (WIDTHS, 32, False)
    x = torch.rand(2, 4, 32, 32)
    assert torch.allclose(again(x), net(x), atol=0.02)
    assert {value.dtype for value in load_file(path).values() if value.ndim > 1} == {torch.float16}
    assert path.stat().st_mode & 0o044 == 0o044


def test_files_that_are_no_masknet_are_told(tmp_path: Path) -> None:
    good = tmp_path / "good.safetensors"
    save_masknet(MaskNet(WIDTHS, 32), good)
    state = load_file(good)
    notes = {"architecture": "masknet", "widths": json.dumps(WIDTHS), "side": "32"}
    some = dict(list(state.items())[:-1])
    wrong = {name: value[:1].clone() for name, value in state.items()}
    cases = {
        "other network": (state, {**notes, "architecture": "yolo11n"}),
        "no notes": (state, None),
        "no widths": (state, {"architecture": "masknet", "side": "32"}),
        "other widths": (state, {**notes, "widths": "[8, 8, 8, 8, 8, 8]"}),
        "one missing": (some, notes),
        "one too many": ({**state, "more": torch.zeros(1)}, notes),
        "other shapes": (wrong, notes),
    }
    for name, (tensors, header) in cases.items():
        path = tmp_path / f"{name}.safetensors"
        save_file(tensors, path, metadata=header)
        with pytest.raises(WeightsError):
            load_masknet(path)
    for data in (b"", b"text", good.read_bytes()[:500]):
        (tmp_path / "cut.safetensors").write_bytes(data)
        with pytest.raises(WeightsError):
            load_masknet(tmp_path / "cut.safetensors")


def test_the_window_is_the_box_and_its_margin() -> None:
    assert crop_window(np.array([10, 20, 30, 60], np.float32)) == pytest.approx((6, 12, 34, 68))
    assert masknet.MARGIN == 0.2
