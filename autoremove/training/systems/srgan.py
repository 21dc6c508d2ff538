"""SRResNet and SRGAN in training: whole crops, made small and enlarged again (Ledig et al. 2017)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from autoremove.models.srgan import Discriminator
from autoremove.training import upscaling_figures
from autoremove.training.features import Features, extractor
from autoremove.training.inpainter_config import InpainterConfig
from autoremove.training.system import Made, Sample, System
from autoremove.types import Image

LAYER = "conv5_4"
"""VGG19's features that the gan phase compares: after the fourth convolution of the fifth block."""


class SrganSystem(System):
    """The enlarging network; holes, and objects in the pictures, mean nothing to it.

    Phase ``resnet`` (or any other word): ``mse`` and ``l1`` of the pixels; the paper takes mse alone, ours
    l1, which reaches the same figures sooner. Phase ``gan``: ``features``, the mean squared difference of the
    layer conv5_4 of VGG19, whose values the paper divides by 12.75 (so their squares by 163), and
    ``adversarial``; ``kept`` is how much the pixels go on to count, 0 in the paper. Without VGG's weights
    the features are those of :func:`autoremove.training.features.extractor`'s substitute, which hold colours
    less well: keep some of the pixels then.
    """

    name = "srgan"
    LOSSES: ClassVar[Mapping[str, float]] = {
        "mse": 1.0,
        "l1": 0.0,
        "features": 1 / 12.75**2,
        "adversarial": 1e-3,
        "kept": 0.0,
    }

    def __init__(self, config: InpainterConfig, network: Any = None) -> None:
        super().__init__(config, network)
        self._features: Features | None = None

    def build_judges(self, config: InpainterConfig) -> dict[str, nn.Module]:
        if not any(stage.phase == "gan" for stage in config.stages):
            return {}
        return {"discriminator": Discriminator(config.discriminator_base)}

    def judging(self, phase: str, progress: float) -> bool:
        return phase == "gan" and bool(self.judges)

    def forward(self, sample: Sample, phase: str) -> Made:
        low = upscaling_figures.degraded(sample.image)
        with self.autocast():
            high = self.run(low)
        return Made(high.float())

    def losses(self, sample: Sample, made: Made, phase: str, adversarial: bool) -> dict[str, Tensor]:
        share = self.weights["kept"] if phase == "gan" else 1.0
        pixels = {"mse": F.mse_loss, "l1": F.l1_loss}
        terms = {
            name: share * self.weights[name] * loss(made.composite, sample.image)
            for name, loss in pixels.items()
            if share * self.weights[name]
        }
        if phase == "gan":
            terms["features"] = self.weights["features"] * self._unlike(made.composite, sample.image)
        if adversarial:
            judged = self.judges["discriminator"](made.composite)
            terms["adversarial"] = self.weights["adversarial"] * F.softplus(-judged).mean()
        return terms

    def judge_losses(self, sample: Sample, made: Made, phase: str) -> dict[str, Tensor]:
        judge = self.judges["discriminator"]
        real, fake = judge(sample.image), judge(made.composite.detach())
        loss = F.softplus(-real).mean() + F.softplus(fake).mean()
        self.notes = {"d": float(loss.detach()), "d_gap": float((real.mean() - fake.mean()).detach())}
        return {"discriminator": loss}

    def figures(self, network: Any, pictures: list[Image]) -> dict[str, float]:
        return upscaling_figures.figures(upscaling_figures.enlarger(network), pictures)

    def sheet(self, network: Any, pictures: list[Image]) -> Image:
        return upscaling_figures.sheet(upscaling_figures.enlarger(network), pictures)

    def _unlike(self, made: Tensor, truth: Tensor) -> Tensor:
        """Mean squared difference of the features."""
        if self._features is None:
            self._features = extractor("vgg19", [LAYER], truth.device)
        (own,) = self._features(made)
        with torch.no_grad():
            (true,) = self._features(truth)
        return F.mse_loss(own, true)
