"""Running the network of stage inpaint on crops: few shapes, planned memory, a way out when it is full."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from autoremove.errors import PictureError
from autoremove.models import memory
from autoremove.models.precision import autocast
from autoremove.stages.shrinking import bucket, padded, shrink
from autoremove.types import Image, Mask

SMALLEST_TILE = 64
"""Longer side below which a crop is not made smaller to save memory."""

_log = logging.getLogger("autoremove")


class Seen(NamedTuple):
    """What the network is shown of a crop: its pixels, its holes, and lines to follow there (or None)."""

    image: Image
    holes: Mask
    lines: Mask | None = None

    @property
    def size_hw(self) -> tuple[int, int]:
        return self.holes.shape[0], self.holes.shape[1]


class Grid(NamedTuple):
    """Which known places the network's attention copied each place from, on a grid of h x w.

    ``cell``: pixels of the shown crop from one place to the next. ``positions`` K x h x w: flat numbers of
    the K best sources, ``weights`` K x h x w theirs, ``present`` h x w: where there are any.
    """

    cell: int
    positions: NDArray[np.int64]
    weights: NDArray[np.float32]
    present: Mask


class Answer(NamedTuple):
    """The network's fill of one crop, as large as what it was shown; ``grid`` if it was asked for."""

    fill: Image
    grid: Grid | None = None


@dataclass(frozen=True)
class Asking:
    """How the network is asked; ``model``: which one (a key of ``families.INPAINTERS``).

    ``side``: longest side of a crop. ``raw``: its own picture is wanted outside the holes too. ``sources``:
    so many sources of each place are wanted, 0 = none. ``most``: crops at once. ``tiles``: how often crops
    are halved to save memory.
    """

    weights: str
    device: str
    side: int
    model: str = "deepfillv2"
    raw: bool = False
    sources: int = 0
    most: int = 4
    precision: str = "auto"
    tiles: int = 0


def answers(asking: Asking, crops: Sequence[Seen]) -> list[Answer]:
    """The fill of every crop; those that are padded to one size go together, as many as memory allows.

    Raises PictureError if not even one crop fits, on the CPU and at a fraction of its size.
    """
    found: dict[int, Answer] = {}
    sizes = [bucket(crop.size_hw, asking.side) for crop in crops]
    for size in dict.fromkeys(sizes):
        rows = [row for row, own in enumerate(sizes) if own == size]
        chosen = planned(asking, size)
        for start in range(0, len(rows), chosen.most):
            batch = rows[start : start + chosen.most]
            found.update(zip(batch, _tried(chosen, [crops[row] for row in batch]), strict=True))
    return [found[row] for row in range(len(crops))]


def planned(asking: Asking, size_hw: tuple[int, int]) -> Asking:
    """How many crops of a size to try at once, and how large, by the memory that is free."""
    net, free = loaded(asking), memory.free_bytes(asking.device)
    tiles = asking.tiles
    while True:
        height, width = (side >> tiles for side in size_hw)
        count = _fitting(asking, net, (height, width), free)
        if count or max(height, width) // 2 < SMALLEST_TILE:
            break
        tiles += 1
    if count and tiles == asking.tiles:
        return replace(asking, most=count)
    what = f"{asking.device} has {free / 2**20:.0f} MB free"
    if not asking.device.startswith("cpu"):
        _log.warning("%s, too little for a crop of %d x %d: filling on the CPU.", what, *size_hw[::-1])
        return planned(replace(asking, device="cpu"), size_hw)
    _log.warning("%s: crops are filled %d times smaller, and coarser.", what, 1 << tiles)
    return replace(asking, most=max(1, count), tiles=tiles)


def loaded(asking: Asking) -> Any:
    """The network that is asked."""
    from autoremove.models import cache
    from autoremove.models.families import INPAINTERS

    return cache.load(INPAINTERS[asking.model].kind, asking.weights, asking.device)


