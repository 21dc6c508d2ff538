"""Finds are judged once more only by a rescorer that was calibrated for their detector."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from autoremove.models import cache, rescorer
from autoremove.models.calibration import Weighing
from autoremove.models.checkpoints import sha256_of
from autoremove.models.rescorer import Rescorer, Verdicts, save_rescorer
from autoremove.models.yolo import save_detector
from autoremove.stages import detect as room
from autoremove.stages.detect import Detect, joined
from autoremove.stages.rescore import judged, once, rescored
from autoremove.training.yolo_network import build_network
from autoremove.types import Detections
from benchmarks.calibrate_rescorer import write

PICTURE = np.zeros((100, 200, 3), np.uint8)


def finds(*rows: tuple[list[float], float, str]) -> Detections:
    boxes, scores, labels = zip(*rows, strict=True)
    return Detections(np.array(boxes, np.float32), np.array(scores, np.float32), labels)


@pytest.fixture
def net(monkeypatch: pytest.MonkeyPatch) -> Rescorer:
    """A rescorer that is sure of what lies left of x = 100, and moves every box 20 pixels right."""
    net = Rescorer(("person", "dog"), 32)
    net.weighings = {"person": Weighing(0.5, 1.0, 0.0), "dog": Weighing(1.0, 0.0, 0.0)}

    def looked_at(_: Rescorer, image: np.ndarray, xyxy: np.ndarray) -> Verdicts:
        logit = np.where(xyxy[:, :1] < 100, 4.0, -4.0) * np.array([[1.0, 0.5]])
        return Verdicts(logit.astype(np.float32), xyxy + np.array([20, 0, 20, 0], np.float32))

    monkeypatch.setattr(rescorer, "looked_at", looked_at)
    return net


def test_boxes_go_further_out_than_in_and_stay_in_the_picture(net: Rescorer) -> None:
    found = finds(([10, 10, 30, 50], 0.5, "person"), ([150, 10, 195, 50], 0.5, "dog"))
    moved, logit = judged(found, PICTURE, net)
    assert moved.xyxy.tolist() == [[15, 10, 40, 50], [155, 10, 200, 50]]
    assert logit.tolist() == [4.0, -2.0]  # each of its own class
    assert moved.score.tolist() == found.score.tolist()


def test_scores_and_verdicts_are_weighed_by_class(net: Rescorer) -> None:
    found = finds(
        ([150, 10, 190, 50], 0.8, "person"), ([10, 10, 30, 50], 0.2, "person"), ([60, 10, 90, 50], 0.4, "dog")
    )
    again = rescored(found, PICTURE, net)
    assert again.label == ("person", "dog", "person")  # best first: the doubtful one was a person
    one = 1 / (1 + np.exp(-(0.5 * np.log(0.25) + 4)))
    other = 1 / (1 + np.exp(-(0.5 * np.log(4) - 4)))
    assert again.score == pytest.approx([one, 0.4, other], abs=1e-5)


def test_finds_that_become_the_same_are_one(net: Rescorer) -> None:
    one, other = [10, 10, 50, 90], [12, 10, 52, 90]
    found = finds((one, 0.3, "person"), (other, 0.6, "person"), (other, 0.5, "dog"))
    again = once(found)
    assert again.label == ("person", "dog")
    assert again.score.tolist() == pytest.approx([0.6, 0.5])


def test_boxes_of_no_extent_are_left_out_and_none_gives_none(net: Rescorer) -> None:
    assert len(rescored(finds(([10, 10, 11, 50], 0.5, "person")), PICTURE, net)) == 0
    assert len(rescored(Detections.empty(), PICTURE, net)) == 0


def test_two_tables_are_one_best_first() -> None:
    one, other = finds(([0, 0, 5, 5], 0.2, "person")), finds(([1, 1, 5, 5], 0.7, "dog"))
    assert joined(one, other).label == ("dog", "person")
    assert len(joined(one, Detections.empty())) == 1


@pytest.fixture
def weights(tmp_path: Path) -> tuple[Path, Path]:
    """A detector and a rescorer that was calibrated for it."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    detector, plain, path = (tmp_path / f"{name}.safetensors" for name in ("detector", "plain", "rescorer"))
    save_detector(build_network("yolo11n", 2).state_dict(), ("person", "dog"), detector, imgsz=64)
    save_rescorer(Rescorer(("person",), 32), plain)
    write(plain, {"person": Weighing(0.5, 0.25, 0.0)}, sha256_of(detector), path)
    return detector, path


