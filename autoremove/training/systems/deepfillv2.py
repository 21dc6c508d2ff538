"""DeepFillv2 in training: l1 on both pictures, hinge losses against SN-PatchGAN (Yu et al. 2019)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from autoremove.errors import UsageError
from autoremove.models.deepfillv2 import Generator, GeneratorConfig, save_generator
from autoremove.models.sn_patchgan import SNPatchDiscriminator
from autoremove.training.initial_weights import even_out
from autoremove.training.inpainter_config import InpainterConfig
from autoremove.training.inpainter_start import starting_generator
from autoremove.training.system import Made, Sample, System, weighted_l1

NEW_CHANNEL = "Begin a new run from its weights: --set start=RUN/last.safetensors, which adds the channel."


class DeepFillV2System(System):
    """The generator with its coarse and its refining stage, judged patch by patch.

    ``l2``: the paper has none. Where many fills are plausible l1 ends at their median and squares at their
    mean, which is what PSNR asks for; patches of the picture make either sharp.
    """

    name = "deepfillv2"
    LOSSES: ClassVar[Mapping[str, float]] = {"l1_coarse": 1.0, "l1": 1.0, "l2": 0.0}

    def __init__(self, config: InpainterConfig, network: Any = None) -> None:
        super().__init__(config, network)
        if config.sketch_share and not self.guided:
            raise UsageError("The network of this run has no sketch channel.", hint=NEW_CHANNEL)

    @property
    def guided(self) -> bool:
        """Whether the network takes lines."""
        return bool(self.network.config.in_channels == 6)

    def started(self, config: InpainterConfig) -> Generator:
        return starting_generator(config)

    def build(self, config: InpainterConfig) -> Generator:
        return starting_generator(config)

    @classmethod
    def rebuilt(cls, noted: dict[str, Any]) -> Generator:
        return Generator(GeneratorConfig(**noted))

    def build_judges(self, config: InpainterConfig) -> dict[str, nn.Module]:
        channels = 5 if self.guided else 4
        return {"discriminator": SNPatchDiscriminator(channels, config.discriminator_base)}

    def settle(self, sample: Sample) -> None:
        even_out(self.network, sample.image, sample.hole, sample.sketch)

    def forward(self, sample: Sample, phase: str) -> Made:
        with self.autocast():
            coarse, refined = self.run(sample.image, sample.hole, sample.sketch)
        composite = refined * sample.hole + sample.image * (1 - sample.hole)
        return Made(composite, {"coarse": coarse, "refined": refined})

    def losses(self, sample: Sample, made: Made, phase: str, adversarial: bool) -> dict[str, Tensor]:
        weight = (1 - sample.objects) * (1 + (self.config.hole_weight - 1) * sample.hole)
        pairs = {"l1_coarse": made.parts["coarse"], "l1": made.parts["refined"]}
        terms = {
            name: self.weights[name] * weighted_l1(output, sample.image, weight)
            for name, output in pairs.items()
        }
        if self.weights["l2"]:
            off = (made.parts["refined"] - sample.image).square()
            terms["l2"] = self.weights["l2"] * weighted_l1(off, torch.zeros_like(off), weight)
        if adversarial:
            judged = self._judged(made.composite, sample.hole, sample.sketch)
            terms["gan"] = -self.config.gan_weight * judged.mean()
        return terms

    def judge_losses(self, sample: Sample, made: Made, phase: str) -> dict[str, Tensor]:
        twice = None if sample.sketch is None else torch.cat([sample.sketch, sample.sketch])
        both, holes = torch.cat([sample.image, made.composite]), torch.cat([sample.hole, sample.hole])
        real, fake = self._judged(both, holes, twice).chunk(2)
        loss = 0.5 * F.relu(1 - real).mean() + 0.5 * F.relu(1 + fake).mean()
        self.notes = {"d": float(loss.detach()), "d_gap": float((real.mean() - fake.mean()).detach())}
        return {"discriminator": loss}

    def _judged(self, image: Tensor, hole: Tensor, sketch: Tensor | None) -> Tensor:
        with self.autocast():
            scores: Tensor = self.judges["discriminator"](image, hole, sketch)
        return scores.float()

    def filled(self, network: Any, sample: Sample) -> tuple[Tensor, Tensor]:
        coarse, refined = network(sample.image, sample.hole, sample.sketch)
        return coarse, refined

    def export(self, network: Any, path: Path, metadata: Mapping[str, str]) -> None:
        save_generator(network, path, dict(metadata))
