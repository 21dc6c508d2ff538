"""GAIN in training: l1 on picture and gradient map, each with a patch discriminator of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from autoremove.models.gain_gradient import gradient_of_picture, where_valid
from autoremove.models.sn_patchgan import SNPatchDiscriminator
from autoremove.training.gain_start import hand_on
from autoremove.training.inpainter_config import InpainterConfig
from autoremove.training.system import Made, Sample, System, weighted_l1


class GainSystem(System):
    """Both streams learn together: what the gradient map should be is computed from the picture.

    The authors give no weights of the losses: 1 for both l1, 0.1 (times ``gan_weight``) for both judges. Nor
    do they give the judges' layers: SN-PatchGAN twice. ``penalty``: weight of the judges' gradient penalty,
    which they name beside spectral normalisation; 10 as is usual for it, 0 leaves it out.
    """

    name = "gain"
    LOSSES: ClassVar[Mapping[str, float]] = {
        "l1": 1.0,
        "l1_gradient": 1.0,
        "gan": 0.1,
        "gan_gradient": 0.1,
        "penalty": 10.0,
    }

    def build_judges(self, config: InpainterConfig) -> dict[str, nn.Module]:
        """One sees a picture and its hole, the other a gradient map (x, y) and its hole."""
        base = config.discriminator_base
        return {"picture": SNPatchDiscriminator(4, base), "gradient": SNPatchDiscriminator(3, base)}

    def settle(self, sample: Sample) -> None:
        if self.network.config.skips and self.network.config.base > 2:
            hand_on(self.network)

    def forward(self, sample: Sample, phase: str) -> Made:
        with self.autocast():
            picture, gradient = self.run(sample.image, sample.hole)
        composite = picture * sample.hole + sample.image * (1 - sample.hole)
        return Made(composite, {"picture": picture, "gradient": gradient})

    def losses(self, sample: Sample, made: Made, phase: str, adversarial: bool) -> dict[str, Tensor]:
        errors = {
            "l1": weighted_l1(made.parts["picture"], sample.image, self._counts(sample.objects, sample)),
            # Next to an object its outline is part of the gradient: not to be learnt either.
            "l1_gradient": weighted_l1(
                made.parts["gradient"],
                gradient_of_picture(sample.image),
                self._counts(1 - where_valid(1 - sample.objects), sample),
            ),
        }
        terms = {name: self.weights[name] * error for name, error in errors.items()}
        if adversarial:
            for name, (_, fake, hole) in self._pairs(sample, made).items():
                term = "gan" if name == "picture" else "gan_gradient"
                weight = self.weights[term] * self.config.gan_weight
                terms[term] = -weight * self._judged(name, fake, hole).mean()
        return terms

    def judge_losses(self, sample: Sample, made: Made, phase: str) -> dict[str, Tensor]:
        losses = {}
        for name, (real, fake, hole) in self._pairs(sample, made).items():
            both = self._judged(name, torch.cat([real, fake]), torch.cat([hole, hole]))
            of_real, of_fake = both.chunk(2)
            loss = 0.5 * F.relu(1 - of_real).mean() + 0.5 * F.relu(1 + of_fake).mean()
            self.notes[f"d_{name}"] = float(loss.detach())
            if self.weights["penalty"] > 0:
                loss = loss + self.weights["penalty"] * self._penalty(name, real, fake, hole)
            losses[name] = loss
        return losses

    def _counts(self, left_out: Tensor, sample: Sample) -> Tensor:
        """How much each pixel counts, N x 1 x H x W: ``hole_weight`` in the hole (the authors' is 1)."""
        return (1 - left_out) * (1 + (self.config.hole_weight - 1) * sample.hole)

    def _pairs(self, sample: Sample, made: Made) -> dict[str, tuple[Tensor, Tensor, Tensor]]:
        """By judge: the real planes, the made ones within what is known, and their hole.

        The hole of the gradient map is wider by one pixel: there the known gradient would show what is in it.
        """
        real = gradient_of_picture(sample.image)
        wider = 1 - where_valid(1 - sample.hole)
        gradient = made.parts["gradient"] * wider + real * (1 - wider)
        return {"picture": (sample.image, made.composite, sample.hole), "gradient": (real, gradient, wider)}

    def _judged(self, name: str, planes: Tensor, hole: Tensor) -> Tensor:
        with self.autocast():
            scores: Tensor = self.judges[name](planes, hole)
        return scores.float()

    def _penalty(self, name: str, real: Tensor, fake: Tensor, hole: Tensor) -> Tensor:
        """(|gradient of the score| - 1)^2 in the hole between real and made (Gulrajani et al. 2017)."""
        share = torch.rand(len(real), 1, 1, 1, device=real.device)
        between = (real + share * (fake - real)).requires_grad_()
        score = self.judges[name](between, hole).mean(1).sum()
        (slope,) = torch.autograd.grad(score, between, create_graph=True)
        length = ((slope * hole).square().sum((1, 2, 3)) + 1e-12).sqrt()
        return (length - 1).square().mean()
