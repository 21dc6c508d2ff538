"""The parts of GAIN: partial convolutions on one shared mask, and the blocks that join its two streams."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from autoremove.models.gain_gradient import gradient, where_valid
from autoremove.models.gain_shrink import known_in_window, opened_by_priority, plainly_opened

DILATIONS = (2, 4, 8, 16)
"""Of the four convolutions of a dilation block."""

SMALL = 0.2
"""How large the initial weights of layers are whose result is added to a picture or to other features."""


class Streams(NamedTuple):
    """Both streams and their mask.

    image: N x C x H x W. gradient: N x 2C x H x W, derivatives along x in the first half. known: N x 1 x H x
    W, 1 = known. Both are zero where nothing is known, so no convolution has to blank them first.
    """

    image: Tensor
    gradient: Tensor
    known: Tensor


class PartialConv(nn.Conv2d):
    """W (X * M) * sum(1) / sum(M) + b where the window holds anything known, else 0.

    sum(1) counts the taps within the picture: outside it nothing is known, but nothing is missing either.
    Liu et al. count all nine. Dilated by 16 on a small crop eight of them lie outside, and nine times the
    middle one would be a different layer from that on a large picture, and its result three times as large.
    GAIN's masks have one channel and several convolutions share one, so the caller counts it once and says
    what is to be opened. Liu et al., "Image Inpainting for Irregular Holes Using Partial Convolutions", 2018.
    """

    def __init__(
        self, inputs: int, outputs: int, kernel: int = 3, stride: int = 1, dilation: int = 1
    ) -> None:
        reach = dilation * (kernel - 1) // 2
        super().__init__(inputs, outputs, kernel, stride=stride, padding=reach, dilation=dilation)
        assert self.bias is not None
        nn.init.normal_(self.weight, std=self.weight[0].numel() ** -0.5)
        nn.init.zeros_(self.bias)

    def counted(self, known: Tensor) -> Tensor:
        """How many known pixels this layer's window holds."""
        return known_in_window(known, self.kernel_size[0], self.stride[0], self.dilation[0])

    def ratio(self, known: Tensor, count: Tensor, opened: Tensor) -> Tensor:
        """N x 1 x H' x W': sum(1) / sum(M) where the result is opened, else 0."""
        inside = self.counted(torch.ones_like(known[:1]))
        return opened * inside / count.clamp_min(1)

    def at(self, features: Tensor, ratio: Tensor, opened: Tensor) -> Tensor:
        """The convolution of features that are zero where nothing is known."""
        assert self.bias is not None
        plain = F.conv2d(features, self.weight, None, self.stride, self.padding, self.dilation)
        return plain * ratio + self.bias.view(1, -1, 1, 1) * opened

    def forward(self, features: Tensor, known: Tensor) -> Tensor:  # type: ignore[override]
        """Under the plain rule; see :meth:`at`."""
        count = self.counted(known)
        opened = plainly_opened(count)
        return self.at(features, self.ratio(known, count, opened), opened)


class GAIBlock(nn.Module):
    """Gradient-aware convolution: each stream is convolved and gets its share of the other.

        image'    = ELU(II(image) + GI(gradient))
        gradient' = ELU(GG(gradient) + IG(Grad(II(image))))

    II, GG and GI share kernel, stride, dilation and mask. GG and GI read the same planes under the same
    window, so they are one convolution of 3C outputs: GG's 2C, then GI's C. Grad is valid where no hole is
    within one pixel; IG (3 x 3) opens that rim again, except for slivers of less than three pixels, which
    only GG reaches: the streams keep one mask. Left open by the authors: the activation (ELU here) and its
    place (on the sums, so that Grad and the sums see what the convolutions gave); no normalisation.
    """

    def __init__(self, inputs: int, outputs: int, *, stride: int = 1, dilation: int = 1) -> None:
        super().__init__()
        self.image = PartialConv(inputs, outputs, stride=stride, dilation=dilation)
        self.from_gradient = PartialConv(2 * inputs, 3 * outputs, stride=stride, dilation=dilation)
        self.to_gradient = PartialConv(2 * outputs, 2 * outputs)

    def forward(self, streams: Streams, delta: float = 0.0) -> Streams:
        """``delta``: above 0 only pixels of high priority are opened; see :mod:`.gain_shrink`."""
        count = self.image.counted(streams.known)
        if delta > 0:
            opened = opened_by_priority(streams.gradient, streams.known, count, delta)
        else:
            opened = plainly_opened(count)
        ratio = self.image.ratio(streams.known, count, opened)
        image = self.image.at(streams.image, ratio, opened)
        both = self.from_gradient.at(streams.gradient, ratio, opened)
        own, given = both[:, : 2 * image.shape[1]], both[:, 2 * image.shape[1] :]
        sound = where_valid(opened)
        own = own + self.to_gradient(gradient(image) * sound, sound)
        return Streams(F.elu(image + given), F.elu(own), opened)


class DilationBlock(nn.Module):
    """Four GAI blocks of dilation 2, 4, 8 and 16, and with ``skip`` the streams that came in on top.

    Where the block has opened pixels nothing came in: a skip adds a smooth fill there, that of
    :func:`.gain_shrink.completed` at the branch's start, or the new pixels would differ from all others.
    """

    def __init__(self, width: int, skip: bool) -> None:
        super().__init__()
        layers = [GAIBlock(width, width, dilation=d) for d in DILATIONS]
        self.layers = nn.ModuleList(layers)
        if skip:  # what is added begins small, or the spread would grow from block to block
            with torch.no_grad():
                for layer in (layers[-1].image, layers[-1].from_gradient):
                    layer.weight.mul_(SMALL)

    def forward(self, streams: Streams, smooth: Streams | None, delta: float = 0.0) -> Streams:
        """``smooth``: the fill for skips, without anything unknown."""
        made = streams
        for layer in self.layers:
            made = layer(made, delta)
        if smooth is None:
            return made
        new = made.known - streams.known
        return Streams(
            made.image + streams.image + new * smooth.image,
            made.gradient + streams.gradient + new * smooth.gradient,
            made.known,
        )


class Decoder(nn.Module):
    """Two bilinear enlargements with 3 x 3 convolutions and ELU, for one stream.

    N x inputs x H/4 x W/4 -> N x outputs x H x W, linear. The authors name only the enlargements and that
    the width halves at each; nothing is unknown here any more, so the convolutions are plain ones.
    """

    def __init__(self, inputs: int, width: int, outputs: int) -> None:
        super().__init__()
        widths = (inputs, 4 * width, 2 * width, width)
        self.layers = nn.ModuleList(_conv(a, b) for a, b in pairwise(widths))
        self.last = _conv(width, outputs)
        with torch.no_grad():
            self.last.weight.mul_(SMALL)

    def forward(self, features: Tensor) -> Tensor:
        for i, layer in enumerate(self.layers):
            if i:
                features = F.interpolate(features, scale_factor=2, mode="bilinear", align_corners=False)
            features = F.elu(layer(features))
        out: Tensor = self.last(features)
        return out


def _conv(inputs: int, outputs: int) -> nn.Conv2d:
    layer = nn.Conv2d(inputs, outputs, 3, padding=1)
    assert layer.bias is not None
    nn.init.normal_(layer.weight, std=layer.weight[0].numel() ** -0.5)
    nn.init.zeros_(layer.bias)
    return layer
