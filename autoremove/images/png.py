"""PNG at every depth: decode, and write new pixels among the source's own chunks."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator

import cv2
import numpy as np
from PIL import Image as PilImage

from autoremove.images import exif, palette, photoshop, xmp
from autoremove.images.opening import Header, frames_of, opened, pillow_picture, samples_of
from autoremove.images.samples import Samples, Values

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_GREY, _RGB, _PALETTE, _GREY_ALPHA = 0, 2, 3, 4
_MODELS = {_GREY: "L", _RGB: "RGB", _GREY_ALPHA: "LA", 6: "RGBA"}
_COLOUR_TYPES = {model: colour_type for colour_type, model in _MODELS.items()}
_KEPT = frozenset(b"cHRM gAMA iCCP sRGB cICP mDCV cLLI pHYs sPLT tIME oFFs sCAL pCAL".split())
"""Chunks that stay true whatever the pixels are. All others but text and EXIF are left out: private ones
are known to hold whole layers and previews."""

_DEPENDENT = frozenset((b"sBIT", b"bKGD"))
"""Chunks that stay true while the colour type does."""

_XMP = b"XML:com.adobe.xmp"
_RAW_EXIF = (b"Raw profile type exif\x00", b"Raw profile type APP1\x00")
Chunk = tuple[bytes, bytes]


def header(data: bytes) -> Header:
    """Size, mode, depth and frames, without decoding the pixels."""
    depth, colour_type = data[24], data[25]
    picture = opened("PNG", data)
    mode = _MODELS.get(colour_type, "P")
    return Header(picture.size[::-1], mode, depth, exif.orientation(_exif(data)), frames_of(picture))


def decode(data: bytes) -> Samples:
    """The stored samples, in their own depth and orientation."""
    orientation = exif.orientation(_exif(data))
    picture = opened("PNG", data)
    picture.load()  # OpenCV gives half a picture for half a file; this raises.
    if data[24] < 16:
        # A single colour marked transparent stays a mark in its chunk, and is no alpha channel here.
        if picture.mode != "P":
            picture.info.pop("transparency", None)
        return samples_of(picture, orientation)
    model = _MODELS[data[25]]
    return Samples(_decode_16(data, model), model, 65_535, orientation, picture.info.get("icc_profile"))


def _decode_16(data: bytes, model: str) -> Values:
    values = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if values is None or values.dtype != np.uint16:
        raise ValueError("the 16-bit pixels cannot be decoded")
    channels = {"L": [0], "LA": [0, 3], "RGB": [2, 1, 0], "RGBA": [2, 1, 0, 3]}[model]
    return np.ascontiguousarray(np.atleast_3d(values)[..., channels])


def encode(data: bytes, samples: Samples, make_thumbnail: exif.MakeThumbnail) -> bytes:
    """``samples`` as a PNG of the source's colour type and depth, with its metadata."""
    samples = _without_key_colour(data, samples)
    fresh = _encode_16(samples) if data[24] == 16 else _encode_8(samples, data[24], data[25])
    own, new = list(chunks(data)), dict(_joined(chunks(fresh)))
    same_type = fresh[24:26] == data[24:26]
    written = [(b"IHDR", new[b"IHDR"])]
    for name, body in own[1:]:
        if name == b"IDAT":
            written += [item for item in ((b"IDAT", new.pop(b"IDAT", b"")),) if item[1]]
        elif name in (b"PLTE", b"tRNS"):
            written += _colour_table(name, body, new, data)
        elif name in _KEPT or (name in _DEPENDENT and same_type and data[25] != _PALETTE):
            written.append((name, body))
        else:
            written += _metadata(name, body, make_thumbnail)
    written = _completed(written, new)
    return _SIGNATURE + b"".join(_packed(name, body) for name, body in [*written, (b"IEND", b"")])


def chunks(data: bytes) -> Iterator[Chunk]:
    """(name, body) of each chunk up to the end, or to where the file breaks off."""
    at = len(_SIGNATURE)
    while at + 8 <= len(data):
        length = struct.unpack_from(">I", data, at)[0]
        name, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        if name == b"IEND" or len(body) < length:
            return
        yield name, body
        at += 12 + length


