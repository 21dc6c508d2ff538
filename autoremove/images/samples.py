"""Pixels as a file holds them, their upright 8-bit RGB view, and patches blended into them at full depth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoremove.images import cmyk
from autoremove.types import Image, Patch

Values = NDArray[Any]
COLOURS = {"L": 1, "LA": 1, "RGB": 3, "RGBA": 3, "CMYK": 4}
"""How many channels come before alpha, for each colour model."""


@dataclass(frozen=True)
class Samples:
    """One picture's own pixels.

    ``values``: H x W x C, as stored (not turned upright), uint8, uint16 or float.
    ``model``: L, LA, RGB, RGBA or CMYK (0 = no ink). ``white``: the value of full light (255, 65535, 1.0).
    ``orientation``: EXIF, 1 to 8. ``icc``: the colour profile; only CMYK is converted with it.
    ``premultiplied``: whether the colours were multiplied with alpha already.
    """

    values: Values
    model: str
    white: float = 255
    orientation: int = 1
    icc: bytes | None = None
    premultiplied: bool = False


def upright(values: Values, orientation: int) -> Values:
    """A view of ``values`` (H x W or H x W x C) turned as its EXIF ``orientation`` asks."""
    if orientation >= 5:
        values = values.swapaxes(0, 1)
    down = orientation in (3, 4, 7, 8)
    across = orientation in (2, 3, 6, 7)
    return values[:: -1 if down else 1, :: -1 if across else 1]


def to_rgb(samples: Samples) -> Image:
    """The picture as H x W x 3 uint8, upright, without its alpha."""
    colours = samples.values[..., : COLOURS[samples.model]]
    if samples.model == "CMYK":
        rgb = cmyk.to_rgb(to_8_bit(colours, samples.white), samples.icc)
    else:
        rgb = to_8_bit(_unmultiplied(colours, samples), samples.white)
        if rgb.shape[2] == 1:
            rgb = np.repeat(rgb, 3, axis=2)
    return np.ascontiguousarray(upright(rgb, samples.orientation))


def painted(samples: Samples, patches: Sequence[Patch]) -> Samples:
    """A copy with ``patches`` (upright coordinates) blended in; every other value stays as it was.

    Raises ValueError where a patch lies outside the picture or its parts differ in size.
    """
    values = samples.values.copy()
    canvas = upright(values, samples.orientation)
    for patch in patches:
        _paint(canvas, patch, samples)
    return replace(samples, values=values)


def apply_patches(rgb: Image, patches: Sequence[Patch]) -> Image:
    """A copy of ``rgb`` (H x W x 3 uint8) with each patch laid on, by its alpha, in order."""
    return painted(Samples(rgb, "RGB"), patches).values


def _paint(canvas: Values, patch: Patch, samples: Samples) -> None:
    """Blend one patch into ``canvas``, a view of the picture turned upright."""
    x0, y0, x1, y1 = patch.xyxy
    size_hw = (y1 - y0, x1 - x0)
    if not (0 <= x0 <= x1 <= canvas.shape[1] and 0 <= y0 <= y1 <= canvas.shape[0]):
        raise ValueError(f"patch {patch.xyxy} outside a picture of {canvas.shape[1]} x {canvas.shape[0]}")
    if patch.pixels.shape != (*size_hw, 3) or patch.alpha.shape != size_hw:
        raise ValueError(f"patch {patch.xyxy} with pixels {patch.pixels.shape} and alpha {patch.alpha.shape}")
    count = COLOURS[samples.model]
    region = canvas[y0:y1, x0:x1]
    new = _as_stored(patch.pixels, samples)
    if samples.premultiplied:
        new = _quantised(new * (region[..., count : count + 1] / samples.white), region.dtype)
    region[..., :count] = blended(region[..., :count], new, patch.alpha)


def blended(own: Values, new: Values, alpha: NDArray[np.uint8]) -> Values:
    """(own * (255 - a) + new * a) / 255, rounded, in the type of ``own``; a = 0 gives ``own`` to the bit."""
    share = alpha[..., None].astype(np.int64)
    if own.dtype.kind == "f":
        mixed = own + (new - own) * (share / 255)
    else:
        mixed = (own.astype(np.int64) * (255 - share) + new.astype(np.int64) * share + 127) // 255
    return np.where(share == 0, own, mixed.astype(own.dtype))


def _as_stored(pixels: Image, samples: Samples) -> Values:
    """New 8-bit RGB pixels in the picture's own colour model and depth."""
    if samples.model == "CMYK":
        pixels = cmyk.from_rgb(pixels, samples.icc)
    elif COLOURS[samples.model] == 1:
        pixels = luma(pixels)[..., None]
    scaled = pixels * (samples.white / 255)
    return _quantised(scaled, samples.values.dtype)


def luma(rgb: Image) -> NDArray[np.uint8]:
    """H x W grey by the weights of ITU-R BT.601."""
    red, green, blue = (rgb[..., i].astype(np.uint32) for i in range(3))
    return ((19595 * red + 38470 * green + 7471 * blue + 0x8000) >> 16).astype(np.uint8)


def _quantised(values: Values, dtype: np.dtype[Any]) -> Values:
    return values.astype(dtype) if dtype.kind == "f" else np.rint(values).astype(dtype)


def to_8_bit(values: Values, white: float) -> Image:
    """Values from 0 to ``white`` as 0 to 255, rounded."""
    if values.dtype == np.uint8 and white == 255:
        return values
    if values.dtype.kind == "f":
        return np.rint(np.clip(values / white, 0, 1) * 255).astype(np.uint8)
    top = int(white)
    return ((values.astype(np.uint32) * 255 + top // 2) // top).astype(np.uint8)


def _unmultiplied(colours: Values, samples: Samples) -> Values:
    if not samples.premultiplied:
        return colours
    count = COLOURS[samples.model]
    alpha = samples.values[..., count : count + 1] / samples.white
    plain = np.where(alpha > 0, colours / np.maximum(alpha, 1e-6), 0)
    return _quantised(np.clip(plain, 0, samples.white), colours.dtype)
