"""Contextual attention: fills each position with patches of the picture's own known part."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from autoremove.models import attention_lines, attention_strips
from autoremove.models.attention_sources import Best, Picture, Sources, sources_of

SOFTMAX_SCALE = 10.0


def contextual_attention(
    features: Tensor,
    mask: Tensor,
    *,
    fuse: bool = True,
    halving: str = "plain",
    masked_keys: str = "zero",
    paste_divisor: str = "four",
    key_norm: str = "max",
    wanted: Tensor | None = None,
) -> Tensor:
    """Re-draw every position of a feature map as a mix of patches that hold no hole pixel.

    features: N x C x H x W with even H and W, both query and source. mask: N x 1 x H/2 x W/2,
    1 = hole; each sample uses its own. Result: N x C x H x W, float32 unless autocast lowers the paste.
    A sample that is all hole gives zeros. Scores and softmax are float32 whatever autocast says.

    ``halving``: which pixels the half-size map keeps (see :func:`halved`). ``masked_keys``: "zero" keeps
    exp(0) of every masked key in the denominator as the official graph does, "exclude" drops them.
    ``paste_divisor``: "four" or the true "overlap" (smaller at the border). ``key_norm``: keys are divided
    by "max" = max(L2, 1e-4) or "sum" = sqrt(sum(w^2 + 1e-4)). ``wanted``: see :func:`attend`.

    Yu et al., "Generative Image Inpainting with Contextual Attention" (2018) and
    "Free-Form Image Inpainting with Gated Convolution" (2019).
    """
    return attend(
        features,
        mask,
        fuse=fuse,
        halving=halving,
        masked_keys=masked_keys,
        paste_divisor=paste_divisor,
        key_norm=key_norm,
        wanted=wanted,
    )[0]


def attend(
    features: Tensor,
    mask: Tensor,
    *,
    fuse: bool = True,
    halving: str = "plain",
    masked_keys: str = "zero",
    paste_divisor: str = "four",
    key_norm: str = "max",
    wanted: Tensor | None = None,
    k: int = 0,
) -> tuple[Tensor, Sources | None]:
    """:func:`contextual_attention`, and where the patches came from.

    ``wanted``: N x 1 x H/2 x W/2, bool, on the CPU wherever the features are: the positions that ask (None:
    all). Only pixels whose four covering positions all ask are then as documented; others are a part of
    their sum or 0. With gradients all positions ask. ``k``: how many :class:`Sources` to tell of every
    position that asks; only without gradients.
    """
    with torch.autocast(features.device.type, enabled=False):
        features = features.float()
        small = halved(features, halving)
        norms = _norms(small, key_norm)
        valid = _valid_keys(mask.float())
    sources = None
    if torch.is_grad_enabled() and features.requires_grad:
        pasted = _differentiable(features, small, norms, valid, fuse, masked_keys)
    else:
        best = [Best(k, valid.shape[-1], valid.device) for _ in features] if k else None
        pasted = _in_parts(features, small, norms, valid, fuse, masked_keys, wanted, best)
        sources = None if best is None else sources_of(best, wanted, (small.shape[-2], small.shape[-1]))
    return pasted / (4 if paste_divisor == "four" else _overlaps(pasted)), sources


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


def _norms(small: Tensor, form: str) -> Tensor:
    """N x 1 x L: the length of the 3 x 3 patch round every position."""
    squares = F.avg_pool2d(small.square().sum(1, keepdim=True), 3, stride=1, padding=1).flatten(2) * 9
    if form == "sum":
        return (squares + 9e-4 * small.shape[1]).sqrt()
    # The floor is put under the square, where the gradient of the root is still finite.
    return squares.clamp_min(1e-8).sqrt()


def _valid_keys(mask: Tensor) -> Tensor:
    """N x 1 x L: 1 where the 3 x 3 neighbourhood holds no hole pixel."""
    return (F.max_pool2d(mask, 3, stride=1, padding=1).flatten(2) <= 0).to(mask.dtype)


def _in_parts(
    features: Tensor,
    small: Tensor,
    norms: Tensor,
    valid: Tensor,
    fuse: bool,
    masked_keys: str,
    wanted: Tensor | None,
    best: list[Best] | None,
) -> Tensor:
    """Sample by sample: a GPU wants few large products, a CPU what its cache holds."""
    way = attention_lines if features.device.type == "cpu" else attention_strips
    filled = [
        way.fill(
            features[i],
            Picture(small[i], 1 / norms[i, 0], valid[i, 0]),
            None if wanted is None else wanted[i, 0],
            fuse=fuse,
            softmax_scale=SOFTMAX_SCALE,
            exclude=masked_keys == "exclude",
            best=None if best is None else best[i],
        )
        for i in range(len(features))
    ]
    return torch.stack(filled)


def _differentiable(
    features: Tensor, small: Tensor, norms: Tensor, valid: Tensor, fuse: bool, masked_keys: str
) -> Tensor:
    """The whole map at once, as training on small crops wants it."""
    # Weights of masked keys must be zero: blanking their patches is cheaper than blanking the scores.
    patches = F.unfold(features, 4, padding=1, stride=2) * valid
    with torch.autocast(features.device.type, enabled=False):
        queries = F.unfold(small, 3, padding=1)
        scores = torch.matmul(queries.transpose(1, 2), queries / norms)
        if fuse:
            scores = _Fuse.apply(scores, small.shape[-2:])
        scores = scores * (valid * SOFTMAX_SCALE)
        if masked_keys == "exclude":
            # Finite, so that a sample with no valid key stays free of NaN.
            scores = scores + (valid - 1) * 1e9
        weights = scores.softmax(-1)
    columns = torch.matmul(weights, patches.transpose(1, 2)).transpose(1, 2)
    return F.fold(columns, features.shape[-2:], 4, padding=1, stride=2)


class _Fuse(torch.autograd.Function):
    """Add the scores of neighbouring (query, key) pairs so that coherent runs of patches win.

    N x L x L over row-major positions. Both axes step together to the next and the previous position, first
    in row-major and then in column-major order; the order wraps from line to line. Both additions are
    symmetric: the gradient runs them in the opposite order and needs no saved tensor.
    """

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


def _overlaps(pasted: Tensor) -> Tensor:
    """1 x 1 x H x W: how many 4 x 4 patches cover a pixel."""
    height, width = pasted.shape[-2:]
    ones = torch.ones(1, 16, height * width // 4, dtype=pasted.dtype, device=pasted.device)
    return F.fold(ones, (height, width), 4, padding=1, stride=2)
