"""Write a picture anew at a multiple of its size: its own format, depth and metadata, sizes put right."""

from __future__ import annotations

import io
import re
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image as PilImage

from autoremove.errors import PictureError
from autoremove.images import cmyk, exif, ifd, tiff_blocks, tiff_files
from autoremove.images.atomic import appearing
from autoremove.images.formats import format_of
from autoremove.images.opening import opened, pillow_picture
from autoremove.images.reading import MAX_PIXELS, damage_reported, decoded
from autoremove.images.samples import COLOURS, Samples, Values, to_rgb, upright

Enlarge = Callable[[Values], Values]
"""H x W x 3 RGB (uint8, uint16, or float32 in 0..1), upright, to the same type at a multiple of the size."""

LONGEST = {"JPEG": 65_500, "WEBP": 16_383, "GIF": 65_535, "AVIF": 65_535, "HEIC": 65_535}
"""The longest side that a format (or its encoder) has room for."""

_EXIF_DIRECTORY = 0x8769
_SIZES = ((0x0101, 0x0100), (0xA003, 0xA002))
"""Tags (height, width) of the first directory, and of the EXIF one."""


def write_enlarged(
    source: Path, destination: Path, scale: int, enlarge: Enlarge, *, max_pixels: int = MAX_PIXELS
) -> tuple[int, int]:
    """Write ``source`` at ``scale`` times its size to ``destination``; gives the new upright (height, width).

    Format, depth, turn and metadata are the source's, as in :func:`~autoremove.images.writing.write`; EXIF
    tags that told the old size tell the new one. Alpha is enlarged by bicubic interpolation. A palette stays
    one only in GIF files; one transparent colour of a PNG becomes alpha.

    Raises PictureError where the source cannot be read, or where the result would have more than
    ``max_pixels`` or sides that its format has no room for; OutputError where it cannot be written.
    """
    file = decoded(source, max_pixels=max_pixels)
    height, width = (scale * side for side in file.samples.values.shape[:2])
    _check_room(source, file.kind, (height, width), max_pixels, scale)
    data, samples = file.data, file.samples
    if file.kind == "PNG":
        data, samples = _without_key_colour(data, samples)
    large = enlarged_samples(samples, scale, enlarge)
    with damage_reported(source, file.kind):
        thumbnail = exif.thumbnail_maker(to_rgb(replace(large, orientation=1)))
        data = with_sizes(data, file.header.size_hw, scale, png=file.kind == "PNG")
        own = _WRITERS.get(file.kind)
        written = own(data, large) if own else format_of(file.kind).encode(data, large, thumbnail)
    with appearing(destination) as stream:
        stream.write(written)
    return (width, height) if samples.orientation >= 5 else (height, width)


def enlarged_samples(samples: Samples, scale: int, enlarge: Enlarge) -> Samples:
    """The same picture at ``scale`` times its size, stored in the same way."""
    count = COLOURS[samples.model]
    values = samples.values
    large = _colours(samples, enlarge)
    if values.shape[2] == count and samples.orientation == 1:
        return replace(samples, values=large)  # without a second copy of what may be most of the memory
    canvas = np.empty((scale * values.shape[0], scale * values.shape[1], values.shape[2]), values.dtype)
    upright(canvas, samples.orientation)[..., :count] = large
    if values.shape[2] > count:
        size = (canvas.shape[1], canvas.shape[0])
        for channel in range(count, values.shape[2]):
            plane = np.ascontiguousarray(values[..., channel])
            smooth = cv2.resize(plane, size, interpolation=cv2.INTER_CUBIC)
            canvas[..., channel] = np.clip(smooth, 0, samples.white)
        if samples.premultiplied:
            canvas[..., :count] = np.minimum(canvas[..., :count], canvas[..., count : count + 1])
    return replace(samples, values=canvas)


