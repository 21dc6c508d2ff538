"""Looks through the detector: mirrored ones, weak ones, and many at once."""

from __future__ import annotations

import pytest
import torch

from autoremove.models import yolo
from tests.models.test_yolo import noise, random_network, told


@pytest.fixture(scope="module")
def detector() -> yolo.Detector:
    return yolo.Detector(yolo._fused(random_network()), ["person", "dog"], "cpu")


def test_weak_finds_of_a_segmenter_have_no_mask() -> None:
    rows = [[300.0, 300, 90, 90, 0.5, 0, 1], [100.0, 100, 60, 60, 0.09, 0, 1]]
    found = told(rows, torch.ones(1, 1, 160, 160)).detect([noise(640, 640)], confidence=0.02)[0]
    assert found.masks is not None
    assert [mask.shape for _, mask in found.masks] == [(90, 90), (0, 0)]


def test_a_mirrored_look_is_given_unmirrored() -> None:
    detector = told([[13 + 50, 320, 66, 64, 0.9, 0.1]])
    straight, turned = (detector.detect([noise(1000, 310)], mirror=mirror)[0] for mirror in (False, True))
    assert turned.xyxy[0, [0, 2]] == pytest.approx(310 - straight.xyxy[0, [2, 0]], abs=0.01)
    assert turned.xyxy[0, [1, 3]] == pytest.approx(straight.xyxy[0, [1, 3]])


def test_a_mirrored_look_sees_the_mirrored_picture(detector: yolo.Detector) -> None:
    image = noise(120, 200, 5)
    turned = detector.detect([image], confidence=1e-5, max_det=9, imgsz=200, mirror=True)[0]
    plain = detector.detect([image[:, ::-1].copy()], confidence=1e-5, max_det=9, imgsz=200)[0]
    assert turned.score == pytest.approx(plain.score, abs=1e-6)
    assert turned.xyxy[:, [2, 0]] == pytest.approx(200 - plain.xyxy[:, [0, 2]], abs=0.05)


def test_many_pictures_go_through_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    detector = told([[32, 32, 9, 9, 0.9, 0.1]])
    seen: list[int] = []
    forward = detector._forward
    monkeypatch.setattr(
        detector, "_forward", lambda inputs, *how: seen.append(len(inputs)) or forward(inputs, *how)
    )
    monkeypatch.setattr(yolo, "PIXELS_AT_ONCE", 64 * 64 * 4)
    assert len(detector.detect([noise(64, 64)] * 10 + [noise(32, 64)], imgsz=64)) == 11
    assert seen == [4, 4, 2, 1]
