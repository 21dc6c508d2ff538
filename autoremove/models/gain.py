"""GAIN: fills a picture and its gradient map together, edges first ("gradient-aware" inpainting, 2019)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from autoremove.errors import WeightsError
from autoremove.models.contextual_attention import contextual_attention
from autoremove.models.gain_blocks import Decoder, DilationBlock, GAIBlock, PartialConv, Streams
from autoremove.models.gain_gradient import gradient_of_picture, where_valid
from autoremove.models.gain_shrink import completed

ARCHITECTURE = "autoremove/gain"
__all__ = ["ARCHITECTURE", "GAIN", "GAINConfig", "build", "from_checkpoint", "recognises"]

MULTIPLE, SMALLEST = 8, 16
"""Sides are padded to a multiple of the first (the attention halves a quarter) and at least to the second."""

PER_PIXEL, PER_SCORE, MOST_SCORES = 90, 24, 1 << 23
"""Bytes for one pixel and one channel of the first layer; for one attention score; scores held at once."""


@dataclass(frozen=True)
class GAINConfig:
    """Size of a GAIN; the defaults are the paper's, 226 million parameters.

    ``base``: channels of the image stream's first convolution (paper 64); the gradient stream has twice as
    many (128), and both double at each of the two halvings. ``structure``, ``content``: dilation blocks of
    the two branches. ``by_priority``: in how many of the first of the structure branch the hole shrinks by
    priority, ``delta``: the share of the highest priority that a pixel needs to be opened there (0: the plain
    rule). ``skips``: each dilation block adds what came in to its result. The authors do not say; without it
    26 layers with neither normalisation nor a way round them learn slowly.
    """

    base: int = 64
    structure: int = 6
    content: int = 2
    by_priority: int = 4
    delta: float = 0.4
    skips: bool = True

    def __post_init__(self) -> None:
        if self.base < 1 or min(self.structure, self.content, self.by_priority) < 0:
            raise ValueError(f"base={self.base} is less than 1, or a number of blocks is negative")
        if not 0 <= self.delta <= 1:
            raise ValueError(f"delta={self.delta} is not in 0..1")


class Branch(nn.Module):
    """Two halvings and a row of dilation blocks; ``by_priority`` of them shrink the hole by priority."""

    def __init__(self, config: GAINConfig, blocks: int, by_priority: int = 0) -> None:
        super().__init__()
        base, self.skips = config.base, config.skips
        self.halvings = nn.ModuleList(GAIBlock(n * base, 2 * n * base, stride=2) for n in (1, 2))
        self.blocks = nn.ModuleList(DilationBlock(4 * base, config.skips) for _ in range(blocks))
        self.deltas = [config.delta if i < by_priority else 0.0 for i in range(blocks)]

    def forward(self, streams: Streams) -> Streams:
        for halving in self.halvings:
            streams = halving(streams)
        smooth = closed(streams) if self.skips else None
        for block, delta in zip(self.blocks, self.deltas, strict=True):
            streams = block(streams, smooth, delta)
        return streams


def closed(streams: Streams) -> Streams:
    """Both streams with nothing unknown; see :func:`.gain_shrink.completed`."""
    image, gradient = completed([streams.image, streams.gradient], streams.known)
    return Streams(image, gradient, torch.ones_like(streams.known))


class GAIN(nn.Module):
    """An image and a gradient stream that help each other, in a branch for structure and one for content.

    "Gradient-Aware Image Inpainting", ACM Multimedia 2019, doi 10.1145/3343031.3350912. No code and no
    weights of it were published; what its authors left open is settled where it arises, here and in
    :mod:`.gain_blocks`, :mod:`.gain_gradient`, :mod:`.gain_shrink`. Inside, masks are 1 where the picture is
    known, as in the paper; every public method takes 1 = hole.
    """

    def __init__(self, config: GAINConfig | None = None) -> None:
        super().__init__()
        self.config = config or GAINConfig()
        base = self.config.base
        self.start_image = PartialConv(3, base)
        self.start_gradient = PartialConv(2, 2 * base)
        self.structure = Branch(self.config, self.config.structure, self.config.by_priority)
        self.content = Branch(self.config, self.config.content)
        self.image_decoder = Decoder(8 * base, base, 3)
        self.gradient_decoder = Decoder(16 * base, 2 * base, 2)

    def forward(self, image: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Picture and gradient map, N x 3 x H x W in -1..1 and N x 2 x H x W (x, y), over the whole picture.

        image: N x 3 x H x W RGB in -1..1, not masked. mask: N x 1 x H x W, 1 = hole. Any size of at least
        8 x 8; what is no multiple of 8 is padded by reflection inside. The gradient map is linear and in the
        units of :func:`.gain_gradient.gradient_of_picture`.
        """
        height, width = image.shape[-2:]
        image, hole = _padded(image), _padded((mask > 0).to(image.dtype))
        streams = self._started(image, 1 - hole)
        structure, content = self.structure(streams), self._content(streams, hole)
        # The branches are joined under one mask, that of all ones: nothing stays unknown.
        both = closed(structure), closed(content)
        images = torch.cat([streams.image for streams in both], 1)
        picture = torch.tanh(self.image_decoder(images).float())
        gradients = self.gradient_decoder(torch.cat([streams.gradient for streams in both], 1)).float()
        return picture[..., :height, :width], gradients[..., :height, :width]

    def _started(self, image: Tensor, known: Tensor) -> Streams:
        """The first convolution of each stream, shared by the branches (the authors do not say it is not).

        M0 is the mask with its hole grown by one pixel, where the gradient saw nothing of the hole. The
        gradient stream's convolution grows what is known back, but loses known slivers of less than three
        pixels; both streams go on with the mask itself, thus the image stream keeps them.
        """
        sound = where_valid(known)
        count = self.start_image.counted(known)
        first = self.start_image.at(image * known, self.start_image.ratio(known, count, known), known)
        edges = self.start_gradient(gradient_of_picture(image) * sound, sound)
        return Streams(F.elu(first), F.elu(edges), known)

    def _content(self, streams: Streams, hole: Tensor) -> Streams:
        """The second branch: its image stream is drawn anew with patches of what is known.

        Patches come from where nothing was hole in the picture, nor is still unknown after the branch.
        Attention to the image stream alone: the gradients of copied patches would come from the same places.
        """
        made = self.content(streams)
        unfit = torch.maximum(F.max_pool2d(hole, 8), F.max_pool2d(1 - made.known, 2))
        drawn = contextual_attention(made.image, unfit)
        return Streams(drawn.to(made.image.dtype), made.gradient, torch.ones_like(made.known))

    @torch.inference_mode()
    def raw(self, image: Tensor, mask: Tensor) -> Tensor:
        """The network's own picture everywhere, N x 3 x H x W in -1..1; see :meth:`forward`."""
        picture: Tensor = self(image.float(), mask.to(image.device, torch.float32))[0]
        return picture.to(image.dtype)

    @torch.inference_mode()
    def fill(self, image: Tensor, mask: Tensor) -> Tensor:
        """The picture with its hole filled, N x 3 x H x W in -1..1: ``image`` itself where ``mask`` is 0."""
        return torch.where(mask.to(image.device) > 0, self.raw(image, mask), image)

    def peak_bytes(self, size_hw: tuple[int, int]) -> int:
        """Bytes that :meth:`fill` takes for one sample of a size, beside the weights; measured, roughly."""
        pixels = size_hw[0] * size_hw[1]
        scores = min((pixels // 64) ** 2, MOST_SCORES)
        return pixels * self.config.base * PER_PIXEL + scores * PER_SCORE


def build(config: Mapping[str, Any]) -> GAIN:
    """A GAIN as plain values say (those of :class:`GAINConfig`). Raises ValueError for unknown ones."""
    names = [field.name for field in fields(GAINConfig)]
    if unknown := sorted(set(config) - set(names)):
        raise ValueError(f"GAIN has no {', '.join(unknown)}; known: {', '.join(names)}")
    return GAIN(GAINConfig(**config))


def recognises(state: Mapping[str, Any]) -> bool:
    """Whether a state dict looks like one of ours; there is no other."""
    return "start_gradient.weight" in state and "structure.halvings.0.from_gradient.weight" in state


def from_checkpoint(state: Mapping[str, Any]) -> GAIN:
    """Raises WeightsError always: GAIN's authors published no weights, so no public spelling is known."""
    found = "its names are ours, but not its head" if recognises(state) else f"{len(state)} other tensors"
    raise WeightsError(
        f"No public checkpoint of GAIN is known; this file has {found}.",
        hint="Train one (`autoremove train gain`) and use the last.safetensors it writes.",
    )


def _padded(planes: Tensor) -> Tensor:
    """Grow right and bottom to what the network needs, by reflection where it reaches."""
    height, width = planes.shape[-2:]
    down, right = (max(SMALLEST, -(-n // MULTIPLE) * MULTIPLE) - n for n in (height, width))
    if not down and not right:
        return planes
    mode = "reflect" if down < height and right < width else "replicate"
    return F.pad(planes, (0, right, 0, down), mode=mode)
