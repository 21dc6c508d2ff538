"""Exemplar-based filling: every patch of the hole is made of patches that the picture has elsewhere.

Multi-scale patch synthesis (Wexler, Shechtman and Irani 2007) with the nearest-neighbour field of PatchMatch
(Barnes et al. 2009): exhaustive search at the coarse levels, propagation and local search at the fine ones.
No weights. A guide, such as the soft fill of a network, can decide the large forms. Patches are compared by
their few strongest components, which is fast, and does not take a patch for unlike because it is sharper; and
by whether they are as rough as surroundings of their colour, for a soft guess would find soft patches.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from autoremove.models.components import PATCH, Components
from autoremove.models.copies import Field, at_full_size
from autoremove.models.pieces import joined_well, packed, unpacked
from autoremove.models.roughness import expected, roughness

__all__ = ["PATCH", "Field", "at_full_size", "fill"]

Image = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Float = NDArray[np.float32]
Index = NDArray[np.int64]

HALF = PATCH // 2

PULL, PULL_SIGMA, PULL_UP_TO = 0.5, 0.03, 130
"""How much of its low band a fill takes from the guide after each vote; its sigma, as a share of the side;
and the longer side of a level above which texture is left to itself."""

EXHAUSTIVE = 80
"""Up to this side a level is searched whole every time."""

ONCE = 130
"""Up to this side a level is searched whole once; else candidates come from below and from neighbours."""

SHY = 0.01
"""How far from a hole, beyond the patch itself, sources keep, as a share of the level's longer side."""

ROUGH = 20.0
"""Levels of 255 that a patch counts as unlike where it is e times as rough as is expected of its place."""

RATIO = 1.5
"""How much larger each level of the pyramid is than the one before."""


def fill(
    image: Image, holes: Mask, *, guide: Image | None = None, start: int = 24, seed: int = 0
) -> Field | None:
    """Fill the holes of a small picture (up to about 300 pixels a side).

    ``image`` H x W x 3 uint8, ``holes`` H x W bool, ``guide``: a first idea of the fill, H x W x 3 uint8;
    without it the hole starts from its border. ``start``: shorter side of the coarsest level. None if too
    little of the picture is known to copy from.
    """
    rng = np.random.default_rng(seed)
    state: _Level | None = None
    first = image if guide is None else np.where(holes[..., None], guide, image).astype(np.uint8)
    for number, size_hw in enumerate(_sizes((holes.shape[0], holes.shape[1]), start)):
        level = _Level.of(image, holes, first, size_hw, from_border=guide is None and number == 0)
        if not level.keys.any():
            continue
        forms = None if guide is None else _small(first, size_hw)
        level.take_over(state)
        for _ in range(max(1, (5 if forms is None else 4) - number)):
            level.search(rng)
            level.vote()
            level.pull(forms)
        state = level
    if state is None:
        return None
    return Field(state.settled(), np.rint(state.pixels).clip(0, 255).astype(np.uint8))


