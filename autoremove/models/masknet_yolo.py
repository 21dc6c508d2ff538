"""MaskNet on the detector's eyes: a U-Net whose encoder is YOLO11n's backbone, begun from its weights.

The backbone has seen hundreds of thousands of pictures of people by the time it learns masks from a few
thousand; an encoder of the same size begun from nothing stays behind it.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

TAPS = {0: 16, 2: 64, 4: 128, 6: 128, 10: 256}
"""Layers of the backbone whose output the decoder sees, at 1/2 to 1/32, and their channels."""


class _Up(nn.Module):
    """Twice the size: the coarser map, the encoder's map and the box, two 3x3 convolutions."""

    def __init__(self, below: int, skip: int, channels: int) -> None:
        super().__init__()
        self.narrow = nn.Sequential(
            nn.Conv2d(skip, channels, 1, bias=False), nn.BatchNorm2d(channels), nn.SiLU()
        )
        self.first = nn.Conv2d(below + channels + 1, channels, 3, 1, 1, bias=False)
        self.first_norm = nn.BatchNorm2d(channels)
        self.second = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.second_norm = nn.BatchNorm2d(channels)
        self.act = nn.SiLU()

    def forward(self, below: Tensor, skip: Tensor, box: Tensor) -> Tensor:
        size = (skip.shape[2], skip.shape[3])
        larger = nn.functional.interpolate(below, size, mode="bilinear", align_corners=False)
        inside = nn.functional.adaptive_avg_pool2d(box, size)
        first = self.act(self.first_norm(self.first(torch.cat([larger, self.narrow(skip), inside], 1))))
        out: Tensor = self.act(self.second_norm(self.second(first)) + first)
        return out


class YoloMaskNet(nn.Module):
    """Box-prompted U-Net on the backbone of YOLO11n.

    ``side``: of the square input in pixels, a multiple of 32; ``widths``: of the decoder at 1/2 .. 1/16.
    """

    architecture: ClassVar[str] = "masknet-yolo11n"

    def __init__(self, side: int = 128, widths: tuple[int, ...] = (24, 48, 64, 96)) -> None:
        super().__init__()
        from autoremove.models.yolo import backbone

        self.side, self.widths = side, tuple(widths)
        self.encoder = nn.ModuleList(backbone("yolo11n"))
        # The box comes in as a fourth colour; it begins at nought, so that the trained eyes see as before.
        self.mark = nn.Conv2d(1, 16, 3, 2, 1, bias=False)
        nn.init.zeros_(self.mark.weight)
        channels = list(TAPS.values())
        below = [*widths[1:], channels[-1] + 1]
        self.up = nn.ModuleList(
            _Up(coarse, skip, own) for coarse, skip, own in zip(below, channels[:-1], widths, strict=True)
        )
        self.last = nn.Conv2d(widths[0], 4, 3, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N, 1, S, S) for input (N, 4, S, S): RGB in 0..1 and the box map."""
        colours, box = x[:, :3], x[:, 3:]
        seen = []
        y = colours
        for number, layer in enumerate(self.encoder):
            y = layer(y)
            if number == 0:
                y = y + self.mark(box)
            if number in TAPS:
                seen.append(y)
        y = torch.cat([seen[-1], nn.functional.adaptive_avg_pool2d(box, (y.shape[2], y.shape[3]))], 1)
        for block, skip in zip(reversed(self.up), reversed(seen[:-1]), strict=True):
            y = block(y, skip, box)
        logits: Tensor = nn.functional.pixel_shuffle(self.last(y), 2)
        return logits

    def see_with(self, state: dict[str, Tensor]) -> None:
        """Take over the backbone of a detector's state dict."""
        own = {
            name.removeprefix("model."): value.float()
            for name, value in state.items()
            if name.startswith("model.") and int(name.split(".")[1]) < len(self.encoder)
        }
        self.encoder.load_state_dict(own)
