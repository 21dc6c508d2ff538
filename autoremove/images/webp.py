"""WebP, lossy and lossless: decode, and write new pixels with the source's metadata."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from typing import Any

from autoremove.images import exif, xmp
from autoremove.images.opening import Header, frames_of, opened, pillow_picture, samples_of
from autoremove.images.samples import Samples

_QUALITY = 95


def header(data: bytes) -> Header:
    """Size, mode, depth and frames, without decoding the pixels."""
    picture = opened("WEBP", data)
    size_hw, mode, turned = picture.size[::-1], picture.mode, exif.orientation(picture.info.get("exif"))
    return Header(size_hw, mode, orientation=turned, frames=frames_of(picture))


def decode(data: bytes) -> Samples:
    """The stored samples, in their own depth and orientation."""
    picture = opened("WEBP", data)
    picture.load()
    return samples_of(picture, exif.orientation(picture.info.get("exif")))


def encode(data: bytes, samples: Samples, make_thumbnail: exif.MakeThumbnail) -> bytes:
    """``samples`` as a WebP: without loss where the source was, else at high quality."""
    own = opened("WEBP", data).info
    options: dict[str, Any] = {"icc_profile": own.get("icc_profile") or b""}
    options["exif"] = exif.renewed(own["exif"], make_thumbnail, 1 << 20) if own.get("exif") else b""
    options["xmp"] = xmp.scrubbed(own["xmp"]) if own.get("xmp") else b""
    # Method 4 of 0 to 6; `exact` keeps the colours below full transparency.
    options |= {"lossless": is_lossless(data), "quality": _QUALITY, "method": 4, "exact": True}
    if options["lossless"]:
        options["quality"] = 75  # Here this is effort, not loss.
    stream = io.BytesIO()
    pillow_picture(samples).save(stream, "WEBP", **options)
    return stream.getvalue()


def is_lossless(data: bytes) -> bool:
    """Whether the pixels are coded without loss: told by the name of the chunk that holds them."""
    return any(name == b"VP8L" for name in _chunk_names(data))


def _chunk_names(data: bytes) -> Iterator[bytes]:
    at = 12
    while at + 8 <= len(data):
        length = struct.unpack_from("<I", data, at + 4)[0]
        yield data[at : at + 4]
        at += 8 + length + length % 2
