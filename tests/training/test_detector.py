"""The detector's training: it learns, is resumed, and what it exports loads as a detector."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from autoremove.errors import InputError, WeightsError
from autoremove.models.yolo import load_detector, save_detector
from autoremove.training import detector
from autoremove.training.detector import DetectorConfig, DetectorTask, recall_at
from autoremove.training.loop import LoopConfig
from tests.cases import labelled


@pytest.fixture
def config(tmp_path: Path) -> DetectorConfig:
    torch.set_num_threads(1)
    train = labelled.yolo(tmp_path / "train")
    held_out = labelled.instances(tmp_path / "held-out", labelled.PICTURES[:2])
    return DetectorConfig(
        (str(train),), str(held_out), sizes=(64,), validation_size=64, batch=4, warmup_steps=1
    )


def test_a_run_is_resumed_and_what_it_exports_is_a_detector(tmp_path: Path, config: DetectorConfig) -> None:
    output = tmp_path / "run"
    detector.run(config, output, loop=LoopConfig(2, log_every=1))
    detector.run(config, output, loop=LoopConfig(4, log_every=1), resume=True)
    state = torch.load(output / "checkpoint.pt", weights_only=True)
    assert state["progress"]["step"] == state["task"]["done"] == 4
    found = load_detector(output / "last.safetensors")
    assert (found.names, found.imgsz, found.segments) == (("person",), 64, False)
    image, _ = labelled.drawn(labelled.PICTURES[0])
    (rows,) = found.detect([image], confidence=0.0001)
    assert set(rows.label) <= {"person"}
    assert (rows.xyxy >= 0).all()
    # What it validates is what it ships: the same boxes, but for half precision.
    task = DetectorTask(config)
    task.load_state_dict(state["task"])
    assert set(task.validate()) == {"score", "ap50", "ap50_all", "recall", "false_per_picture"}
    assert task.grid().shape[2] == 3


def test_a_batch_has_its_boxes_in_shares_of_the_picture(config: DetectorConfig) -> None:
    task = DetectorTask(replace(config, sizes=(64, 96)))
    seen = set()
    for _ in range(6):
        batch = task._as_tensors(task._batch(0.5, np.random.default_rng(len(seen))))
        count, _, height, width = batch["img"].shape
        assert height == width
        seen.add((width, count))
        assert 0 <= float(batch["img"].min()) <= float(batch["img"].max()) <= 1
        boxes = batch["bboxes"]
        assert len(boxes) == len(batch["cls"]) == len(batch["batch_idx"])
        assert bool((boxes[:, :2] - boxes[:, 2:] / 2 >= -1e-5).all())
        assert bool((boxes[:, :2] + boxes[:, 2:] / 2 <= 1 + 1e-5).all())
        assert set(batch["cls"].flatten().tolist()) <= {0.0}
        assert batch["batch_idx"].max() < count
        for (cx, cy, _, _), row in zip(boxes.tolist(), batch["batch_idx"].int().tolist(), strict=True):
            r, g, b = batch["img"][row, :, int(cy * height), int(cx * width)].tolist()
            assert r >= max(g, b)  # equal where the picture was made grey
    assert seen == {(64, 4), (96, 4)}


def test_processes_make_the_same_pictures_as_the_thread(config: DetectorConfig) -> None:
    one, many = (DetectorTask(replace(config, workers=workers)) for workers in (0, 2))
    for _ in range(2):
        losses = one.step(0.0)
        assert many.step(0.0) == pytest.approx(losses, rel=1e-4)


def test_training_can_start_from_weights_of_other_classes(tmp_path: Path, config: DetectorConfig) -> None:
    first = DetectorTask(replace(config, labels=("person", "dog")))
    path = tmp_path / "start.safetensors"
    save_detector(first.net.state_dict(), ("person", "dog"), path)
    task = DetectorTask(replace(config, start=str(path), seed=5))
    name = "model.0.conv.weight"
    assert torch.allclose(task.net.state_dict()[name], first.net.state_dict()[name], atol=1e-3)
    assert torch.equal(task.average.state_dict()[name], task.net.state_dict()[name])
    from safetensors.torch import save_file

    save_file({"x": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(WeightsError, match="yolo11n"):
        DetectorTask(replace(config, start=str(tmp_path / "other.safetensors")))


@pytest.mark.parametrize("lacking", ["data", "validation"])
def test_without_pictures_training_does_not_start(
    tmp_path: Path, config: DetectorConfig, lacking: str
) -> None:
    (tmp_path / "none" / "labels").mkdir(parents=True)
    none = str(tmp_path / "none")
    nothing: Any = none if lacking == "validation" else (none,)
    with pytest.raises(InputError, match="no pictures"):
        DetectorTask(replace(config, **{lacking: nothing}))


def test_without_a_data_set_for_it_some_pictures_are_held_out(config: DetectorConfig) -> None:
    task = DetectorTask(replace(config, validation="", hold_out=4))
    assert len(task.held_out) == 1
    assert len(task.pictures) == 3
    assert not any(np.array_equal(p.image, task.held_out[0].image) for p in task.pictures)


def test_cutouts_and_backgrounds_join_the_pictures(tmp_path: Path, config: DetectorConfig) -> None:
    folder = labelled.instances(tmp_path / "masks")
    more = replace(config, cutouts=str(folder), backgrounds=str(folder / "images"), labels=("person", "dog"))
    task = DetectorTask(more)
    assert len(task.pictures) == 8
    assert 0 in {cutout.kind for cutout in task.cutouts}
    rng = np.random.default_rng(0)
    kinds = {int(kind) for _ in range(20) for kind in task._picture(64, 0.5, rng)[2]}
    assert 0 in kinds
    batch = task._batch(0.5, rng)
    assert batch["unknown"].shape == (4, 8, 8)
    assert bool((batch["unknown"] > 0).any())  # nobody says whether a dog is in the background
    assert all(np.isfinite(value) for value in task.step(0.0).values())


def test_the_known_class_keeps_its_weights_among_new_ones(tmp_path: Path, config: DetectorConfig) -> None:
    first = DetectorTask(config)
    path = tmp_path / "start.safetensors"
    save_detector(first.net.state_dict(), ("person",), path)
    task = DetectorTask(replace(config, labels=("dog", "person", "cat"), start=str(path), seed=5))
    name = "model.23.cv3.0.2.weight"
    old, new = first.net.state_dict()[name], task.net.state_dict()[name]
    assert new.shape[0] == 3
    assert torch.allclose(new[1], old[0], atol=1e-3)
    assert not torch.allclose(new[0], old[0], atol=1e-3)


def test_muon_takes_the_kernels_and_every_parameter_has_one_optimiser(config: DetectorConfig) -> None:
    task = DetectorTask(replace(config, muon=4.0, learning_rate=1e-3, warmup_steps=1))
    adam, muon = task.optimisers
    before = {name: value.clone() for name, value in task.net.state_dict().items()}
    task.step(0.0)
    assert {g["lr"] for g in adam.param_groups} == {1e-3}
    assert {g["lr"] for g in muon.param_groups} == {4e-3}
    learning = [p for p in task.net.parameters() if p.requires_grad]
    taken = [p for optimiser in task.optimisers for g in optimiser.param_groups for p in g["params"]]
    assert {id(p) for p in taken} == {id(p) for p in learning}
    assert len(taken) == len(learning)
    name = "model.1.conv.weight"
    assert not torch.equal(task.net.state_dict()[name], before[name])


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_it_learns_in_either_precision(config: DetectorConfig, precision: str) -> None:
    task = DetectorTask(replace(config, precision=precision))
    assert all(np.isfinite(value) for value in task.step(0.0).values())
    assert all(p.dtype == p.grad.dtype == torch.float32 for p in task.net.parameters() if p.requires_grad)


LARGE, SMALL, ELSEWHERE = [0, 0, 20, 40], [0, 0, 20, 20], [50, 50, 60, 90]


@pytest.mark.parametrize(
    ("found", "truth", "recall", "false"),
    [
        ([[*LARGE, 0.9, 0]], [LARGE], 1.0, 0.0),
        ([[*LARGE, 0.1, 0]], [LARGE], 0.0, 0.0),
        ([[*ELSEWHERE, 0.9, 0]], [LARGE], 0.0, 1.0),
        ([[*LARGE, 0.9, 0], [*ELSEWHERE, 0.9, 0]], [LARGE], 1.0, 1.0),
        ([[*LARGE, 0.9, 0]], [], 0.0, 1.0),
        ([], [LARGE], 0.0, 0.0),
        ([], [SMALL], 0.0, 0.0),
        ([], [], 0.0, 0.0),
        ([[*LARGE, 0.9, 0]], [LARGE, ELSEWHERE], 0.5, 0.0),
    ],
)
def test_recall_counts_large_objects_and_false_finds(found, truth, recall: float, false: float) -> None:
    rows = torch.tensor(found, dtype=torch.float32).reshape(-1, 6)
    boxes = np.array(truth, np.float32).reshape(-1, 4)
    assert recall_at([rows], [boxes], 0.25) == {"recall": recall, "false_per_picture": false}
