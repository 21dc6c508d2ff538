"""Partial convolution: a U-Net whose convolutions see known pixels alone, and tell the next which those are.

Liu et al., "Image Inpainting for Irregular Holes Using Partial Convolutions" (ECCV 2018).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

ARCHITECTURE = "autoremove/partialconv"

CONVENTIONS = ("signed", "signed_bgr", "imagenet")
RATIOS = ("window", "sum")

_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class PartialConvConfig:
    """Everything that decides what the network computes; the defaults are the paper's at 512 x 512.

    ``base``: channels of the first level, doubled by each until ``widest``. ``levels``: how often the picture
    is halved; 8 in the paper, 7 in the public networks for 256 x 256. ``first_bias``: whether the first
    convolution has a bias, as mmagic's has. ``ratio``: a window's sum is scaled by window / known ("window",
    the paper) or by 1 / known ("sum", naoto0804, where batch norm evens it out). ``convention``: what the
    network itself sees and gives: RGB in -1..1 ("signed"), the same as BGR ("signed_bgr", mmagic), or 0..1
    less the mean, by the deviation of ImageNet ("imagenet", naoto0804).
    """

    base: int = 64
    widest: int = 512
    levels: int = 8
    first_bias: bool = False
    ratio: str = "window"
    convention: str = "signed"

    def __post_init__(self) -> None:
        if self.ratio not in RATIOS or self.convention not in CONVENTIONS:
            raise ValueError(f"ratio={self.ratio!r}, convention={self.convention!r}: not one of ours")
        if self.levels < 2 or self.base < 1:
            raise ValueError(f"levels={self.levels}, base={self.base}: too few")

    @property
    def widths(self) -> list[int]:
        """Channels after each level of the encoder."""
        return [min(self.base << level, max(self.base, self.widest)) for level in range(self.levels)]


class PartialConv2d(nn.Conv2d):
    """A convolution over known places alone: W (X M) sum(1) / sum(M) + b, and 0 where none is known.

    features: N x C x H x W; mask: 1 = known, with one channel for all features, one for each, or one for each
    group of ``shares`` channels, which counts as often as it has channels. The border counts as hole.
    ``zeroed``: the features that come are 0 wherever nothing is known, and need not be made so again.
    Returns the result and N x 1 x H' x W', 1 = at least one known place in the window.
    """

    box: Tensor

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        *,
        stride: int = 1,
        padding: int | None = None,
        dilation: int = 1,
        bias: bool = True,
        shares: Sequence[int] | None = None,
        ratio: str = "window",
        zeroed: bool = False,
    ) -> None:
        reach = dilation * (kernel - 1) // 2 if padding is None else padding
        super().__init__(inputs, outputs, kernel, stride, reach, dilation, bias=bias)
        self.shares = tuple(shares or (inputs,))
        if sum(self.shares) != inputs:
            raise ValueError(f"shares {self.shares} do not add up to {inputs} channels")
        self.zeroed = zeroed
        self.scale = float(inputs * kernel * kernel) if ratio == "window" else 1.0
        box = torch.tensor(self.shares, dtype=torch.float32).view(1, -1, 1, 1)
        self.register_buffer("box", box.repeat(1, 1, kernel, kernel), persistent=False)
        nn.init.kaiming_normal_(self.weight)
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    def forward(self, features: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        ratio, known = self._ratio(mask)
        # The bias joins after scaling, so the convolution goes without.
        out = self._conv_forward(self._covered(features, mask), self.weight, None) * ratio
        if self.bias is not None:
            out = out + self.bias.view(-1, 1, 1) * known
        return out, known

    def _covered(self, features: Tensor, mask: Tensor) -> Tensor:
        if self.zeroed:
            return features
        if mask.shape[1] in (1, features.shape[1]):
            return features * mask
        parts = zip(torch.split(features, list(self.shares), 1), torch.split(mask, 1, 1), strict=True)
        return torch.cat([part * known for part, known in parts], 1)

    @torch.no_grad()
    def _ratio(self, mask: Tensor) -> tuple[Tensor, Tensor]:
        """What to scale by, and where anything is known at all; N x 1 x H' x W' both."""
        box = self.box
        if mask.shape[1] != box.shape[1]:
            channels = mask.shape[1]
            if channels not in (1, self.in_channels):
                raise ValueError(f"a mask of {channels} channels fits no features of {self.in_channels}")
            share = self.in_channels / channels
            box = torch.full((1, channels, *self.kernel_size), share, device=mask.device)
        with torch.autocast(mask.device.type, enabled=False):  # thousands are counted: too many for 16 bits
            count = F.conv2d(mask.float(), box, None, self.stride, self.padding, self.dilation)
        known = (count > 0.5).float()
        return self.scale / count.clamp(min=1) * known, known


class Level(nn.Module):
    """Partial convolution, batch norm and activation; one step of the encoder or the decoder."""

    def __init__(self, conv: PartialConv2d, norm: bool, slope: float | None) -> None:
        super().__init__()
        self.conv = conv
        self.norm = nn.BatchNorm2d(conv.out_channels) if norm else None
        self.slope = slope

    def forward(self, features: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        features, mask = self.conv(features, mask)
        if self.slope is not None:
            features = F.leaky_relu(features if self.norm is None else self.norm(features), self.slope)
        # Batch norm also moves what is not known; without it the convolution has left zeros there.
        return features if self.norm is None else features * mask, mask


class PartialConvUNet(nn.Module):
    """The U-Net of Liu et al.: known pixels are all it sees, at every level.

    ``encoder[i]`` halves the picture for the (i+1)-th time, ``decoder[i]`` doubles it back. Any size goes: an
    odd one is halved upwards and its doubling cut, so that the border counts as hole at each level.
    """

    def __init__(self, config: PartialConvConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or PartialConvConfig()
        widths = config.widths
        self.encoder = nn.ModuleList()
        self.decoder = nn.ModuleList()
        for i, (inputs, outputs) in enumerate(zip([3, *widths], widths, strict=False)):
            first = i == 0
            conv = PartialConv2d(
                inputs,
                outputs,
                7 if first else 5 if i < 3 else 3,
                stride=2,
                bias=first and config.first_bias,
                ratio=config.ratio,
                zeroed=True,
            )
            self.encoder.append(Level(conv, norm=not first, slope=0.0))
            both = (outputs, inputs)
            conv = PartialConv2d(
                sum(both), inputs, 3, bias=first, shares=both, ratio=config.ratio, zeroed=True
            )
            self.decoder.append(Level(conv, norm=not first, slope=None if first else 0.2))
        last: Any = self.decoder[0]
        nn.init.normal_(last.conv.weight, std=0.01)  # begins near grey, not with noise as loud as a picture

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        """The network's own picture everywhere, N x 3 x H x W RGB about -1..1, not clamped.

        image: N x 3 x H x W RGB in -1..1; what it holds in the hole is not looked at. mask: N x 1 x H x W,
        1 = hole. Paste with ``picture * mask + image * (1 - mask)``.
        """
        known = 1 - mask.to(image.dtype)
        features = self._inward(image) * known
        above: list[tuple[Tensor, Tensor]] = []
        for level in self.encoder:
            above.append((features, known))
            features, known = level(features, known)
        for level in reversed(self.decoder):
            passed, passed_known = above.pop()
            both = torch.cat([_doubled(features, passed), passed], 1)
            features, known = level(both, torch.cat([_doubled(known, passed), passed_known], 1))
        return self._outward(features)

    @torch.inference_mode()
    def raw(self, image: Tensor, mask: Tensor) -> Tensor:
        """The network's own picture everywhere, N x 3 x H x W in -1..1. Arguments as in :meth:`fill`."""
        picture: Tensor = self(image.float(), (mask > 0.5).float())
        return picture.float().clamp(-1, 1).to(image.dtype)

    @torch.inference_mode()
    def fill(self, image: Tensor, mask: Tensor) -> Tensor:
        """The picture with its hole filled; outside the hole it is ``image`` bit for bit.

        image: N x 3 x H x W RGB in -1..1, H and W at least 8. mask: N x 1 x H x W, 1 = hole.
        """
        return torch.where(mask > 0.5, self.raw(image, mask), image)

    def peak_bytes(self, size_hw: tuple[int, int]) -> int:
        """Roughly the most memory that filling one picture of this size takes, without the weights."""
        # The last convolution is the widest: it takes the features doubled, then joined with the picture.
        floats = 3.5 * self.config.base + 32
        return int(4 * floats * size_hw[0] * size_hw[1])

    def encoder_norms(self) -> list[nn.BatchNorm2d]:
        """The batch norms that the second phase of training freezes."""
        return [module for module in self.encoder.modules() if isinstance(module, nn.BatchNorm2d)]

    def _inward(self, image: Tensor) -> Tensor:
        if self.config.convention == "imagenet":
            mean, deviation = _imagenet(image)
            return (image / 2 + 0.5 - mean) / deviation
        return image.flip(1) if self.config.convention == "signed_bgr" else image

    def _outward(self, picture: Tensor) -> Tensor:
        if self.config.convention == "imagenet":
            mean, deviation = _imagenet(picture)
            return (picture * deviation + mean) * 2 - 1
        return picture.flip(1) if self.config.convention == "signed_bgr" else picture