def _small(image: Image, size_hw: tuple[int, int]) -> Float:
    size = (size_hw[1], size_hw[0])
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.float32)


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
        inside[HALF : self.height - HALF, HALF : self.width - HALF] = True
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
        # What known patches look like never changes; what the hole's do, every search looks up anew.
        self.components = Components.of(self.pixels, self.key_index)
        self.rough = roughness(self.pixels).ravel()
        self.known = _with(self.components.everywhere(self.pixels, self.key_index), self.rough)
        self.expected: Float | None = None
        self.wanted = self.known[:0]

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
        guess = _small(first, size_hw)
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

    def search(self, rng: np.random.Generator) -> None:
        """Improve every query's source."""
        if self.expected is None:
            self.expected = expected(self.pixels, self.rough, self.holes, self.query_index)
        seen = self.components.describe(self.pixels, self.query_index)
        self.wanted = _with(seen, self.expected)
        side = max(self.height, self.width)
        if self.source is None or side <= EXHAUSTIVE or (side <= ONCE and not self.searched):
            self._search_all()
            self.searched = True
            return
        self.cost = self._unlike(slice(None), self.source)
        for step in (8, 4, 2, 1):
            self._propagate(step)
        for reach in (6, 2):
            self._wander(reach, rng)
        self._propagate(1)

    def _search_all(self) -> None:
        keys = np.ascontiguousarray(self.known[self.key_index].T)
        squares = (keys**2).sum(0) / 2
        chosen = np.empty(len(self.query_index), np.int64)
        for start in range(0, len(chosen), 512):
            unlike = squares - self.wanted[start : start + 512] @ keys
            chosen[start : start + 512] = self.key_index[unlike.argmin(1)]
        self.source = chosen
        self.cost = self._unlike(slice(None), chosen)

    def _unlike(self, rows: slice | Index, source: Index) -> Float:
        """Mean squared difference between what queries (by row) look like and these sources."""
        apart = self.wanted[rows] - self.known[source]
        return np.asarray(np.einsum("ij,ij->i", apart, apart), np.float32)

    def _propagate(self, step: int) -> None:
        """Offer every query the shifts of its neighbours at a distance."""
        assert self.source is not None
        rows, columns = np.divmod(self.query_index, self.width)
        for dy, dx in ((step, 0), (-step, 0), (0, step), (0, -step)):
            y, x = (rows + dy).clip(0, self.height - 1), (columns + dx).clip(0, self.width - 1)
            slot = self.slot[y * self.width + x]
            sy, sx = np.divmod(self.source[slot], self.width)
            self._offer_places(sy + rows - y, sx + columns - x, slot >= 0)

    def _wander(self, reach: int, rng: np.random.Generator) -> None:
        """Offer every query places near its source."""
        assert self.source is not None
        sy, sx = np.divmod(self.source, self.width)
        dy, dx = rng.integers(-reach, reach + 1, (2, len(sy)))
        self._offer_places(sy + dy, sx + dx, np.ones(len(sy), bool))

    def _offer_places(self, y: Index, x: Index, allowed: Mask) -> None:
        """Take the places that are allowed and better."""
        assert self.source is not None
        inside = allowed & (y >= 0) & (x >= 0) & (y < self.height) & (x < self.width)
        places = y.clip(0, self.height - 1) * self.width + x.clip(0, self.width - 1)
        rows = np.flatnonzero(inside & self.keys.ravel()[places] & (places != self.source))
        cost = self._unlike(rows, places[rows])
        better = cost < self.cost[rows]
        rows = rows[better]
        self.source[rows], self.cost[rows] = places[rows], cost[better]

    def vote(self) -> None:
        """Every hole pixel becomes the mean of what the patches over it say, the likelier ones louder."""
        assert self.source is not None
        scale = float(np.percentile(self.cost, 75)) + 1.0
        weight = self.trust * np.exp(-self.cost / (2 * scale)).astype(np.float32) + 1e-6
        flat = packed(self.pixels, 1.0)  # so the weights are added up beside the colours
        sums = np.zeros_like(flat)
        for dy in range(-HALF, HALF + 1):
            for dx in range(-HALF, HALF + 1):
                shift = dy * self.width + dx
                # Queries are unique, so each pixel is met once per shift: plain indexing adds correctly.
                over, said = self.query_index + shift, flat[self.source + shift]
                unpacked(said)[:] *= weight[:, None]
                unpacked(said)[:] += unpacked(sums[over])
                sums[over] = said
        total, weights = unpacked(sums)[:, :3], unpacked(sums)[:, 3:]
        voted = (total / np.maximum(weights, 1e-12)).reshape(self.height, self.width, 3)
        heard = self.holes & (weights.reshape(self.height, self.width) > 0)
        self.pixels = np.where(heard[..., None], voted, self.pixels).astype(np.float32)

    def pull(self, forms: Float | None) -> None:
        """Bring the fill's low band nearer to that of the guide, so that its forms and colours stay."""
        side = max(self.height, self.width)
        if forms is None or side > PULL_UP_TO:
            return
        sigma = max(1.0, PULL_SIGMA * side)
        inside = self.holes[..., None]
        away = cv2.GaussianBlur(np.where(inside, forms - self.pixels, 0), (0, 0), sigma)
        self.pixels = np.where(inside, self.pixels + PULL * away, self.pixels).astype(np.float32)

    def settled(self) -> Index:
        """The source map of pieces that fit each other and the border, which the ring continues."""
        assert self.source is not None
        rough = np.zeros(self.holes.size, np.float32)
        rough[self.query_index] = 0.0 if self.expected is None else self.expected
        wanted = _with(self.components.everywhere(self.pixels, self.query_index), rough)
        source = np.arange(self.holes.size)
        source[self.query_index] = self.source
        source = joined_well(self.pixels, self.holes, source, self.keys, self.touched, wanted, self.known)
        ring = np.flatnonzero(self.touched & ~self.holes)
        inner = np.flatnonzero(self.touched & self.holes)
        # The ring shows what the copies beside it would have put there: so it can tell how far they are off.
        _, labels = cv2.distanceTransformWithLabels(
            (~(self.touched & self.holes)).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
        )
        of_label = np.zeros(int(labels.max()) + 1, np.int64)
        of_label[labels.ravel()[inner]] = inner
        beside = of_label[labels.ravel()[ring]]
        source[ring] = (source[beside] + ring - beside).clip(0, self.holes.size - 1)
        self.source = source[self.query_index]
        return self.source_map()

    def source_map(self) -> Index:
        """H x W x 2: the (row, column) each pixel comes from."""
        places = np.arange(self.height * self.width)
        if self.source is not None:
            places[self.query_index] = self.source
        # Hole pixels at the picture's edge carry no patch of their own: they follow the nearest that does.
        field = np.stack(np.divmod(places, self.width), -1).reshape(self.height, self.width, 2)
        inner = np.s_[HALF : self.height - HALF, HALF : self.width - HALF]
        own = np.stack(list(np.mgrid[: self.height, : self.width]), -1)
        shift = np.pad(field[inner] - own[inner], ((HALF, HALF), (HALF, HALF), (0, 0)), mode="edge")
        followed = (own + shift).clip(0, [self.height - 1, self.width - 1])
        near = self.touched | self.holes
        return np.asarray(np.where(near[..., None], followed, own), np.int64)


def _with(rows: Float, rough: Float) -> Float:
    """Descriptions of patches with their roughness as one more component."""
    return np.concatenate([rows, ROUGH * rough[:, None]], 1).astype(np.float32)
