"""Contextual attention for filling on a GPU: strip by strip, and with a tenth of the products.

Three sums over patches become shifts of the score map, which cost additions in place of products:
a patch score is a sum of pixel scores along the diagonal, fusing adds diagonal neighbours, and pasting
overlapping patches is, for each of the four pixel phases, one mix of single pixels by summed weights.
"""

from __future__ import annotations

import torch
from torch import Tensor

from autoremove.models.attention_sources import Best, Picture

STRIP_ELEMENTS = 1 << 25
"""Scores of one strip: several buffers of this many float32 are held at once."""

SMALLEST_STRIP = 4
"""Lines; the neighbouring lines that a strip needs as well would outweigh a smaller one."""


def fill(
    features: Tensor,
    picture: Picture,
    wanted: Tensor | None = None,
    *,
    fuse: bool,
    softmax_scale: float,
    exclude: bool,
    best: Best | None = None,
) -> Tensor:
    """C x 2h x 2w features -> the same size, every pixel the sum of its four overlapping mixed patches.

    ``wanted``: h x w on the CPU, true for the positions that ask (None: all); lines without any stay 0.
    ``best`` collects the keys of the largest weights.
    """
    channels, height, width = picture.pixels.shape
    lines = max(SMALLEST_STRIP, STRIP_ELEMENTS // (height * width * width))
    filled = torch.zeros_like(features)
    phases = [[features[:, y::2, x::2].flatten(1) for x in (0, 1)] for y in (0, 1)]
    for top, bottom in _strips(wanted, height, lines):
        weights = _weights(picture, top, bottom, fuse, softmax_scale, exclude)
        if best is not None:
            best.take(top * width, weights[width:-width])
        for y in (0, 1):
            mixed = _with_line_step(weights, width, forward=y == 1)
            for x in (0, 1):
                summed = _with_pixel_step(mixed, width, forward=x == 1)
                values = torch.matmul(phases[y][x], summed.T)
                filled[:, 2 * top + y : 2 * bottom + y : 2, x::2] = values.reshape(channels, -1, width)
    return filled


def _strips(wanted: Tensor | None, height: int, lines: int) -> list[tuple[int, int]]:
    """First and last + 1 line of the strips from the first line that asks to the last."""
    first, last = 0, height
    if wanted is not None:
        asking = wanted.numpy().any(1).nonzero()[0].tolist()
        first, last = (asking[0], asking[-1] + 1) if asking else (0, 0)
    return [(top, min(top + lines, last)) for top in range(first, last, lines)]


def _weights(
    picture: Picture, top: int, bottom: int, fuse: bool, softmax_scale: float, exclude: bool
) -> Tensor:
    """Softmax of the queries in lines top - 1 .. bottom + 1, zeros outside the map: rows x keys."""
    height, width = picture.pixels.shape[1:]
    first, last = max(top - 1, 0), min(bottom + 1, height)
    with torch.autocast(picture.pixels.device.type, enabled=False):
        scores = _fused(picture, first, last) if fuse else _scores(picture, first * width, last * width)
        scores *= picture.valid * softmax_scale
        if exclude:
            scores += (picture.valid - 1) * 1e9
        weights = scores.softmax(-1)
        weights *= picture.valid
    return _extended(weights, width * (first - top + 1), width * (bottom + 1 - last))


def _scores(picture: Picture, start: int, stop: int) -> Tensor:
    """Patch scores of the flat queries start .. stop, zeros outside the map: rows x keys."""
    height, width = picture.pixels.shape[1:]
    first, last = max(start, 0) // width, -(-min(stop, height * width) // width)
    begin, end = max(first - 1, 0), min(last + 1, height)
    pixels = picture.pixels.flatten(1)
    products = pixels[:, begin * width : end * width].T @ pixels
    across = products.clone()
    grid, source = (x.reshape(-1, width, height, width) for x in (across, products))
    grid[:, :-1, :, :-1] += source[:, 1:, :, 1:]
    grid[:, 1:, :, 1:] += source[:, :-1, :, :-1]
    across = _extended(across, width * (begin - first + 1), width * (last + 1 - end))
    scores = across[width:-width].clone()
    scores[:, :-width] += across[2 * width :, width:]
    scores[:, width:] += across[: -2 * width, :-width]
    scores *= picture.scale
    scores = scores[max(start, 0) - first * width : min(stop, height * width) - first * width]
    return _extended(scores, max(-start, 0), max(stop - height * width, 0))


def _fused(picture: Picture, top: int, bottom: int) -> Tensor:
    """Scores of lines top .. bottom with both fusings, as over the whole map."""
    height, width = picture.pixels.shape[1:]
    # In column-major order the neighbours lie a line above and below, past the edge at the other end.
    spans = [(max(top - 1, 0) * width, min(bottom + 1, height) * width)]
    if top == 0:
        spans.insert(0, ((height - 1) * width - 1, height * width - 1))
    if bottom == height:
        spans.append((1, width + 1))
    parts = [_row_fused(picture, *span) for span in spans]
    lines = parts[0] if len(parts) == 1 else torch.cat(parts)
    if top == 0:
        lines[0] = 0  # nothing comes before the first position of all
    if bottom == height:
        lines[-1] = 0
    before, after = lines[: -2 * width], lines[2 * width :]
    fused = lines[width:-width].clone()
    fused[:, :-width] += after[:, width:]
    fused[:, -width:-1] += after[:, 1:width]
    fused[:, width:] += before[:, :-width]
    fused[:, 1:width] += before[:, -width:-1]
    return fused


def _row_fused(picture: Picture, start: int, stop: int) -> Tensor:
    """Scores of flat queries start .. stop, each with those of the previous and next (query, key) added."""
    scores = _scores(picture, start - 1, stop + 1)
    fused = scores[1:-1].clone()
    fused[:, 1:] += scores[:-2, :-1]
    fused[:, :-1] += scores[2:, 1:]
    return fused


def _with_line_step(weights: Tensor, width: int, forward: bool) -> Tensor:
    """Add to each (query, key) the one a line further (or back) in both; drops the outer query lines."""
    summed = weights[width:-width].clone()
    if forward:
        summed[:, :-width] += weights[2 * width :, width:]
    else:
        summed[:, width:] += weights[: -2 * width, :-width]
    return summed


def _with_pixel_step(weights: Tensor, width: int, forward: bool) -> Tensor:
    """The same within a line, where the step never leads to another line."""
    summed = weights.clone()
    shape = (-1, width, weights.shape[1] // width, width)
    target, source = summed.reshape(shape), weights.reshape(shape)
    if forward:
        target[:, :-1, :, :-1] += source[:, 1:, :, 1:]
    else:
        target[:, 1:, :, 1:] += source[:, :-1, :, :-1]
    return summed


def _extended(rows: Tensor, before: int, after: int) -> Tensor:
    """With rows of zeros added at both ends."""
    if not before and not after:
        return rows
    return torch.cat([rows.new_zeros(before, rows.shape[1]), rows, rows.new_zeros(after, rows.shape[1])])
