"""SRResNet, the generator of SRGAN, which makes a picture four times as large, and its discriminator."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from autoremove.errors import WeightsError

ARCHITECTURE = "autoremove/srgan"

SCALE = 4
"""What comes out is so many times as high and as wide."""

WRAPPINGS = ("state_dict", "ema_state_dict", "params_ema", "params", "generator")
"""Names under which checkpoints keep the weights beside other things."""

PREFIXES = ("module.", "_orig_mod.", "generator.")


@dataclass(frozen=True)
class SRGANConfig:
    """The shape of the network; without arguments it is the paper's in the public spelling.

    ``width``: channels. ``blocks``: residual blocks. ``outer_kernel``: side of the first and the last
    convolution. ``norm``: batch norm in the trunk, else biases. ``direct``: the last convolution works on
    the small picture and gives all 16 places of each pixel at once (Shi et al. 2016), instead of two steps
    of twice the size: several times cheaper. ``bicubic_skip``: the network gives what a bicubic enlargement
    lacks, so that it begins as good as that one. The last three are ours, for a network that has to learn
    within minutes on a CPU; batch norm needs large batches and hardly helps here (Lim et al. 2017).
    """

    width: int = 64
    blocks: int = 16
    outer_kernel: int = 9
    norm: bool = True
    direct: bool = False
    bicubic_skip: bool = False


class ResidualBlock(nn.Module):
    """Two convolutions whose result is added to what came in."""

    def __init__(self, width: int, norm: bool) -> None:
        super().__init__()
        self.rcb = nn.Sequential(
            *_convolution(width, norm),
            nn.PReLU(),
            *_convolution(width, norm),
        )

    def forward(self, features: Tensor) -> Tensor:
        added: Tensor = features + self.rcb(features)
        return added


class UpsampleBlock(nn.Module):
    """Twice the size by sub-pixel convolution (Shi et al. 2016)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.upsample_block = nn.Sequential(
            nn.Conv2d(width, 4 * width, 3, padding=1), nn.PixelShuffle(2), nn.PReLU()
        )

    def forward(self, features: Tensor) -> Tensor:
        enlarged: Tensor = self.upsample_block(features)
        return enlarged


