"""Open pictures with Pillow's own classes, one kind at a time and without its global settings."""

from __future__ import annotations

import io
import threading
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
from PIL import Image as PilImage

from autoremove.errors import PictureError
from autoremove.images.samples import Samples

# Image.open is passed by on purpose: its pixel limit is a global that warns instead of refusing, it takes
# a JPEG with a second picture inside for an animation, and other libraries replace it with versions that
# install packages when a file is broken.
_CLASSES = {
    "JPEG": ("PIL.JpegImagePlugin", "JpegImageFile"),
    "PNG": ("PIL.PngImagePlugin", "PngImageFile"),
    "WEBP": ("PIL.WebPImagePlugin", "WebPImageFile"),
    "TIFF": ("PIL.TiffImagePlugin", "TiffImageFile"),
    "BMP": ("PIL.BmpImagePlugin", "BmpImageFile"),
    "GIF": ("PIL.GifImagePlugin", "GifImageFile"),
    "AVIF": ("PIL.AvifImagePlugin", "AvifImageFile"),
}


_LOCK = threading.Lock()


@dataclass(frozen=True)
class Header:
    """What a file says of itself before its pixels are decoded. ``size_hw``: as stored, not upright."""

    size_hw: tuple[int, int]
    mode: str
    bit_depth: int = 8
    orientation: int = 1
    frames: int = 1


def opened(kind: str, data: bytes) -> Any:
    """A Pillow picture of ``kind``, its pixels not yet decoded. Raises whatever Pillow raises."""
    module, name = _CLASSES[kind]
    make = getattr(import_module(module), name)
    with _LOCK:  # Some of the classes ask for the global limit themselves; ours is the reader's max_pixels.
        limit, PilImage.MAX_IMAGE_PIXELS = PilImage.MAX_IMAGE_PIXELS, None
        try:
            return make(io.BytesIO(data))
        finally:
            PilImage.MAX_IMAGE_PIXELS = limit


def frames_of(picture: PilImage.Image) -> int:
    """Number of frames or pages."""
    return int(getattr(picture, "n_frames", 1))


def samples_of(picture: PilImage.Image, orientation: int = 1) -> Samples:
    """The pixels of an 8-bit Pillow picture; palettes are looked up, black and white becomes 0 and 255."""
    model = plain_mode(picture)
    values = np.asarray(picture if picture.mode == model else picture.convert(model))
    if values.ndim == 2:
        values = values[..., None]
    return Samples(values, model, orientation=orientation, icc=picture.info.get("icc_profile"))


def plain_mode(picture: PilImage.Image) -> str:
    """The one of L, LA, RGB, RGBA and CMYK that holds ``picture`` without loss. Raises PictureError."""
    mode = picture.mode
    if mode in ("L", "LA", "RGB", "RGBA", "CMYK"):
        return mode
    if mode == "1":
        return "L"
    if mode in ("P", "PA"):
        return "RGBA" if mode == "PA" or "transparency" in picture.info else "RGB"
    if mode in ("RGBX", "YCbCr"):
        return "RGB"
    raise PictureError(f"Pixels of the kind {mode} are not supported.", hint="Save it as RGB first.")


def pillow_picture(samples: Samples) -> PilImage.Image:
    """8-bit ``samples`` as a Pillow picture, turned as they are stored."""
    values = samples.values[..., 0] if samples.model == "L" else samples.values
    picture = PilImage.fromarray(np.ascontiguousarray(values))
    if samples.model == "CMYK" and picture.mode != "CMYK":
        picture = PilImage.frombytes("CMYK", picture.size, values.tobytes())
    return picture
