"""JPEG: decode, and write new pixels with the source's own tables, subsampling and metadata."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from typing import Any

from PIL import JpegImagePlugin

from autoremove.images import exif, photoshop, xmp
from autoremove.images.opening import Header, opened, pillow_picture, samples_of
from autoremove.images.samples import Samples

_XMP = b"http://ns.adobe.com/xap/1.0/\x00"
_ICC = b"ICC_PROFILE\x00"
_MOST = 65_533
"""The most bytes a segment's body can have."""

_APP0, _APP1, _APP2, _APP12, _APP13, _APP14, _COMMENT = 0xE0, 0xE1, 0xE2, 0xEC, 0xED, 0xEE, 0xFE
_SAMPLINGS = {(1, 1): "4:4:4", (2, 1): "4:2:2", (2, 2): "4:2:0", (4, 1): "4:2:2"}
Segment = tuple[int, bytes]


def header(data: bytes) -> Header:
    """Size, mode, depth and frames, without decoding the pixels."""
    picture = opened("JPEG", data)
    return Header(picture.size[::-1], picture.mode, int(picture.bits), exif.orientation(_exif(data)))


def decode(data: bytes) -> Samples:
    """The stored samples, in their own depth and orientation."""
    picture = opened("JPEG", data)
    picture.load()
    return samples_of(picture, exif.orientation(_exif(data)))


def encode(data: bytes, samples: Samples, make_thumbnail: exif.MakeThumbnail) -> bytes:
    """``samples`` as a JPEG with the source's quantisation tables, subsampling and metadata.

    What follows the end of the picture (a second picture, a motion photo's film) is left out.
    """
    fresh = _encoded(data, samples)
    start, adobe = _fresh_start(fresh)
    own = _without_repeated_exif(segments(data))
    kept = [item for item in (_renewed(*segment, make_thumbnail) for segment in own) if item]
    own_adobe = [item for item in kept if item[0] == _APP14]
    if samples.model == "CMYK" and not own_adobe:
        adobe = []  # Its presence would tell readers that the inks are stored upside down.
    elif not adobe:
        adobe = [item for item in own_adobe if item[1][11:12] == b"\x01"]
    kept = [item for item in kept if item[0] != _APP14] + adobe
    return b"\xff\xd8" + b"".join(_packed(*item) for item in kept) + fresh[start:]


def segments(data: bytes) -> Iterator[Segment]:
    """(marker, body) of each segment before the pixels."""
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        if marker in (0xDA, 0xD9):
            return
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        yield marker, data[at + 4 : at + 2 + length]
        at += 2 + length


def _without_repeated_exif(found: Iterator[Segment]) -> Iterator[Segment]:
    """A second EXIF segment can only be the rest of a first too long for its thumbnail, or a stray copy."""
    seen = False
    for marker, body in found:
        is_exif = marker == _APP1 and body.startswith(exif.PREFIX)
        if not (is_exif and seen):
            yield marker, body
        seen = seen or is_exif


def _packed(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def _exif(data: bytes) -> bytes | None:
    for marker, body in segments(data):
        if marker == _APP1 and body.startswith(exif.PREFIX):
            return body
    return None


def _fresh_start(fresh: bytes) -> tuple[int, list[Segment]]:
    """Where the encoder's own segments end, and its Adobe segment, which says how colours are coded."""
    at, adobe = 2, []
    for marker, body in segments(fresh):
        if not _APP0 <= marker <= 0xEF:
            break
        at += 4 + len(body)
        if marker == _APP14:
            adobe.append((marker, body))
    return at, adobe


def _renewed(marker: int, body: bytes, make_thumbnail: exif.MakeThumbnail) -> Segment | None:
    """A segment as it goes into the output, free of previews; None where it is left out.

    Only what is known is kept: unknown segments of some cameras hold whole previews, and content
    credentials hold thumbnails beside a signature that no longer fits.
    """
    if marker == _APP0 and body.startswith(b"JFIF\x00"):
        return marker, body[:12] + b"\x00\x00"  # The two zeros: no thumbnail of its own.
    if marker == _APP1 and body.startswith(exif.PREFIX):
        return marker, exif.renewed(body, make_thumbnail, _MOST)
    if marker == _APP1 and body.startswith(_XMP):
        packet = xmp.scrubbed(body[len(_XMP) :])
        return (marker, _XMP + packet) if 0 < len(packet) <= _MOST - len(_XMP) else None
    if marker == _APP13 and body.startswith(photoshop.JPEG_PREFIX):
        resources = photoshop.scrubbed(body[len(photoshop.JPEG_PREFIX) :])
        return (marker, photoshop.JPEG_PREFIX + resources) if resources else None
    if marker == _APP2 and body.startswith(_ICC):
        return marker, body
    if marker == _APP12 and body.startswith(b"Ducky"):
        return marker, body
    if marker == _APP14 and body.startswith(b"Adobe"):
        return marker, body
    return (marker, body) if marker == _COMMENT and b"\xff\xd8\xff" not in body else None


def _encoded(data: bytes, samples: Samples) -> bytes:
    own = opened("JPEG", data)
    picture = pillow_picture(samples)
    options = _options(data, own)
    for tighter in ({"optimize": True, "progressive": "progressive" in own.info}, {}):
        stream = io.BytesIO()
        try:
            picture.save(stream, "JPEG", **options, **tighter)
        except OSError:
            # Pillow holds a whole optimised picture in a buffer that noise at the finest tables overruns.
            if not tighter:
                raise
            continue
        break
    return stream.getvalue()


def _options(data: bytes, own: JpegImagePlugin.JpegImageFile) -> dict[str, Any]:
    """The source's tables and subsampling, in Pillow's words."""
    layers: list[tuple[int, int, int, int]] = own.layer  # (component, across, down, table)
    tables = [own.quantization[layer[3]] for layer in layers]
    own_colour_table = len(layers) == 3 and layers[1][3] != layers[0][3]
    options: dict[str, Any] = {"qtables": tables[:2] if own_colour_table else tables[:1]}
    if len(layers) == 3:
        options["keep_rgb"] = _is_plain_rgb(own, layers)
        ratio = (layers[0][1] // max(layers[1][1], 1), layers[0][2] // max(layers[1][2], 1))
        options["subsampling"] = _SAMPLINGS.get(ratio, "4:4:4")
    elif len(layers) == 4:
        options["subsampling"] = "4:4:4"
    return options


def _is_plain_rgb(own: JpegImagePlugin.JpegImageFile, layers: list[tuple[int, int, int, int]]) -> bool:
    """Whether red, green and blue were stored as they are, not as brightness and colour difference."""
    if "jfif" in own.info:
        return False
    if "adobe_transform" in own.info:
        return bool(own.info["adobe_transform"] == 0)
    return bytes(layer[0] for layer in layers) == b"RGB"
