"""Partial convolution in training: its terms, its two phases, and that it learns, resumes and exports."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from autoremove.errors import UsageError
from autoremove.models.network_files import load_network
from autoremove.training.inpainter_config import InpainterConfig, Stage, read_settings
from autoremove.training.system import Made, Sample
from autoremove.training.systems.partialconv import PartialConvSystem
from tests.cases.training import task_of

SMALL = {"base": 8, "widest": 16, "levels": 4}


@pytest.fixture(autouse=True)
def without_vgg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No VGG weights, wherever the tests run."""
    monkeypatch.setenv("AUTOREMOVE_WEIGHTS", str(tmp_path / "none"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "none"))


def config(**changes: object) -> InpainterConfig:
    base = InpainterConfig(
        network="partialconv",
        build=SMALL,
        stages=(Stage(0.5, 32, 2, "first"), Stage(1.0, 32, 2, "second", 0.5)),
        learning_rate=4e-3,
        precision="float32",
        validation_pictures=2,
        validation_size=32,
    )
    return replace(base, **changes)  # type: ignore[arg-type]


def sample(size: int = 32) -> Sample:
    """Two ramps of colour with different holes, and an object in a corner."""
    steps = torch.linspace(-0.8, 0.8, size)
    ramp = torch.stack(
        [steps.expand(size, size), steps[:, None].expand(size, size), -steps.expand(size, size)]
    )
    hole, objects = torch.zeros(2, 1, size, size), torch.zeros(2, 1, size, size)
    hole[0, :, 8:20, 10:22] = 1
    hole[1, :, 12:28, 4:18] = 1
    objects[:, :, :6, :6] = 1
    return Sample(torch.stack([ramp, -ramp]), hole, objects)


def made_of(picture: Tensor, given: Sample) -> Made:
    return Made(picture * given.hole + given.image * (1 - given.hole), {"picture": picture})


def test_a_perfect_picture_costs_only_its_own_roughness() -> None:
    given, system = sample(), PartialConvSystem(config())
    terms = system.losses(given, made_of(given.image, given), "first", False)
    assert set(terms) == {"valid", "hole", "perceptual", "style", "tv"}
    assert {name for name, term in terms.items() if float(term) > 1e-6} == {"tv"}


def test_pixels_are_weighed_as_in_the_paper() -> None:
    given, system = sample(), PartialConvSystem(config(losses={"valid": 2.0}))
    off = made_of(given.image + 0.5, given)
    terms = system.losses(given, off, "first", False)
    hole = float(given.hole.mean())
    known = float(((1 - given.hole) * (1 - given.objects)).mean())
    assert float(terms["hole"]) == pytest.approx(6 * 0.5 * hole, rel=1e-4)
    assert float(terms["valid"]) == pytest.approx(2 * 0.5 * known, rel=1e-4)
    assert float(terms["perceptual"]) > 0 and float(terms["style"]) > 0


def test_objects_teach_nothing() -> None:
    given, system = sample(), PartialConvSystem(config())
    picture = given.image + 0.3 * given.objects
    terms = system.losses(given, made_of(picture, given), "first", False)
    assert float(terms["valid"] + terms["perceptual"] + terms["style"]) == pytest.approx(0, abs=1e-6)


def test_features_are_not_asked_for_where_they_weigh_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PartialConvSystem, "_extractor", None)
    given, system = sample(), PartialConvSystem(config(losses={"perceptual": 0.0, "style": 0.0}))
    assert set(system.losses(given, made_of(given.image, given), "first", False)) == {"valid", "hole", "tv"}


def test_the_second_phase_freezes_the_encoders_norms_and_nothing_else() -> None:
    given, system = sample(), PartialConvSystem(config())
    system.network.train()

    def moved(phase: str) -> set[str]:
        before = {name: value.clone() for name, value in system.network.named_buffers()}
        system.begin(phase)
        system.forward(given, phase)
        after = dict(system.network.named_buffers())
        return {name for name in before if "running" in name and not torch.equal(before[name], after[name])}

    assert {name.split(".")[0] for name in moved("first")} == {"encoder", "decoder"}
    assert {name.split(".")[0] for name in moved("second")} == {"decoder"}
    assert {name.split(".")[0] for name in moved("first")} == {"encoder", "decoder"}
    learning = {id(p) for p in system.learning("second")}
    frozen = {name for name, p in system.network.named_parameters() if id(p) not in learning}
    assert frozen == {f"encoder.{i}.norm.{part}" for i in (1, 2, 3) for part in ("weight", "bias")}
    assert len(list(system.learning("first"))) == len(list(system.network.parameters()))


def test_unknown_phases_and_losses_are_refused() -> None:
    with pytest.raises(UsageError, match="no phase 'third'"):
        PartialConvSystem(config(stages=(Stage(1.0, 32, 2, "third"),)))
    with pytest.raises(UsageError, match="no loss l2"):
        PartialConvSystem(config(losses={"l2": 1.0}))


def test_it_learns_two_pictures_by_heart() -> None:
    torch.manual_seed(0)
    given, system = sample(), PartialConvSystem(config(losses={"style": 12.0}))
    optimiser = torch.optim.Adam(system.network.parameters(), 1e-2, (0.5, 0.999))
    errors = []
    for _ in range(40):
        system.begin("first")
        made = system.forward(given, "first")
        wrong = (made.composite.detach() - given.image).abs() * given.hole
        errors.append(float(wrong.sum() / given.hole.sum() / 3))
        loss = torch.stack(list(system.losses(given, made, "first", False).values())).sum()
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    assert np.mean(errors[-5:]) < 0.25 * errors[0]


def test_the_task_steps_resumes_and_exports(scenes: Path, tmp_path: Path) -> None:
    settings = config(data=(str(scenes),))
    task = task_of(settings, tmp_path)
    first = task.step(0.0)
    assert first["style"] > 0 and first["l1_hole"] > 0
    task.step(0.6)
    other = task_of(settings, tmp_path)
    other.load_state_dict(task.state_dict())
    one, two = task.step(0.7), other.step(0.7)
    assert one["rate"] == settings.rate(0.7) * 0.5
    assert one == pytest.approx(two, rel=1e-4)
    assert task.validate()["psnr"] > 0
    task.export(tmp_path / "net.safetensors", {})
    network = load_network(tmp_path / "net.safetensors")
    given = sample()
    expected = task.average.fill(given.image, given.hole)
    torch.testing.assert_close(network.fill(given.image, given.hole), expected, atol=2e-2, rtol=0)


def test_the_shipped_settings_fit_the_system() -> None:
    settings = read_settings(None, network="partialconv")
    system = PartialConvSystem(settings)
    assert {stage.phase for stage in settings.stages} == {"first", "second"}
    assert sum(p.numel() for p in system.network.parameters()) < 1_500_000
