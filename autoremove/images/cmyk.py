"""Between printing inks and RGB: by the picture's own colour profile, or by plain arithmetic."""

from __future__ import annotations

import io
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PilImage
from PIL import ImageCms

from autoremove.types import Image

Inks = NDArray[np.uint8]
"""H x W x 4: cyan, magenta, yellow, black; 0 = no ink, 255 = full."""


def to_rgb(inks: Inks, icc: bytes | None) -> Image:
    """H x W x 3 RGB; by the profile ``icc`` where it is a CMYK profile, else (1 - ink) x (1 - black)."""
    transforms = _transforms(icc)
    if transforms is not None:
        return np.asarray(ImageCms.applyTransform(PilImage.fromarray(inks, "CMYK"), transforms[0]))
    light = 255 - inks[..., :3].astype(np.uint32)
    black = 255 - inks[..., 3:].astype(np.uint32)
    return ((light * black + 127) // 255).astype(np.uint8)


def from_rgb(rgb: Image, icc: bytes | None) -> Inks:
    """H x W x 4 inks that ``to_rgb`` shows as ``rgb``; without a profile the black ink is left out."""
    transforms = _transforms(icc)
    if transforms is not None:
        return np.asarray(ImageCms.applyTransform(PilImage.fromarray(rgb), transforms[1]))
    return np.concatenate([255 - rgb, np.zeros_like(rgb[..., :1])], axis=2)


@lru_cache(maxsize=4)
def _transforms(icc: bytes | None) -> tuple[Any, Any] | None:
    """To sRGB and back, or None where there is no usable CMYK profile."""
    if not icc:
        return None
    try:
        own = ImageCms.ImageCmsProfile(io.BytesIO(icc))
        srgb = ImageCms.createProfile("sRGB")
        intent = ImageCms.Intent.RELATIVE_COLORIMETRIC
        to_srgb = ImageCms.buildTransform(own, srgb, "CMYK", "RGB", intent)
        return to_srgb, ImageCms.buildTransform(srgb, own, "RGB", "CMYK", intent)
    except (ImageCms.PyCMSError, OSError):
        return None  # A damaged profile, or one without the way back: plain arithmetic serves both ways.
