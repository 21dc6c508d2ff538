"""Training the inpainter: DeepFillv2 against SN-PatchGAN, as a task of the shared loop."""

from __future__ import annotations

import copy
from dataclasses import asdict, replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from autoremove.errors import DeviceError, UsageError
from autoremove.models.deepfillv2 import Generator, GeneratorConfig, save_generator
from autoremove.models.sn_patchgan import SNPatchDiscriminator
from autoremove.training.held_out import Fill, HeldOut, at_size
from autoremove.training.holes import HoleMix, Silhouettes
from autoremove.training.initial_weights import even_out
from autoremove.training.inpainter_config import InpainterConfig, read_settings
from autoremove.training.loop import LoopConfig, train
from autoremove.training.muon import Muon
from autoremove.training.scenes import Batch, Batches, SceneCache, labelled_scenes, plain_scenes
from autoremove.types import Image, Mask


class InpainterTask:
    """Generator, discriminator, their optimisers and the averaged weights. A ``Task`` of the loop."""

    def __init__(
        self, config: InpainterConfig, batches: Batches, held_out: HeldOut, device: torch.device
    ) -> None:
        torch.manual_seed(config.seed)
        self.config, self.batches, self.held_out, self.device = config, batches, held_out, device
        self.layout = torch.channels_last if config.channels_last else torch.contiguous_format
        self.generator = self._placed(Generator(GeneratorConfig(cnum=config.cnum)))
        self.discriminator = self._placed(SNPatchDiscriminator(base=config.discriminator_base))
        even_out(self.generator, *self._tensors(batches.at(0, 64, 8))[:2])
        self.average = copy.deepcopy(self.generator).eval().requires_grad_(False)
        self.fill = torch.compile(self.generator) if config.compile else self.generator
        self.optimisers = optimisers(config, self.generator, self.discriminator)
        self.low_precision = uses_bfloat16(config.precision, device)
        self.taken = 0
        self.skipped = 0

    def step(self, progress: float) -> dict[str, float]:
        stage, rate = self.config.stage(progress), self.config.rate(progress)
        image, hole, objects = self._tensors(self.batches.at(self.taken, stage.size, stage.batch))
        for optimiser in chain.from_iterable(self.optimisers.values()):
            optimiser.param_groups[0]["lr"] = rate * (self.config.muon if isinstance(optimiser, Muon) else 1)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.low_precision):
            coarse, refined = self.fill(image, hole)
        composite = refined * hole + image * (1 - hole)
        figures = {"rate": rate, "size": float(stage.size)}
        adversarial = progress >= self.config.gan_from and self.config.gan_weight > 0
        if adversarial:
            figures |= self._discriminator_step(image, composite.detach(), hole)
        weight = (1 - objects) * (1 + (self.config.hole_weight - 1) * hole)
        losses = {"l1_coarse": weighted_l1(coarse, image, weight), "l1": weighted_l1(refined, image, weight)}
        total = losses["l1_coarse"] + losses["l1"]
        if adversarial:
            losses["gan"] = -self._judge(composite, hole).mean()
            total = total + self.config.gan_weight * losses["gan"]
        self._update("generator", self.generator, total)
        self._follow()
        self.taken += 1
        hole_error = weighted_l1(refined.detach(), image, (1 - objects) * hole)
        return {k: float(v.detach()) for k, v in losses.items()} | {"l1_hole": float(hole_error), **figures}

    def _discriminator_step(self, image: Tensor, composite: Tensor, hole: Tensor) -> dict[str, float]:
        real, fake = self._judge(torch.cat([image, composite]), torch.cat([hole, hole])).chunk(2)
        loss = 0.5 * F.relu(1 - real).mean() + 0.5 * F.relu(1 + fake).mean()
        self._update("discriminator", self.discriminator, loss)
        return {"d": float(loss.detach()), "d_gap": float((real.mean() - fake.mean()).detach())}

    def _judge(self, image: Tensor, hole: Tensor) -> Tensor:
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.low_precision):
            scores: Tensor = self.discriminator(image, hole)
        return scores.float()

    def _update(self, name: str, network: nn.Module, loss: Tensor) -> None:
        """One clipped step; a step whose gradients are not finite is left out and counted."""
        network.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        norm = nn.utils.clip_grad_norm_(network.parameters(), self.config.clip_norm)
        if torch.isfinite(norm):
            for optimiser in self.optimisers[name]:
                optimiser.step()
        else:
            self.skipped += 1

    @torch.no_grad()
    def _follow(self) -> None:
        """Move the averaged weights; early on they follow quickly."""
        decay = min(self.config.ema_decay, (1 + self.taken) / (10 + self.taken))
        for mean, value in zip(self.average.parameters(), self.generator.parameters(), strict=True):
            mean.lerp_(value, 1 - decay)

    def validate(self) -> dict[str, float]:
        figures = self.held_out.figures(self._best_size())
        return {**figures, "psnr_full": self.held_out.psnr(self._filled), "skipped": float(self.skipped)}

    def grid(self) -> Image:
        return self.held_out.sheet(self._best_size())

    def _best_size(self) -> Fill:
        return at_size(self._filled, self.config.fill_size) if self.config.fill_size else self._filled

    @torch.no_grad()
    def _filled(self, picture: Image, hole: Mask) -> tuple[Image, Image]:
        batch = Batch(picture[None], hole[None], np.zeros_like(hole[None]))
        outputs = self.average(*self._tensors(batch)[:2])
        coarse, refined = (((out[0].float() + 1) * 127.5).round().clamp(0, 255).byte() for out in outputs)
        return coarse.permute(1, 2, 0).cpu().numpy(), refined.permute(1, 2, 0).cpu().numpy()

    def state_dict(self) -> dict[str, Any]:
        networks = {
            name: getattr(self, name).state_dict() for name in ("generator", "discriminator", "average")
        }
        optimisers = {name: [o.state_dict() for o in group] for name, group in self.optimisers.items()}
        return {**networks, "optimisers": optimisers, "taken": self.taken, "skipped": self.skipped}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        for name in ("generator", "discriminator", "average"):
            getattr(self, name).load_state_dict(state[name])
        for name, group in self.optimisers.items():
            for optimiser, kept in zip(group, state["optimisers"][name], strict=True):
                optimiser.load_state_dict(kept)
        self.taken, self.skipped = state["taken"], state["skipped"]

    def export(self, path: Path, metadata: dict[str, str]) -> None:
        save_generator(self.average, path, metadata)

    def _tensors(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """Image N x 3 in -1..1, hole and objects N x 1 in 0/1, on the device."""
        image = torch.from_numpy(batch.images).to(self.device).permute(0, 3, 1, 2).float() / 127.5 - 1
        hole, objects = (
            torch.from_numpy(x).to(self.device)[:, None].float() for x in (batch.holes, batch.objects)
        )
        return image.contiguous(memory_format=self.layout), hole, objects

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


def training_batches(config: InpainterConfig, holes: HoleMix, cache_dir: Path) -> Batches:
    """The crops that ``config`` names, labelled pictures weighted to their share."""
    plain = plain_scenes(Path(folder) for folder in config.data)
    labelled = labelled_scenes(Path(config.instances), config.instances_prefixes) if config.instances else []
    share = config.instances_share if labelled else 0.0
    weights = [(1 - share) / len(plain)] * len(plain) + [share / max(1, len(labelled))] * len(labelled)
    cache = SceneCache.of([*plain, *labelled], cache_dir, config.short_side)
    return Batches(cache, holes, config.seed, np.array(weights), config.workers)


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
    shapes = Silhouettes.load(Path(config.silhouettes)) if config.silhouettes else None
    holes = HoleMix(shapes, config.silhouette_share, config.brush_share)
    batches = training_batches(config, holes, output.parent / "cache")
    folder = Path(config.validation or config.data[0])
    fixed = HoleMix(shapes, silhouette_share=1.0) if shapes else holes
    held_out = HeldOut.of(folder, fixed, count=config.validation_pictures, size=config.validation_size)
    task = InpainterTask(config, batches, held_out, chosen_device(device))
    loop = LoopConfig(steps or config.steps, time_budget, config.checkpoint_minutes, config.validate_minutes)
    train(task, loop, output, asdict(config), resume=resume)


def main() -> None:
    """``python -m autoremove.training.inpainter``: the same as ``autoremove train inpainter``."""
    import click

    @click.command()
    @click.option("--data", multiple=True, help="Folder of scenes without people; may be given again.")
    @click.option("--config", type=click.Path(path_type=Path, exists=True), help="YAML settings.")
    @click.option("--set", "assignments", multiple=True, metavar="KEY=VALUE", help="One setting.")
    @click.option("--output", type=click.Path(path_type=Path), required=True, help="Folder of the run.")
    @click.option("--resume", is_flag=True, help="Go on from the last checkpoint.")
    @click.option("--time-budget", type=float, metavar="MINUTES", help="Stop after so much training.")
    @click.option("--device", default="auto", show_default=True)
    def command(
        data: tuple[str, ...],
        config: Path | None,
        assignments: tuple[str, ...],
        output: Path,
        resume: bool,
        time_budget: float | None,
        device: str,
    ) -> None:
        settings = read_settings(config, assignments)
        settings = replace(settings, data=data) if data else settings
        run(settings, output, resume=resume, device=device, time_budget=time_budget)

    command()


if __name__ == "__main__":
    main()
