"""The rescorer: crops in, verdicts and boxes out, mirrored and back; its file."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from autoremove.errors import WeightsError
from autoremove.models import cache
from autoremove.models.calibration import Weighing
from autoremove.models.letterbox import as_planes
from autoremove.models.rescorer import (
    REACH,
    Rescorer,
    between,
    crop_window,
    load_rescorer,
    looked_at,
    save_rescorer,
)
from autoremove.training.yolo_network import build_network


@pytest.fixture(scope="module")
def net() -> Rescorer:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    return Rescorer(("person", "dog"), 64).eval()


class Fixed(Rescorer):
    """Its verdict is how bright a crop is; it moves the left side by that of the left half."""

    def __init__(self) -> None:
        super().__init__(("person",), 32)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        said = torch.zeros(len(x), 5)
        said[:, 0], said[:, 1] = x.mean((1, 2, 3)), x[..., :16].mean((1, 2, 3))
        return said


def test_each_crop_has_a_verdict_for_each_label_and_four_sides(net: Rescorer) -> None:
    crops = np.random.default_rng(0).integers(0, 255, (3, 64, 64, 3), np.uint8)
    said = net(as_planes(torch.from_numpy(crops)))
    assert said.shape == (3, 6)
    assert torch.allclose(net(as_planes(torch.from_numpy(crops[:1]))), said[:1], atol=1e-4)  # each for itself


def test_the_mirror_image_is_turned_back() -> None:
    picture = np.zeros((60, 80, 3), np.uint8)
    picture[:, 40:] = 255
    box = np.array([[20.0, 10, 60, 50]], np.float32)  # its right half is bright
    said = looked_at(Fixed().eval(), picture, box)
    assert said.logit[0, 0] == pytest.approx(0.5, abs=0.02)
    # Straight the left half is dark and nothing moves. Mirrored it is bright, and what moves right there is
    # the right side moving left here; the mean of the two is half of it.
    assert said.xyxy[0] == pytest.approx([20, 10, 60 - REACH * 40 / 2, 50], abs=0.5)


def test_sides_go_further_out_than_in() -> None:
    ours = np.array([[10, 10, 50, 50]] * 2, np.float32)
    theirs = np.array([[0, 14, 40, 60], [10, 10, 50, 50]], np.float32)
    assert between(ours, theirs).tolist() == [[5, 11, 47.5, 55], [10, 10, 50, 50]]


def test_boxes_come_in_batches_and_none_gives_none(net: Rescorer) -> None:
    picture = np.random.default_rng(1).integers(0, 255, (90, 120, 3), np.uint8)
    boxes = np.array([[5, 5, 40, 80], [50, 10, 118, 88], [-4, 2, 20, 30]], np.float32)
    at_once, one_by_one = looked_at(net, picture, boxes), looked_at(net, picture, boxes, batch=1)
    assert np.allclose(at_once.logit, one_by_one.logit, atol=1e-3)
    assert np.allclose(at_once.xyxy, one_by_one.xyxy, atol=0.05)
    none = looked_at(net, picture, boxes[:0])
    assert none.logit.shape == (0, 2)
    assert none.xyxy.shape == (0, 4)


def test_the_crop_has_context_on_each_side() -> None:
    assert crop_window(np.array([10.0, 20, 20, 60]), 0.5) == (5.0, 0.0, 25.0, 80.0)


def test_it_begins_with_the_eyes_of_the_detector(net: Rescorer) -> None:
    detector = build_network("yolo11n", 3)
    fresh = Rescorer(side=64)
    fresh.see_with(detector.state_dict())
    kernel = detector.state_dict()["model.4.cv1.conv.weight"]
    assert torch.equal(fresh.encoder.state_dict()["4.cv1.conv.weight"], kernel)
    for state in ({}, {"model.0.conv.weight": torch.zeros(3, 3, 3, 3)}):
        with pytest.raises(WeightsError, match="no weights of a YOLO11n"):
            fresh.see_with(state)


def test_everything_learns() -> None:
    net = Rescorer(side=64).train()
    net(torch.rand(4, 3, 64, 64)).square().mean().backward()
    learning = [p for p in net.parameters() if p.requires_grad]
    assert all(p.grad is not None and bool(p.grad.isfinite().all()) for p in learning)


def test_the_file_holds_the_network_and_what_its_word_is_worth(tmp_path: Path, net: Rescorer) -> None:
    path = tmp_path / "rescorer.safetensors"
    told = {"weighings": json.dumps({"person": [1.0, 0.5, -0.25]}), "finder": "a sum"}
    save_rescorer(net, path, told)
    assert {value.dtype for value in load_file(path).values() if value.ndim > 1} == {torch.float16}
    back = cache.load("rescorer", str(path))
    assert (back.labels, back.side, back.finder) == (("person", "dog"), 64, "a sum")
    assert back.weighings == {"person": Weighing(1.0, 0.5, -0.25)}
    x = torch.rand(2, 3, 64, 64)
    assert torch.allclose(back(x), net(x), atol=0.02)
    save_rescorer(net, path)
    assert load_rescorer(path).weighings == {}


def test_files_of_other_networks_are_refused(tmp_path: Path, net: Rescorer) -> None:
    path = tmp_path / "other.safetensors"
    save_file({"x": torch.zeros(1)}, path)
    with pytest.raises(WeightsError, match="no Rescorer weights"):
        load_rescorer(path)
    save_rescorer(net, path, {})
    state = load_file(path)
    head = {"architecture": Rescorer.architecture, "labels": '["person"]', "side": "64"}
    save_file(state, path, head)
    with pytest.raises(WeightsError, match="does not fit"):
        load_rescorer(path)
    del state["head.0.bias"]
    save_file(state, path, {**head, "labels": '["person", "dog"]'})
    with pytest.raises(WeightsError, match=r"missing \['head.0.bias'\]"):
        load_rescorer(path)
