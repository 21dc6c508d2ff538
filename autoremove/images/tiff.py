"""TIFF of one page at every depth: decode, and write new pixels with the source's coding and tags."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
from PIL import Image as PilImage

from autoremove.errors import PictureError
from autoremove.images import ifd, palette, tiff_blocks, tiff_files
from autoremove.images.exif import ORIENTATION, MakeThumbnail
from autoremove.images.opening import Header, opened, pillow_picture, samples_of
from autoremove.images.samples import Samples, Values

_EXTRA_SAMPLES, _ICC, _SUBFILE, _OLD_SUBFILE, _INK_SET = 338, 34675, 254, 255, 332
_DNG_VERSION, _SENSOR_PIXELS = 50706, (32803, 34892)
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _SEPARATED = 0, 1, 2, 5
_MODES = {0: "L", 1: "L", 2: "RGB", 3: "P", 5: "CMYK", 6: "YCbCr", 8: "LAB"}


def header(data: bytes) -> Header:
    """Size, mode, depth and frames, without decoding the pixels."""
    pages = ifd.chain(data)
    first = pages[0]
    photometric = first.integer(tiff_blocks.PHOTOMETRIC, _BLACK_IS_ZERO)
    if _DNG_VERSION in first.entries or photometric in _SENSOR_PIXELS or _is_reduced(first):
        raise PictureError("This is a camera raw file.", hint="Develop it to TIFF or JPEG first.")
    size_hw = first.integer(tiff_blocks.HEIGHT, 0), first.integer(tiff_blocks.WIDTH, 0)
    mode = _MODES.get(photometric, "?")
    if first.integer(tiff_blocks.SAMPLES, 1) > len(mode) and mode in ("L", "RGB"):
        mode += "A"
    frames = 1 + sum(not _is_reduced(page) for page in pages[1:])
    bits = first.integer(tiff_blocks.BITS, 1)
    return Header(size_hw, mode, bits, _orientation(first), frames)


def decode(data: bytes) -> Samples:
    """The stored samples, in their own depth and orientation."""
    page = ifd.chain(data)[0]
    blocks = _plain_blocks(page)
    if blocks is None:
        return _pillow_decoded(data, page)
    values = tiff_blocks.decode(tiff_blocks.stored(data, page), blocks)
    return _as_samples(values, page)


def encode(data: bytes, samples: Samples, make_thumbnail: MakeThumbnail) -> bytes:
    """``samples`` as a TIFF coded as the source is; strips and tiles without a change stay to the byte."""
    page = ifd.chain(data)[0]
    blocks = _plain_blocks(page)
    if blocks is None:
        return _pillow_encoded(data, page, samples)
    before = tiff_blocks.decode(parts := tiff_blocks.stored(data, page), blocks)
    after = _negative(samples.values) if _is_negative(page) else samples.values
    return tiff_files.assembled(data, page, page, tiff_blocks.encode(parts, before, after, blocks))


def _orientation(page: ifd.Directory) -> int:
    value = page.integer(ORIENTATION, 1)
    return value if 1 <= value <= 8 else 1


def _is_reduced(page: ifd.Directory) -> bool:
    """Whether a page is but a smaller copy of another."""
    return bool(page.integer(_SUBFILE, 0) & 1) or page.integer(_OLD_SUBFILE, 1) == 2


def _is_negative(page: ifd.Directory) -> bool:
    return page.integer(tiff_blocks.PHOTOMETRIC, _BLACK_IS_ZERO) == _WHITE_IS_ZERO


def _negative(values: Values) -> Values:
    """Grey with white as zero, or back; an alpha channel is not touched."""
    turned: Values = values.copy()
    turned[..., 0] = np.iinfo(values.dtype).max - values[..., 0]
    return turned


def _plain_blocks(page: ifd.Directory) -> tiff_blocks.Blocks | None:
    """How the page is cut up, where its pixels are grey, RGB or CMYK and coded without loss."""
    blocks = tiff_blocks.blocks_of(page)
    photometric = page.integer(tiff_blocks.PHOTOMETRIC, _BLACK_IS_ZERO)
    needed = {_WHITE_IS_ZERO: 1, _BLACK_IS_ZERO: 1, _RGB: 3, _SEPARATED: 4}.get(photometric)
    if blocks is None or needed is None or blocks.channels < needed or page.integer(_INK_SET, 1) != 1:
        return None
    return None if photometric == _WHITE_IS_ZERO and blocks.dtype.kind == "f" else blocks


def _as_samples(values: Values, page: ifd.Directory) -> Samples:
    photometric = page.integer(tiff_blocks.PHOTOMETRIC, _BLACK_IS_ZERO)
    model = {_RGB: "RGB", _SEPARATED: "CMYK"}.get(photometric, "L")
    extra = page.integers(_EXTRA_SAMPLES)
    if values.shape[2] > len(model) and model != "CMYK":
        model += "A"
    if values.dtype.kind == "f":
        if not (np.isfinite(values).all() and values.min() >= 0 and values.max() <= 1):
            raise PictureError(
                "The floating-point values go beyond 0 to 1.", hint="Save the picture with 16 bits first."
            )
        white = 1.0
    else:
        white = float(np.iinfo(values.dtype).max)
    values = _negative(values) if _is_negative(page) else values
    premultiplied = model in ("LA", "RGBA") and extra[:1] == (1,)
    return Samples(values, model, white, _orientation(page), page.raw(_ICC), premultiplied)


def _pillow_decoded(data: bytes, page: ifd.Directory) -> Samples:
    """Palettes, fax, JPEG and other codings of 8 bits or fewer; Pillow turns the pixels upright itself."""
    if page.integer(tiff_blocks.BITS, 1) > 8:
        raise PictureError(
            f"A TIFF of {page.integer(tiff_blocks.BITS, 1)} bits in this coding cannot be read.",
            hint="Save it with 8 or 16 bits, uncompressed, LZW or Deflate.",
        )
    picture = opened("TIFF", data)
    picture.load()
    return replace(samples_of(picture), icc=page.raw(_ICC))


def _pillow_encoded(data: bytes, page: ifd.Directory, samples: Samples) -> bytes:
    own = opened("TIFF", data)
    compression = own.info.get("compression", "raw")
    picture = pillow_picture(samples)
    if own.mode == "1":
        picture = picture.convert("1", dither=PilImage.Dither.NONE)
    elif own.mode in ("P", "PA"):
        picture = palette.fitted(samples) or picture
    options = {"quality": 95} if "jpeg" in compression else {}
    stream = io.BytesIO()
    picture.save(stream, "TIFF", compression="jpeg" if compression == "tiff_jpeg" else compression, **options)
    fresh = stream.getvalue()
    pixels = ifd.chain(fresh)[0]
    parts = tiff_blocks.stored(fresh, pixels)
    return tiff_files.assembled(data, page, pixels, parts, leave_out=(ORIENTATION,))
