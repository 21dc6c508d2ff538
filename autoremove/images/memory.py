"""Pictures for the Python interface: a path, a Pillow picture or an array in, the same kind back."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as PilImage

from autoremove.errors import PictureError, UsageError
from autoremove.images import exif, xmp
from autoremove.images.opening import pillow_picture, plain_mode, samples_of
from autoremove.images.reading import MAX_PIXELS, decoded
from autoremove.images.samples import Samples, Values, apply_patches, painted, to_8_bit, to_rgb, upright
from autoremove.types import Image, Patch

Back = Callable[[Sequence[Patch]], Any]
"""Patches (upright coordinates) -> the picture with them laid on, of the kind that was given."""

_ARRAY_MODELS = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
_CONVERTED = ("RGBX", "YCbCr", "HSV", "LAB", "RGBa", "La")
_KEPT_INFO = ("icc_profile", "dpi", "gamma", "srgb", "transparency")


def from_any(image: Any, *, max_pixels: int = MAX_PIXELS) -> tuple[Image, Back]:
    """Upright RGB (H x W x 3 uint8) of ``image``, and the way back.

    A path comes back as an upright Pillow picture of 8 bits. A Pillow picture comes back turned and in the
    mode it was (one with a palette as RGB or RGBA). An array (H x W, or H x W x 1 to 4, RGB order; uint8,
    uint16, or floating point from 0 to 1) comes back in its own shape and type. Values that no patch
    touches are the same to the bit; what was given is never changed.

    Raises UsageError for anything else, PictureError for a file that cannot be read.
    """
    if isinstance(image, (str, os.PathLike)):
        return _from_path(Path(image), max_pixels)
    if isinstance(image, PilImage.Image):
        return _from_pillow(image)
    if isinstance(image, np.ndarray):
        return _from_array(image)
    raise UsageError(
        f"A picture cannot be a {type(image).__name__}.",
        hint="Give a path, a Pillow picture or a numpy array.",
    )


def values_of(image: Any, *, max_pixels: int = MAX_PIXELS) -> Values:
    """H x W x C of a path or a Pillow picture, upright and at full depth, alpha last; inks as RGB.

    Raises UsageError for anything else, PictureError for a file that cannot be read.
    """
    if isinstance(image, (str, os.PathLike)):
        samples = decoded(Path(image), max_pixels=max_pixels).samples
    elif isinstance(image, PilImage.Image) and image.mode not in _CONVERTED:
        image.load()
        samples = _pillow_samples(image)
    else:
        return from_any(image)[0]
    return to_rgb(samples) if samples.model == "CMYK" else upright(samples.values, samples.orientation)


def _from_path(path: Path, max_pixels: int) -> tuple[Image, Back]:
    samples = decoded(path, max_pixels=max_pixels).samples

    def back(patches: Sequence[Patch]) -> PilImage.Image:
        after = painted(samples, patches)
        if after.model == "CMYK":
            return PilImage.fromarray(to_rgb(after))
        values = to_8_bit(after.values[..., : len(after.model)], after.white)
        straight = np.ascontiguousarray(upright(values, after.orientation))
        picture = pillow_picture(Samples(straight, after.model))
        if after.icc:
            picture.info["icc_profile"] = after.icc
        return picture

    return to_rgb(samples), back


def _from_pillow(image: PilImage.Image) -> tuple[Image, Back]:
    image.load()
    if image.mode in (*_CONVERTED, "PA"):
        return _by_conversion(image)
    samples = _pillow_samples(image)

    def back(patches: Sequence[Patch]) -> PilImage.Image:
        after = painted(samples, patches)
        picture = pillow_picture(after)
        if image.mode == "1":
            picture = picture.convert("1", dither=PilImage.Dither.NONE)
        picture.info = _info(image, to_rgb(replace(after, orientation=1)))
        return picture

    return to_rgb(samples), back


def _pillow_samples(image: PilImage.Image) -> Samples:
    turn = image.getexif().get(exif.ORIENTATION, 1)
    orientation = turn if turn in range(1, 9) else 1
    if image.mode.startswith("I;16"):
        values = np.asarray(image).astype(np.uint16)[..., None]
        return Samples(values, "L", 65_535, orientation)
    try:
        plain_mode(image)
    except PictureError as error:
        raise UsageError(
            f"Pillow pictures of mode {image.mode} cannot be processed.",
            hint="Convert it to RGB, or give an array of uint16 or of floats from 0 to 1.",
        ) from error
    return samples_of(image, orientation)


def _by_conversion(image: PilImage.Image) -> tuple[Image, Back]:
    """Modes with a colour model of their own: new pixels are converted, all others are left alone."""
    try:
        rgb = np.asarray(image.convert("RGB"))
        PilImage.new("RGB", (1, 1)).convert(image.mode)
    except ValueError as error:
        raise UsageError(
            f"Pillow pictures of mode {image.mode} cannot be processed.", hint="Convert it to RGB first."
        ) from error

    def back(patches: Sequence[Patch]) -> PilImage.Image:
        touched = np.zeros(rgb.shape[:2], bool)
        for patch in patches:
            x0, y0, x1, y1 = patch.xyxy
            touched[y0:y1, x0:x1] |= patch.alpha > 0
        after = image.copy()
        new = apply_patches(rgb, patches)
        mask = PilImage.fromarray(touched.astype(np.uint8) * 255)
        after.paste(PilImage.fromarray(new).convert(image.mode), mask=mask)
        after.info = _info(image, new)
        return after

    return rgb, back


def _info(image: PilImage.Image, stored_rgb: Image) -> dict[str | tuple[int, int], Any]:
    """What the picture says of itself that stays true, its EXIF and XMP free of previews."""
    info: dict[str | tuple[int, int], Any] = {
        name: image.info[name] for name in _KEPT_INFO if name in image.info
    }
    if image.mode == "P":
        info.pop("transparency", None)
    block, packet = image.info.get("exif"), image.info.get("xmp")
    if isinstance(block, bytes):
        info["exif"] = exif.renewed(block, exif.thumbnail_maker(stored_rgb))
    if isinstance(packet, bytes):
        info["xmp"] = xmp.scrubbed(packet)
    return info


def _from_array(array: np.ndarray) -> tuple[Image, Back]:
    values = array[..., None] if array.ndim == 2 else array
    if values.ndim != 3 or values.shape[2] not in _ARRAY_MODELS or 0 in values.shape:
        raise UsageError(
            f"An array of shape {array.shape} is not a picture.",
            hint="Give H x W, or H x W x C with C from 1 to 4 in the order RGB and alpha.",
        )
    samples = Samples(values, _ARRAY_MODELS[values.shape[2]], _white(array))

    def back(patches: Sequence[Patch]) -> np.ndarray:
        return painted(samples, patches).values.reshape(array.shape)

    return to_rgb(samples).copy(), back


def _white(array: np.ndarray) -> float:
    """The value of full light for an array's type. Raises UsageError."""
    if array.dtype in (np.uint8, np.uint16):
        return float(np.iinfo(array.dtype).max)
    if array.dtype.kind == "f" and bool(np.isfinite(array).all()) and array.min() >= 0 and array.max() <= 1:
        return 1.0
    raise UsageError(
        f"An array of {array.dtype} with values from {array.min()} to {array.max()} is not a picture.",
        hint="Give uint8, uint16, or floating point from 0 to 1.",
    )