def build(config: Mapping[str, Any]) -> PartialConvUNet:
    """An untrained network from the fields of :class:`PartialConvConfig`."""
    return PartialConvUNet(PartialConvConfig(**config))


def recognises(state: Any) -> bool:
    """Whether a checkpoint is a public one of this network; see :mod:`partialconv_checkpoints`."""
    from autoremove.models import partialconv_checkpoints

    return partialconv_checkpoints.recognises(state)


def from_checkpoint(state: Any) -> PartialConvUNet:
    """A network from a public checkpoint; see :mod:`partialconv_checkpoints`. Raises WeightsError."""
    # The tables of foreign names are built on this file, so they can only be asked for here.
    from autoremove.models import partialconv_checkpoints

    return partialconv_checkpoints.from_checkpoint(state)


def _imagenet(like: Tensor) -> tuple[Tensor, Tensor]:
    mean, deviation = (like.new_tensor(values).view(3, 1, 1) for values in (_MEAN, _DEVIATION))
    return mean, deviation


def _doubled(planes: Tensor, like: Tensor) -> Tensor:
    """Twice the size by repeating, cut to the size of another."""
    doubled = F.interpolate(planes, scale_factor=2, mode="nearest")
    return doubled[..., : like.shape[-2], : like.shape[-1]]
