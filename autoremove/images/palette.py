"""Pictures with a palette: hold new colours in it where they fit, or take the nearest it has."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PilImage

from autoremove.images.samples import Samples, Values


def fitted(samples: Samples) -> PilImage.Image | None:
    """A Pillow picture of mode P equal to ``samples`` (RGB or RGBA), or None beyond 256 colours."""
    height, width, channels = samples.values.shape
    colours, indices = np.unique(_as_numbers(samples.values), return_inverse=True)
    if len(colours) > 256:
        return None
    picture = PilImage.fromarray(indices.astype(np.uint8).reshape(height, width))
    table = colours.astype(">u4").view(np.uint8).reshape(-1, 4)
    picture.putpalette(np.ascontiguousarray(table[:, :3]).tobytes())
    if channels == 4:
        picture.info["transparency"] = table[:, 3].tobytes()
    return picture


def _as_numbers(values: Values) -> NDArray[np.uint32]:
    """Each pixel's red, green, blue and alpha in one number."""
    parts = values.astype(np.uint32)
    alpha = parts[..., 3] if values.shape[2] == 4 else np.uint32(255)
    return np.asarray(
        (parts[..., 0] << 24) | (parts[..., 1] << 16) | (parts[..., 2] << 8) | alpha, dtype=np.uint32
    )


def nearest(colours: NDArray[np.uint8], table: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """For N x 3 colours the position of the nearest of K x 3 in ``table`` (at most 256), by distance."""
    distinct, where = np.unique(colours.reshape(-1, 3), axis=0, return_inverse=True)
    found = np.empty(len(distinct), np.uint8)
    for start in range(0, len(distinct), 4096):
        part = distinct[start : start + 4096, None].astype(np.int32) - table[None].astype(np.int32)
        found[start : start + 4096] = (part**2).sum(axis=2).argmin(axis=1)
    return found[where.reshape(-1)]