def test_it_counts_only_for_the_detector_that_it_was_calibrated_for(
    tmp_path: Path, weights: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    detector, path = weights
    asked: list[Any] = []

    def spy(found: Detections, image: Any, net: Rescorer) -> Detections:
        asked.append((set(found.label), net.finder))
        return found

    monkeypatch.setattr(room, "rescored", spy)
    monkeypatch.setattr(room, "SEEN", 0.0)  # an untrained detector is sure of nothing
    other = tmp_path / "other.safetensors"
    save_detector(build_network("yolo11n", 2).state_dict(), ("person", "dog"), other, imgsz=64)
    how: dict[str, Any] = {"confidence": 1e-6, "sizes": (64,), "runtime": "torch"}
    picture = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    for without in (
        Detect(weights=str(other), rescorer=str(path), **how),
        Detect(weights=str(detector), rescorer="none", **how),
        Detect(weights=str(detector), rescorer=str(path), calibrated=False, **how),
    ):
        (found,) = without([picture])
        assert len(found) > 0
        assert asked == []
        assert without.weights_digest() == sha256_of(Path(without.weights))
    stage = Detect(weights=str(detector), rescorer=str(path), **how)
    stage([picture])
    assert asked == [({"person"}, sha256_of(detector))]
    assert stage.weights_digest() == f"{sha256_of(detector)} {sha256_of(path)}"


def test_the_stage_gives_what_the_network_says(
    weights: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    detector, path = weights
    monkeypatch.setattr(room, "SEEN", 0.0)
    picture = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    how: dict[str, Any] = {"confidence": 1e-6, "sizes": (64,), "runtime": "torch", "labels": ("person",)}
    (raw,) = Detect(weights=str(detector), rescorer="none", **how)([picture])
    (found,) = Detect(weights=str(detector), rescorer=str(path), **how)([picture])
    net = cache.load("rescorer", str(path))
    expected = rescored(raw, picture, net)
    assert np.allclose(np.sort(found.score)[-5:], np.sort(expected.score)[-5:], atol=1e-4)
    assert not np.allclose(found.score[:3], raw.score[:3], atol=1e-3)


class Fake:
    """A detector that finds one person surely and one hardly, and is not calibrated."""

    digest = "its sum"

    def detect(self, images: list[Any], **_: Any) -> list[Detections]:
        return [
            finds(([10, 10, 50, 90], 0.5, "person"), ([110, 10, 150, 90], 0.02, "person")) for _ in images
        ]


def test_weak_finds_are_not_looked_at_again(net: Rescorer, monkeypatch: pytest.MonkeyPatch) -> None:
    net.finder = Fake.digest
    monkeypatch.setattr(cache, "load", lambda kind, *_: Fake() if kind == "detector" else net)
    (found,) = Detect(weights="mine", sizes=(64,), mirror=False, confidence=0.01)([PICTURE])
    assert found.xyxy.tolist() == [[15, 10, 60, 90], [110, 10, 150, 90]]
    assert found.score.tolist() == pytest.approx([1 / (1 + np.exp(-4.0)), 0.02])
    net.finder = "another"
    (plain,) = Detect(weights="mine", sizes=(64,), mirror=False, confidence=0.01)([PICTURE])
    assert plain.score.tolist() == pytest.approx([0.5, 0.02])
