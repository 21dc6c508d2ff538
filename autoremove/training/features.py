"""Feature maps that perceptual and style losses compare: of VGG where its weights are at hand, or our own."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from autoremove.errors import UsageError, WeightsError
from autoremove.models import weights
from autoremove.models.checkpoints import load_state, sha256_of

FILES = {"vgg16": "vgg16-397923af.pth", "vgg19": "vgg19-dcbb9e9d.pth"}
"""torchvision's weights (ImageNet, BSD-3); the name holds the first digits of the sha256."""

DEPTHS = {"vgg16": (2, 2, 3, 3, 3), "vgg19": (2, 2, 4, 4, 4)}
"""Convolutions in each block of Simonyan and Zisserman's networks."""

WIDTHS = (64, 128, 256, 512, 512)

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

_log = logging.getLogger("autoremove")


class Features(nn.Module):
    """A frozen network that gives the feature maps of some of its layers.

    Called with N x 3 x H x W RGB in -1..1 it gives one N x C x H' x W' tensor for each layer asked for, in
    that order, differentiable with respect to the picture. ``origin``: "vgg16", "vgg19" or "detector".
    ``scale``: how the picture is brought to the range of a VGG: "imagenet" (0..1, then mean and deviation of
    ImageNet: partial convolution, SRGAN) or "unit" (0..1 alone: EdgeConnect). The detector always sees 0..1.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, parts: Sequence[nn.Module], taken: Sequence[int], origin: str, scale: str) -> None:
        super().__init__()
        self.parts = nn.ModuleList(parts)
        self.taken = tuple(taken)
        self.origin = origin
        self.scale = scale
        self.register_buffer("mean", torch.tensor(MEAN).view(3, 1, 1))
        self.register_buffer("deviation", torch.tensor(DEVIATION).view(3, 1, 1))
        self.requires_grad_(False)
        self.train(False)

    def train(self, mode: bool = True) -> Features:
        """Stays in evaluation mode, whatever network it is part of."""
        super().train(False)
        return self

    def forward(self, image: Tensor) -> list[Tensor]:
        planes = image.float() / 2 + 0.5
        if self.origin != "detector" and self.scale == "imagenet":
            planes = (planes - self.mean) / self.deviation
        found: dict[int, Tensor] = {}
        for position, part in enumerate(self.parts):
            planes = part(planes)
            if position in self.taken:
                found[position] = planes
        return [found[position] for position in self.taken]


def extractor(
    network: str, layers: Sequence[str], device: str | torch.device = "cpu", *, scale: str = "imagenet"
) -> Features:
    """Features of ``network`` ("vgg16" or "vgg19") at ``layers`` in the field's names, frozen.

    ``layers``: ``conv5_4`` (before its ReLU), ``relu1_1``, ``pool3`` ... ``scale``: see :class:`Features`.
    The weights are torchvision's file in the folder of ``AUTOREMOVE_WEIGHTS`` or in torch hub's; nothing is
    ever fetched. Without it the backbone of the embedded detector stands in, level by level: block b of VGG,
    which sees at 1/2^(b-1), becomes the detector's at 1/2^b, its first layer the convolution that halves and
    its later ones and its pool the block after. The log says so, and ``origin`` is "detector".
    Raises UsageError for an unknown network, layer or scale, WeightsError for a damaged file.
    """
    if network not in FILES:
        raise UsageError(f"There are no features of {network!r}.", hint=f"Take {' or '.join(FILES)}.")
    if scale not in ("imagenet", "unit"):
        raise UsageError(f"scale={scale!r} is neither 'imagenet' nor 'unit'.")
    places = [_place(network, layer) for layer in layers]
    path = vgg_file(network)
    found = _detector(places, scale) if path is None else _vgg(network, layers, path, scale)
    return found.to(device)


def vgg_file(network: str) -> Path | None:
    """torchvision's file of a VGG's weights where it is at hand; raises WeightsError for a damaged one."""
    hub = Path(torch.hub.get_dir()) / "checkpoints"
    for path in (weights.folder() / FILES[network], hub / FILES[network]):
        if path.is_file():
            prefix = path.stem.partition("-")[2]
            if not sha256_of(path).startswith(prefix):
                raise WeightsError(
                    f"{path} is damaged: its sha256 does not begin with {prefix}.",
                    hint="Delete it, or fetch it anew from torchvision's page of weights.",
                )
            return path
    return None


def _place(network: str, layer: str) -> tuple[int, int]:
    """Block, and convolution within it counted from one (0 for the pool), of a layer's name."""
    match = re.fullmatch(r"(?:(?:conv|relu)([1-5])_([1-4])|pool([1-5]))", layer)
    if match is None or (match[1] and int(match[2]) > DEPTHS[network][int(match[1]) - 1]):
        raise UsageError(f"{network} has no layer {layer!r}.", hint="Such as relu1_1, conv5_3 or pool3.")
    return int(match[1] or match[3]), int(match[2] or 0)


def _vgg(network: str, layers: Sequence[str], path: Path, scale: str) -> Features:
    names, parts = zip(*_vgg_parts(network), strict=True)
    taken = [names.index(layer) for layer in layers]
    used = nn.Sequential(*parts[: max(taken) + 1])
    state = load_state(path)
    keys = used.state_dict()
    missing = [f"features.{key}" for key in keys if f"features.{key}" not in state]
    if missing:
        raise WeightsError(f"{path} holds no {network}: it has no {missing[0]}.")
    used.load_state_dict({key: state[f"features.{key}"] for key in keys})
    return Features(list(used), taken, network, scale)


def _vgg_parts(network: str) -> Iterator[tuple[str, nn.Module]]:
    inputs = 3
    for block, (depth, width) in enumerate(zip(DEPTHS[network], WIDTHS, strict=True), 1):
        for number in range(1, depth + 1):
            yield f"conv{block}_{number}", nn.Conv2d(inputs, width, 3, padding=1)
            yield f"relu{block}_{number}", nn.ReLU()  # not in place: what comes before may be asked for
            inputs = width
        yield f"pool{block}", nn.MaxPool2d(2, 2)


def _detector(places: Sequence[tuple[int, int]], scale: str) -> Features:
    from autoremove.models.yolo import load_detector

    _log.warning(
        "No VGG weights at hand (none is fetched silently): perceptual and style losses compare features of "
        "the embedded detector's backbone."
    )
    detector = load_detector(weights.resolve("embedded", "detector", download=False))
    # Two layers at each of 1/2, 1/4 ... 1/32: a convolution that halves, then a block (none after the first).
    taken = [max(0, 2 * (block - 1) - (number == 1)) for block, number in places]
    parts: list[nn.Module] = list(detector.network.model)[: max(taken) + 1]  # type: ignore[arg-type]
    return Features(parts, taken, "detector", scale)
