"""BMP: new pixels go into the source's own bytes where these are plain, else through Pillow."""

from __future__ import annotations

import io
import struct

import numpy as np
from PIL import Image as PilImage

from autoremove.images import palette
from autoremove.images.exif import MakeThumbnail
from autoremove.images.opening import Header, opened, pillow_picture, samples_of
from autoremove.images.samples import Samples

_MASKS = struct.pack("<III", 0x00FF0000, 0x0000FF00, 0x000000FF)


def header(data: bytes) -> Header:
    """Size, mode, depth and frames, without decoding the pixels."""
    picture = opened("BMP", data)
    return Header(picture.size[::-1], picture.mode)


def decode(data: bytes) -> Samples:
    """The stored samples, in their own depth and orientation."""
    picture = opened("BMP", data)
    picture.load()
    return samples_of(picture)


def encode(data: bytes, samples: Samples, make_thumbnail: MakeThumbnail) -> bytes:
    """``samples`` as a BMP. BMP files carry no previews."""
    if _is_plain(data):
        return _in_place(data, samples)
    picture = pillow_picture(samples)
    own = opened("BMP", data)
    if own.mode in ("P", "1"):
        none = PilImage.Dither.NONE
        picture = palette.fitted(samples) or picture if own.mode == "P" else picture.convert("1", dither=none)
    stream = io.BytesIO()
    picture.save(stream, "BMP", dpi=own.info.get("dpi", (96, 96)))
    return stream.getvalue()


def _is_plain(data: bytes) -> bool:
    """Whether each pixel is blue, green, red and perhaps a fourth byte, uncompressed."""
    if int.from_bytes(data[14:18], "little") < 40:
        return False
    bits, compression = struct.unpack_from("<HI", data, 28)
    return (compression == 0 and bits in (24, 32)) or (
        compression == 3 and bits == 32 and data[54:66] == _MASKS
    )


def _in_place(data: bytes, samples: Samples) -> bytes:
    """A copy of the file with its colour bytes replaced; its header, fourth bytes and rest stay."""
    start = struct.unpack_from("<I", data, 10)[0]
    signed_height, bits = struct.unpack_from("<i", data, 22)[0], struct.unpack_from("<H", data, 28)[0]
    height, width = samples.values.shape[:2]
    stride = (width * bits + 31) // 32 * 4
    out = np.frombuffer(data, np.uint8).copy()
    rows = out[start : start + stride * height].reshape(height, stride)
    if signed_height > 0:
        rows = rows[::-1]  # Stored from the bottom up.
    for channel in range(3):
        rows[:, channel : width * bits // 8 : bits // 8] = samples.values[..., 2 - channel]
    return bytes(out.tobytes())
