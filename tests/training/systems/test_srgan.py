"""SRGAN's part of the training: both phases, what they pay for, resuming and exporting through the task."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from autoremove.errors import UsageError
from autoremove.models.network_files import load_network
from autoremove.training.held_out import HeldOut
from autoremove.training.holes import HoleMix
from autoremove.training.inpainter import InpainterTask
from autoremove.training.inpainter_config import InpainterConfig, read_settings
from autoremove.training.scenes import Batches, SceneCache
from autoremove.training.system import Sample, system_of
from autoremove.training.systems import srgan
from autoremove.training.systems.srgan import SrganSystem
from tests import builders

NETWORK = {"width": 8, "blocks": 1, "outer_kernel": 3, "norm": False, "direct": True, "bicubic_skip": True}


def config(*phases: str, **more: Any) -> InpainterConfig:
    count = len(phases)
    stages = [{"until": (i + 1) / count, "size": 48, "batch": 2, "phase": p} for i, p in enumerate(phases)]
    chosen = {"network": "srgan", "build": NETWORK, "discriminator_base": 4, "learning_rate": 2e-3}
    return InpainterConfig.of({**chosen, "stages": stages, "precision": "float32", **more})


def task(chosen: InpainterConfig) -> InpainterTask:
    scene = builders.scene((96, 96))
    pixels = np.dstack([scene, np.zeros(scene.shape[:2], np.uint8)])
    batches = Batches(SceneCache(pixels.reshape(-1), ((0, 96, 96),)), HoleMix())
    held = HeldOut([scene[:64, :64], scene[32:, 32:]], [np.ones((64, 64), bool)] * 2)
    return InpainterTask(chosen, batches, held, torch.device("cpu"))


class Edges(nn.Module):
    """Stands for the features of a network: differences between neighbours."""

    origin = "test"

    def forward(self, image: Tensor) -> list[Tensor]:
        return [image[..., 1:] - image[..., :-1]]


@pytest.fixture(autouse=True)
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, list[str]]]:
    calls: list[tuple[str, list[str]]] = []

    def extractor(network: str, layers: list[str], device: Any) -> Edges:
        calls.append((network, list(layers)))
        return Edges()

    monkeypatch.setattr(srgan, "extractor", extractor)
    return calls


def sample() -> Sample:
    torch.manual_seed(0)
    image = torch.rand(2, 3, 48, 48) * 2 - 1
    none = torch.zeros(2, 1, 48, 48)
    return Sample(image, none, none)


def test_the_first_phase_pays_for_pixels_alone(asked: list[Any]) -> None:
    system = SrganSystem(config("resnet", losses={"mse": 0.5, "l1": 2.0}))
    made = system.forward(sample(), "resnet")
    assert made.composite.shape == (2, 3, 48, 48)
    terms = system.losses(sample(), made, "resnet", adversarial=False)
    difference = made.composite - sample().image
    assert terms["mse"].item() == pytest.approx(0.5 * difference.square().mean().item(), rel=1e-5)
    assert terms["l1"].item() == pytest.approx(2 * difference.abs().mean().item(), rel=1e-5)
    assert set(terms) == {"mse", "l1"} and not asked
    assert system.judges == {} and not system.judging("resnet", 0.9)


def test_the_second_phase_pays_for_features_and_the_judge(asked: list[Any]) -> None:
    system = SrganSystem(config("resnet", "gan"))
    made = system.forward(sample(), "gan")
    terms = system.losses(sample(), made, "gan", adversarial=True)
    assert set(terms) == {"features", "adversarial"}
    assert asked == [("vgg19", ["conv5_4"])]
    step = made.composite - sample().image
    wanted = (step[..., 1:] - step[..., :-1]).square().mean().item() / 12.75**2
    assert terms["features"].item() == pytest.approx(wanted, rel=1e-4)
    kept = SrganSystem(config("gan", losses={"kept": 0.1}))
    assert "mse" in kept.losses(sample(), kept.forward(sample(), "gan"), "gan", adversarial=False)
    assert system.judging("gan", 0.0) and not system.judging("resnet", 0.9)


def test_the_judge_learns_to_tell_and_leads_no_gradient_to_the_network() -> None:
    system = SrganSystem(config("gan"))
    made = system.forward(sample(), "gan").detached()
    optimiser = torch.optim.Adam(system.judges["discriminator"].parameters(), 1e-3)
    losses = []
    for _ in range(6):
        loss = system.judge_losses(sample(), made, "gan")["discriminator"]
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
    assert system.notes["d"] == pytest.approx(losses[-1])
    assert all(value.grad is None for value in system.network.parameters())


def test_unknown_losses_are_refused() -> None:
    with pytest.raises(UsageError, match="no loss vgg"):
        SrganSystem(config("resnet", losses={"vgg": 1.0}))


def test_it_learns_one_scene_through_the_task() -> None:
    learning = task(config("resnet", losses={"mse": 0.0, "l1": 1.0}, ema_decay=0.5))
    before = learning.validate()
    for step in range(30):
        learning.step(step / 30)
    after = learning.validate()
    assert after["gain"] > before["gain"] + 0.2
    assert after["score"] == after["psnr"]
    assert learning.grid().ndim == 3


def test_both_phases_resume_and_export(tmp_path: Path) -> None:
    chosen = config("resnet", "gan")
    first = task(chosen)
    seen = [first.step(progress) for progress in (0.1, 0.6)]
    assert "mse" in seen[0] and {"features", "adversarial", "d"} <= set(seen[1])
    torch.save(first.state_dict(), tmp_path / "state.pt")
    second = task(chosen)
    second.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    again = [which.step(0.7) for which in (first, second)]
    assert again[0] == again[1]
    first.export(tmp_path / "net.safetensors", {})
    network = load_network(tmp_path / "net.safetensors")
    assert network.upscale(torch.zeros(1, 3, 8, 8)).shape == (1, 3, 32, 32)


def test_the_shipped_settings_build_a_small_network() -> None:
    chosen = read_settings(None, [], "srgan")
    system = system_of("srgan")(chosen)
    assert sum(value.numel() for value in system.network.parameters()) < 1_000_000
    assert system.network.config.bicubic_skip
    assert system.weights["l1"] > 0 and system.judges == {}
