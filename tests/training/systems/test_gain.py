"""GAIN in training: both l1, both judges, and a run that resumes and exports."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from autoremove.errors import UsageError
from autoremove.models.gain import GAIN, GAINConfig
from autoremove.models.network_files import load_network
from autoremove.training.gain_start import hand_on
from autoremove.training.inpainter_config import InpainterConfig, Stage, read_settings
from autoremove.training.system import Sample
from autoremove.training.systems.gain import GainSystem
from tests.cases.training import sample_of, task_of


@pytest.fixture
def config(scenes: Path) -> InpainterConfig:
    return InpainterConfig(
        network="gain",
        build={"base": 2, "structure": 1, "content": 1, "by_priority": 1},
        data=(str(scenes),),
        discriminator_base=4,
        stages=(Stage(1.0, 32, 2),),
        learning_rate=1e-3,
        gan_from=0.5,
        precision="float32",
        validation_pictures=2,
        validation_size=32,
        fill_size=16,
    )


def test_the_error_falls(config: InpainterConfig, tmp_path: Path) -> None:
    build = {"base": 4, "structure": 1, "content": 1, "by_priority": 1}
    task = task_of(replace(config, build=build, learning_rate=4e-3, stages=(Stage(1, 32, 4),)), tmp_path)
    errors = [task.step(0.1)["l1"] for _ in range(16)]
    assert np.mean(errors[-4:]) < 0.85 * np.mean(errors[:4])


def test_a_resumed_run_goes_on_exactly_and_exports(config: InpainterConfig, tmp_path: Path) -> None:
    config = replace(config, losses={"penalty": 0.0})
    running = task_of(config, tmp_path)
    running.step(0.6)
    resumed = task_of(config, tmp_path)
    resumed.load_state_dict(copy.deepcopy(running.state_dict()))
    assert running.step(0.6) == resumed.step(0.6)
    resumed.export(tmp_path / "out.safetensors", {})
    exported = load_network(tmp_path / "out.safetensors").state_dict()
    for name, value in resumed.average.state_dict().items():
        assert torch.allclose(exported[name], value, atol=1e-3)
    assert resumed.validate()["psnr_full"] > 0


@torch.no_grad()
def test_a_new_network_begins_as_a_smooth_copy(config: InpainterConfig) -> None:
    ramp = torch.linspace(-0.8, 0.8, 64)
    image = torch.stack([ramp.expand(3, 64, 64), 0.5 * ramp[:, None].expand(3, 64, 64)])
    hole = torch.zeros(2, 1, 64, 64)
    hole[..., 20:40, 24:44] = 1
    system = GainSystem(replace(config, build={"base": 4}))

    def error() -> float:
        made = system.forward(Sample(image, hole, torch.zeros_like(hole)), "").parts["picture"]
        return float((made - image).abs().mean())

    before = error()
    system.settle(Sample(image, hole, hole))
    assert error() < 0.12 < 0.5 * before


def test_too_few_channels_for_a_copy() -> None:
    with pytest.raises(ValueError, match="base=2"):
        hand_on(GAIN(GAINConfig(base=2, structure=1, content=1)))


def test_the_judges_speak_only_when_asked(config: InpainterConfig) -> None:
    system, sample = GainSystem(config), sample_of()
    made = system.forward(sample, "")
    plain, all_terms = (system.losses(sample, made, "", adversarial) for adversarial in (False, True))
    assert set(plain) == {"l1", "l1_gradient"}
    assert set(all_terms) == {"l1", "l1_gradient", "gan", "gan_gradient"}


def test_both_judges_learn_with_their_penalty(config: InpainterConfig) -> None:
    sample = sample_of()
    with_penalty, without = GainSystem(config), GainSystem(replace(config, losses={"penalty": 0.0}))
    without.network.load_state_dict(with_penalty.network.state_dict())
    for name, judge in without.judges.items():
        judge.load_state_dict(with_penalty.judges[name].state_dict())
    losses = []
    for system in (with_penalty, without):
        losses.append(system.judge_losses(sample, system.forward(sample, "").detached(), ""))
        for name, loss in losses[-1].items():
            loss.backward()
            weights = [p for p in system.judges[name].parameters() if p.ndim == 4]
            assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in weights)
    assert all(losses[0][name] > losses[1][name] for name in ("picture", "gradient"))


def test_objects_are_not_learnt_from(config: InpainterConfig) -> None:
    """Whatever an object looks like, the losses are the same; without the plane they are not."""
    system, sample = GainSystem(config), sample_of()
    objects = torch.zeros_like(sample.hole)
    objects[..., 2:6, 2:6] = 1
    made = system.forward(sample, "")

    def total(objects: torch.Tensor, brighter: torch.Tensor) -> float:
        changed = sample._replace(image=sample.image + brighter, objects=objects)
        return float(sum(term.detach() for term in system.losses(changed, made, "", False).values()))

    nothing = torch.zeros_like(objects)
    assert total(objects, objects) == pytest.approx(total(objects, nothing), abs=1e-6)
    assert abs(total(nothing, objects) - total(nothing, nothing)) > 1e-4


def test_the_gradient_judge_is_not_shown_the_hole(config: InpainterConfig) -> None:
    """The true gradient beside a hole tells what is in it, so the made map is used there too."""
    system, sample = GainSystem(config), sample_of()
    made = system.forward(sample, "")
    _, fake, wider = system._pairs(sample, made)["gradient"]
    assert float(wider.sum()) == 2 * 14 * 14
    assert torch.equal(fake * wider, made.parts["gradient"] * wider)


def test_the_shipped_settings(tmp_path: Path) -> None:
    config = read_settings(None, network="gain")
    network = GainSystem(config).network
    assert sum(p.numel() for p in network.parameters()) < 1_000_000


def test_unknown_losses_are_refused(config: InpainterConfig) -> None:
    with pytest.raises(UsageError, match="style"):
        GainSystem(replace(config, losses={"style": 1.0}))
