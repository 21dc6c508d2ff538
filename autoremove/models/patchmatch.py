"""Exemplar-based filling: every patch of the hole is made of patches that the picture has elsewhere.

Multi-scale patch synthesis (Wexler, Shechtman and Irani 2007) with the nearest-neighbour field of PatchMatch
(Barnes et al. 2009): exhaustive search at the coarse levels, propagation and local search at the fine ones.
No weights. A guide, such as the soft fill of a network, can decide the large forms.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Float = NDArray[np.float32]
Index = NDArray[np.int64]

PATCH = 7
"""Side of a patch in pixels of its level."""

EXHAUSTIVE = 56
"""Up to this side a level is searched whole every time."""

ONCE = 130
"""Up to this side a level is searched whole once; else candidates come from below and from neighbours."""

SHY = 0.01
"""How far from a hole, beyond the patch itself, sources keep, as a share of the level's longer side."""

RATIO = 1.5
"""How much larger each level of the pyramid is than the one before."""


@dataclass(frozen=True)
class Field:
    """Where pixels come from. ``source`` H x W x 2 (row, column).

    It reaches half a patch beyond the hole, so that a copy can be compared with what is known there; other
    known pixels name themselves.
    """

    source: Index
    pixels: Image


def fill(
    image: Image, holes: Mask, *, guide: Image | None = None, start: int = 24, seed: int = 0
) -> Field | None:
    """Fill the holes of a small picture (up to about 300 pixels a side).

    ``image`` H x W x 3 uint8, ``holes`` H x W bool, ``guide``: a first idea of the fill, H x W x 3 uint8;
    without it the hole starts from its border. ``start``: shorter side of the coarsest level. None if too
    little of the picture is known to copy from.
    """
    rng = np.random.default_rng(seed)
    sizes = _sizes((holes.shape[0], holes.shape[1]), start)
    state: _Level | None = None
    first = image if guide is None else np.where(holes[..., None], guide, image).astype(np.uint8)
    for number, size_hw in enumerate(sizes):
        level = _Level.of(image, holes, first, size_hw, from_border=guide is None and number == 0)
        if not level.keys.any():
            continue
        level.take_over(state)
        for _ in range(max(1, 5 - number)):
            level.search(rng)
            level.vote()
        state = level
    if state is None:
        return None
    return Field(state.source_map(), np.rint(state.pixels).clip(0, 255).astype(np.uint8))


def _sizes(size_hw: tuple[int, int], start: int) -> list[tuple[int, int]]:
    """Level sizes from coarse to fine; the last is the picture's own."""
    sizes = [size_hw]
    while min(sizes[0]) / RATIO >= start:
        height, width = sizes[0]
        sizes.insert(0, (round(height / RATIO), round(width / RATIO)))
    return sizes


