"""Training of every network that fills or enlarges pictures, as a task of the shared loop."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from autoremove.errors import DeviceError
from autoremove.models.families import NETWORKS
from autoremove.models.weights import digest
from autoremove.training.fused_gates import fuse_gates
from autoremove.training.gradient_guard import GradientGuard
from autoremove.training.held_out import Fill, HeldOut, at_size
from autoremove.training.inpainter_config import InpainterConfig
from autoremove.training.inpainter_data import Pictures, held_out, hole_mixes, training_batches
from autoremove.training.inpainter_start import check_fits, kept_config
from autoremove.training.loop import LoopConfig, train
from autoremove.training.muon import Muon, set_rates
from autoremove.training.precision import autocast
from autoremove.training.scenes import Batch, Batches
from autoremove.training.sketches import plain_sketch
from autoremove.training.system import Made, Sample, system_of, weighted_l1
from autoremove.types import Image, Mask


class InpainterTask:
    """One network in training with its judges, optimisers and averaged weights. A ``Task`` of the loop.

    What differs from network to network is its :class:`~autoremove.training.system.System`.
    ``kept``: the network's own configuration as a checkpoint noted it, None for that of the settings.
    """

    def __init__(
        self,
        config: InpainterConfig,
        batches: Batches,
        held_out: HeldOut,
        device: torch.device,
        kept: dict[str, Any] | None = None,
    ) -> None:
        torch.manual_seed(config.seed)
        self.config, self.batches, self.held_out, self.device = config, batches, held_out, device
        self.layout = torch.channels_last if config.channels_last else torch.contiguous_format
        kind = system_of(config.network)
        self.system = system = kind(config, None if kept is None else kind.rebuilt(kept))
        self.taken = 0
        self.generator = self._placed(system.network).train()
        for judge in system.judges.values():
            self._placed(judge)
        self.guided = config.network == "deepfillv2" and self.generator.config.in_channels == 6
        if not config.start and kept is None:
            system.settle(self._sample(batches.at(0, 64, 8)))
        self.average = copy.deepcopy(self.generator).eval().requires_grad_(False)
        system.run = torch.compile(self.generator) if config.compile else self.generator
        if not config.compile:
            fuse_gates(self.generator, config.fused_gates, device)
        system.autocast = autocast(config.precision, device)
        self.optimisers = optimisers(config, self.generator, system.judges)
        self.guards = {name: GradientGuard(config.spike) for name in self.optimisers}

    def step(self, progress: float) -> dict[str, float]:
        system, stage = self.system, self.config.stage(progress)
        rate = self.config.rate(progress) * stage.rate
        sample = self._sample(self.batches.at(self.taken, stage.size, stage.batch))
        self._set_rates(rate)
        system.notes = {}
        system.begin(stage.phase)
        adversarial = system.judging(stage.phase, progress)
        learning = self._learning(stage.phase)
        made = system.forward(sample, stage.phase)
        for _ in range(self.config.judge_steps if adversarial else 0):
            self._judge_step(sample, made.detached(), stage.phase)
        figures = {"rate": rate, "size": float(stage.size)}
        if learning:
            losses = system.losses(sample, made, stage.phase, adversarial)
            figures["norm"] = self._update("generator", learning, sum_of(losses))
            figures |= {name: float(value.detach()) for name, value in losses.items()}
            self._follow()
        self.taken += 1
        if made.composite.shape == sample.image.shape:
            known = (1 - sample.objects) * sample.hole
            figures["l1_hole"] = float(weighted_l1(made.composite.detach(), sample.image, known))
        return figures | system.notes

    def _set_rates(self, rate: float) -> None:
        for name, group in self.optimisers.items():
            times = 1.0 if name == "generator" else self.config.judge_rate
            set_rates(group, rate * times, self.config.muon)

    def _learning(self, phase: str) -> list[nn.Parameter]:
        """The parameters of a phase; for the others no gradients are computed."""
        chosen = list(self.system.learning(phase))
        ids = {id(parameter) for parameter in chosen}
        for parameter in self.generator.parameters():
            parameter.requires_grad_(id(parameter) in ids)
        return chosen

    def _judge_step(self, sample: Sample, made: Made, phase: str) -> None:
        for name, loss in self.system.judge_losses(sample, made, phase).items():
            self._update(name, list(self.system.judges[name].parameters()), loss)

    def _update(self, name: str, parameters: Sequence[nn.Parameter], loss: Tensor) -> float:
        """One clipped step unless the network's guard is against it; returns the norm of the gradient."""
        for optimiser in self.optimisers[name]:
            optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        norm = float(nn.utils.clip_grad_norm_(parameters, self.config.clip_norm))
        if self.guards[name].allows(norm):
            for optimiser in self.optimisers[name]:
                optimiser.step()
        return norm

    @torch.no_grad()
    def _follow(self) -> None:
        """Move the averaged weights; early on they follow quickly, unless they are trained ones already."""
        decay = self.config.ema_decay
        if not self.config.start:
            decay = min(decay, (1 + self.taken) / (10 + self.taken))
        means, values = (tuple(network.parameters()) for network in (self.average, self.generator))
        get_ema_multi_avg_fn(decay)(means, values, None)  # type: ignore[no-untyped-call]
        for mean, value in zip(self.average.buffers(), self.generator.buffers(), strict=True):
            mean.copy_(value)

    def validate(self) -> dict[str, float]:
        guards = self.guards.values()
        count = {
            "skipped": float(sum(guard.broken for guard in guards)),
            "spikes": float(sum(guard.spikes for guard in guards)),
        }
        if self.system.figures is not None:
            return {**self.system.figures(self.average, self.held_out.pictures), **count}
        figures = self.held_out.figures(self._best_size(self._filled))
        if self.guided:
            figures["psnr_sketch"] = self.held_out.psnr(self._best_size(self._guided))
        return {**figures, **count, "psnr_full": self.held_out.psnr(self._filled)}

    def grid(self) -> Image:
        if self.system.sheet is not None:
            return self.system.sheet(self.average, self.held_out.pictures)
        guided = self._best_size(self._guided) if self.guided else None
        return self.held_out.sheet(self._best_size(self._filled), guided)

    def _best_size(self, fill: Fill) -> Fill:
        return at_size(fill, self.config.fill_size) if self.config.fill_size else fill

    def _guided(self, picture: Image, hole: Mask) -> tuple[Image, Image]:
        return self._filled(picture, hole, plain_sketch(picture, hole))

    @torch.no_grad()
    def _filled(self, picture: Image, hole: Mask, lines: Mask | None = None) -> tuple[Image, Image]:
        none = np.zeros_like(hole)
        batch = Batch(picture[None], hole[None], none[None], (none if lines is None else lines)[None])
        outputs = self.system.filled(self.average, self._sample(batch))
        coarse, refined = (((out[0].float() + 1) * 127.5).round().clamp(0, 255).byte() for out in outputs)
        return coarse.permute(1, 2, 0).cpu().numpy(), refined.permute(1, 2, 0).cpu().numpy()

    def state_dict(self) -> dict[str, Any]:
        networks = {"generator": self.generator.state_dict(), "average": self.average.state_dict()}
        judges = {name: judge.state_dict() for name, judge in self.system.judges.items()}
        optimisers = {name: [o.state_dict() for o in group] for name, group in self.optimisers.items()}
        guards = {name: guard.state_dict() for name, guard in self.guards.items()}
        about = {"taken": self.taken, "network": asdict(self.generator.config)}
        return {**networks, **about, "judges": judges, "optimisers": optimisers, "guards": guards}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        if self.config.network == "deepfillv2":
            check_fits(self.generator, state["generator"])
        for name in ("generator", "average"):
            getattr(self, name).load_state_dict(state[name])
        # The first checkpoints held one discriminator, and no guards.
        judges = state["judges"] if "judges" in state else {"discriminator": state["discriminator"]}
        for name, judge in self.system.judges.items():
            judge.load_state_dict(judges[name])
        for name, group in self.optimisers.items():
            for optimiser, kept in zip(group, state["optimisers"][name], strict=True):
                optimiser.load_state_dict(kept)
        self.taken = state["taken"]
        for name, before in state.get("guards", {}).items():
            self.guards[name].load_state_dict(before)

    def export(self, path: Path, metadata: dict[str, str]) -> None:
        self.system.export(self.average, path, metadata)

    def _sample(self, batch: Batch) -> Sample:
        """Image N x 3 in -1..1; hole, objects, and for a guided network the sketch, N x 1 in 0/1."""
        image = torch.from_numpy(batch.images).to(self.device).permute(0, 3, 1, 2).float() / 127.5 - 1
        hole, objects, sketch = (
            torch.from_numpy(x).to(self.device)[:, None].float()
            for x in (batch.holes, batch.objects, batch.sketches)
        )
        image = image.contiguous(memory_format=self.layout)
        return Sample(image, hole, objects, sketch if self.guided else None, self.taken)

    def _placed(self, network: Any) -> Any:
        return network.to(self.device, memory_format=self.layout)


