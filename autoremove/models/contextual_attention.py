"""Contextual attention: fills each position with patches of the picture's own known part."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

SOFTMAX_SCALE = 10.0
STRIP_ELEMENTS = 1 << 22
"""Scores held at once when no gradient is wanted; larger maps are done in strips of queries."""


def contextual_attention(
    features: Tensor,
    mask: Tensor,
    *,
    fuse: bool = True,
    halving: str = "plain",
    masked_keys: str = "zero",
    paste_divisor: str = "four",
    key_norm: str = "max",
) -> Tensor:
    """Re-draw every position of a feature map as a mix of patches that hold no hole pixel.

    features: N x C x H x W with even H and W, both query and source. mask: N x 1 x H/2 x W/2,
    1 = hole; each sample uses its own. Result: N x C x H x W, float32 unless autocast lowers the paste.
    A sample that is all hole gives zeros. Scores and softmax are float32 whatever autocast says.

    ``halving``: which pixels the half-size map keeps (see :func:`halved`). ``masked_keys``: "zero" keeps
    exp(0) of every masked key in the denominator as the official graph does, "exclude" drops them.
    ``paste_divisor``: "four" or the true "overlap" (smaller at the border). ``key_norm``: keys are divided
    by "max" = max(L2, 1e-4) or "sum" = sqrt(sum(w^2 + 1e-4)).

    Yu et al., "Generative Image Inpainting with Contextual Attention" (2018) and
    "Free-Form Image Inpainting with Gated Convolution" (2019).
    """
    height, width = features.shape[-2:]
    size_hw = (height // 2, width // 2)
    with torch.autocast(features.device.type, enabled=False):
        queries = F.unfold(halved(features.float(), halving), 3, padding=1)
        keys = queries / _norms(queries, key_norm)
        valid = _valid_keys(mask.float())
    # Weights of masked keys must be zero: blanking their patches is cheaper than blanking the scores.
    patches = F.unfold(features.float(), 4, padding=1, stride=2) * valid
    columns = _attend(queries, keys, patches, valid, size_hw, fuse, masked_keys)
    return _paste(columns, (height, width), paste_divisor)


def halved(features: Tensor, form: str) -> Tensor:
    """Half-size map by nearest neighbour: pixels 2i ("plain") or round(i (n-1)/(n/2-1)) ("align_corners")."""
    if form == "plain":
        return features[..., ::2, ::2]
    rows, columns = (align_corners_indices(n, n // 2, features.device) for n in features.shape[-2:])
    return features.index_select(-2, rows).index_select(-1, columns)


def align_corners_indices(source: int, target: int, device: torch.device | None = None) -> Tensor:
    """Source positions of a nearest resize whose first and last pixels stay the first and last."""
    if target < 2:
        return torch.zeros(target, dtype=torch.long, device=device)
    steps = torch.arange(target, device=device)
    return (2 * steps * (source - 1) + target - 1) // (2 * (target - 1))


def _norms(keys: Tensor, form: str) -> Tensor:
    if form == "sum":
        return (keys.square() + 1e-4).sum(1, keepdim=True).sqrt()
    # The floor is put under the square, where the gradient of the root is still finite.
    return keys.square().sum(1, keepdim=True).clamp_min(1e-8).sqrt()


def _valid_keys(mask: Tensor) -> Tensor:
    """N x 1 x L: 1 where the 3 x 3 neighbourhood holds no hole pixel."""
    return (F.max_pool2d(mask, 3, stride=1, padding=1).flatten(2) <= 0).to(mask.dtype)


def _attend(
    queries: Tensor,
    keys: Tensor,
    patches: Tensor,
    valid: Tensor,
    size_hw: tuple[int, int],
    fuse: bool,
    masked_keys: str,
) -> Tensor:
    """N x D x L queries and keys, N x P x L patches -> N x P x L mixed patches."""
    samples, _, count = queries.shape
    tracked = torch.is_grad_enabled() and (queries.requires_grad or patches.requires_grad)
    if tracked or samples * count * count <= STRIP_ELEMENTS:
        with torch.autocast(queries.device.type, enabled=False):
            scores = torch.matmul(queries.transpose(1, 2), keys)
            weights = _weights(fuse_scores(scores, size_hw) if fuse else scores, valid, masked_keys)
        return torch.matmul(weights, patches.transpose(1, 2)).transpose(1, 2)
    lines = max(1, STRIP_ELEMENTS // (count * size_hw[1]))
    mixed = torch.empty_like(patches)
    for sample in range(samples):
        for top in range(0, size_hw[0], lines):
            bottom = min(top + lines, size_hw[0])
            with torch.autocast(queries.device.type, enabled=False):
                scores = _strip_scores(queries[sample], keys[sample], top, bottom, size_hw, fuse)
                weights = _weights(scores, valid[sample], masked_keys)
            strip = slice(top * size_hw[1], bottom * size_hw[1])
            mixed[sample, :, strip] = torch.matmul(patches[sample], weights.T)
    return mixed


def _weights(scores: Tensor, valid: Tensor, masked_keys: str) -> Tensor:
    scores = scores * (valid * SOFTMAX_SCALE)
    if masked_keys == "exclude":
        # Finite, so that a sample with no valid key stays free of NaN.
        scores = scores + (valid - 1) * 1e9
    return scores.softmax(-1)


def _strip_scores(
    queries: Tensor, keys: Tensor, top: int, bottom: int, size_hw: tuple[int, int], fuse: bool
) -> Tensor:
    """Scores, fused or not, of the queries in lines top..bottom: the same values as for the whole map."""
    height, width = size_hw
    if not fuse:
        return queries[:, top * width : bottom * width].T @ keys
    # The steps of column-major order lead to the line above and below, past the map's edge to its other end.
    spans = [(max(top - 1, 0) * width, min(bottom + 1, height) * width)]
    if top == 0:
        spans.insert(0, ((height - 1) * width - 1, height * width - 1))
    if bottom == height:
        spans.append((1, width + 1))
    lines = torch.cat([_row_fused(queries, keys, *span) for span in spans])
    if top == 0:
        lines[0] = 0  # the first position of all has nothing before it
    if bottom == height:
        lines[-1] = 0
    before, here, after = lines[: -2 * width], lines[width:-width], lines[2 * width :]
    fused = here.clone()
    fused[:, :-width] += after[:, width:]
    fused[:, -width:-1] += after[:, 1:width]
    fused[:, width:] += before[:, :-width]
    fused[:, 1:width] += before[:, -width:-1]
    return fused


def _row_fused(queries: Tensor, keys: Tensor, start: int, stop: int) -> Tensor:
    """Scores of queries start..stop, each with those of the previous and next (query, key) pair added."""
    first, last = max(start - 1, 0), min(stop + 1, queries.shape[1])
    edges = (first - (start - 1), stop + 1 - last)
    scores = F.pad(queries[:, first:last], edges).T @ keys
    fused = scores[1:-1].clone()
    fused[:, 1:] += scores[:-2, :-1]
    fused[:, :-1] += scores[2:, 1:]
    return fused


def fuse_scores(scores: Tensor, size_hw: tuple[int, int]) -> Tensor:
    """Add the scores of neighbouring (query, key) pairs so that coherent runs of patches win.

    scores: N x L x L over row-major positions. Both axes step together to the next and the previous
    position, first in row-major and then in column-major order; the order wraps from line to line.
    """
    if torch.is_grad_enabled() and scores.requires_grad:
        return _Fuse.apply(scores, size_hw)  # type: ignore[no-any-return]
    return _add_column_steps(_add_row_steps(scores), size_hw)


class _Fuse(torch.autograd.Function):
    """The two symmetric additions; the gradient runs them in the opposite order and needs no saved tensor."""

    @staticmethod
    def forward(ctx: Any, scores: Tensor, size_hw: tuple[int, int]) -> Tensor:
        ctx.size_hw = size_hw
        return _add_column_steps(_add_row_steps(scores), size_hw)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        return _add_row_steps(_add_column_steps(grad, ctx.size_hw)), None


def _add_row_steps(scores: Tensor) -> Tensor:
    fused = scores.clone()
    fused[:, 1:, 1:] += scores[:, :-1, :-1]
    fused[:, :-1, :-1] += scores[:, 1:, 1:]
    return fused


def _add_column_steps(scores: Tensor, size_hw: tuple[int, int]) -> Tensor:
    """In column-major order the step is one line down, or from the last line to the next column's top."""
    count, width = scores.shape[-1], size_hw[1]
    here = (slice(0, count - width), slice(count - width, count - 1))
    after = (slice(width, count), slice(1, width))
    fused = scores.clone()
    for q_here, q_after in zip(here, after, strict=True):
        for k_here, k_after in zip(here, after, strict=True):
            fused[:, q_here, k_here] += scores[:, q_after, k_after]
            fused[:, q_after, k_after] += scores[:, q_here, k_here]
    return fused


def _paste(columns: Tensor, size_hw: tuple[int, int], divisor: str) -> Tensor:
    pasted = F.fold(columns, size_hw, 4, padding=1, stride=2)
    if divisor == "four":
        return pasted / 4
    ones = torch.ones(1, 16, columns.shape[-1], dtype=pasted.dtype, device=pasted.device)
    return pasted / F.fold(ones, size_hw, 4, padding=1, stride=2)