class _Level:
    """One level of the pyramid: its pixels, its hole, and the source of every patch that touches it."""

    def __init__(self, pixels: Float, holes: Mask) -> None:
        self.pixels, self.holes = pixels, holes
        self.height, self.width = holes.shape
        around = np.ones((PATCH, PATCH), np.uint8)
        self.touched = cv2.dilate(holes.astype(np.uint8), around).astype(bool)
        inside = np.zeros_like(holes)
        half = PATCH // 2
        inside[half : self.height - half, half : self.width - half] = True
        # Nothing is copied from right beside a hole: a mask that is a little too tight leaves a rest there.
        margin = PATCH + 2 * round(SHY * max(holes.shape))
        near = cv2.dilate(holes.astype(np.uint8), np.ones((margin, margin), np.uint8)).astype(bool)
        self.keys = ~near & inside
        if not self.keys.any():
            self.keys = ~self.touched & inside
        self.touched &= inside
        self.key_index = np.flatnonzero(self.keys)
        self.query_index = np.flatnonzero(self.touched)
        self.slot = np.full(holes.size, -1, np.int64)
        self.slot[self.query_index] = np.arange(len(self.query_index))
        # Pixels near the border are trusted more than those that were only guessed from guesses.
        depth = cv2.distanceTransform(holes.astype(np.uint8), cv2.DIST_L2, 3).ravel()[self.query_index]
        self.trust = (1.3 ** -np.minimum(depth, 30)).astype(np.float32)
        self.source: Index | None = None
        self.searched = False
        self.cost = np.full(len(self.query_index), np.inf, np.float32)

    @classmethod
    def of(
        cls, image: Image, holes: Mask, first: Image, size_hw: tuple[int, int], *, from_border: bool
    ) -> _Level:
        """The level of that size. A pixel with any hole in it is hole; known pixels are averaged alone."""
        size = (size_hw[1], size_hw[0])
        known = (~holes).astype(np.float32)
        weight = np.asarray(cv2.resize(known, size, interpolation=cv2.INTER_AREA))
        total = cv2.resize(image * known[..., None], size, interpolation=cv2.INTER_AREA)
        mean = np.asarray(total) / np.maximum(weight, 1e-6)[..., None]
        hole = weight < 0.999
        guess = np.asarray(cv2.resize(first, size, interpolation=cv2.INTER_AREA), np.float32)
        if from_border:
            seen = np.rint(mean).clip(0, 255).astype(np.uint8)
            guess = cv2.inpaint(seen, hole.astype(np.uint8), 3, cv2.INPAINT_TELEA).astype(np.float32)
        return cls(np.where(hole[..., None], guess, mean).astype(np.float32), hole)

    def take_over(self, below: _Level | None) -> None:
        """Start from the coarser level: its fill, enlarged, and its sources as first candidates."""
        if below is None:
            return
        size = (self.width, self.height)
        enlarged = np.asarray(cv2.resize(below.pixels, size, interpolation=cv2.INTER_LINEAR), np.float32)
        self.pixels = np.where(self.holes[..., None], enlarged, self.pixels)
        rows, columns = np.divmod(self.query_index, self.width)
        fy, fx = below.height / self.height, below.width / self.width
        low = below.source_map()
        by, bx = (
            (rows * fy).astype(int).clip(0, below.height - 1),
            (columns * fx).astype(int).clip(0, below.width - 1),
        )
        shift = (low[by, bx] - np.stack([by, bx], 1)) / np.array([fy, fx])
        self.source = self._nearest_key(rows + shift[:, 0], columns + shift[:, 1])

    def _nearest_key(self, rows: NDArray[np.float64], columns: NDArray[np.float64]) -> Index:
        """The keys nearest to these places."""
        _, labels = cv2.distanceTransformWithLabels(
            (~self.keys).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
        )
        of_label = np.zeros(int(labels.max()) + 1, np.int64)
        of_label[labels.ravel()[self.key_index]] = self.key_index
        y = np.rint(rows).astype(int).clip(0, self.height - 1)
        x = np.rint(columns).astype(int).clip(0, self.width - 1)
        return np.asarray(of_label[labels[y, x]], np.int64)

    def _patches(self) -> Float:
        """Every pixel's patch as a row: (H * W) x (3 * PATCH^2)."""
        half = PATCH // 2
        padded = cv2.copyMakeBorder(self.pixels, half, half, half, half, cv2.BORDER_REFLECT)
        views = [
            padded[y : y + self.height, x : x + self.width].reshape(-1, 3)
            for y in range(PATCH)
            for x in range(PATCH)
        ]
        return np.concatenate(views, 1)

    def search(self, rng: np.random.Generator) -> None:
        """Improve every query's source."""
        patches = self._patches()
        side = max(self.height, self.width)
        if self.source is None or side <= EXHAUSTIVE or (side <= ONCE and not self.searched):
            self._search_all(patches)
            self.searched = True
            return
        self.cost = self._unlike(patches, self.source)
        for step in (8, 4, 2, 1):
            self._propagate(patches, step)
        for reach in (6, 2):
            self._wander(patches, reach, rng)
        self._propagate(patches, 1)

    def _search_all(self, patches: Float) -> None:
        keys = patches[self.key_index]
        squares = (keys**2).sum(1)
        chosen = np.empty(len(self.query_index), np.int64)
        for start in range(0, len(chosen), 1024):
            rows = slice(start, start + 1024)
            wanted = patches[self.query_index[rows]]
            unlike = squares[None] - 2 * wanted @ keys.T
            best = unlike.argmin(1)
            chosen[rows] = self.key_index[best]
        self.source = chosen
        self.cost = self._unlike(patches, chosen)

    def _unlike(self, patches: Float, source: Index) -> Float:
        return np.asarray(((patches[self.query_index] - patches[source]) ** 2).mean(1), np.float32)

    def _offer(self, patches: Float, candidate: Index, allowed: Mask) -> None:
        """Take the candidates that are allowed and better."""
        assert self.source is not None
        candidate = np.where(allowed, candidate, self.source)
        cost = self._unlike(patches, candidate)
        better = cost < self.cost
        self.source, self.cost = np.where(better, candidate, self.source), np.where(better, cost, self.cost)

    def _propagate(self, patches: Float, step: int) -> None:
        """Offer every query the shifts of its neighbours at a distance."""
        assert self.source is not None
        rows, columns = np.divmod(self.query_index, self.width)
        for dy, dx in ((step, 0), (-step, 0), (0, step), (0, -step)):
            y, x = (rows + dy).clip(0, self.height - 1), (columns + dx).clip(0, self.width - 1)
            slot = self.slot[y * self.width + x]
            sy, sx = np.divmod(self.source[slot], self.width)
            self._offer_places(patches, sy + rows - y, sx + columns - x, slot >= 0)

    def _wander(self, patches: Float, reach: int, rng: np.random.Generator) -> None:
        """Offer every query places near its source."""
        assert self.source is not None
        sy, sx = np.divmod(self.source, self.width)
        dy, dx = rng.integers(-reach, reach + 1, (2, len(sy)))
        self._offer_places(patches, sy + dy, sx + dx, np.ones(len(sy), bool))

    def _offer_places(self, patches: Float, y: Index, x: Index, allowed: Mask) -> None:
        inside = allowed & (y >= 0) & (x >= 0) & (y < self.height) & (x < self.width)
        places = y.clip(0, self.height - 1) * self.width + x.clip(0, self.width - 1)
        self._offer(patches, places, inside & self.keys.ravel()[places])

    def vote(self) -> None:
        """Every hole pixel becomes the mean of what the patches over it say, the likelier ones louder."""
        assert self.source is not None
        scale = float(np.percentile(self.cost, 75)) + 1.0
        weight = self.trust * np.exp(-self.cost / (2 * scale)).astype(np.float32) + 1e-6
        total = np.zeros((self.height * self.width, 3), np.float32)
        sums = np.zeros(self.height * self.width, np.float32)
        flat = self.pixels.reshape(-1, 3)
        half = PATCH // 2
        for dy in range(-half, half + 1):
            for dx in range(-half, half + 1):
                shift = dy * self.width + dx
                # Queries are unique, so each pixel is met once per shift: plain indexing adds correctly.
                total[self.query_index + shift] += weight[:, None] * flat[self.source + shift]
                sums[self.query_index + shift] += weight
        voted = (total / np.maximum(sums, 1e-12)[:, None]).reshape(self.height, self.width, 3)
        said = self.holes & (sums.reshape(self.height, self.width) > 0)
        self.pixels = np.where(said[..., None], voted, self.pixels).astype(np.float32)

    def source_map(self) -> Index:
        """H x W x 2: the (row, column) each pixel comes from."""
        places = np.arange(self.height * self.width)
        if self.source is not None:
            places[self.query_index] = self.source
        # Hole pixels at the picture's edge carry no patch of their own: they follow the nearest that does.
        field = np.stack(np.divmod(places, self.width), -1).reshape(self.height, self.width, 2)
        half = PATCH // 2
        inner = field[half : self.height - half, half : self.width - half]
        own = np.stack(list(np.mgrid[: self.height, : self.width]), -1)
        shift = np.pad(
            inner - own[half : self.height - half, half : self.width - half],
            ((half, half), (half, half), (0, 0)),
            mode="edge",
        )
        followed = (own + shift).clip(0, [self.height - 1, self.width - 1])
        near = self.touched | self.holes
        return np.asarray(np.where(near[..., None], followed, own), np.int64)