class SRResNet(nn.Module):
    """Generator of "Photo-Realistic Single Image Super-Resolution Using a GAN" (Ledig et al. 2017).

    1,547,350 parameters by default; parameter names are those of the public checkpoints.
    """

    def __init__(self, config: SRGANConfig | None = None) -> None:
        super().__init__()
        self.config = config or SRGANConfig()
        width, kernel = self.config.width, self.config.outer_kernel
        outputs = 3 * SCALE**2 if self.config.direct else 3
        self.conv1 = nn.Sequential(nn.Conv2d(3, width, kernel, padding=kernel // 2), nn.PReLU())
        self.trunk = nn.Sequential(
            *(ResidualBlock(width, self.config.norm) for _ in range(self.config.blocks))
        )
        self.conv2 = nn.Sequential(*_convolution(width, self.config.norm))
        self.upsampling = nn.Sequential(
            *(UpsampleBlock(width) for _ in range(0 if self.config.direct else 2))
        )
        self.conv3 = nn.Conv2d(width, outputs, kernel, padding=kernel // 2)
        self._start()

    @torch.no_grad()
    def _start(self) -> None:
        """Spread that passes through; blocks begin near to nothing, the whole near to bicubic or to grey."""
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, a=0.25)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)
        if not self.config.norm:
            for block in self.trunk:
                block.rcb[3].weight.mul_(0.1)  # type: ignore[index, union-attr]
        self.conv3.weight.mul_(0.05 if self.config.bicubic_skip else 0.2)
        nn.init.constant_(self.conv3.bias, 0.0 if self.config.bicubic_skip else 0.5)  # type: ignore[arg-type]

    def forward(self, low: Tensor) -> Tensor:
        """N x 3 x H x W RGB in -1..1 -> N x 3 x 4H x 4W, about -1..1, not clamped."""
        unit = low / 2 + 0.5
        first = self.conv1(unit)
        features = self.upsampling(first + self.conv2(self.trunk(first)))
        high = self.conv3(features)
        if self.config.direct:
            high = F.pixel_shuffle(high, SCALE)
        if self.config.bicubic_skip:
            high = high + bicubic(unit, SCALE)
        signed: Tensor = high * 2 - 1
        return signed

    def upscale(self, image: Tensor, *, tile: int | None = None, overlap: int | None = None) -> Tensor:
        """N x 3 x H x W RGB in -1..1 -> N x 3 x 4H x 4W in -1..1, without gradients, in evaluation mode.

        Large pictures go through in tiles of ``tile`` pixels (None: as many as memory has room for) that see
        ``overlap`` pixels of their neighbours (None: all that decides their pixels, so that the result is
        that of the whole picture but for rounding).
        """
        from autoremove.models import srgan_tiles

        return srgan_tiles.upscaled(self, image, tile=tile, overlap=overlap)

    @property
    def reach(self) -> int:
        """How many pixels away from it a pixel of the small picture still has a say."""
        outer = self.config.outer_kernel // 2
        last = outer if self.config.direct else 2 + -(-outer // SCALE)
        return max(outer + 2 * self.config.blocks + 1 + last, 3)

    def peak_bytes(self, size_hw: tuple[int, int]) -> int:
        """Rough bytes of memory to enlarge one picture of that size in one piece."""
        width = self.config.width
        small, large = 6 * width, 0 if self.config.direct else 3 * SCALE**2 * width
        return 4 * size_hw[0] * size_hw[1] * (small + large + 8 * 3 * SCALE**2)


class Discriminator(nn.Module):
    """Tells true pictures from enlarged ones: 23,563,649 parameters at full width, for crops of 96 pixels.

    N x 3 x H x W in -1..1 -> N x 1, above 0 for true ones (no sigmoid). Crops of other sizes are averaged to
    the 6 x 6 places that those of 96 pixels have.
    """

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(3, width, 3, padding=1), nn.LeakyReLU(0.2)]
        inputs = width
        for factor, stride in ((1, 2), (2, 1), (2, 2), (4, 1), (4, 2), (8, 1), (8, 2)):
            outputs = factor * width
            convolution = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
            layers += [convolution, nn.BatchNorm2d(outputs), nn.LeakyReLU(0.2)]
            inputs = outputs
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(
            nn.Linear(inputs * 36, 16 * width), nn.LeakyReLU(0.2), nn.Linear(16 * width, 1)
        )

    def forward(self, image: Tensor) -> Tensor:
        features = F.adaptive_avg_pool2d(self.features(image / 2 + 0.5), 6)
        scores: Tensor = self.classifier(features.flatten(1))
        return scores


def bicubic(image: Tensor, scale: float) -> Tensor:
    """N x C x H x W at ``scale`` times its size by the cubic of the field (a = -0.5), antialiased if smaller.

    As MATLAB's ``imresize`` and Pillow do it, but for the pixels next to the border; not clamped.
    """
    size = [max(1, round(side * scale)) for side in image.shape[-2:]]
    return F.interpolate(image, size=size, mode="bicubic", align_corners=False, antialias=True)


def build(config: Mapping[str, Any]) -> SRResNet:
    """A network from the fields of :class:`SRGANConfig`."""
    return SRResNet(SRGANConfig(**config))


def recognises(state: Mapping[str, Any]) -> bool:
    """Whether a checkpoint holds an SRResNet in the public spelling."""
    return "trunk.0.rcb.0.weight" in _tensors(state)


def from_checkpoint(state: Mapping[str, Any]) -> SRResNet:
    """The generator of a public checkpoint (``SRResNet_x4-ImageNet``, ``SRGAN_x4-ImageNet``), its width told
    by its shapes.

    Known with or without ``module.`` before the names, and inside ``{"state_dict": ...}``. Raises
    WeightsError for another network, naming keys that are missing, unexpected or of another shape.
    """
    tensors = _tensors(state)
    if "trunk.0.rcb.0.weight" not in tensors or "conv1.0.weight" not in tensors:
        raise WeightsError(
            "This is no checkpoint of SRResNet: it has no trunk.0.rcb.0.weight.",
            hint="Known are SRResNet_x4-ImageNet.pth.tar and SRGAN_x4-ImageNet.pth.tar, and our own.",
        )
    network = SRResNet(_config(tensors))
    _verify(tensors, network.state_dict())
    network.load_state_dict({key: tensors.get(key, value) for key, value in network.state_dict().items()})
    return network.eval()


def _convolution(width: int, norm: bool) -> tuple[nn.Module, nn.Module]:
    """A 3 x 3 convolution and its batch norm; without one it has a bias instead."""
    return (
        nn.Conv2d(width, width, 3, padding=1, bias=not norm),
        nn.BatchNorm2d(width) if norm else nn.Identity(),
    )


def _tensors(state: Mapping[str, Any]) -> dict[str, Tensor]:
    """The weights of a checkpoint under their plain names."""
    for name in WRAPPINGS:
        inner = state.get(name)
        if isinstance(inner, Mapping):
            return _tensors(inner)
    named = {str(key): value for key, value in state.items() if isinstance(value, Tensor)}
    for prefix in PREFIXES:
        if named and all(key.startswith(prefix) for key in named):
            named = {key.removeprefix(prefix): value for key, value in named.items()}
    return named


def _config(tensors: Mapping[str, Tensor]) -> SRGANConfig:
    numbers = [int(found[1]) for key in tensors if (found := re.match(r"trunk\.(\d+)\.", key))]
    first, last = tensors["conv1.0.weight"], tensors.get("conv3.weight")
    return SRGANConfig(
        width=int(first.shape[0]),
        blocks=max(numbers) + 1,
        outer_kernel=int(first.shape[-1]),
        norm="trunk.0.rcb.1.weight" in tensors,
        direct=last is not None and last.shape[0] == 3 * SCALE**2,
    )


def _verify(tensors: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> None:
    """Raises WeightsError unless a checkpoint has all that the network needs and nothing else."""
    wrong = {
        "missing": [k for k in own if k not in tensors and not k.endswith("num_batches_tracked")],
        "unexpected": [k for k in tensors if k not in own],
        "of another shape": [k for k in own if k in tensors and tensors[k].shape != own[k].shape],
    }
    parts = [
        f"{what}: {', '.join(names[:4])}{' ...' if len(names) > 4 else ''}"
        for what, names in wrong.items()
        if names
    ]
    if parts:
        raise WeightsError(
            f"The checkpoint does not fit SRResNet x4 ({'; '.join(parts)}).",
            hint="Networks for other scales and of other projects are not known.",
        )
