"""DeepFillv1 in training: a discounted l1 loss, and two Wasserstein judges (Yu et al. 2018)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn

from autoremove.models.wasserstein_judge import GLOBAL_WIDTHS, LOCAL_WIDTHS, WassersteinJudge
from autoremove.training.hole_patches import discount, part_windows, parts
from autoremove.training.inpainter_config import InpainterConfig
from autoremove.training.system import Made, Sample, System, weighted_l1
from autoremove.training.wasserstein import critic_loss, gradient_penalty, shares


class DeepFillV1System(System):
    """Both stages pay for the hole, less far inside, and for what is known; one judge each for all and part.

    The weights are those of the authors' settings, where the coarse picture counts 1.2 times as much.
    ``penalty`` is what the judges pay for a slope other than 1. The paper lets them learn five times as often
    as the network: that is ``judge_steps`` of the settings.
    """

    name = "deepfillv1"
    LOSSES: ClassVar[Mapping[str, float]] = {
        "l1_coarse": 1.44,
        "l1": 1.2,
        "known_coarse": 1.44,
        "known": 1.2,
        "gan": 0.001,
        "penalty": 10.0,
    }

    def build_judges(self, config: InpainterConfig) -> dict[str, nn.Module]:
        """For the largest crops of the schedule; the local one sees squares of half their side."""
        grid = max(stage.size for stage in config.stages) // 16
        whole, part = (
            [width * config.discriminator_base // 64 for width in widths]
            for widths in (GLOBAL_WIDTHS, LOCAL_WIDTHS)
        )
        return {
            "whole": WassersteinJudge(whole, max(1, grid)),
            "part": WassersteinJudge(part, max(1, grid // 2)),
        }

    def forward(self, sample: Sample, phase: str) -> Made:
        with self.autocast():
            coarse, refined = self.run(sample.image, sample.hole)
        coarse, refined = coarse.float(), refined.float()
        composite = refined.clamp(-1, 1) * sample.hole + sample.image * (1 - sample.hole)
        return Made(composite, {"coarse": coarse, "refined": refined})

    def losses(self, sample: Sample, made: Made, phase: str, adversarial: bool) -> dict[str, Tensor]:
        learnt = 1 - sample.objects
        within, known = discount(sample.hole) * learnt, (1 - sample.hole) * learnt
        # Weights below 1 make the loss smaller, as in the authors' code: the mean is over all of the hole.
        share = within.sum() / (sample.hole * learnt).sum().clamp(min=1)
        terms = {}
        for end, picture in (("_coarse", made.parts["coarse"]), ("", made.parts["refined"])):
            l1 = weighted_l1(picture, sample.image, within) * share
            terms[f"l1{end}"] = self.weights[f"l1{end}"] * l1
            terms[f"known{end}"] = self.weights[f"known{end}"] * weighted_l1(picture, sample.image, known)
        if adversarial:
            seen = self._seen(sample, made.composite)
            judged = [self._judged(name, picture).mean() for name, picture in seen.items()]
            terms["gan"] = -self.weights["gan"] * torch.stack(judged).sum()
        return terms

    def judge_losses(self, sample: Sample, made: Made, phase: str) -> dict[str, Tensor]:
        real, fake = self._seen(sample, sample.image), self._seen(sample, made.composite)
        holes = self._seen(sample, sample.hole)
        share = shares(len(sample.image), sample.step, sample.image.device)
        found, gaps, penalties = {}, [], []
        for name, judge in self.judges.items():
            scores = self._judged(name, torch.cat([real[name], fake[name]])).chunk(2)
            # A slope of a slope is not for low precision.
            penalty = gradient_penalty(judge, real[name], fake[name], holes[name], share)
            gap = critic_loss(*scores)
            found[name] = gap + self.weights["penalty"] * penalty
            gaps.append(float(gap.detach()))
            penalties.append(float(penalty.detach()))
        self.notes = {"d_gap": -sum(gaps), "penalty": sum(penalties)}
        return found

    def _seen(self, sample: Sample, planes: Tensor) -> dict[str, Tensor]:
        """What each judge sees of N x C x H x W planes."""
        windows = part_windows(sample.hole, min(planes.shape[-2:]) // 2)
        return {"whole": planes, "part": parts(planes, windows)}

    def _judged(self, name: str, picture: Tensor) -> Tensor:
        with self.autocast():
            scores: Tensor = self.judges[name](picture)
        return scores.float()

    def filled(self, network: nn.Module, sample: Sample) -> tuple[Tensor, Tensor]:
        coarse, refined = network(sample.image, sample.hole)
        return coarse.clamp(-1, 1), refined.clamp(-1, 1)