def _fitting(asking: Asking, net: Any, size_hw: tuple[int, int], free: int) -> int:
    """How many crops of a size go at once."""
    if hasattr(net, "peak_bytes"):
        return min(asking.most, int(memory.SHARE * free) // max(1, int(net.peak_bytes(size_hw))))
    cnum = getattr(getattr(net, "config", None), "cnum", 48)
    return memory.most_at_once(asking.most, size_hw, cnum, free, whole=asking.raw)


def _tried(asking: Asking, batch: Sequence[Seen]) -> list[Answer]:
    """The answers, or those to the next smaller question if memory is full."""
    try:
        return _asked(asking, batch)
    except (RuntimeError, MemoryError) as error:
        if not memory.is_full(error):
            raise
    memory.release(asking.device)
    full = f"The memory of {asking.device} is full"
    if len(batch) > 1:
        half = len(batch) // 2
        _log.warning("%s with %d crops at once: trying %d.", full, len(batch), half)
        return _tried(asking, batch[:half]) + _tried(asking, batch[half:])
    height, width = bucket(batch[0].size_hw, asking.side)
    if max(height, width) >> asking.tiles + 1 >= SMALLEST_TILE:
        _log.warning("%s with one crop: trying it at half the size, which makes it coarser.", full)
        return _tried(replace(asking, tiles=asking.tiles + 1), batch)
    if not asking.device.startswith("cpu"):
        _log.warning("%s: filling this crop on the CPU.", full)
        return _tried(replace(asking, device="cpu", tiles=0), batch)
    raise PictureError(
        f"There is not enough memory to fill a crop of {width} x {height} pixels.",
        hint="Close other programs, or set inpaint.model to telea.",
    )


def _asked(asking: Asking, batch: Sequence[Seen]) -> list[Answer]:
    """One pass of the network over crops that are padded to one size."""
    import torch

    net = loaded(asking)
    shown = [_halved(crop, asking.tiles) for crop in batch]
    size = bucket(shown[0].size_hw, asking.side >> asking.tiles)
    pairs = [padded(crop.image, crop.holes, size) for crop in shown]
    images = torch.from_numpy(np.stack([image for image, _ in pairs])).to(asking.device)
    masks = torch.from_numpy(np.stack([holes for _, holes in pairs])).to(asking.device)[:, None].float()
    drawn = []
    if takes_lines(net, asking.model) and any(crop.lines is not None for crop in shown):
        lines = np.stack([padded(crop.image, _lines(crop), size)[1] for crop in shown])
        drawn = [torch.from_numpy(lines).to(asking.device)[:, None].float()]
    with torch.inference_mode(), autocast(asking.precision, asking.device):
        signed = images.permute(0, 3, 1, 2).float() / 127.5 - 1
        if asking.sources:
            filled, sources = net.fill_with_sources(signed, masks, asking.sources, *drawn)
        else:
            sources = None
            filled = (net.raw if asking.raw else net.fill)(signed, masks, *drawn)
        pixels = ((filled.float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
    rows = pixels.permute(0, 2, 3, 1).cpu().numpy()
    grids = [_grid(sources, row, asking.tiles) for row in range(len(batch))]
    triples = zip(rows, shown, batch, strict=True)
    fills = [_back(row[: s.size_hw[0], : s.size_hw[1]], whole.size_hw) for row, s, whole in triples]
    return [Answer(fill, grid) for fill, grid in zip(fills, grids, strict=True)]


def takes_lines(net: Any, model: str) -> bool:
    """Whether a network can be told which edges to put into the hole; of DeepFillv2 only some can."""
    from autoremove.models.families import INPAINTERS

    if model == "deepfillv2":
        return bool(getattr(getattr(net, "config", None), "in_channels", 5) == 6)
    return INPAINTERS[model].lines


def _halved(crop: Seen, times: int) -> Seen:
    """The crop at a fraction of its size."""
    if not times:
        return crop
    height, width = (max(1, side >> times) for side in crop.size_hw)
    image, holes = shrink(crop.image, crop.holes, (height, width))
    return Seen(image, holes, None if crop.lines is None else shrunk(crop.lines, (height, width)))


def shrunk(lines: Mask, size_hw: tuple[int, int]) -> Mask:
    """Lines at the size at which a network sees them."""
    from autoremove.models.sketch import shrunk_lines

    return np.asarray(shrunk_lines(lines, size_hw), bool)


def _lines(crop: Seen) -> Mask:
    return np.zeros_like(crop.holes) if crop.lines is None else crop.lines


def _grid(sources: Any, row: int, tiles: int) -> Grid | None:
    """One crop's sources as arrays."""
    if sources is None:
        return None
    size = sources.size_hw
    positions, weights = (
        plane[row].reshape(-1, *size).cpu().numpy() for plane in (sources.positions, sources.weights)
    )
    present = sources.present[row].reshape(size).cpu().numpy()
    return Grid(8 << tiles, positions.astype(np.int64), weights.astype(np.float32), present.astype(bool))


def _back(fill: Image, size_hw: tuple[int, int]) -> Image:
    """A fill at the size of what was to be filled."""
    if fill.shape[:2] == size_hw:
        return np.ascontiguousarray(fill)
    return np.asarray(cv2.resize(fill, size_hw[::-1], interpolation=cv2.INTER_CUBIC), np.uint8)
