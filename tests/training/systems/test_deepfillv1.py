"""DeepFillv1 in training: the discounted loss, both judges, and a run that resumes and exports."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from autoremove.models.network_files import load_network
from autoremove.training.inpainter_config import InpainterConfig, Stage, read_settings
from autoremove.training.system import Made
from autoremove.training.systems.deepfillv1 import DeepFillV1System
from tests.cases.training import sample_of, task_of


@pytest.fixture
def config(scenes: Path) -> InpainterConfig:
    return InpainterConfig(
        network="deepfillv1",
        build={"cnum": 4},
        data=(str(scenes),),
        discriminator_base=8,
        stages=(Stage(1.0, 32, 2),),
        learning_rate=1e-3,
        betas=(0.5, 0.9),
        gan_from=0.5,
        precision="float32",
        validation_pictures=2,
        validation_size=32,
        fill_size=16,
    )


def test_the_error_falls(config: InpainterConfig, tmp_path: Path) -> None:
    settings = replace(config, build={"cnum": 8}, learning_rate=4e-3, stages=(Stage(1.0, 32, 4),))
    task = task_of(settings, tmp_path)
    errors = [task.step(0.1)["l1_hole"] for _ in range(24)]
    assert np.mean(errors[-6:]) < 0.8 * np.mean(errors[:6])


def test_a_resumed_run_goes_on_exactly_and_exports(config: InpainterConfig, tmp_path: Path) -> None:
    running = task_of(config, tmp_path)
    for _ in range(2):
        running.step(0.6)
    torch.save(running.state_dict(), tmp_path / "state.pt")
    resumed = task_of(config, tmp_path)
    resumed.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    assert [resumed.step(0.6) for _ in range(2)] == [running.step(0.6) for _ in range(2)]
    assert running.validate()["psnr"] > 0
    running.export(tmp_path / "out.safetensors", {})
    network = load_network(tmp_path / "out.safetensors")
    assert network.config == running.generator.config
    sample = sample_of()
    expected = running.average.fill(sample.image, sample.hole)
    torch.testing.assert_close(network.fill(sample.image, sample.hole), expected, atol=0.01, rtol=0)


def test_both_judges_learn_and_have_their_say(config: InpainterConfig, tmp_path: Path) -> None:
    task = task_of(config, tmp_path)
    judges = nn.ModuleDict(task.system.judges)
    before = {name: value.clone() for name, value in judges.state_dict().items()}
    assert "gan" not in task.step(0.4)
    figures = task.step(0.6)
    assert {"gan", "d_gap", "penalty"} <= figures.keys()
    assert {name.split(".")[0] for name in before} == {"whole", "part"}
    # A bound on the slope says nothing of the last bias, and of real less made scores none is left.
    still = [name for name, value in judges.state_dict().items() if torch.equal(before[name], value)]
    assert set(still) <= {"whole.score.bias", "part.score.bias"}


def test_the_terms_by_hand(config: InpainterConfig) -> None:
    system, sample = DeepFillV1System(config), sample_of()
    half = sample.image + 0.5
    made = Made(sample.image, {"coarse": half, "refined": torch.where(sample.hole > 0, half, sample.image)})
    terms = {name: float(value) for name, value in system.losses(sample, made, "", False).items()}
    # In a square of 12 pixels 44, 36, 28, 20, 12 and 4 pixels are 0 to 5 steps from the border.
    rings = sum((44 - 8 * i) * 0.9**i for i in range(6)) / 144
    assert terms["l1"] == pytest.approx(1.2 * 0.5 * rings, rel=1e-4)
    assert terms["l1_coarse"] == pytest.approx(1.44 * 0.5 * rings, rel=1e-4)
    assert terms["known"] == 0
    assert terms["known_coarse"] == pytest.approx(1.44 * 0.5, rel=1e-4)


def test_labelled_objects_are_not_learnt_from(config: InpainterConfig) -> None:
    system, sample = DeepFillV1System(config), sample_of()
    everything = sample._replace(objects=torch.ones_like(sample.hole))
    made = Made(sample.image, {"coarse": sample.image + 1, "refined": sample.image - 1})
    assert all(float(v) == 0 for v in system.losses(everything, made, "", False).values())


def test_judges_are_those_of_the_paper_at_its_sizes(config: InpainterConfig) -> None:
    paper = replace(config, discriminator_base=64, stages=(Stage(1.0, 256, 16),))
    counts = {
        name: sum(p.numel() for p in judge.parameters())
        for name, judge in DeepFillV1System(paper).judges.items()
    }
    assert counts == {"whole": 2_733_441, "part": 4_339_329}


def test_shipped_settings_are_small() -> None:
    shipped = read_settings(None, (), "deepfillv1")
    system = DeepFillV1System(shipped)
    assert sum(p.numel() for p in system.network.parameters()) < 1_000_000
    assert shipped.network == "deepfillv1"
