"""Enlarging pictures of any size with SRResNet in tiles: bounded memory, and no seams."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from autoremove.models import memory
from autoremove.models.srgan import SCALE, SRResNet

SIDES = (512, 384, 256, 192, 128, 96, 64, 32)
"""Sides of tiles that are tried, largest first."""

MOST_BYTES = 2 << 30
"""A tile takes no more than this, however much is free: larger ones are no faster."""

_log = logging.getLogger("autoremove")


class Tile(NamedTuple):
    """A part of the small picture: what is wanted of it, and what is shown for that (y1, x1, y2, x2)."""

    wanted: tuple[int, int, int, int]
    shown: tuple[int, int, int, int]


def tiles(size_hw: tuple[int, int], side: int, overlap: int) -> Iterator[Tile]:
    """Tiles of at most ``side`` pixels that cover a picture, each shown with ``overlap`` round it."""
    height, width = size_hw
    down, across = -(-height // side), -(-width // side)
    for row in range(down):
        y1, y2 = height * row // down, height * (row + 1) // down
        for column in range(across):
            x1, x2 = width * column // across, width * (column + 1) // across
            shown = max(0, y1 - overlap), max(0, x1 - overlap), min(height, y2 + overlap)
            yield Tile((y1, x1, y2, x2), (*shown, min(width, x2 + overlap)))


def tile_side(network: SRResNet, device: str, overlap: int) -> int:
    """The largest side of :data:`SIDES` whose tiles fit the free memory of a device."""
    most = min(MOST_BYTES, int(memory.SHARE * memory.free_bytes(device)))
    fitting = (side for side in SIDES if network.peak_bytes((side + 2 * overlap,) * 2) <= most)
    return next(fitting, SIDES[-1])


def upscaled(
    network: SRResNet, image: Tensor, *, tile: int | None = None, overlap: int | None = None
) -> Tensor:
    """See :meth:`SRResNet.upscale`."""
    around = network.reach if overlap is None else overlap
    count, _, height, width = image.shape
    side = tile or tile_side(network, str(image.device), around)
    result = torch.empty(count, 3, SCALE * height, SCALE * width, device=image.device)
    with _evaluating(network):
        for part in tiles((height, width), side, around):
            y1, x1, y2, x2 = (SCALE * edge for edge in part.wanted)
            result[..., y1:y2, x1:x2] = _enlarged(network, image, part)
    return result


def upscaled_pixels(
    network: SRResNet, pixels: NDArray[Any], *, tile: int | None = None, overlap: int | None = None
) -> NDArray[Any]:
    """H x W x 3 RGB -> 4H x 4W x 3 of the same type: uint8, uint16, or floats of 0..1.

    Memory is that of the two pictures and one tile, on the network's own device. Where it runs out smaller
    tiles are tried. Raises RuntimeError when not even those of 32 pixels fit.
    """
    device = str(next(network.parameters()).device)
    around = network.reach if overlap is None else overlap
    side = tile or tile_side(network, device, around)
    while True:
        try:
            return _pixels(network, pixels, device, side, around)
        except (RuntimeError, MemoryError) as error:
            if not memory.is_full(error) or side <= SIDES[-1]:
                raise
        memory.release(device)
        side //= 2
        _log.warning("The memory of %s is full: enlarging in tiles of %d pixels.", device, side)


def _pixels(network: SRResNet, pixels: NDArray[Any], device: str, side: int, overlap: int) -> NDArray[Any]:
    height, width = pixels.shape[:2]
    white = 1.0 if pixels.dtype.kind == "f" else float(np.iinfo(pixels.dtype).max)
    result = np.empty((SCALE * height, SCALE * width, 3), pixels.dtype)
    with _evaluating(network):
        for part in tiles((height, width), side, overlap):
            top, left, bottom, right = part.shown
            shown = np.ascontiguousarray(pixels[top:bottom, left:right], np.float32)
            planes = torch.from_numpy(shown).to(device).permute(2, 0, 1)[None] / (white / 2) - 1
            moved = Tile(
                tuple(edge - (top, left)[i % 2] for i, edge in enumerate(part.wanted)),  # type: ignore[arg-type]
                (0, 0, bottom - top, right - left),
            )
            enlarged = (_enlarged(network, planes, moved)[0].permute(1, 2, 0) + 1) * (white / 2)
            y1, x1, y2, x2 = (SCALE * edge for edge in part.wanted)
            rounded = enlarged if pixels.dtype.kind == "f" else enlarged.round()
            result[y1:y2, x1:x2] = rounded.cpu().numpy()
    return result


def _enlarged(network: SRResNet, image: Tensor, part: Tile) -> Tensor:
    """The wanted part of a tile, N x 3 in -1..1."""
    top, left, bottom, right = part.shown
    high: Tensor = network(image[..., top:bottom, left:right]).float().clamp(-1, 1)
    y1, x1, y2, x2 = part.wanted
    return high[
        ...,
        SCALE * (y1 - top) : SCALE * (y2 - top),
        SCALE * (x1 - left) : SCALE * (x2 - left),
    ]


@contextmanager
def _evaluating(network: SRResNet) -> Iterator[None]:
    """Inference mode, with batch norm as it was learnt; the network is handed back as it came."""
    before = network.training
    network.eval()
    try:
        with torch.inference_mode():
            yield
    finally:
        network.train(before)
