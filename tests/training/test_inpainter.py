"""The inpainter's training: it learns, it resumes exactly, and what it exports loads."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from autoremove.errors import DeviceError, UsageError
from autoremove.models.deepfillv2 import load_generator
from autoremove.training import inpainter
from autoremove.training.held_out import at_size, hole_l1, hole_psnr, ssim
from autoremove.training.inpainter_config import InpainterConfig, Stage, read_settings
from autoremove.training.system import weighted_l1
from tests.cases.training import task_of


@pytest.fixture
def config(scenes: Path) -> InpainterConfig:
    return InpainterConfig(
        data=(str(scenes),),
        cnum=8,
        discriminator_base=4,
        stages=(Stage(1.0, 32, 2),),
        learning_rate=4e-3,
        warm_up=0.0,
        gan_from=0.5,
        hole_weight=4.0,
        precision="float32",
        validation_pictures=2,
        validation_size=32,
        fill_size=16,
    )


def test_the_error_in_holes_falls(config: InpainterConfig, tmp_path: Path) -> None:
    task = task_of(replace(config, stages=(Stage(1.0, 32, 4),), learning_rate=1e-3, muon=20.0), tmp_path)
    errors = [task.step(0.1)["l1_hole"] for _ in range(50)]
    assert np.mean(errors[-10:]) < 0.85 * np.mean(errors[:10])


@pytest.mark.parametrize("muon", [0.0, 20.0])
def test_a_resumed_run_goes_on_exactly(config: InpainterConfig, tmp_path: Path, muon: float) -> None:
    config = replace(config, muon=muon, learning_rate=1e-3)
    running = task_of(config, tmp_path)
    for _ in range(3):
        running.step(0.6)
    torch.save(running.state_dict(), tmp_path / "state.pt")
    resumed = task_of(config, tmp_path)
    resumed.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    assert [resumed.step(0.6) for _ in range(3)] == [running.step(0.6) for _ in range(3)]
    for mine, theirs in zip(resumed.average.parameters(), running.average.parameters(), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=0, atol=0)


def test_the_discriminator_joins_when_its_share_has_come(config: InpainterConfig, tmp_path: Path) -> None:
    task = task_of(config, tmp_path)
    before = [p.clone() for p in task.system.judges["discriminator"].parameters()]
    assert "gan" not in task.step(0.4)
    assert all(
        torch.equal(a, b)
        for a, b in zip(before, task.system.judges["discriminator"].parameters(), strict=True)
    )
    assert {"gan", "d", "d_gap"} <= task.step(0.6).keys()
    assert not all(
        torch.equal(a, b)
        for a, b in zip(before, task.system.judges["discriminator"].parameters(), strict=True)
    )


def test_a_step_with_broken_gradients_is_left_out(config: InpainterConfig, tmp_path: Path) -> None:
    task = task_of(config, tmp_path)
    before = [p.clone() for p in task.generator.parameters()]
    task._update(
        "generator", list(task.generator.parameters()), next(task.generator.parameters()).sum() * float("nan")
    )
    assert task.guards["generator"].broken == 1
    assert all(torch.equal(a, b) for a, b in zip(before, task.generator.parameters(), strict=True))


def test_labelled_objects_count_in_no_loss() -> None:
    output, target = torch.zeros(1, 3, 4, 4), torch.zeros(1, 3, 4, 4)
    target[..., :2] = 1
    weight = torch.ones(1, 1, 4, 4)
    assert weighted_l1(output, target, weight) == pytest.approx(0.5)
    weight[..., :2] = 0
    assert weighted_l1(output, target, weight) == 0


def test_fresh_networks_pass_the_picture_through_every_layer(config: InpainterConfig, tmp_path: Path) -> None:
    task = task_of(config, tmp_path)
    spreads = []
    for module in task.generator.children():
        module.register_forward_hook(lambda *call: spreads.append(float(call[2].detach().std())))
    task.generator(*task._sample(task.batches.at(0, 64, 8))[:2])
    assert min(spreads) > 0.1 and max(spreads) < 2


def test_a_run_leaves_weights_that_load_and_goes_on(config: InpainterConfig, tmp_path: Path) -> None:
    output = tmp_path / "runs" / "x"
    inpainter.run(config, output, resume=False, device="cpu", steps=3)
    exported = load_generator(output / "last.safetensors")
    assert exported.config.cnum == config.cnum
    assert exported.conv5.weight.std() > 0
    inpainter.run(config, output, resume=True, device="cpu", steps=5)
    assert (output / "log.jsonl").read_text().count("val_telea_psnr") == 2
    assert {path.name for path in (output / "samples").iterdir()} == {"0000003.png", "0000005.png"}


def test_stages_and_rates_follow_the_share_of_the_run() -> None:
    config = InpainterConfig(
        stages=(Stage(0.4, 64, 16), Stage(1.0, 128, 4)),
        learning_rate=1.0,
        final_learning_rate=0.0,
        warm_up=0.1,
    )
    assert [config.stage(p).size for p in (0, 0.39, 0.4, 1.0)] == [64, 64, 128, 128]
    assert [config.rate(p) for p in (0.05, 0.1, 0.55, 1.0)] == pytest.approx([0.5, 1.0, 0.5, 0.0])


def test_settings_come_from_file_and_command(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("cnum: 16\nstages: [{until: 1, size: 64, batch: 4}]\n")
    settings = read_settings(file, ["cnum=12", "betas=[0.9, 0.99]"])
    assert (settings.cnum, settings.betas, settings.stages) == (12, (0.9, 0.99), (Stage(1, 64, 4),))
    assert read_settings(None).stages[-1].size == 128


@pytest.mark.parametrize("wrong", [["cnun=12"], ["cnum"]])
def test_settings_nobody_knows_are_refused(wrong: list[str]) -> None:
    with pytest.raises(UsageError):
        read_settings(None, wrong)


def test_a_gpu_that_is_not_there_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert inpainter.chosen_device("auto").type == "cpu"
    with pytest.raises(DeviceError):
        inpainter.chosen_device("cuda")


def test_a_fill_computed_small_is_enlarged_again() -> None:
    seen = []

    def fill(picture: np.ndarray, hole: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        seen.append((picture.shape, hole.sum()))
        return picture, picture

    picture, hole = np.full((64, 64, 3), 90, np.uint8), np.zeros((64, 64), bool)
    hole[9, 9] = True
    coarse, refined = at_size(fill, 16)(picture, hole)
    assert seen == [((16, 16, 3), 1)]
    assert coarse.shape == (64, 64, 3) and (refined == 90).all()


def test_figures_know_a_perfect_fill() -> None:
    truth = np.random.default_rng(0).integers(0, 255, (32, 32, 3), dtype=np.uint8)
    hole = np.zeros((32, 32), bool)
    hole[8:16, 8:16] = True
    assert (hole_psnr(truth, truth, hole), hole_l1(truth, truth, hole)) == (60.0, 0.0)
    assert ssim(truth, truth) == pytest.approx(1.0)
    off = np.where(hole[..., None], 255 - truth, truth)
    assert hole_psnr(off, truth, hole) < 12 and hole_l1(off, truth, hole) > 0.3 and ssim(off, truth) < 0.95
