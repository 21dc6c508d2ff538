"""How near an enlarged picture is to the true one, as the field counts it: PSNR and SSIM on luma."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from autoremove.models.srgan import SCALE, SRResNet, bicubic
from autoremove.models.srgan_tiles import upscaled_pixels
from autoremove.training.record import tile
from autoremove.training.similarity import similarity
from autoremove.types import Image

BORDER = 4
"""Pixels on each side that count for nothing."""

MOST_PSNR = 100.0
"""dB given to an exact copy."""

Enlarge = Callable[[Image], Image]
"""H x W x 3 to 4H x 4W x 3."""


def luma(rgb: Image) -> NDArray[np.float64]:
    """H x W in 16..235: Y of ITU-R BT.601 from H x W x 3 RGB of 0..255, not rounded."""
    return np.asarray(16 + rgb.astype(np.float64) @ np.array([65.481, 128.553, 24.966]) / 255, np.float64)


def degraded(image: Tensor) -> Tensor:
    """N x 3 x 4H x 4W in -1..1 at a quarter of its size, in steps of 1/255 as a file would hold it.

    Antialiased bicubic (a = -0.5), like MATLAB's ``imresize`` but for the border. No gradient.
    """
    with torch.no_grad():
        low = bicubic(image.float(), 1 / SCALE)
        return ((low + 1) * 127.5).round().clamp(0, 255) / 127.5 - 1


def pair_of(truth: Image) -> tuple[Image, Image]:
    """The picture cut to multiples of four from its upper left corner, and a quarter of its size."""
    height, width = (side // SCALE * SCALE for side in truth.shape[:2])
    high = np.ascontiguousarray(truth[:height, :width])
    return high, _pixels(degraded(_planes(high)))


def bicubic_pixels(low: Image) -> Image:
    """The picture four times as large by bicubic interpolation: what a network is compared with."""
    return _pixels(bicubic(_planes(low), SCALE))


def enlarger(network: SRResNet) -> Enlarge:
    """A network as a function of pictures."""
    return lambda low: np.asarray(upscaled_pixels(network, low), np.uint8)


def compared(result: Image, truth: Image) -> dict[str, float]:
    """PSNR in dB and SSIM (0..1) on luma without a border of four pixels, peak 255.

    SSIM after Wang et al. (2004): Gaussian 11 with sigma 1.5, only where it lies wholly inside.
    Raises ValueError for pictures of two sizes, or too small for one window (19 pixels).
    """
    if result.shape != truth.shape or min(truth.shape[:2]) < 11 + 2 * BORDER:
        raise ValueError(f"pictures of {result.shape} and {truth.shape} cannot be compared")
    inside = slice(BORDER, -BORDER)
    a, b = (luma(picture)[inside, inside] for picture in (result, truth))
    error = max(float(np.mean((a - b) ** 2)), 1e-12)
    return {
        "psnr": min(MOST_PSNR, 10 * float(np.log10(255**2 / error))),
        "ssim": float(similarity(a, b)[5:-5, 5:-5].mean()),
    }


def figures(enlarge: Enlarge, pictures: Sequence[Image]) -> dict[str, float]:
    """Means of :func:`compared` over pictures that are made small and enlarged again.

    ``psnr`` and ``ssim``, ``bicubic_psnr`` and ``bicubic_ssim`` of the same pictures enlarged without a
    network, ``gain``: dB over bicubic. ``score`` is the PSNR.
    """
    rows = []
    for truth in pictures:
        high, low = pair_of(truth)
        own, plain = compared(enlarge(low), high), compared(bicubic_pixels(low), high)
        rows.append({**own, "bicubic_psnr": plain["psnr"], "bicubic_ssim": plain["ssim"]})
    means = {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}
    return {"score": means["psnr"], **means, "gain": means["psnr"] - means["bicubic_psnr"]}


def sheet(enlarge: Enlarge, pictures: Sequence[Image], count: int = 8) -> Image:
    """One row a picture: its pixels enlarged plainly, bicubic, the network's, the truth."""
    rows = []
    for truth in pictures[:count]:
        high, low = pair_of(truth)
        plain = np.repeat(np.repeat(low, SCALE, 0), SCALE, 1)
        rows.append([plain, bicubic_pixels(low), enlarge(low), high])
    return tile(rows)


def _planes(picture: Image) -> Tensor:
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None].float() / 127.5 - 1


def _pixels(planes: Tensor) -> Image:
    values: Any = ((planes[0] + 1) * 127.5).round().clamp(0, 255).byte().permute(1, 2, 0).numpy()
    return np.ascontiguousarray(values)
