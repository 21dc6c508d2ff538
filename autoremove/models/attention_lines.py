"""Contextual attention for filling on a CPU: line by line, in buffers small enough for its cache.

The same sums as in :mod:`autoremove.models.attention_strips`, but only for the positions that ask: every
stage keeps the last three lines of its result, so that no line is computed twice and memory follows the
width of the hole times the number of keys.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from autoremove.models.attention_sources import Best, Picture

Span = tuple[int, int]
EMPTY: Span = (0, 0)


class Line(NamedTuple):
    """Values of queries from column ``start`` on: queries x keys, the keys between margins of zeros."""

    start: int
    rows: Tensor


def fill(
    features: Tensor,
    picture: Picture,
    wanted: Tensor | None,
    *,
    fuse: bool,
    softmax_scale: float,
    exclude: bool,
    best: Best | None = None,
) -> Tensor:
    """C x 2h x 2w features -> the same size, every pixel the sum of the mixed patches that cover it.

    ``wanted``: h x w on the CPU, true for the positions that ask (None: all). Pixels that are covered by
    another position too are not to be used. ``best`` collects the keys of the largest weights.
    """
    channels, height, width = picture.pixels.shape
    filled = features.new_zeros(2 * height, 2 * width, channels)
    # Keys x channels for each of the four pixels of a position.
    cells = features.permute(1, 2, 0)
    values = [[cells[y::2, x::2].reshape(-1, channels) for x in (0, 1)] for y in (0, 1)]
    with torch.autocast(features.device.type, enabled=False):
        for spans in _groups(wanted, height, width):
            lines = _Lines(picture, spans, fuse, softmax_scale, exclude)
            for number, (first, last) in enumerate(spans):
                if first < last:
                    if best is not None:
                        best.take(number * width + first, lines.weights(number))
                    for y in (0, 1):
                        mixed = lines.stepped(number, forward=y == 1)
                        for x in (0, 1):
                            summed = lines.widened(mixed, forward=x == 1)
                            target = filled[2 * number + y, 2 * first + x : 2 * last : 2]
                            target.copy_(torch.mm(summed, values[y][x]))
    return filled.permute(2, 0, 1)


def _groups(wanted: Tensor | None, height: int, width: int) -> Iterator[list[Span]]:
    """For every run of columns that holds wanted positions: their first and last + 1 in each line."""
    if wanted is None:
        yield [(0, width)] * height
        return
    grid = wanted.numpy()
    used = [False, *wanted.any(dim=0).tolist(), False]
    edges = [i for i in range(width + 1) if used[i] != used[i + 1]]
    for left, right in zip(edges[::2], edges[1::2], strict=True):
        spans = []
        for line in grid[:, left:right]:
            columns = line.nonzero()[0].tolist()
            spans.append((left + columns[0], left + columns[-1] + 1) if columns else EMPTY)
        yield spans


def _hulls(spans: list[Span]) -> list[Span]:
    """The least span that holds those of a line and its two neighbours."""
    padded = [EMPTY, *spans, EMPTY]
    hulls = []
    for number in range(len(spans)):
        near = [span for span in padded[number : number + 3] if span != EMPTY]
        hulls.append((min(a for a, _ in near), max(b for _, b in near)) if near else EMPTY)
    return hulls


def _as_grid(rows: Tensor, height: int) -> Tensor:
    """Queries x lines x columns of keys, in the same memory."""
    return rows.view(len(rows), height, rows.shape[1] // height)


def _total(out: Tensor, terms: list[Tensor]) -> None:
    """The sum of one or more; reading and writing is what it costs."""
    if len(terms) == 1:
        out.copy_(terms[0])
        return
    torch.add(terms[0], terms[1], out=out)
    for term in terms[2:]:
        out += term


class _Lines:
    """The stages from pixels to softmax weights, each remembering its last three lines."""

    def __init__(
        self, picture: Picture, spans: list[Span], fuse: bool, softmax_scale: float, exclude: bool
    ) -> None:
        self.height, self.width = picture.pixels.shape[1:]
        self.keys = self.height * self.width
        self.fuse = fuse
        padded = F.pad(picture.pixels, (1, 1))
        self.pixels = padded.flatten(1)
        self.queries = padded.permute(1, 2, 0).contiguous()
        self.scale = picture.scale * softmax_scale
        # One more key stands for all that are masked: exp(log n) is their n times exp(0).
        masked = self.keys - picture.valid.sum()
        spare = torch.where(masked == self.keys, 1, 0 if exclude else masked)
        self.bias = torch.cat([picture.valid, spare[None]]).log()
        self.spans = {"weights": spans, "fused": _hulls(spans)}
        sides = [(max(a - 1, 0), min(b + 1, self.width)) if a < b else EMPTY for a, b in self.spans["fused"]]
        self.spans["across"] = _hulls(sides)
        # Past the upper and lower edge the same width is needed, but not cut off at the sides.
        most = max(b - a for a, b in self.spans["across"]) + 4
        wide = self.keys + 2 * self.width
        new = picture.pixels.new_zeros
        self.rings = {stage: [new(most, wide) for _ in range(3)] for stage in ("across", "fused")}
        self.rings["weights"] = [new(most, self.keys + 1) for _ in range(3)]
        self.scores, self.row_scores = new(most, self.keys + 1), new(most, wide)
        self.products = new(most, self.pixels.shape[1])
        self.kept: dict[tuple[str, int], tuple[int, Line]] = {}

    def inner(self, rows: Tensor, shift: int = 0) -> Tensor:
        """Queries x keys without the margins, or what lies ``shift`` keys further."""
        start = self.width + shift
        return rows[:, start : start + self.keys]

    def remembered(self, stage: str, y: int, make: Callable[[int, int, int, Tensor], None]) -> Line:
        """A line of a stage, made at most once while it is among the last three."""
        found = self.kept.get((stage, y % 3))
        if found is not None and found[0] == y:
            return found[1]
        first, last = self.spans[stage][y]
        line = Line(first, self.rings[stage][y % 3][: last - first])
        make(y, first, last, line.rows)
        self.kept[stage, y % 3] = (y, line)
        return line

    def weights(self, y: int) -> Tensor:
        """Queries x keys of the softmax, masked keys 0."""
        return self.remembered("weights", y, self._make_weights).rows[:, :-1]

    def stepped(self, y: int, forward: bool) -> Tensor:
        """Weights of a line with those a line further (or back) in query and key added."""
        first, last = self.spans["weights"][y]
        other, width = y + 1 if forward else y - 1, self.width
        begin, end = self.spans["weights"][other] if 0 <= other < self.height else EMPTY
        a, b = max(first, begin), min(last, end)
        here = self.weights(y)
        there = self.weights(other)[a - begin : b - begin] if a < b else None
        mixed = self.scores[: last - first, :-1]
        if there is None:
            return mixed.copy_(here)
        mixed[: a - first].copy_(here[: a - first])
        mixed[b - first :].copy_(here[b - first :])
        here, target = here[a - first : b - first], mixed[a - first : b - first]
        near, edge = (
            (slice(0, -width), slice(-width, None)) if forward else (slice(width, None), slice(width))
        )
        far = slice(width, None) if forward else slice(0, -width)
        torch.add(here[:, near], there[:, far], out=target[:, near])
        target[:, edge] = here[:, edge]
        return mixed

    def widened(self, mixed: Tensor, forward: bool) -> Tensor:
        """The same a pixel further (or back), which never leads to another line."""
        out = self.products.flatten()[: mixed.numel()].view(mixed.shape)
        source, target = (_as_grid(rows, self.height) for rows in (mixed, out))
        if forward:
            torch.add(source[:-1, :, :-1], source[1:, :, 1:], out=target[:-1, :, :-1])
            target[:-1, :, -1] = source[:-1, :, -1]
            target[-1] = source[-1]
        else:
            torch.add(source[1:, :, 1:], source[:-1, :, :-1], out=target[1:, :, 1:])
            target[1:, :, 0] = source[1:, :, 0]
            target[0] = source[0]
        return out

    def _make_weights(self, y: int, first: int, last: int, out: Tensor) -> None:
        biased = self.scores[: last - first]
        biased[:, -1] = 0
        if self.fuse:
            self._fuse_columns(y, first, last, biased[:, :-1])
        else:
            self._patch_scores(y, first, last, self._across, biased[:, :-1])
        biased += self.bias
        torch.softmax(biased, 1, out=out)

    def _fuse_columns(self, y: int, first: int, last: int, out: Tensor) -> None:
        """In column-major order the neighbours lie a line above and below, past the edge at the other end."""
        width, inside = self.width, [n for n in (y - 1, y, y + 1) if 0 <= n < self.height]
        lines = {n: self._fused(n) for n in inside}
        rows = {n: line.rows[first - line.start : last - line.start] for n, line in lines.items()}
        _total(out, [self.inner(rows[n], (n - y) * width) for n in inside])
        for step in (-1, 1):
            a, b = first, last
            if y + step not in rows:
                a, b = max(first + step, 0), min(last + step, width)
                rows[y + step] = self._fused_alone((y + step) % self.height, a, b)
                target = out[a - step - first : b - step - first]
                target += self.inner(rows[y + step], step * width)
            else:
                target = out
            here, there = (slice(1, width), slice(-width, -1))[::-step]
            target[:, here] += self.inner(rows[y + step])[:, there]

    def _fused(self, y: int) -> Line:
        def make(y: int, first: int, last: int, out: Tensor) -> None:
            self._fuse_rows(y, first, last, self._across, out)

        return self.remembered("fused", y, make)

    def _fused_alone(self, y: int, first: int, last: int) -> Tensor:
        """A few columns away from the hole, past the edge of the map."""
        rows = self.queries.new_zeros(last - first, self.keys + 2 * self.width)
        if first < last:
            self._fuse_rows(y, first, last, self._across_alone, rows)
        return rows

    def _fuse_rows(
        self, y: int, first: int, last: int, across: Callable[[int, int, int], Tensor], out: Tensor
    ) -> None:
        """Scores with those of the previous and next (query, key) added; from line to line as in a text."""
        a, b = max(first - 1, 0), min(last + 1, self.width)
        rows = self.row_scores[: b - a]
        self._patch_scores(y, a, b, across, self.inner(rows))
        target, start = self.inner(out), first - a
        begin, end = int(a == first), last - first - int(b == last)
        if begin < end:
            parts = [rows[start + n + begin : start + n + end] for n in (0, -1, 1)]
            _total(
                target[begin:end], [self.inner(part, n) for part, n in zip(parts, (0, -1, 1), strict=True)]
            )
        for x in sorted({first, last - 1} - set(range(first + begin, first + end))):
            sides = (self._beside(y, x, n, rows[x + n - a : x + n - a + 1]) for n in (-1, 1))
            _total(
                target[x - first],
                [self.inner(rows[x - a : x - a + 1])[0], *(s for s in sides if s is not None)],
            )

    def _beside(self, y: int, x: int, step: int, row: Tensor) -> Tensor | None:
        """Scores of the query before or after (y, x), at the end of a line that of the next one."""
        if not 0 <= x + step < self.width:
            if not 0 <= y + step < self.height:
                return None
            row = self.queries.new_zeros(1, self.keys + 2 * self.width)
            column = (x + step) % self.width
            self._patch_scores(y + step, column, column + 1, self._across_alone, self.inner(row))
        return self.inner(row, step)[0]

    def _patch_scores(
        self, y: int, first: int, last: int, across: Callable[[int, int, int], Tensor], out: Tensor
    ) -> None:
        """Patch scores: the sums over three lines, over the length of the key's patch."""
        near = [n for n in (-1, 0, 1) if 0 <= y + n < self.height]
        _total(out, [self.inner(across(y + n, first, last), n * self.width) for n in near])
        out *= self.scale

    def _across(self, y: int, first: int, last: int) -> Tensor:
        start, rows = self.remembered("across", y, self._make_across)
        return rows[first - start : last - start]

    def _across_alone(self, y: int, first: int, last: int) -> Tensor:
        rows = self.queries.new_zeros(last - first, self.keys + 2 * self.width)
        self._make_across(y, first, last, rows)
        return rows

    def _make_across(self, y: int, first: int, last: int, out: Tensor) -> None:
        """Products of pixels, summed over three neighbours of a line."""
        products = self.products[: last - first + 2]
        torch.mm(self.queries[y, first : last + 2], self.pixels, out=products)
        grid = _as_grid(products, self.height)
        target = _as_grid(self.inner(out), self.height)
        torch.add(grid[1:-1, :, 1:-1], grid[2:, :, 2:], out=target)
        target += grid[:-2, :, :-2]
