"""Global&Local in training: squared error in the hole, then a judge of the whole and the part (2017)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from autoremove.models.context_judge import ContextJudge
from autoremove.training.hole_patches import part_windows, parts
from autoremove.training.inpainter_config import InpainterConfig
from autoremove.training.system import Made, Sample, System

COMPLETION, DISCRIMINATORS, JOINT = "completion", "discriminators", "joint"
"""The paper's three phases: 18, 2 and 80 percent of its 500,000 steps."""


class GlcicSystem(System):
    """In the "completion" phase the network learns alone, in "discriminators" the judge, then both ("joint").

    Iizuka et al., "Globally and Locally Consistent Image Completion". ``mse``: squared error in the hole, of
    colours in 0..1 as in the paper. ``known``: the same where the picture is known, for a network that is to
    redraw that too (its ``redraws``); the paper has none. ``gan``: the paper's alpha. Where the paper shows
    the judge a random part of real pictures, here it is where the hole is; its Adadelta is Adam here.
    """

    name = "glcic"
    LOSSES: ClassVar[Mapping[str, float]] = {"mse": 1.0, "known": 0.0, "gan": 0.0004}

    def build_judges(self, config: InpainterConfig) -> dict[str, nn.Module]:
        base = config.discriminator_base
        return {"context": ContextJudge(base, 16 * base)}

    def begin(self, phase: str) -> None:
        # Nothing of the network learns meanwhile, its running means included.
        self.network.train(phase != DISCRIMINATORS)

    def learning(self, phase: str) -> Iterable[nn.Parameter]:
        return () if phase == DISCRIMINATORS else super().learning(phase)

    def judging(self, phase: str, progress: float) -> bool:
        """By the phases alone; a schedule that names none begins to judge when its settings say so."""
        if phase in (COMPLETION, DISCRIMINATORS, JOINT):
            return phase != COMPLETION and self.config.gan_weight > 0
        return super().judging(phase, progress)

    def forward(self, sample: Sample, phase: str) -> Made:
        with self.autocast():
            drawn = self.run(sample.image, sample.hole)
        drawn = drawn.float()
        composite = drawn.clamp(-1, 1) * sample.hole + sample.image * (1 - sample.hole)
        return Made(composite, {"drawn": drawn})

    def losses(self, sample: Sample, made: Made, phase: str, adversarial: bool) -> dict[str, Tensor]:
        learnt = 1 - sample.objects
        places = {"mse": sample.hole * learnt, "known": (1 - sample.hole) * learnt}
        terms = {
            name: self.weights[name] * squared_error(made.parts["drawn"], sample.image, where)
            for name, where in places.items()
            if self.weights[name]
        }
        if adversarial:
            scores = self._judged(made.composite, part_windows(sample.hole, _side(sample.hole)))
            terms["gan"] = self.weights["gan"] * F.softplus(-scores).mean()
        return terms

    def judge_losses(self, sample: Sample, made: Made, phase: str) -> dict[str, Tensor]:
        windows = part_windows(sample.hole, _side(sample.hole))
        # In one batch: normalised each by itself, real and made pictures would lose what tells them apart.
        both = self._judged(torch.cat([sample.image, made.composite]), windows * 2)
        real, fake = both.chunk(2)
        loss = 0.5 * F.softplus(-real).mean() + 0.5 * F.softplus(fake).mean()
        self.notes = {"d": float(loss.detach()), "d_gap": float((real.mean() - fake.mean()).detach())}
        return {"context": loss}

    def _judged(self, image: Tensor, windows: list[Any]) -> Tensor:
        with self.autocast():
            scores: Tensor = self.judges["context"](image, parts(image, windows))
        return scores.float()


def squared_error(output: Tensor, target: Tensor, where: Tensor) -> Tensor:
    """Mean squared error of colours in 0..1 for pictures in -1..1, where N x 1 x H x W ``where`` is 1."""
    error = ((output - target) / 2).square() * where
    return error.sum() / (where.sum() * output.shape[1]).clamp(min=1)


def _side(hole: Tensor) -> int:
    """Of the part that the judge sees: half of the picture, as in the paper."""
    return int(min(hole.shape[-2:])) // 2