def _packed(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def _joined(found: Iterator[Chunk]) -> Iterator[Chunk]:
    """The chunks with all IDAT put together: one part of a picture may come in many."""
    pixels = []
    for name, body in found:
        if name == b"IDAT":
            pixels.append(body)
        else:
            yield name, body
    yield b"IDAT", b"".join(pixels)


def _colour_table(name: bytes, body: bytes, new: dict[bytes, bytes], data: bytes) -> list[Chunk]:
    """The new palette in the old one's place; the one transparent colour of a picture without a palette."""
    depth, colour_type = data[24], data[25]
    if colour_type != _PALETTE:
        if name == b"tRNS" and colour_type == _GREY and depth in (2, 4):  # These are written with 8 bits.
            body = struct.pack(">H", int.from_bytes(body, "big") * 255 // ((1 << depth) - 1))
        return [(name, body)] if name == b"tRNS" and colour_type in (_GREY, _RGB) else []
    fresh = new.pop(name, None)
    return [] if fresh is None else [(name, fresh)]


def _completed(written: list[Chunk], new: dict[bytes, bytes]) -> list[Chunk]:
    """Chunks without a counterpart in the source: a new table of alphas, or what a cut-off file lacks."""
    names = [name for name, _ in written]
    if b"IDAT" in new:
        written.append((b"IDAT", new[b"IDAT"]))
        names.append(b"IDAT")
    tables = [(name, new[name]) for name in (b"PLTE", b"tRNS") if name in new and new[b"IHDR"][9] == _PALETTE]
    at = names.index(b"IDAT")
    return written[:at] + tables + written[at:]


def _metadata(name: bytes, body: bytes, make_thumbnail: exif.MakeThumbnail) -> list[Chunk]:
    """Text and EXIF, free of previews."""
    if name == b"eXIf":
        return [(name, exif.renewed(body, make_thumbnail, 1 << 20))]
    if name not in (b"tEXt", b"zTXt", b"iTXt"):
        return []
    keyword, _, rest = body.partition(b"\x00")
    if keyword == _XMP:
        packet = xmp.scrubbed(_international_text(rest))
        return [(b"iTXt", _XMP + bytes(5) + packet)] if packet else []
    if keyword.startswith(b"Raw profile type "):
        return _raw_profile(keyword, rest, make_thumbnail) if name != b"iTXt" else []
    # Long text may be anything, a preview in base64 among others.
    return [(name, body)] if len(body) < 65_536 and b"/9j/" not in body else []


def _international_text(rest: bytes) -> bytes:
    compressed, text = rest[:1] == b"\x01", rest[2:].split(b"\x00", 2)[-1]
    return zlib.decompress(text) if compressed else text


def _raw_profile(keyword: bytes, rest: bytes, make_thumbnail: exif.MakeThumbnail) -> list[Chunk]:
    """What ImageMagick writes: a whole EXIF, XMP or IPTC block as hexadecimal text."""
    kind = keyword.rpartition(b" ")[2]
    block = _raw_profile_bytes(rest)
    if kind in (b"exif", b"APP1") and block.startswith(exif.PREFIX):
        return [(b"eXIf", exif.renewed(block, make_thumbnail, 1 << 20).removeprefix(exif.PREFIX))]
    if kind == b"xmp":
        return [(b"iTXt", _XMP + bytes(5) + xmp.scrubbed(block))]
    if kind in (b"8bim", b"iptc"):
        kept = photoshop.scrubbed(block)
        lines = b"\n%s\n%8d\n%s\n" % (kind, len(kept), kept.hex().encode())
        return [(b"zTXt", keyword + b"\x00\x00" + zlib.compress(lines))] if kept else []
    return []


def _raw_profile_bytes(rest: bytes) -> bytes:
    try:
        text = zlib.decompress(rest[1:]) if rest[:1] == b"\x00" else rest
        return bytes.fromhex(b"".join(text.split()[2:]).decode("ascii"))
    except (zlib.error, ValueError):
        return b""  # Not the profile it says it is; it is left out.


def _exif(data: bytes) -> bytes | None:
    for name, body in chunks(data):
        if name == b"eXIf":
            return body
        if name in (b"zTXt", b"tEXt") and body.startswith(_RAW_EXIF):
            return _raw_profile_bytes(body.partition(b"\x00")[2])
    return None


def _without_key_colour(data: bytes, samples: Samples) -> Samples:
    """New pixels that happen to have the one transparent colour are moved off it by one step."""
    key = next((body for name, body in chunks(data) if name == b"tRNS"), b"")
    if samples.model not in ("L", "RGB") or data[25] == _PALETTE or not key:
        return samples
    colour = np.array(struct.unpack(f">{len(key) // 2}H", key))
    if data[25] == _GREY and data[24] < 8:
        colour = colour * (255 // ((1 << data[24]) - 1))
    before = decode(data).values
    hit = (samples.values == colour).all(axis=2) & (before != colour).any(axis=2)
    values = samples.values
    values[hit, 0] ^= 1
    return samples


def _encode_8(samples: Samples, depth: int, colour_type: int) -> bytes:
    """Through Pillow; with a palette again where the colours fit, black and white where it was."""
    stream = io.BytesIO()
    picture = pillow_picture(samples)
    if colour_type == _PALETTE:
        picture = palette.fitted(samples) or picture
    elif colour_type == _GREY and depth == 1:
        picture = picture.convert("1", dither=PilImage.Dither.NONE)
    picture.save(stream, "PNG")
    return stream.getvalue()


def _encode_16(samples: Samples) -> bytes:
    """Rows of 16-bit samples, each as its difference from the row above (PNG's filter 2)."""
    height, width = samples.values.shape[:2]
    rows = np.ascontiguousarray(samples.values.astype(">u2")).view(np.uint8).reshape(height, -1)
    filtered = np.empty((height, rows.shape[1] + 1), np.uint8)
    filtered[:, 0] = 2
    filtered[0, 1:] = rows[0]
    np.subtract(rows[1:], rows[:-1], out=filtered[1:, 1:])
    start = struct.pack(">IIBBBBB", width, height, 16, _COLOUR_TYPES[samples.model], 0, 0, 0)
    return _SIGNATURE + _packed(b"IHDR", start) + _packed(b"IDAT", zlib.compress(filtered.tobytes(), 6))
