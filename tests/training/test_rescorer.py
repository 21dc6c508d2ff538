"""The rescorer's training: what it learns from, its losses, and a run that is resumed and loads."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from autoremove.errors import InputError
from autoremove.models.rescorer import load_rescorer
from autoremove.models.yolo import save_detector
from autoremove.training import rescorer
from autoremove.training.boxes import BoxedPicture
from autoremove.training.loop import LoopConfig
from autoremove.training.rescorer import RescorerTask, each_once, losses, overlaps
from autoremove.training.rescorer_data import (
    Boxes,
    RescorerConfig,
    chances_of,
    joined,
    kept_at,
    sample,
    to_learn_from,
)
from autoremove.training.yolo_network import build_network
from tests.cases import labelled

NONE = [float("nan")] * 4


def table(*rows: tuple[int, list[float], int, float, list[float]]) -> Boxes:
    picture, xyxy, kind, score, truth = zip(*rows, strict=True)
    return Boxes(
        np.array(picture),
        np.array(xyxy, np.float32).reshape(-1, 4),
        np.array(kind),
        np.array(score, np.float32),
        np.array(truth, np.float32),
    )


def picture(unknown: int = 0, unclear: tuple[slice, slice] | None = None) -> BoxedPicture:
    image = np.zeros((100, 120, 3), np.uint8)
    image[20:80, 30:60] = 255
    hidden = None
    if unclear:
        hidden = np.zeros((100, 120), bool)
        hidden[unclear] = True
    boxes, kinds = np.array([[30, 20, 60, 80]], np.float32), np.zeros(1, np.int64)
    return BoxedPicture(image, boxes, kinds, 1.0, unknown, hidden)


RIGHT = [32.0, 20, 60, 80]
WRONG = [80.0, 20, 110, 80]
OTHER = [30.0, 20, 60, 80]
BESIDE = np.array([[82, 25, 112, 85]], np.float32)


@pytest.mark.parametrize(
    ("shown", "learnt"),
    [
        (picture(), [RIGHT, WRONG, OTHER]),
        (picture(unknown=0b01), [RIGHT, OTHER]),  # persons may stand there without a label
        (picture(unknown=0b10), [RIGHT, WRONG]),  # dogs may
        (picture(unclear=(slice(0, 100), slice(70, 120))), [RIGHT, OTHER]),
        (replace(picture(), doubtful=BESIDE, doubtful_kind=np.zeros(1, np.int64)), [RIGHT, OTHER]),
        (replace(picture(), doubtful=BESIDE, doubtful_kind=np.ones(1, np.int64)), [RIGHT, WRONG, OTHER]),
    ],
)
def test_what_may_be_true_is_not_taken_for_false(shown: BoxedPicture, learnt: list[list[float]]) -> None:
    config = RescorerConfig(labels=("person", "dog"))
    found = table((0, RIGHT, 0, 0.9, NONE), (0, WRONG, 0, 0.5, NONE), (0, OTHER, 1, 0.4, NONE))
    boxes = to_learn_from([shown], found, config)
    assert [box for box in boxes.xyxy.tolist() if box in (RIGHT, WRONG, OTHER)] == learnt
    assert boxes.truth[0].tolist() == [30, 20, 60, 80]
    for box, kind, truth in zip(boxes.xyxy.tolist(), boxes.kind, boxes.truth, strict=True):
        if box in (WRONG, OTHER):
            assert np.isnan(truth).all(), "a labelled box of another class is none of its own"
        assert kind == (box == OTHER)
    assert len(boxes) == len(learnt) + 1  # and one made of the truth


def test_rights_and_wrongs_are_drawn_in_set_shares_and_the_surer_the_oftener() -> None:
    truth = [30.0, 20, 60, 80]
    rows = [(0, RIGHT, 0, 0.36, truth), (0, RIGHT, 0, 0.09, truth), *[(0, WRONG, 0, 0.25, NONE)] * 9]
    chances = chances_of(table(*rows))
    assert chances.sum() == pytest.approx(1.0)
    assert chances[:2].sum() == pytest.approx(0.45)
    assert chances[0] == pytest.approx(2 * chances[1])
    only = chances_of(table(*rows[2:]))
    assert only.tolist() == pytest.approx([1 / 9] * 9)


def test_a_sample_shows_the_box_with_context_and_where_the_labelled_one_is() -> None:
    boxes = table((0, [30.0, 20, 60, 80], 0, 0.5, [30.0, 20, 75, 80]))
    config = RescorerConfig(side=32, jitter=0.0)
    seen = set()
    for seed in range(12):
        crop, truth = sample(picture(), boxes, 0, config, np.random.default_rng(seed))
        assert crop.shape == (32, 32, 3)
        assert crop[10:22, 10:22].mean() > crop[:4].mean() + 40  # the object is in the middle
        seen.add(tuple(truth.tolist()))
    assert seen == {(0.0, 0.0, 1.5, 1.0), (-0.5, 0.0, 1.0, 1.0)}  # as it is, and mirrored
    moved = sample(picture(), boxes, 0, replace(config, jitter=0.1), np.random.default_rng(3))[1]
    assert moved[1] != 0
    assert abs(moved[1]) < 0.5


def test_the_losses_are_least_for_what_is_true() -> None:
    truth = torch.tensor([[0.0, 0, 1, 1], [0.2, 0, 1.2, 1], NONE, [0.7, 0, 1.7, 1]])
    kinds = torch.tensor([0, 1, 0, 1])
    said = torch.zeros(4, 6)
    said[1, 2] = said[1, 4] = 0.4  # REACH 0.5: exactly there
    sure = said.clone()
    sure[[0, 1, 2, 3], kinds] = torch.tensor([9.0, 9.0, -9.0, -9.0])
    verdict, box = losses(sure, kinds, truth)
    # 0.8 of 1.2 shared: an overlap of 0.667 is right without doubt; one of 0.176 is wrong.
    assert float(verdict) < 0.01
    assert float(box) == pytest.approx(0.0, abs=1e-5)
    wrong, _ = losses(sure, 1 - kinds, truth)
    assert float(wrong) > 0.5
    _, still = losses(torch.zeros(4, 6), kinds, truth)
    assert float(still) == pytest.approx((1 - 0.8 / 1.2) / 2, abs=1e-4)  # of the two that are near
    assert float(losses(torch.zeros(1, 6), kinds[:1], truth[2:3])[1]) == 0.0


def test_overlaps_of_boxes_apart_tell_how_far() -> None:
    one = torch.tensor([[0.0, 0, 1, 1], [0, 0, 1, 1]])
    share, general = overlaps(one, torch.tensor([[0.0, 0, 1, 1], [3, 0, 4, 1]]))
    assert share.tolist() == [1.0, 0.0]
    assert general.tolist() == pytest.approx([1.0, -0.5])


def test_each_object_counts_once() -> None:
    rows = table((0, RIGHT, 0, 0.3, NONE), (0, OTHER, 0, 0.6, NONE), (0, WRONG, 0, 0.1, NONE))
    assert each_once(rows).score.tolist() == pytest.approx([0.6, 0.1])


def test_tables_are_kept(tmp_path: Path) -> None:
    made = (table((0, RIGHT, 0, 0.3, NONE)), table((1, WRONG, 1, 0.1, OTHER)))
    first = kept_at(tmp_path / "new" / "finds.npz", lambda: made)

    def never() -> tuple[Boxes, ...]:
        raise AssertionError("made again")

    again = kept_at(tmp_path / "new" / "finds.npz", never)
    assert len(first) == len(again) == 2
    for own, before in zip(vars(again[1]).values(), vars(made[1]).values(), strict=True):
        assert own.tolist() == before.tolist()
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["finds.npz"]
    assert len(joined(again)) == 2


@pytest.fixture
def config(tmp_path: Path) -> RescorerConfig:
    torch.manual_seed(0)
    finder = tmp_path / "detector.safetensors"
    save_detector(build_network("yolo11n", 1).state_dict(), ("person",), finder, imgsz=64)
    train = labelled.yolo(tmp_path / "train")
    held_out = labelled.instances(tmp_path / "held-out", labelled.PICTURES[:2])
    return RescorerConfig(
        (str(train),), str(held_out), finder=str(finder), least=1e-4, side=32, batch=4, picture_side=128
    )


def test_a_run_is_resumed_and_what_it_exports_loads(tmp_path: Path, config: RescorerConfig) -> None:
    output = tmp_path / "run"
    rescorer.run(config, output, loop=LoopConfig(2, log_every=1))
    (finds,) = output.glob("finds-*.npz")
    before = finds.stat().st_mtime_ns
    rescorer.run(config, output, loop=LoopConfig(4, log_every=1), resume=True)
    assert finds.stat().st_mtime_ns == before, "the detector need not look again"
    state = torch.load(output / "checkpoint.pt", weights_only=True)
    assert state["progress"]["step"] == state["task"]["done"] == 4
    net = load_rescorer(output / "last.safetensors")
    assert (net.labels, net.side, net.weighings) == (("person",), 32, {})
    task = RescorerTask(replace(config, start=str(output / "last.safetensors")), finds)
    assert set(task.validate()) == {"score", "ap50", "ap50_before"}
    assert task.grid().shape[2] == 3
    kernel = net.state_dict()["encoder.0.conv.weight"]
    assert torch.allclose(task.net.state_dict()["encoder.0.conv.weight"], kernel, atol=1e-3)


def test_it_learns_red_from_blue(tmp_path: Path, config: RescorerConfig) -> None:
    """Given boxes round both, a few steps tell people (red) from dogs (blue)."""
    people = [(n, list(box), 0, 0.5, NONE) for n, row in enumerate(labelled.PICTURES) for _, box in row]
    found = table(*people)
    task = RescorerTask(replace(config, learning_rate=2e-3, batch=16), tmp_path / "finds.npz")
    task.boxes = to_learn_from(task.pictures, found, config)
    task.chances = chances_of(task.boxes)
    for _ in range(40):
        task.step(0.2)
    task.net.eval()
    said = {}
    for (number, box, *_), (label, _) in zip(
        people, [thing for row in labelled.PICTURES for thing in row], strict=True
    ):
        verdict = rescorer.rescorer.looked_at(
            task.net, task.pictures[number].image, np.array([box], np.float32)
        )
        said.setdefault(label, []).append(float(verdict.logit[0, 0]))
    assert min(said["person"]) > max(said["dog"])


def test_nothing_to_learn_from_is_said(tmp_path: Path, config: RescorerConfig) -> None:
    with pytest.raises(InputError, match="no pictures to learn from"):
        RescorerTask(replace(config, data=(), validation=""), tmp_path / "finds.npz")
