"""EdgeConnect in training (Nazeri et al. 2019): edges, colours after true and completed edges, both."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from autoremove.errors import UsageError
from autoremove.models.edgeconnect import EdgeConnect, known_edges, luma_of
from autoremove.models.edgeconnect_judges import PatchJudge
from autoremove.training.inpainter_config import InpainterConfig
from autoremove.training.perceptual_losses import perceptual, style
from autoremove.training.system import Made, Sample, System, weighted_l1

PHASES = ("edges", "colours", "both", "joint")

PERCEPTUAL = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
STYLE = ("relu2_2", "relu3_4", "relu4_4", "relu5_2")

Comparison = Callable[[Sequence[Tensor], Sequence[Tensor]], Tensor]


class EdgeConnectSystem(System):
    """Two generators and two judges, in four phases.

    ``edges``: the edge generator alone. ``colours``: the completion generator after the picture's own edges.
    ``both``: the same after completed edges inside the hole, which it can no longer trust. ``joint``: both,
    end to end, with the completion generator's judge alone.

    ``edge_bce`` is not in the paper: cross-entropy with the true edges, for which a pixel is the chance that
    an edge is there. It teaches the edge generator where its judge has no say, or too little time.
    """

    name = "edgeconnect"
    LOSSES: ClassVar[Mapping[str, float]] = {
        "edge_gan": 1.0,
        "edge_features": 10.0,
        "edge_bce": 0.0,
        "l1": 1.0,
        "gan": 0.1,
        "perceptual": 0.1,
        "style": 250.0,
    }

    def __init__(self, config: InpainterConfig, network: Any = None) -> None:
        super().__init__(config, network)
        if unknown := {stage.phase for stage in config.stages} - set(PHASES):
            raise UsageError(
                f"edgeconnect has no phase {', '.join(map(repr, sorted(unknown)))}.",
                hint=f"Give every stage one of {', '.join(PHASES)}.",
            )
        self._features: dict[tuple[str, ...], Callable[[Tensor], list[Tensor]]] = {}

    def build_judges(self, config: InpainterConfig) -> dict[str, nn.Module]:
        base = config.discriminator_base
        return {"edges": PatchJudge(2, base), "colours": PatchJudge(3, base)}

    def learning(self, phase: str) -> Iterable[nn.Parameter]:
        parts = {"edges": self.network.edges, "joint": self.network}
        parameters: Iterable[nn.Parameter] = parts.get(phase, self.network.colours).parameters()
        return parameters

    def begin(self, phase: str) -> None:
        # A generator that only serves keeps the spectral norms it has.
        self.network.edges.train(phase in ("edges", "joint"))

    def forward(self, sample: Sample, phase: str) -> Made:
        true = known_edges(sample.image, None, _sigma(self.network, sample.step))
        parts = {"true": true}
        edges = true
        if phase != "colours":
            with self.autocast(), torch.set_grad_enabled(phase in ("edges", "joint")):
                logits = self.network.edge_logits(luma_of(sample.image), true, sample.hole).float()
            parts |= {"logits": logits, "edges": torch.sigmoid(logits)}
            edges = parts["edges"] * sample.hole + true * (1 - sample.hole)
        if phase == "edges":  # nothing is coloured yet: the hole shows its edges
            painted = (edges * 2 - 1).expand_as(sample.image)
        else:
            with self.autocast():
                painted = parts["painted"] = self.network.coloured(sample.image, edges, sample.hole)
        return Made(painted * sample.hole + sample.image * (1 - sample.hole), parts)

    def losses(self, sample: Sample, made: Made, phase: str, adversarial: bool) -> dict[str, Tensor]:
        weights, terms = dict(self.weights), {}
        if phase in ("edges", "joint"):
            terms["edge_bce"] = weighted_bce(made.parts["logits"], made.parts["true"], self._weight(sample))
        if phase == "edges" and adversarial:
            terms |= self._edge_terms(sample, made)
        elif phase == "edges":  # without a judge nothing else tells what an edge is
            weights["edge_bce"] = weights["edge_bce"] or 1.0
        if phase != "edges":
            terms |= self._colour_terms(sample, made, adversarial)
        return {name: weights[name] * term for name, term in terms.items() if weights[name]}

    def _edge_terms(self, sample: Sample, made: Made) -> dict[str, Tensor]:
        luma = luma_of(sample.image)
        with torch.no_grad():
            seen = self._judged("edges", torch.cat([luma, made.parts["true"]], 1))[1]
        scores, features = self._judged("edges", torch.cat([luma, made.parts["edges"]], 1))
        gan = self.config.gan_weight * _called(scores, real=True)
        return {"edge_gan": gan, "edge_features": perceptual(features, seen)}

    def _colour_terms(self, sample: Sample, made: Made, adversarial: bool) -> dict[str, Tensor]:
        painted, image, hole = made.parts["painted"], sample.image, sample.hole
        # Halved, for the authors count in 0..1; a small hole counts as much as a large one.
        terms = {"l1": weighted_l1(painted, image, self._weight(sample)) / 2 / hole.mean().clamp(min=0.01)}
        own = painted * (1 - sample.objects) + image * sample.objects
        if self.weights["perceptual"]:
            terms["perceptual"] = self._compared(PERCEPTUAL, perceptual, own, image)
        if self.weights["style"]:
            terms["style"] = self._compared(STYLE, style, _hole_alone(own, hole), _hole_alone(image, hole))
        if adversarial and self.weights["gan"]:
            scores = self._judged("colours", painted / 2 + 0.5)[0]
            terms["gan"] = self.config.gan_weight * _called(scores, real=True)
        return terms

    def _weight(self, sample: Sample) -> Tensor:
        """How much each pixel counts."""
        return (1 - sample.objects) * (1 + (self.config.hole_weight - 1) * sample.hole)

    def _compared(self, layers: tuple[str, ...], loss: Comparison, made: Tensor, true: Tensor) -> Tensor:
        """A loss between the features of two pictures."""
        if layers not in self._features:
            # What it needs is only loaded where these losses count.
            from autoremove.training.features import extractor

            self._features[layers] = extractor("vgg19", layers, made.device, scale="unit")
        features = self._features[layers]
        with torch.no_grad():
            wanted = features(true)
        return loss(features(made), wanted)

    def judge_losses(self, sample: Sample, made: Made, phase: str) -> dict[str, Tensor]:
        if phase == "edges":
            luma = luma_of(sample.image)
            pair = torch.cat([luma, made.parts["true"]], 1), torch.cat([luma, made.parts["edges"]], 1)
        else:
            pair = sample.image / 2 + 0.5, made.parts["painted"] / 2 + 0.5
        name = "edges" if phase == "edges" else "colours"
        real, fake = self._judged(name, torch.cat(pair))[0].chunk(2)
        self.notes = {"d_gap": float((torch.sigmoid(real).mean() - torch.sigmoid(fake).mean()).detach())}
        return {name: (_called(real, real=True) + _called(fake, real=False)) / 2}

    def _judged(self, name: str, planes: Tensor) -> tuple[Tensor, list[Tensor]]:
        with self.autocast():
            scores, features = self.judges[name](planes)
        return scores.float(), [plane.float() for plane in features]

    def filled(self, network: EdgeConnect, sample: Sample) -> tuple[Tensor, Tensor]:
        edges, painted = network.drawn(sample.image, sample.hole, sample.sketch)
        return (edges * 2 - 1).expand_as(painted), painted


def weighted_bce(logits: Tensor, edges: Tensor, weight: Tensor) -> Tensor:
    """Mean cross-entropy, each pixel counted by ``weight``; all N x 1 x H x W."""
    wrong = F.binary_cross_entropy_with_logits(logits, edges, reduction="none")
    return (wrong * weight).sum() / weight.sum().clamp(min=1)


def _called(scores: Tensor, *, real: bool) -> Tensor:
    """Cross-entropy of a judge's scores against one verdict for all of them."""
    return F.binary_cross_entropy_with_logits(scores, torch.full_like(scores, float(real)))


def _hole_alone(image: Tensor, hole: Tensor) -> Tensor:
    """The hole alone, on black."""
    return (image + 1) * hole - 1


def _sigma(network: EdgeConnect, step: int) -> float:
    """The smoothing of a step: the network's own, or for 0 any of those that are usual."""
    return network.config.sigma or float(np.random.default_rng(step).uniform(1.0, 4.0))