def _colours(samples: Samples, enlarge: Enlarge) -> Values:
    """The enlarged colours, upright, in the picture's own colour model and depth."""
    dtype = samples.values.dtype
    if samples.model == "CMYK":
        inks = cmyk.from_rgb(np.asarray(enlarge(to_rgb(samples)), np.uint8), samples.icc)
        scaled = inks * (samples.white / 255)
        return scaled.astype(dtype) if dtype.kind == "f" else np.rint(scaled).astype(dtype)
    count = COLOURS[samples.model]
    own = upright(samples.values[..., :count], samples.orientation)
    large = enlarge(np.ascontiguousarray(np.repeat(own, 3, axis=2) if count == 1 else own))
    if count == 3:
        return large
    grey = (large @ np.array([0.299, 0.587, 0.114], np.float32))[..., None]
    return grey if dtype.kind == "f" else np.rint(grey).clip(0, samples.white).astype(dtype)


def with_sizes(data: bytes, size_hw: tuple[int, int], scale: int, *, png: bool = False) -> bytes:
    """The file's bytes with every EXIF size that equals ``size_hw`` (either way round) times ``scale``.

    In a TIFF the first directory is the picture itself, and stays.
    """
    out = bytearray(data)
    for found in re.finditer(rb"II\x2a\x00|MM\x00\x2a", data):
        _scale_sizes(out, found.start(), size_hw, scale)
    if png and out != data:
        for at, length in _png_chunks(out):
            check = zlib.crc32(out[at + 4 : at + 8 + length])
            struct.pack_into(">I", out, at + 8 + length, check)
    return bytes(out)


def _scale_sizes(out: bytearray, start: int, size_hw: tuple[int, int], scale: int) -> None:
    block = bytes(out[start : start + (1 << 20)])
    try:
        layout, at = ifd.header(block)
        first = ifd.directory(block, at, layout)
        below = first.integer(_EXIF_DIRECTORY, 0)
        directories = [first, *([ifd.directory(block, below, layout)] if below else [])]
    except ifd.BrokenDirectoryError:
        return  # Some bytes that look like the beginning of an EXIF block.
    for directory, tags in list(zip(directories, _SIZES, strict=False))[0 if start else 1 :]:
        told = tuple(directory.integer(tag, 0) for tag in tags)
        if told in (size_hw, size_hw[::-1]):
            for tag, side in zip(tags, told, strict=True):
                at = start + directory.entries[tag].at
                struct.pack_into(f"{layout.order}HHII", out, at, tag, 4, 1, side * scale)


def _png_chunks(data: bytearray) -> Iterator[tuple[int, int]]:
    """Where each EXIF chunk begins, and the length of its body."""
    at = 8
    while at + 12 <= len(data):
        length = int(struct.unpack_from(">I", data, at)[0])
        if data[at + 4 : at + 8] == b"eXIf" and at + 12 + length <= len(data):
            yield at, length
        at += 12 + length


