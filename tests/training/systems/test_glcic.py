"""Global&Local in training: its three phases, its loss by hand, and a run that resumes and exports."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from autoremove.models.network_files import load_network
from autoremove.training.inpainter_config import InpainterConfig, Stage, read_settings
from autoremove.training.system import Made
from autoremove.training.systems.glcic import GlcicSystem
from tests.cases.training import sample_of, task_of

PHASES = (
    Stage(0.3, 32, 2, "completion"),
    Stage(0.6, 32, 2, "discriminators"),
    Stage(1.0, 32, 2, "joint"),
)


@pytest.fixture
def config(scenes: Path) -> InpainterConfig:
    return InpainterConfig(
        network="glcic",
        build={"base": 4},
        data=(str(scenes),),
        discriminator_base=2,
        stages=PHASES,
        learning_rate=1e-3,
        precision="float32",
        validation_pictures=2,
        validation_size=32,
        fill_size=16,
    )


def changed(network: nn.Module, before: nn.Module) -> bool:
    mine, theirs = network.state_dict(), before.state_dict()
    return any(not torch.equal(mine[name], theirs[name]) for name in mine)


@pytest.mark.parametrize(
    ("progress", "network", "judge"), [(0.1, True, False), (0.4, False, True), (0.8, True, True)]
)
def test_who_learns_in_which_phase(
    config: InpainterConfig, tmp_path: Path, progress: float, network: bool, judge: bool
) -> None:
    task = task_of(config, tmp_path)
    context = task.system.judges["context"]
    before = copy.deepcopy((task.generator, context))
    figures = task.step(progress)
    assert changed(task.generator, before[0]) == network
    assert changed(context, before[1]) == judge
    assert ("gan" in figures) == (network and judge)


def test_the_error_falls(config: InpainterConfig, tmp_path: Path) -> None:
    stages = (Stage(1.0, 32, 4, "completion"),)
    task = task_of(replace(config, build={"base": 8}, learning_rate=4e-3, stages=stages), tmp_path)
    errors = [task.step(0.1)["mse"] for _ in range(24)]
    assert np.mean(errors[-6:]) < 0.8 * np.mean(errors[:6])


def test_a_resumed_run_goes_on_exactly_and_exports(config: InpainterConfig, tmp_path: Path) -> None:
    running = task_of(config, tmp_path)
    for progress in (0.1, 0.4, 0.8):
        running.step(progress)
    torch.save(running.state_dict(), tmp_path / "state.pt")
    resumed = task_of(config, tmp_path)
    resumed.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    assert [resumed.step(0.8) for _ in range(2)] == [running.step(0.8) for _ in range(2)]
    assert running.validate()["psnr"] > 0
    running.export(tmp_path / "out.safetensors", {})
    network = load_network(tmp_path / "out.safetensors")
    assert network.config == running.generator.config
    sample = sample_of()
    expected = running.average.fill(sample.image, sample.hole)
    torch.testing.assert_close(network.fill(sample.image, sample.hole), expected, atol=0.02, rtol=0)


def test_the_terms_by_hand(config: InpainterConfig) -> None:
    sample = sample_of()
    # 0.5 of -1..1 is 0.25 of 0..1.
    made = Made(sample.image, {"drawn": sample.image + torch.where(sample.hole > 0, 0.5, 1.0)})
    terms = GlcicSystem(config).losses(sample, made, "completion", False)
    assert {name: float(v) for name, v in terms.items()} == {"mse": pytest.approx(0.0625)}
    both = GlcicSystem(replace(config, losses={"known": 2.0})).losses(sample, made, "completion", False)
    assert float(both["known"]) == pytest.approx(2 * 0.25)


def test_labelled_objects_are_not_learnt_from(config: InpainterConfig) -> None:
    system, sample = GlcicSystem(config), sample_of()
    everything = sample._replace(objects=torch.ones_like(sample.hole))
    made = Made(sample.image, {"drawn": sample.image + 1})
    assert all(float(v) == 0 for v in system.losses(everything, made, "completion", False).values())


def test_a_schedule_without_phases_judges_from_its_share_on(config: InpainterConfig) -> None:
    system = GlcicSystem(replace(config, gan_from=0.5))
    assert [system.judging("", 0.4), system.judging("", 0.6)] == [False, True]
    assert not GlcicSystem(replace(config, gan_weight=0.0)).judging("joint", 0.9)


def test_shipped_settings_are_small() -> None:
    shipped = read_settings(None, (), "glcic")
    system = GlcicSystem(shipped)
    assert sum(p.numel() for p in system.network.parameters()) < 1_000_000
    assert shipped.stages[-1].phase == "joint"
    # What colour matching compares with has to be learnt.
    assert system.network.config.redraws == (system.weights["known"] > 0)
