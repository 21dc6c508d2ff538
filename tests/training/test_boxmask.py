"""MaskNet's training: crops hold their object, what is unclear is ignored, and what it exports loads."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from autoremove.errors import InputError
from autoremove.models import masknet
from autoremove.training import boxmask
from autoremove.training.boxmask import BoxMaskConfig, BoxMaskTask, jittered, loss_of, read_crops
from autoremove.training.boxmask_data import coarsened, overlapped
from autoremove.training.instances import IGNORE
from autoremove.training.loop import LoopConfig
from tests.cases import labelled


@pytest.fixture(autouse=True)
def small_network(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.set_num_threads(1)
    full = masknet.MaskNet
    monkeypatch.setattr(masknet, "MaskNet", lambda widths=(4, 4, 6, 6, 6, 6), side=32: full(widths, side))


@pytest.fixture
def config(tmp_path: Path) -> BoxMaskConfig:
    train = labelled.instances(tmp_path / "train")
    held_out = labelled.instances(tmp_path / "held-out", labelled.PICTURES[:2])
    return BoxMaskConfig((str(train),), str(held_out), side=32, batch=4, learning_rate=0.02)


def test_every_object_becomes_a_crop_round_it(config: BoxMaskConfig) -> None:
    crops = read_crops(Path(config.data[0]), config)
    assert [crop.person for crop in crops] == [True, True, False, False, True]
    assert [crop.weight for crop in crops] == [3.0, 3.0, 1.0, 1.0, 3.0]
    for crop in crops:
        assert crop.pixels.shape == (48, 48, 3)
        x1, y1, x2, y2 = np.rint(crop.box).astype(int)
        inside = np.zeros((48, 48), np.uint8)
        inside[y1:y2, x1:x2] = 1
        assert (crop.truth == inside).mean() > 0.97
        colour = labelled.COLOURS["person" if crop.person else "dog"]
        assert (np.abs(crop.pixels[20:28, 20:28].astype(int) - colour) <= 2).all()


def test_objects_too_small_to_learn_from_are_left_out(tmp_path: Path) -> None:
    objects = ((("person", (10, 10, 20, 90)), ("person", (40, 10, 60, 90))),)
    folder = labelled.instances(tmp_path / "set", objects, source="DAVIS, object only")
    (crop,) = read_crops(folder, BoxMaskConfig(side=32))
    assert crop.weight == pytest.approx(3.0 * 0.35)


def test_a_jittered_sample_keeps_truth_and_picture_together(config: BoxMaskConfig) -> None:
    crop = read_crops(Path(config.data[0]), config)[0]
    rng = np.random.default_rng(0)
    moved = set()
    for _ in range(40):
        planes, truth = jittered(crop, config, rng)
        assert planes.shape == (4, 32, 32)
        assert planes.dtype == np.float32
        assert set(np.unique(planes[3])) == {0.0, 1.0}
        assert 0 <= planes.min() <= planes.max() <= 1
        reddish = planes[0] > planes[1] + 0.2
        assert (reddish == (truth == 1)).mean() > 0.93
        assert (planes[3] == (truth == 1)).mean() > 0.6
        moved.add(int(truth.sum()))
    assert len(moved) > 10


def test_a_pasted_object_hides_the_one_asked_for_or_is_hidden_by_it(config: BoxMaskConfig) -> None:
    person, _, dog, *_ = read_crops(Path(config.data[0]), config)
    red, other = (np.array(labelled.COLOURS[name]) for name in ("person", "dog"))
    hidden = []
    for seed in range(30):
        mixed = overlapped(person, dog, np.random.default_rng(seed))
        assert not ((mixed.truth == 1) & (person.truth != 1)).any()
        here = np.abs(mixed.pixels.astype(int) - other).max(-1) < 20
        assert (mixed.truth[here] == 1).mean() < 0.05 if here.any() else True
        still = np.abs(mixed.pixels.astype(int) - red).max(-1) < 20
        assert (still == (mixed.truth == 1)).mean() > 0.93
        hidden.append(1 - (mixed.truth == 1).sum() / (person.truth == 1).sum())
        assert hidden[-1] <= 0.6
    assert max(hidden) > 0.2 and min(hidden) == 0.0
    np.testing.assert_array_equal(person.truth, read_crops(Path(config.data[0]), config)[0].truth)


def test_a_crop_seen_with_few_pixels_shows_the_same_without_detail() -> None:
    rng = np.random.default_rng(0)
    shape = np.zeros((96, 96, 3), np.uint8)
    shape[24:72, 36:60] = 200
    stripes = np.zeros_like(shape)
    stripes[:, ::2] = 255
    left = []
    for _ in range(40):
        coarse = coarsened(shape, rng)
        assert coarse.shape == shape.shape and coarse.dtype == np.uint8
        assert np.abs(coarse.astype(int) - shape).mean() < 15
        # The middle of what is shown stays where it was.
        ys, xs = np.nonzero(coarse[..., 0] > 100)
        assert abs(ys.mean() - 47.5) < 4 and abs(xs.mean() - 47.5) < 4
        left.append(coarsened(stripes, rng).std() / stripes.std())
    assert max(left) > 0.3 and np.median(left) < 0.15


def test_ignored_pixels_teach_nothing() -> None:
    torch.manual_seed(0)
    logits = torch.randn(2, 8, 8)
    truth = (torch.rand(2, 8, 8) > 0.5).to(torch.uint8)
    truth[:, :3] = IGNORE
    other = logits.clone()
    other[:, :3] = 50
    assert loss_of(other, truth) == pytest.approx(float(loss_of(logits, truth)))
    right = (truth == 1).float() * 40 - 20
    assert float(loss_of(right, truth)) < 0.05
    assert float(loss_of(-right, truth)) > 5


def test_a_few_steps_already_help(config: BoxMaskConfig) -> None:
    task = BoxMaskTask(config)
    losses = [task.step(0.0)["loss"] for _ in range(40)]
    assert np.mean(losses[-8:]) < 0.75 * np.mean(losses[:8])


def run(config: BoxMaskConfig, output: Path, steps: int, **options: Any) -> None:
    boxmask.run(config, output, loop=LoopConfig(steps, log_every=1), **options)


def test_a_run_can_be_resumed_and_what_it_exports_finds_masks(tmp_path: Path, config: BoxMaskConfig) -> None:
    output = tmp_path / "run"
    run(config, output, 2)
    run(config, output, 5, resume=True)
    state = torch.load(output / "checkpoint.pt", weights_only=True)
    assert state["progress"]["step"] == state["task"]["done"] == 5
    assert all(int(row["step"]) == 5 for row in state["task"]["optimisers"][0]["state"].values())
    net = masknet.load_masknet(output / "best.safetensors")
    assert net.side == 32
    image, _ = labelled.drawn(labelled.PICTURES[0])
    ((window, mask),) = masknet.predict(net, image, np.array([[10, 12, 50, 84]], np.float32))
    assert mask.shape == (window[3] - window[1], window[2] - window[0])


def test_the_average_is_what_is_exported(tmp_path: Path, config: BoxMaskConfig) -> None:
    task = BoxMaskTask(config)
    for _ in range(3):
        task.step(0.0)
    task.export(tmp_path / "mine.safetensors", {"step": "3"})
    got = masknet.load_masknet(tmp_path / "mine.safetensors").state_dict()
    for name, value in task.average.state_dict().items():
        if value.is_floating_point():
            assert torch.allclose(got[name], value, atol=2e-3), name
    assert any(
        not torch.equal(a, b)
        for a, b in zip(task.average.state_dict().values(), task.net.state_dict().values(), strict=True)
    )


def test_a_task_comes_back_whole(config: BoxMaskConfig) -> None:
    one = BoxMaskTask(config)
    for _ in range(2):
        one.step(0.0)
    other = BoxMaskTask(config)
    other.load_state_dict(one.state_dict())
    assert other.done == 2
    assert other.validate() == one.validate()
    first, third = (task.ahead.next()[0] for task in (BoxMaskTask(config), other))
    assert not np.array_equal(first, third)
    assert np.array_equal(third, one.ahead.next()[0])


def test_validation_counts_people_and_the_rest(config: BoxMaskConfig) -> None:
    task = BoxMaskTask(config)
    figures = task.validate()
    assert set(figures) == {"score", "iou_person", "iou_all"}
    assert all(0 <= value <= 1 for value in figures.values())
    assert task.grid().ndim == 3


def test_data_without_people_can_be_validated_too(tmp_path: Path, config: BoxMaskConfig) -> None:
    from dataclasses import replace

    dogs = labelled.instances(tmp_path / "dogs", labelled.PICTURES[2:3])
    task = BoxMaskTask(replace(config, validation=str(dogs)))
    assert set(task.validate()) == {"score", "iou_all"}
    assert task.grid().ndim == 3


@pytest.mark.parametrize("lacking", ["data", "validation"])
def test_without_objects_training_does_not_start(tmp_path: Path, config: BoxMaskConfig, lacking: str) -> None:
    from dataclasses import replace

    empty = labelled.instances(tmp_path / "empty", ((("person", (0, 0, 5, 5)),),))
    chosen: Any = str(empty) if lacking == "validation" else (str(empty),)
    with pytest.raises(InputError, match="no objects"):
        BoxMaskTask(replace(config, **{lacking: chosen}))
    with pytest.raises(InputError, match="no objects"):
        BoxMaskTask(replace(config, data=(), validation=""))


def test_without_a_data_set_for_it_whole_pictures_are_held_out(tmp_path: Path) -> None:
    folder = labelled.instances(tmp_path / "i")
    task = BoxMaskTask(BoxMaskConfig((str(folder),), hold_out=2, side=32, batch=2))
    assert len(task.held_out) == 2  # of pictures 0 and 2
    assert len(task.crops) == 3
    assert np.isfinite(task.step(0.0)["loss"])


def test_masks_that_a_network_drew_are_learnt_from_and_judge_nothing(tmp_path: Path) -> None:
    folder = labelled.instances(tmp_path / "set")
    made = labelled.instances(tmp_path / "drawn", labelled.PICTURES[:3], "masks drawn (person only)")
    plain = BoxMaskConfig((str(folder),), hold_out=2, side=32, batch=2)
    without, task = BoxMaskTask(plain), BoxMaskTask(replace(plain, drawn=str(made)))
    assert len(task.crops) == len(without.crops) + 4
    assert [crop.weight for crop in task.crops[-4:]] == pytest.approx([1.05, 1.05, 0.35, 0.35])
    assert len(task.held_out) == len(without.held_out) == 2
    boxmask.run(plain, tmp_path / "one", loop=LoopConfig(steps=1))
    boxmask.run(replace(plain, drawn=str(made)), tmp_path / "two", loop=LoopConfig(steps=1))
    (one,), (two,) = (json.loads((tmp_path / name / "run.json").read_text()) for name in ("one", "two"))
    assert one["settings"]["data_digest"] != two["settings"]["data_digest"]


def test_with_the_eyes_of_a_detector_they_learn_more_slowly(tmp_path: Path) -> None:
    from autoremove.models.masknet_yolo import YoloMaskNet
    from autoremove.models.yolo import save_detector
    from autoremove.training.yolo_network import build_network

    folder = labelled.instances(tmp_path / "i")
    path = tmp_path / "detector.safetensors"
    save_detector(build_network("yolo11n", 1).state_dict(), ("person",), path)
    task = BoxMaskTask(BoxMaskConfig((str(folder),), hold_out=2, side=32, batch=2, eyes=str(path)))
    assert isinstance(task.net, YoloMaskNet)
    task.step(0.0)
    rest, eyes = task.optimisers[0].param_groups
    assert eyes["lr"] == pytest.approx(0.4 * rest["lr"])
    assert sum(p.numel() for g in (rest, eyes) for p in g["params"]) == sum(
        p.numel() for p in task.net.parameters()
    )
    task.export(tmp_path / "last.safetensors", {})
    assert isinstance(masknet.load_masknet(tmp_path / "last.safetensors"), YoloMaskNet)
    # And from there it goes on: at another side, the same to begin with, its kernels now by Muon.
    more = BoxMaskConfig((str(folder),), hold_out=2, side=64, batch=2, muon=5.0)
    again = BoxMaskTask(replace(more, start=str(tmp_path / "last.safetensors")))
    kept = {name: value.half() for name, value in task.average.state_dict().items() if value.ndim > 1}
    assert all(torch.equal(kept[n], again.net.state_dict()[n].half()) for n in kept)
    assert again.net.side == 64
    again.step(0.0)
    adam, muon = again.optimisers
    assert [g["lr"] for g in muon.param_groups] == pytest.approx([5 * g["lr"] for g in adam.param_groups])
    optimised = [p for optimiser in again.optimisers for g in optimiser.param_groups for p in g["params"]]
    assert len({id(p) for p in optimised}) == len(optimised) == len(list(again.net.parameters()))
