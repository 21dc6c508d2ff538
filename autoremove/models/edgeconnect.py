"""EdgeConnect: one network completes the edges in a hole, a second one colours it after them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from autoremove.models.canny import LUMA, SIGMA, canny
from autoremove.models.edgeconnect_lines import thinned
from autoremove.models.padded import padded

ARCHITECTURE = "autoremove/edgeconnect"

SMALLEST = 16
"""Shortest side in pixels that the networks take: a quarter of it is padded by reflection."""


@dataclass(frozen=True)
class EdgeConnectConfig:
    """What the two generators are made of; the defaults are the paper's (21.54 M parameters).

    ``base``: channels of the first layer. ``blocks``: residual blocks of each. ``spectral``: the edge
    generator's layers are normalised spectrally; False for one whose norms were folded into its weights.
    ``merge``: the edges of the known part stay those of the picture, as in training; False gives the second
    network all edges as the first one makes them, as the authors' test program does. ``sigma``: smoothing
    of the Canny edges in pixels; 0 is 1 to 4 at random in training, and 2 afterwards.
    """

    base: int = 64
    blocks: int = 8
    spectral: bool = True
    merge: bool = True
    sigma: float = SIGMA


class ResidualBlock(nn.Module):
    """A dilated and a plain 3 x 3 convolution with instance norms, added to what came in."""

    def __init__(self, width: int, *, bias: bool, spectral: bool) -> None:
        super().__init__()

        def layer(dilation: int) -> nn.Module:
            return _normed(nn.Conv2d(width, width, 3, dilation=dilation, bias=bias), spectral)

        # The places in the row are part of the published names of the weights.
        self.conv_block = nn.Sequential(
            nn.ReflectionPad2d(2),
            layer(2),
            nn.InstanceNorm2d(width),
            nn.ReLU(True),
            nn.ReflectionPad2d(1),
            layer(1),
            nn.InstanceNorm2d(width),
        )

    def forward(self, features: Tensor) -> Tensor:
        """N x width x H x W, the same out."""
        out: Tensor = features + self.conv_block(features)
        return out


class EdgeConnectGenerator(nn.Module):
    """Two steps down, residual blocks, two steps up: N x inputs x H x W -> N x outputs x H x W.

    H and W: multiples of 4, at least 12. What comes out has not passed its last squashing (sigmoid or tanh).
    """

    def __init__(self, inputs: int, outputs: int, config: EdgeConnectConfig, *, edges: bool) -> None:
        super().__init__()
        base, spectral = config.base, edges and config.spectral
        self.encoder = nn.Sequential(
            nn.ReflectionPad2d(3),
            *_row(nn.Conv2d(inputs, base, 7), spectral),
            *_row(nn.Conv2d(base, 2 * base, 4, 2, 1), spectral),
            *_row(nn.Conv2d(2 * base, 4 * base, 4, 2, 1), spectral),
        )
        blocks = (ResidualBlock(4 * base, bias=not edges, spectral=spectral) for _ in range(config.blocks))
        self.middle = nn.Sequential(*blocks)
        self.decoder = nn.Sequential(
            *_row(nn.ConvTranspose2d(4 * base, 2 * base, 4, 2, 1), spectral),
            *_row(nn.ConvTranspose2d(2 * base, base, 4, 2, 1), spectral),
            nn.ReflectionPad2d(3),
            _normed(nn.Conv2d(base, outputs, 7), False),
        )

    def forward(self, planes: Tensor) -> Tensor:
        out: Tensor = self.decoder(self.middle(self.encoder(planes)))
        return out


def _normed(layer: nn.Conv2d | nn.ConvTranspose2d, spectral: bool) -> nn.Module:
    """The layer with small random weights, as the authors begin, and its norm if it has one."""
    nn.init.normal_(layer.weight, 0.0, 0.02)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return spectral_norm(layer) if spectral else layer


def _row(layer: nn.Conv2d | nn.ConvTranspose2d, spectral: bool) -> tuple[nn.Module, nn.Module, nn.Module]:
    """A layer, instance norm and ReLU."""
    return _normed(layer, spectral), nn.InstanceNorm2d(layer.out_channels), nn.ReLU(True)


class EdgeConnect(nn.Module):
    """Edges first, colours after them: ``edges`` completes Canny edges, ``colours`` paints between them.

    Nazeri et al., "EdgeConnect: Generative Image Inpainting with Adversarial Edge Learning" (2019).
    """

    def __init__(self, config: EdgeConnectConfig | None = None) -> None:
        super().__init__()
        self.config = config or EdgeConnectConfig()
        self.edges = EdgeConnectGenerator(3, 1, self.config, edges=True)
        self.colours = EdgeConnectGenerator(4, 3, self.config, edges=False)

    def edge_logits(self, luma: Tensor, edges: Tensor, mask: Tensor) -> Tensor:
        """Edges of the whole picture before the sigmoid; all planes N x 1 x H x W, ``luma`` in 0..1.

        ``edges``: those of the picture, ``mask``: 1 = hole; what the hole holds of either is not looked at.
        """
        out: Tensor = self.edges(torch.cat([luma * (1 - mask) + mask, edges * (1 - mask), mask], 1))
        return out

    def coloured(self, image: Tensor, edges: Tensor, mask: Tensor) -> Tensor:
        """The network's own picture, N x 3 x H x W in -1..1, of a picture without its hole and all edges."""
        planes = torch.cat([(image / 2 + 0.5) * (1 - mask) + mask, edges], 1)
        return torch.tanh(self.colours(planes).float())

    def forward(self, image: Tensor, mask: Tensor, edges: Tensor) -> tuple[Tensor, Tensor]:
        """Edges in 0..1 (N x 1 x H x W) and the picture in -1..1, over all of it and with gradients.

        image: N x 3 x H x W in -1..1; mask: 1 = hole; edges: the picture's, as :func:`known_edges` finds
        them. H and W: multiples of 4, at least 12.
        """
        guessed = torch.sigmoid(self.edge_logits(luma_of(image), edges, mask).float())
        if self.config.merge:
            guessed = guessed * mask + edges * (1 - mask)
        return guessed, self.coloured(image, guessed, mask)

    @torch.inference_mode()
    def fill(self, image: Tensor, mask: Tensor, lines: Tensor | None = None, *, add: bool = False) -> Tensor:
        """Picture with its hole filled, N x 3 x H x W; outside the mask it is ``image`` itself.

        image: N x 3 x H x W RGB in -1..1, any size from 8 pixels on. mask: N x 1 x H x W, 1 = hole. lines:
        N x 1 x H x W, 1 = an edge that someone drew, of any width; where a sample has any in its hole they
        replace the edges that the network would put there, with ``add`` they come on top of them.
        """
        return torch.where(mask > 0, self.raw(image, mask, lines, add=add).to(image.dtype), image)

    @torch.inference_mode()
    def raw(self, image: Tensor, mask: Tensor, lines: Tensor | None = None, *, add: bool = False) -> Tensor:
        """The second network's own picture everywhere, as large as ``image``; see :meth:`fill`."""
        return self.drawn(image, mask, lines, add=add)[1]

    @torch.inference_mode()
    def drawn(
        self, image: Tensor, mask: Tensor, lines: Tensor | None = None, *, add: bool = False
    ) -> tuple[Tensor, Tensor]:
        """The edges that the second network painted after, N x 1 x H x W in 0..1, and its picture."""
        height, width = image.shape[-2:]
        image, mask = image.float(), (mask > 0).to(image.device, torch.float32)
        known = _padded(known_edges(image, mask, self.config.sigma or SIGMA))
        image, mask = _padded(image), _padded(mask)
        guessed = torch.sigmoid(self.edge_logits(luma_of(image), known, mask).float())
        edges = guessed * mask + known * (1 - mask) if self.config.merge else guessed
        if lines is not None:
            edges = _with_lines(edges, _padded(_thin(lines).to(edges)), mask, add)
        painted = self.coloured(image, edges, mask)
        return edges[..., :height, :width], painted[..., :height, :width]

    def peak_bytes(self, size_hw: tuple[int, int]) -> int:
        """About how much memory one picture of a size takes beside the weights, in bytes."""
        height, width = (max(SMALLEST, -(-side // 4) * 4) for side in size_hw)
        # Four maps of the first layer's width live at once: round a norm, padded, and in the convolution.
        return (4 * self.config.base + 48) * height * width * 4

    @torch.no_grad()
    def folded(self) -> EdgeConnect:
        """A copy whose spectral norms are part of its weights; in evaluation mode, as this one must be."""
        # PyTorch's way to end a norm would end it in every copy of the layer that was ever made.
        plain = EdgeConnect(replace(self.config, spectral=False))
        names = (name.rpartition(".") for name in plain.state_dict())
        owned = {f"{path}.{kind}": getattr(self.get_submodule(path), kind) for path, _, kind in names}
        plain.load_state_dict(owned)
        return plain.eval()


def luma_of(image: Tensor) -> Tensor:
    """N x 3 x H x W RGB in -1..1 -> N x 1 x H x W in 0..1."""
    weights = image.new_tensor(LUMA).view(1, 3, 1, 1)
    return ((image / 2 + 0.5) * weights).sum(1, keepdim=True)


def known_edges(image: Tensor, mask: Tensor | None, sigma: float = SIGMA) -> Tensor:
    """Canny edges, N x 1 x H x W in 0/1, of an image in -1..1; without what the hole (mask 1) holds.

    They are found on the CPU, one picture after the other.
    """
    planes = luma_of(image.detach().float())[:, 0].cpu().numpy()
    known = [None] * len(planes) if mask is None else list(mask[:, 0].cpu().numpy() == 0)
    found = [canny(plane, seen, sigma=sigma) for plane, seen in zip(planes, known, strict=True)]
    return torch.from_numpy(np.stack(found)).to(image.device)[:, None].float()


def _thin(lines: Tensor) -> Tensor:
    """Lines as wide as the edges that the networks know."""
    return torch.from_numpy(np.stack([thinned(plane) for plane in lines[:, 0].cpu().numpy() > 0]))[:, None]


def build(config: Mapping[str, Any]) -> EdgeConnect:
    """The network of a configuration's fields, with new weights."""
    return EdgeConnect(EdgeConnectConfig(**config))


def recognises(state: Any) -> bool:
    """Whether a checkpoint is one or both of the published EdgeConnect generators."""
    # The tables of foreign names are built on this file, so they can only be asked for here.
    from autoremove.models import edgeconnect_checkpoints

    return edgeconnect_checkpoints.recognises(state)


def from_checkpoint(state: Any) -> EdgeConnect:
    """From a checkpoint; see :func:`autoremove.models.edgeconnect_checkpoints.from_checkpoint`."""
    from autoremove.models import edgeconnect_checkpoints

    return edgeconnect_checkpoints.from_checkpoint(state)


def from_file(path: str | Path, *, trust: bool = False) -> EdgeConnect:
    """From one of two files that belong together; see :mod:`autoremove.models.edgeconnect_checkpoints`."""
    from autoremove.models import edgeconnect_checkpoints

    return edgeconnect_checkpoints.from_file(path, trust=trust)


def _with_lines(edges: Tensor, lines: Tensor, mask: Tensor, add: bool) -> Tensor:
    """Drawn lines in place of, or beside, the edges in the holes of those samples that have any."""
    inside = lines * mask
    if add:
        return torch.maximum(edges, inside)
    drawn = inside.flatten(1).any(1).view(-1, 1, 1, 1)
    return torch.where(drawn, inside + edges * (1 - mask), edges)


def _padded(planes: Tensor) -> Tensor:
    return padded(planes, 4, SMALLEST)