def sum_of(losses: dict[str, Tensor]) -> Tensor:
    """The sum of the terms."""
    return torch.stack([value.reshape(()) for value in losses.values()]).sum()


def optimisers(
    config: InpainterConfig, generator: nn.Module, judges: dict[str, nn.Module]
) -> dict[str, list[torch.optim.Optimizer]]:
    """Adam for all networks; with ``muon`` the generator's hidden convolutions are left to Muon."""
    hidden = hidden_convolutions(generator) if config.muon else []
    taken = {id(parameter) for parameter in hidden}
    rest = [p for p in generator.parameters() if id(p) not in taken]
    found: dict[str, list[torch.optim.Optimizer]] = {
        "generator": [torch.optim.Adam(rest, config.learning_rate, config.betas)]
    }
    if hidden:
        found["generator"].append(Muon(hidden, config.learning_rate * config.muon))
    for name, judge in judges.items():
        found[name] = [torch.optim.Adam(judge.parameters(), config.learning_rate, config.betas)]
    return found


def hidden_convolutions(network: nn.Module) -> list[nn.Parameter]:
    """The weights of all convolutions but those that give a picture: these have a scale to keep."""
    return [p for p in network.parameters() if p.ndim == 4 and p.shape[0] > 3]


def chosen_device(name: str) -> torch.device:
    """``auto``: the GPU where there is one. Raises DeviceError when a named GPU is absent."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise DeviceError("There is no CUDA device here.", hint="Use --device auto or --device cpu.")
    return torch.device(name)


def run(
    config: InpainterConfig,
    output: Path,
    *,
    resume: bool,
    device: str = "auto",
    time_budget: float | None = None,
    steps: int | None = None,
    cpu_time: bool = False,
) -> None:
    """Train into ``output``; ``time_budget`` in minutes, with ``cpu_time`` of computing.

    Decoded pictures are kept in ``output``/../cache.
    """
    if config.threads:
        torch.set_num_threads(config.threads)
    pictures = Pictures.of(config)
    learnt, fixed = hole_mixes(config)
    batches = training_batches(pictures, config, learnt, output.parent / "cache")
    kept = kept_config(output) if resume else None
    task = InpainterTask(config, batches, held_out(pictures, config, fixed), chosen_device(device), kept)
    settings = {**asdict(config), **pictures.record(config), "network": asdict(task.generator.config)}
    if config.start and kept is None:
        settings["start_digest"] = digest(config.start, NETWORKS[config.network].kind)
    loop = LoopConfig(
        steps or config.steps,
        time_budget,
        config.checkpoint_minutes,
        config.validate_minutes,
        look_first=bool(config.start),
        cpu_time=cpu_time,
    )
    train(task, loop, output, settings, resume=resume)