def _without_key_colour(data: bytes, samples: Samples) -> tuple[bytes, Samples]:
    """A PNG's one transparent colour as an alpha channel: enlarged pixels would miss or hit it by chance."""
    from autoremove.images.png import chunks

    key = next((body for name, body in chunks(data) if name == b"tRNS"), b"")
    if samples.model not in ("L", "RGB") or not key or data[25] == 3:
        return data, samples
    colour = np.array(struct.unpack(f">{len(key) // 2}H", key))
    if data[25] == 0 and data[24] < 8:
        colour = colour * (255 // ((1 << data[24]) - 1))
    seen = (samples.values != colour).any(axis=2, keepdims=True) * samples.white
    values = np.concatenate([samples.values, seen.astype(samples.values.dtype)], axis=2)
    kept = [(name, body) for name, body in chunks(data) if name != b"tRNS"]
    packed = (
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in [*kept, (b"IEND", b"")]
    )
    return data[:8] + b"".join(packed), replace(samples, values=values, model=samples.model + "A")


def _check_room(source: Path, kind: str, size_hw: tuple[int, int], max_pixels: int, scale: int) -> None:
    height, width = size_hw
    if height * width > max_pixels:
        raise PictureError(
            f"{source}: {width} x {height} = {height * width / 1e6:.0f} million pixels would come out, more "
            f"than the limit of {max_pixels / 1e6:.0f} million.",
            hint=f"Pictures of up to {max_pixels / scale**2 / 1e6:.1f} million pixels can be enlarged.",
        )
    longest = LONGEST.get(kind, max(size_hw))
    if max(size_hw) > longest:
        raise PictureError(
            f"{source}: {width} x {height} pixels would come out; {kind} has room for sides of {longest}.",
            hint="Save the picture as PNG first.",
        )


def _bmp(data: bytes, large: Samples) -> bytes:
    own, picture = opened("BMP", data), pillow_picture(large)
    if own.mode == "1":
        picture = picture.convert("1", dither=PilImage.Dither.NONE)
    stream = io.BytesIO()
    picture.save(stream, "BMP", dpi=own.info.get("dpi", (96, 96)))
    return stream.getvalue()


def _gif(data: bytes, large: Samples) -> bytes:
    """With the 255 colours that fit best, and one that is transparent if there was one."""
    rgb = PilImage.fromarray(np.ascontiguousarray(large.values[..., :3]))
    picture = rgb.quantize(255, dither=PilImage.Dither.NONE)
    options: dict[str, Any] = {"comment": opened("GIF", data).info.get("comment", b"")}
    if large.model == "RGBA":
        numbers = np.where(large.values[..., 3] < 128, 255, np.asarray(picture)).astype(np.uint8)
        table = picture.getpalette() or []
        picture = PilImage.fromarray(numbers)
        picture.putpalette([*table, *[0] * 768][:768])
        options["transparency"] = 255
    stream = io.BytesIO()
    picture.save(stream, "GIF", optimize=False, **options)
    return stream.getvalue()


def _tiff(data: bytes, large: Samples) -> bytes:
    """In strips, coded as the source was where that is without loss and not fax, else by Deflate."""
    page = ifd.chain(data)[0]
    height, width, channels = large.values.shape
    compression = page.integer(tiff_blocks.COMPRESSION, 1)
    compression = compression if compression in (1, 5, 8, 32773, 32946) else 8
    dtype = np.dtype(page.layout.order + large.values.dtype.str[1:])
    rows = max(1, (1 << 20) // (width * channels * dtype.itemsize))
    blocks = tiff_blocks.Blocks(
        (height, width), (min(rows, height), width), False, channels, 1, compression, 1, dtype
    )
    nothing = np.empty((0, 0, channels), large.values.dtype)
    parts = tiff_blocks.encode([b""] * len(list(blocks.places())), nothing, large.values, blocks)
    pixels = ifd.Directory(dict(_tiff_entries(large, blocks, page.layout)), 0, 0, page.layout)
    upright_now = (exif.ORIENTATION,) if large.orientation == 1 else ()
    return tiff_files.assembled(data, page, pixels, parts, leave_out=upright_now)


def _tiff_entries(
    large: Samples, blocks: tiff_blocks.Blocks, layout: ifd.Layout
) -> Iterator[tuple[int, ifd.Entry]]:
    """The tags that say how the enlarged pixels are coded."""
    count = COLOURS[large.model]
    tags: dict[int, tuple[int, ...]] = {
        tiff_blocks.WIDTH: (blocks.size_hw[1],),
        tiff_blocks.HEIGHT: (blocks.size_hw[0],),
        tiff_blocks.BITS: (8 * blocks.dtype.itemsize,) * blocks.channels,
        tiff_blocks.COMPRESSION: (blocks.compression,),
        tiff_blocks.PHOTOMETRIC: ({1: 1, 3: 2, 4: 5}[count],),
        tiff_blocks.SAMPLES: (blocks.channels,),
        tiff_blocks.STRIP_ROWS: (blocks.block_hw[0],),
        tiff_blocks.PLANAR: (1,),
        tiff_blocks.SAMPLE_FORMAT: (3 if blocks.dtype.kind == "f" else 1,) * blocks.channels,
    }
    if blocks.channels > count:
        tags[338] = (1 if large.premultiplied else 2,) + (0,) * (blocks.channels - count - 1)
    for tag, numbers in tags.items():
        kind, form = (
            (4, "I") if tag in (tiff_blocks.WIDTH, tiff_blocks.HEIGHT, tiff_blocks.STRIP_ROWS) else (3, "H")
        )
        raw = struct.pack(f"{layout.order}{len(numbers)}{form}", *numbers)
        yield tag, ifd.Entry(tag, kind, len(numbers), 0, 0, raw)


_WRITERS: dict[str, Callable[[bytes, Samples], bytes]] = {"BMP": _bmp, "GIF": _gif, "TIFF": _tiff}
"""Formats whose ``encode`` puts new pixels among the old ones, and so has no place for more of them."""
