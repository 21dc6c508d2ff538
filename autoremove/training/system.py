"""What differs between the networks in training: how each computes, what it pays for, who judges it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from torch import Tensor, nn

from autoremove.errors import UsageError, WeightsError
from autoremove.models import cache, network_files
from autoremove.models.families import NETWORKS
from autoremove.training.inpainter_config import InpainterConfig
from autoremove.types import Image


class Sample(NamedTuple):
    """A batch to learn from.

    image: N x 3 x H x W RGB in -1..1. hole, objects: N x 1 x H x W, 1 = to fill, 1 = not to be learnt from.
    sketch: N x 1 x H x W, 1 = a line in the hole, for networks that take lines. step: number of the step.
    """

    image: Tensor
    hole: Tensor
    objects: Tensor
    sketch: Tensor | None = None
    step: int = 0


class Made(NamedTuple):
    """What a network makes of a sample: the picture as a user would get it, and what its losses need."""

    composite: Tensor
    parts: dict[str, Tensor] = {}  # noqa: RUF012 - never changed

    def detached(self) -> Made:
        """The same without a way back for gradients."""
        return Made(self.composite.detach(), {name: part.detach() for name, part in self.parts.items()})


class System:
    """One network under training. The schedule, optimisers, average and checkpoints are the task's.

    ``LOSSES``: the terms of its loss with their weights; ``losses`` of the settings overrides single ones.
    ``phase`` in the methods is the word that the settings give to the stage in force.
    """

    name: ClassVar[str]
    LOSSES: ClassVar[Mapping[str, float]] = {}

    figures: Callable[[Any, list[Image]], dict[str, float]] | None = None
    """Figures of a network on held-out pictures, with ``score``, where it does not fill holes."""
    sheet: Callable[[Any, list[Image]], Image] | None = None
    """A sheet of samples of such a network."""

    def __init__(self, config: InpainterConfig, network: Any = None) -> None:
        self.config = config
        if unknown := sorted(set(config.losses) - set(self.LOSSES)):
            known = ", ".join(self.LOSSES) or "none"
            raise UsageError(f"{self.name} has no loss {', '.join(unknown)}.", hint=f"It has: {known}.")
        self.weights = {**self.LOSSES, **config.losses}
        self.network: Any = network or (self.started(config) if config.start else self.build(config))
        self.judges: dict[str, nn.Module] = self.build_judges(config)
        self.run: Any = self.network
        """The network as it is to be called in training: compiled, if that is asked for."""
        self.autocast: Callable[[], AbstractContextManager[Any]] = nullcontext
        """Around what may be computed in lower precision."""
        self.notes: dict[str, float] = {}
        """What is worth logging of a step beside its losses."""

    def started(self, config: InpainterConfig) -> Any:
        """The network of ``config.start``, a file or a name. Raises WeightsError."""
        assert config.start is not None
        try:
            return cache.load(NETWORKS[self.name].kind, config.start)
        except WeightsError as error:
            raise WeightsError(f"start={config.start}: {error.message}", hint=error.hint) from error

    def build(self, config: InpainterConfig) -> Any:
        """A new network, as ``config.build`` says."""
        return NETWORKS[self.name].load().build(dict(config.build))

    @classmethod
    def rebuilt(cls, noted: dict[str, Any]) -> Any:
        """A network such as a checkpoint was written with, its weights still to be loaded."""
        return NETWORKS[cls.name].load().build(noted)

    def build_judges(self, config: InpainterConfig) -> dict[str, nn.Module]:
        """The discriminators by name."""
        return {}

    def settle(self, sample: Sample) -> None:
        """Set the initial weights of a new network with the help of a sample; none needs to."""

    def begin(self, phase: str) -> None:
        """Called before every step, e.g. to keep a part of the network in evaluation mode."""

    def learning(self, phase: str) -> Iterable[nn.Parameter]:
        """The parameters of the network that learn in a phase; none: only the judges do."""
        parameters: Iterable[nn.Parameter] = self.network.parameters()
        return parameters

    def judging(self, phase: str, progress: float) -> bool:
        """Whether the judges learn and have their say."""
        return bool(self.judges) and progress >= self.config.gan_from and self.config.gan_weight > 0

    def forward(self, sample: Sample, phase: str) -> Made:
        """What the network makes of a sample, with gradients."""
        raise NotImplementedError

    def losses(self, sample: Sample, made: Made, phase: str, adversarial: bool) -> dict[str, Tensor]:
        """The terms of the network's loss, weighted; their sum is minimised."""
        raise NotImplementedError

    def judge_losses(self, sample: Sample, made: Made, phase: str) -> dict[str, Tensor]:
        """The loss of each judge by its name; ``made`` leads no gradient back."""
        return {}

    def filled(self, network: Any, sample: Sample) -> tuple[Tensor, Tensor]:
        """The coarse and the final picture of a network (the averaged one), N x 3 x H x W in -1..1."""
        picture: Tensor = network.raw(sample.image, sample.hole)
        return picture, picture

    def export(self, network: Any, path: Path, metadata: Mapping[str, str]) -> None:
        """Write a network's weights as they are shipped."""
        network_files.save_network(network, path, metadata)


SYSTEMS: dict[str, str] = {
    "deepfillv2": "deepfillv2:DeepFillV2System",
    "edgeconnect": "edgeconnect:EdgeConnectSystem",
    "partialconv": "partialconv:PartialConvSystem",
    "gain": "gain:GainSystem",
    "deepfillv1": "deepfillv1:DeepFillV1System",
    "glcic": "glcic:GlcicSystem",
    "srgan": "srgan:SrganSystem",
}
"""Network to module and class below ``training.systems``."""


def system_of(network: str) -> type[System]:
    """The system of a network. Raises UsageError for a name that is not known."""
    if network not in SYSTEMS:
        raise UsageError(f"No network {network!r} can be trained.", hint=f"Known: {', '.join(SYSTEMS)}.")
    module, _, name = SYSTEMS[network].partition(":")
    found: type[System] = getattr(import_module(f"autoremove.training.systems.{module}"), name)
    return found


def weighted_l1(output: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Mean absolute error, each pixel counted by ``weight`` (N x 1 x H x W)."""
    return ((output - target).abs() * weight).sum() / (weight.sum() * output.shape[1]).clamp(min=1)