def at_full_size(image: Image, holes: Mask, field: Field) -> Image:
    """The field's copies, fetched from the full-size picture, in the holes and in a narrow ring round them.

    ``image`` H x W x 3 with its ``holes`` H x W; the field is of the same picture, smaller. Each pixel is the
    mean of what the shifts of the four cells round it fetch, which hides where shifts meet. The ring tells
    how far the copies differ from what is known, for whoever blends them.
    """
    height, width = holes.shape
    small_h, small_w = field.source.shape[:2]
    fy, fx = height / small_h, width / small_w
    reach = 2 * math.ceil(2 * max(fy, fx)) + 1
    ys, xs = np.nonzero(cv2.dilate(holes.astype(np.uint8), np.ones((reach, reach), np.uint8)))
    own = np.stack(list(np.mgrid[:small_h, :small_w]), -1)
    shift = (field.source - own).astype(np.float32) * np.array([fy, fx], np.float32)
    soft = np.asarray(cv2.resize(field.pixels, (width, height), interpolation=cv2.INTER_CUBIC), np.float32)
    total, count = np.zeros((len(ys), 3), np.float32), np.zeros(len(ys), np.float32)
    for dy in (-0.5, 0.5):
        for dx in (-0.5, 0.5):
            cy = ((ys + 0.5) / fy - 0.5 + dy).round().astype(int).clip(0, small_h - 1)
            cx = ((xs + 0.5) / fx - 0.5 + dx).round().astype(int).clip(0, small_w - 1)
            sy = np.rint(ys + shift[cy, cx, 0]).astype(int).clip(0, height - 1)
            sx = np.rint(xs + shift[cy, cx, 1]).astype(int).clip(0, width - 1)
            usable = (~holes[sy, sx]).astype(np.float32)
            total += image[sy, sx] * usable[:, None]
            count += usable
    out: Image = image.copy()
    fetched = np.where(count[:, None] > 0, total / np.maximum(count, 1)[:, None], soft[ys, xs])
    out[ys, xs] = np.rint(fetched).clip(0, 255).astype(np.uint8)
    return out
