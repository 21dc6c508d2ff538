"""Training the inpainter: DeepFillv2 against SN-PatchGAN, as a task of the shared loop."""

from __future__ import annotations

import copy
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from autoremove.errors import DeviceError, UsageError
from autoremove.models.deepfillv2 import Generator, save_generator
from autoremove.models.sn_patchgan import SNPatchDiscriminator
from autoremove.models.weights import digest
from autoremove.training.gradient_guard import GradientGuard
from autoremove.training.held_out import Fill, HeldOut, at_size
from autoremove.training.initial_weights import even_out
from autoremove.training.inpainter_config import InpainterConfig
from autoremove.training.inpainter_data import Pictures, held_out, hole_mixes, training_batches
from autoremove.training.inpainter_start import check_fits, kept_generator, starting_generator
from autoremove.training.loop import LoopConfig, train
from autoremove.training.muon import Muon
from autoremove.training.scenes import Batch, Batches
from autoremove.training.sketches import plain_sketch
from autoremove.types import Image, Mask

NEW_CHANNEL = "Begin a new run from its weights: --set start=RUN/last.safetensors, which adds the channel."


class InpainterTask:
    """Generator, discriminator, their optimisers and the averaged weights. A ``Task`` of the loop.

    ``generator``: one whose weights ``load_state_dict`` will bring, None for that of the settings.
    """

    def __init__(
        self,
        config: InpainterConfig,
        batches: Batches,
        held_out: HeldOut,
        device: torch.device,
        generator: Generator | None = None,
    ) -> None:
        torch.manual_seed(config.seed)
        self.config, self.batches, self.held_out, self.device = config, batches, held_out, device
        self.layout = torch.channels_last if config.channels_last else torch.contiguous_format
        self.generator = self._placed(generator or starting_generator(config)).train()
        self.guided = self.generator.config.in_channels == 6
        if config.sketch_share and not self.guided:
            raise UsageError("The network of this run has no sketch channel.", hint=NEW_CHANNEL)
        judge = SNPatchDiscriminator(in_channels=5 if self.guided else 4, base=config.discriminator_base)
        self.discriminator = self._placed(judge)
        if not config.start and generator is None:
            image, hole, _, sketch = self._tensors(batches.at(0, 64, 8))
            even_out(self.generator, image, hole, sketch)
        self.average = copy.deepcopy(self.generator).eval().requires_grad_(False)
        self.fill = torch.compile(self.generator) if config.compile else self.generator
        self.optimisers = optimisers(config, self.generator, self.discriminator)
        self.low_precision = uses_bfloat16(config.precision, device)
        self.guards = {name: GradientGuard(config.spike) for name in self.optimisers}
        self.taken = 0

    def step(self, progress: float) -> dict[str, float]:
        stage, rate = self.config.stage(progress), self.config.rate(progress)
        image, hole, objects, sketch = self._tensors(self.batches.at(self.taken, stage.size, stage.batch))
        for optimiser in chain.from_iterable(self.optimisers.values()):
            optimiser.param_groups[0]["lr"] = rate * (self.config.muon if isinstance(optimiser, Muon) else 1)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.low_precision):
            coarse, refined = self.fill(image, hole, sketch)
        composite = refined * hole + image * (1 - hole)
        figures = {"rate": rate, "size": float(stage.size)}
        adversarial = progress >= self.config.gan_from and self.config.gan_weight > 0
        if adversarial:
            figures |= self._discriminator_step(image, composite.detach(), hole, sketch)
        weight = (1 - objects) * (1 + (self.config.hole_weight - 1) * hole)
        losses = {"l1_coarse": weighted_l1(coarse, image, weight), "l1": weighted_l1(refined, image, weight)}
        total = losses["l1_coarse"] + losses["l1"]
        if adversarial:
            losses["gan"] = -self._judge(composite, hole, sketch).mean()
            total = total + self.config.gan_weight * losses["gan"]
        figures["norm"] = self._update("generator", self.generator, total)
        self._follow()
        self.taken += 1
        hole_error = weighted_l1(refined.detach(), image, (1 - objects) * hole)
        return {k: float(v.detach()) for k, v in losses.items()} | {"l1_hole": float(hole_error), **figures}

    def _discriminator_step(
        self, image: Tensor, composite: Tensor, hole: Tensor, sketch: Tensor | None
    ) -> dict[str, float]:
        twice = None if sketch is None else torch.cat([sketch, sketch])
        scores = self._judge(torch.cat([image, composite]), torch.cat([hole, hole]), twice)
        real, fake = scores.chunk(2)
        loss = 0.5 * F.relu(1 - real).mean() + 0.5 * F.relu(1 + fake).mean()
        self._update("discriminator", self.discriminator, loss)
        return {"d": float(loss.detach()), "d_gap": float((real.mean() - fake.mean()).detach())}

    def _judge(self, image: Tensor, hole: Tensor, sketch: Tensor | None) -> Tensor:
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.low_precision):
            scores: Tensor = self.discriminator(image, hole, sketch)
        return scores.float()

    def _update(self, name: str, network: nn.Module, loss: Tensor) -> float:
        """One clipped step unless the network's guard is against it; returns the norm of the gradient."""
        network.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        norm = float(nn.utils.clip_grad_norm_(network.parameters(), self.config.clip_norm))
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
        for mean, value in zip(self.average.parameters(), self.generator.parameters(), strict=True):
            mean.lerp_(value, 1 - decay)

    def validate(self) -> dict[str, float]:
        figures = self.held_out.figures(self._best_size(self._filled))
        if self.guided:
            figures["psnr_sketch"] = self.held_out.psnr(self._best_size(self._guided))
        figures["skipped"] = float(sum(guard.broken for guard in self.guards.values()))
        figures["spikes"] = float(sum(guard.spikes for guard in self.guards.values()))
        return {**figures, "psnr_full": self.held_out.psnr(self._filled)}

    def grid(self) -> Image:
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
        image, holes, _, sketch = self._tensors(batch)
        outputs = self.average(image, holes, sketch)
        coarse, refined = (((out[0].float() + 1) * 127.5).round().clamp(0, 255).byte() for out in outputs)
        return coarse.permute(1, 2, 0).cpu().numpy(), refined.permute(1, 2, 0).cpu().numpy()

    def state_dict(self) -> dict[str, Any]:
        networks = {
            name: getattr(self, name).state_dict() for name in ("generator", "discriminator", "average")
        }
        optimisers = {name: [o.state_dict() for o in group] for name, group in self.optimisers.items()}
        guards = {name: guard.state_dict() for name, guard in self.guards.items()}
        about = {"taken": self.taken, "network": asdict(self.generator.config)}
        return {**networks, **about, "optimisers": optimisers, "guards": guards}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        check_fits(self.generator, state["generator"])
        for name in ("generator", "discriminator", "average"):
            getattr(self, name).load_state_dict(state[name])
        for name, group in self.optimisers.items():
            for optimiser, kept in zip(group, state["optimisers"][name], strict=True):
                optimiser.load_state_dict(kept)
        self.taken = state["taken"]
        for name, before in state.get("guards", {}).items():  # checkpoints had none at first
            self.guards[name].load_state_dict(before)

    def export(self, path: Path, metadata: dict[str, str]) -> None:
        save_generator(self.average, path, metadata)

    def _tensors(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
        """Image N x 3 in -1..1; hole, objects, and for a guided network the sketch, N x 1 in 0/1."""
        image = torch.from_numpy(batch.images).to(self.device).permute(0, 3, 1, 2).float() / 127.5 - 1
        hole, objects, sketch = (
            torch.from_numpy(x).to(self.device)[:, None].float()
            for x in (batch.holes, batch.objects, batch.sketches)
        )
        image = image.contiguous(memory_format=self.layout)
        return image, hole, objects, sketch if self.guided else None

    def _placed(self, network: Any) -> Any:
        return network.to(self.device, memory_format=self.layout)


def optimisers(
    config: InpainterConfig, generator: nn.Module, discriminator: nn.Module
) -> dict[str, list[torch.optim.Optimizer]]:
    """Adam for both networks; with ``muon`` the generator's hidden convolutions are left to Muon."""
    hidden = [p for n, p in generator.named_parameters() if config.muon and p.ndim == 4 and "conv17" not in n]
    taken = {id(parameter) for parameter in hidden}
    rest = [p for p in generator.parameters() if id(p) not in taken]
    adam = [
        torch.optim.Adam(parameters, config.learning_rate, config.betas)
        for parameters in (rest, discriminator.parameters())
    ]
    muon: list[torch.optim.Optimizer] = [Muon(hidden, config.learning_rate * config.muon)] if hidden else []
    return {"generator": [adam[0], *muon], "discriminator": [adam[1]]}


def weighted_l1(output: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Mean absolute error, each pixel counted by ``weight`` (N x 1 x H x W)."""
    return ((output - target).abs() * weight).sum() / (weight.sum() * output.shape[1]).clamp(min=1)


def uses_bfloat16(precision: str, device: torch.device) -> bool:
    """Whether to compute in bfloat16; "auto" does where the hardware has it."""
    if precision not in ("auto", "float32", "bfloat16"):
        raise UsageError(f"precision={precision!r} is not auto, float32 or bfloat16.")
    if precision != "auto":
        return precision == "bfloat16"
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    # Without such instructions PyTorch emulates them, many times slower than float32.
    has = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return device.type == "cpu" and has is not None and bool(has())


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
) -> None:
    """Train into ``output``; ``time_budget`` in minutes. Decoded pictures are kept in ``output``/../cache."""
    if config.threads:
        torch.set_num_threads(config.threads)
    pictures = Pictures.of(config)
    learnt, fixed = hole_mixes(config)
    batches = training_batches(pictures, config, learnt, output.parent / "cache")
    kept = kept_generator(output) if resume else None
    task = InpainterTask(
        config, batches, held_out(pictures, config, fixed), chosen_device(device), generator=kept
    )
    settings = {**asdict(config), **pictures.record(config), "network": asdict(task.generator.config)}
    if config.start and kept is None:
        settings["start_digest"] = digest(config.start, "inpainter")
    loop = LoopConfig(
        steps or config.steps,
        time_budget,
        config.checkpoint_minutes,
        config.validate_minutes,
        look_first=bool(config.start),
    )
    train(task, loop, output, settings, resume=resume)
