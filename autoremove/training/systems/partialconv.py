"""Partial convolution in training: six terms without a judge, batch norm frozen in the second phase."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from autoremove.errors import UsageError
from autoremove.training import perceptual_losses
from autoremove.training.features import Features, extractor
from autoremove.training.inpainter_config import InpainterConfig
from autoremove.training.system import Made, Sample, System

PHASES = ("first", "second")
LAYERS = ("pool1", "pool2", "pool3")


class PartialConvSystem(System):
    """The recipe of Liu et al. (2018).

    Known pixels and hole are compared pixel by pixel, each term averaged over the whole picture; the picture
    as it comes out and the one pasted together are compared in features of VGG-16 (or what stands in for it,
    see :mod:`autoremove.training.features`) and in their Gram matrices; the fill and a seam of one pixel are
    kept smooth. The zeros of holes go into the statistics of batch norm, so in the phase "second" those of
    the encoder are frozen, with their weights; its lower rate is that stage's ``rate``.
    """

    name = "partialconv"
    LOSSES: ClassVar[dict[str, float]] = {
        "valid": 1.0,
        "hole": 6.0,
        "perceptual": 0.05,
        "style": 120.0,
        "tv": 0.1,
    }

    def __init__(self, config: InpainterConfig, network: Any = None) -> None:
        super().__init__(config, network)
        self._features: Features | None = None
        if unknown := {stage.phase for stage in config.stages} - {*PHASES, ""}:
            raise UsageError(
                f"partialconv has no phase {sorted(unknown)[0]!r}.", hint=f"It has {' and '.join(PHASES)}."
            )

    def begin(self, phase: str) -> None:
        for norm in self.network.encoder_norms():
            norm.train(phase != "second")

    def learning(self, phase: str) -> Iterable[nn.Parameter]:
        parameters: Iterable[nn.Parameter] = self.network.parameters()
        if phase != "second":
            return parameters
        frozen = {id(p) for norm in self.network.encoder_norms() for p in norm.parameters()}
        return [p for p in parameters if id(p) not in frozen]

    def forward(self, sample: Sample, phase: str) -> Made:
        with self.autocast():
            picture = self.run(sample.image, sample.hole).float()
        composite = picture * sample.hole + sample.image * (1 - sample.hole)
        return Made(composite, {"picture": picture})

    def losses(self, sample: Sample, made: Made, phase: str, adversarial: bool) -> dict[str, Tensor]:
        true, learnt = sample.image, 1 - sample.objects
        # What is not to be learnt from is shown as it is, so that no term sees a difference there.
        picture, composite = (torch.lerp(true, x, learnt) for x in (made.parts["picture"], made.composite))
        error = (picture - true).abs()
        terms = {
            "valid": (error * (1 - sample.hole)).mean(),
            "hole": (error * sample.hole).mean(),
            "tv": perceptual_losses.total_variation(composite, sample.hole),
            **self._compared(picture, composite, true),
        }
        return {name: self.weights[name] * term for name, term in terms.items()}

    def _compared(self, picture: Tensor, composite: Tensor, true: Tensor) -> dict[str, Tensor]:
        """The terms on feature maps, of the picture as it comes out and of the one pasted together."""
        wanted = {
            name: compare
            for name, compare in (
                ("perceptual", perceptual_losses.perceptual),
                ("style", perceptual_losses.style),
            )
            if self.weights[name]
        }
        if not wanted:
            return {}
        features = self._extractor(true.device)
        with torch.no_grad():
            aim = features(true)
        made = [features(x) for x in (picture, composite)]
        return {name: torch.stack([compare(x, aim) for x in made]).sum() for name, compare in wanted.items()}

    def _extractor(self, device: torch.device) -> Features:
        if self._features is None:
            self._features = extractor("vgg16", LAYERS, device)
        return self._features
