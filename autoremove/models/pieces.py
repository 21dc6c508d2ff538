"""Copied pieces that fit: the borders between them, and to what is known, lie where they show least.

The seam cost is that of graph-cut textures (Kwatra et al. 2003): how differently two pieces continue each
other. It is lowered pixel by pixel (iterated conditional modes), the two colours of a chessboard in turn.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
Float = NDArray[np.float32]
Index = NDArray[np.int64]
Packed = NDArray[np.complex128]
"""Four numbers of single precision in each; nothing is computed with them as they are."""

SWEEPS = 4
"""Times that every pixel is offered its neighbours' pieces."""

SEAM = 0.5
"""What a step at a seam weighs against an unlike patch."""

AROUND = ((1, 0), (-1, 0), (0, 1), (0, -1))


def joined_well(
    pixels: Float, holes: Mask, source: Index, keys: Mask, touched: Mask, wanted: Float, known: Float
) -> Index:
    """Better sources for the pixels of the holes.

    ``pixels`` H x W x 3, filled; ``source``: for each of H * W pixels the pixel it comes from; ``keys``: who
    may be a source; ``touched``: who may have another than now, nowhere at the picture's edge. ``wanted`` and
    ``known``: (H * W) x C descriptions of the patches that are there and of the sources. Returns new sources.
    """
    pieces = _Pieces(pixels, holes, source, wanted, known)
    places = np.flatnonzero(holes & touched)
    rows, columns = np.divmod(places, holes.shape[1])
    for sweep in range(SWEEPS):
        for colour in (0, 1):
            mine = places[(rows + columns) % 2 == colour]
            cost = pieces.cost(mine, pieces.source[mine])
            for step in (2, 1) if sweep < SWEEPS - 1 else (1,):
                for dy, dx in AROUND:
                    pieces.offer(mine, cost, (dy * holes.shape[1] + dx) * step, keys.ravel())
    return pieces.source


class _Pieces:
    """Who comes from where, and what that costs."""

    def __init__(self, pixels: Float, holes: Mask, source: Index, wanted: Float, known: Float) -> None:
        self.hole, self.width = holes.ravel(), holes.shape[1]
        self.flat = packed(pixels, 0.0)
        self.wanted, self.known = wanted, known
        everywhere = np.arange(holes.size)
        self.source = np.where(self.hole, source, everywhere)

    def cost(self, places: Index, source: Index) -> Float:
        """What it costs that these places come from these sources, their neighbours as they are."""
        total = _squares(self.wanted.take(places, 0) - self.known.take(source, 0))
        own = self._colours(source)
        for dy, dx in AROUND:
            step = dy * self.width + dx
            beside = places + step
            theirs = self.source[beside]
            continued = _squares(self._colours(source + step) - self._colours(theirs))
            # A known neighbour cannot say what the hole would look like: its own difference counts twice.
            back = _squares(own - self._colours((theirs - step).clip(0, len(self.flat) - 1)))
            seam = continued + np.where(self.hole[beside], back, continued)
            total += np.where(theirs == source + step, 0, SEAM / 6 * seam)
        return total

    def _colours(self, places: Index) -> Float:
        """The colours there, n x 4, the last 0."""
        return unpacked(self.flat[places])

    def offer(self, places: Index, cost: Float, step: int, keys: Mask) -> None:
        """Offer each place the piece of the pixel ``step`` further on; ``cost`` is kept up to date."""
        last = len(self.source) - 1
        beside = (places + step).clip(0, last)
        offered = (self.source[beside] - step).clip(0, last)
        rows = np.flatnonzero(self.hole[beside] & keys[offered] & (offered != self.source[places]))
        found = self.cost(places[rows], offered[rows])
        better = found < cost[rows]
        rows = rows[better]
        self.source[places[rows]], cost[rows] = offered[rows], found[better]


def packed(pixels: Float, fourth: float) -> Packed:
    """The pixels of an H x W x 3 picture as H * W values: three colours and a fourth number in each.

    Picked and put by index they move as one, four times as fast as rows do.
    """
    last = np.full_like(pixels[..., :1], fourth)
    return np.dstack([pixels, last]).reshape(-1, 4).view(np.complex128)[:, 0]


def unpacked(values: Packed) -> Float:
    """The same memory as n x 4 numbers."""
    return values.view(np.float32).reshape(-1, 4)


def _squares(rows: Float) -> Float:
    return np.asarray(np.einsum("ij,ij->i", rows, rows), np.float32)
