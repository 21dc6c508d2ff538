"""Small test pictures of every kind: a textured scene with one red block, the person to be removed."""

from __future__ import annotations

import base64
import io
import re
import struct
import zlib
from typing import Any

import cv2
import numpy as np
from PIL import Image as PilImage

from autoremove.types import Image, Patch

SIZE_HW = (80, 112)
PERSON = (40, 24, 64, 56)
"""xyxy of the red block."""

RED = (220, 20, 30)
BLUE = (20, 60, 220)


def scene(size_hw: tuple[int, int] = SIZE_HW, *, person: bool = True) -> Image:
    """H x W x 3: smooth green and grey with a little noise, nothing red but the person."""
    height, width = size_hw
    y, x = np.mgrid[:height, :width].astype(np.float64)
    noise = np.random.default_rng(7).normal(0, 3, (height, width))
    channels = [90 + 40 * x / width, 120 + 60 * y / height, 80 + 50 * (x + y) / (height + width)]
    rgb = np.clip(np.stack([channel + noise for channel in channels], axis=2), 0, 255).astype(np.uint8)
    if person:
        x0, y0, x1, y1 = PERSON
        rgb[y0:y1, x0:x1] = RED
    return rgb


def removal(margin: int = 3) -> Patch:
    """Blue where the person is, with a half-transparent border of ``margin`` pixels round it."""
    x0, y0, x1, y1 = PERSON
    box = (x0 - margin, y0 - margin, x1 + margin, y1 + margin)
    height, width = box[3] - box[1], box[2] - box[0]
    alpha = np.full((height, width), 128, np.uint8)
    alpha[margin:-margin, margin:-margin] = 255
    return Patch(box, np.full((height, width, 3), BLUE, np.uint8), alpha)


def outside(size_hw: tuple[int, int] = SIZE_HW) -> np.ndarray:
    """H x W, True where ``removal`` changes nothing."""
    kept = np.ones(size_hw, bool)
    x0, y0, x1, y1 = removal().xyxy
    kept[y0:y1, x0:x1] = False
    return kept


def turned_back(rgb: np.ndarray, orientation: int) -> np.ndarray:
    """What a camera stores so that EXIF ``orientation`` makes it ``rgb`` again."""
    undo = {
        1: lambda a: a,
        2: np.fliplr,
        3: lambda a: np.rot90(a, 2),
        4: np.flipud,
        5: lambda a: a.swapaxes(0, 1),
        6: lambda a: np.rot90(a, 1),
        7: lambda a: np.rot90(a, 2).swapaxes(0, 1),
        8: lambda a: np.rot90(a, -1),
    }
    return np.ascontiguousarray(undo[orientation](rgb))


def small_jpeg(rgb: Image, longer_side: int = 56) -> bytes:
    """A thumbnail."""
    picture = PilImage.fromarray(rgb)
    picture.thumbnail((longer_side, longer_side))
    return save(picture, "JPEG", quality=90)


def save(picture: PilImage.Image, kind: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()


def exif_block(
    orientation: int = 1,
    thumbnail: bytes = b"",
    maker_note: bytes = b"",
    order: str = "<",
    uncompressed: bytes = b"",
) -> bytes:
    """An EXIF block without its prefix: camera name, orientation, exposure, maker note, thumbnail."""
    make = b"Testcamera1\x00"
    first = [(0x010F, 2, make), (0x0112, 3, struct.pack(order + "H", orientation)), (0x8769, 4, b"EXIF")]
    below = [(0x829A, 5, struct.pack(order + "II", 1, 125))]
    if maker_note:
        below.append((0x927C, 7, maker_note))
    second: list[tuple[int, int, bytes]] = []
    if thumbnail:
        second = [(0x0103, 3, struct.pack(order + "H", 6)), (0x0201, 4, b"JPEG")]
        second.append((0x0202, 4, struct.pack(order + "I", len(thumbnail))))
    elif uncompressed:
        second = [(0x0103, 3, struct.pack(order + "H", 1)), (0x0111, 4, b"JPEG")]
        second.append((0x0117, 4, struct.pack(order + "I", len(uncompressed))))
        thumbnail = uncompressed
    return _tiff_tables(first, below, second, thumbnail, order)


Tag = tuple[int, int, bytes]


def _tiff_tables(
    first: list[Tag], below: list[Tag], second: list[Tag], thumbnail: bytes, order: str
) -> bytes:
    """IFD0, the EXIF directory, IFD1 and the thumbnail, one after the other."""

    def size(tags: list[Tag]) -> int:
        return 2 + 12 * len(tags) + 4 + sum(len(raw) + len(raw) % 2 for *_, raw in tags if len(raw) > 4)

    places = [8, 8 + size(first), 8 + size(first) + size(below)]
    thumbnail_at = places[2] + size(second)
    numbers = {b"EXIF": struct.pack(order + "I", places[1]), b"JPEG": struct.pack(order + "I", thumbnail_at)}
    out = (b"II" if order == "<" else b"MM") + struct.pack(order + "HI", 42, 8)
    for at, tags, following in zip(
        places, (first, below, second), (places[2] if second else 0, 0, 0), strict=True
    ):
        long_at = at + 2 + 12 * len(tags) + 4
        table, values = struct.pack(order + "H", len(tags)), b""
        for tag, kind, raw in tags:
            raw = numbers.get(raw, raw)
            count = len(raw) // {2: 1, 3: 2, 4: 4, 5: 8, 7: 1}[kind]
            value = (
                raw.ljust(4, b"\x00") if len(raw) <= 4 else struct.pack(order + "I", long_at + len(values))
            )
            table += struct.pack(order + "HHI", tag, kind, count) + value
            values += raw + bytes(len(raw) % 2) if len(raw) > 4 else b""
        out += table + struct.pack(order + "I", following) + values
    return out + thumbnail


def jpeg(
    orientation: int = 1,
    *,
    rgb: Image | None = None,
    thumbnail: bool = True,
    mode: str = "RGB",
    segments: bytes = b"",
    trailer: bytes = b"",
    maker_note: bytes = b"",
    order: str = "<",
    **options: Any,
) -> bytes:
    """A camera's JPEG: EXIF with orientation and thumbnail; ``segments`` go right behind the EXIF."""
    stored = turned_back(scene() if rgb is None else rgb, orientation)
    picture = PilImage.fromarray(stored).convert(mode)
    plain = save(picture, "JPEG", **{"quality": 90, **options})
    block = exif_block(orientation, small_jpeg(stored) if thumbnail else b"", maker_note, order)
    exif = segment(0xE1, b"Exif\x00\x00" + block)
    return plain[:2] + exif + segments + plain[2:] + trailer


def segment(marker: int, body: bytes) -> bytes:
    """One JPEG segment."""
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def photoshop_block(*resources: tuple[int, bytes]) -> bytes:
    """Photoshop resource blocks by number."""
    parts = [
        b"8BIM" + struct.pack(">HHI", number, 0, len(body)) + body + bytes(len(body) % 2)
        for number, body in resources
    ]
    return b"".join(parts)


def xmp_packet(inner: str = "", attributes: str = "") -> bytes:
    """An XMP packet with a title, and what is asked for."""
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" '
        'xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:xmp="http://ns.adobe.com/xap/1.0/" '
        'xmlns:xmpGImg="http://ns.adobe.com/xap/1.0/g/img/" '
        'xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/" '
        'xmlns:GImage="http://ns.google.com/photos/1.0/image/" '
        f'xmlns:xmpNote="http://ns.adobe.com/xmp/note/" dc:title="Summer" {attributes}>{inner}'
        '</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
    ).encode()


def png_chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png_with(data: bytes, *chunks: bytes) -> bytes:
    """A PNG with more chunks right behind its header."""
    return data[:33] + b"".join(chunks) + data[33:]


def deep(values: np.ndarray) -> np.ndarray:
    """8-bit values as 16-bit ones that do not repeat their upper byte."""
    low = np.random.default_rng(3).integers(0, 256, values.shape)
    return (values.astype(np.uint16) * 256 + low).astype(np.uint16)


def png_16(values: np.ndarray) -> bytes:
    """A 16-bit PNG of H x W (grey), H x W x 2 (grey and alpha), 3 or 4 channels, RGB order."""
    if values.ndim == 3 and values.shape[2] == 2:
        height, width = values.shape[:2]
        rows = np.ascontiguousarray(values.astype(">u2")).view(np.uint8).reshape(height, -1)
        raw = b"".join(b"\x00" + row.tobytes() for row in rows)
        head = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, 4, 0, 0, 0))
        body = png_chunk(b"IDAT", zlib.compress(raw))
        return b"\x89PNG\r\n\x1a\n" + head + body + png_chunk(b"IEND", b"")
    order = {2: slice(None), 3: [2, 1, 0], 4: [2, 1, 0, 3]}[
        values.ndim if values.ndim == 2 else values.shape[2]
    ]
    stored = values if values.ndim == 2 else np.ascontiguousarray(values[..., order])
    return bytes(cv2.imencode(".png", stored)[1].tobytes())


def alpha_ramp(size_hw: tuple[int, int] = SIZE_HW) -> np.ndarray:
    """H x W uint8 from clear to solid."""
    return np.tile(np.linspace(0, 255, size_hw[1]).astype(np.uint8), (size_hw[0], 1))


def with_alpha(rgb: Image) -> np.ndarray:
    return np.dstack([rgb, alpha_ramp(rgb.shape[:2])])


def palette_picture(rgb: Image | None = None, colours: int = 40) -> PilImage.Image:
    return PilImage.fromarray(scene() if rgb is None else rgb).quantize(colours)


def animated(kind: str) -> bytes:
    frames = [PilImage.fromarray(scene((32, 32), person=False) + step) for step in (0, 20, 40)]
    return save(frames[0], kind, save_all=True, append_images=frames[1:], duration=100)


def animation_of_pages() -> bytes:
    pages = [PilImage.fromarray(scene((32, 32), person=False) + step) for step in (0, 20)]
    return save(pages[0], "TIFF", save_all=True, append_images=pages[1:])


def heic(rgb: np.ndarray | None = None, mode: str = "RGB", **options: Any) -> bytes:
    """A HEIC; ``rgb`` may have 16 bits with mode ``RGB;16``."""
    import pillow_heif

    pixels = scene() if rgb is None else rgb
    stream = io.BytesIO()
    picture = pillow_heif.from_bytes(mode, pixels.shape[1::-1], np.ascontiguousarray(pixels).tobytes())
    picture.save(stream, **{"quality": 95, "chroma": 444, **options})
    return stream.getvalue()


def xmp_thumbnails(jpeg_file: bytes) -> str:
    """What photo programs put into XMP as a preview."""
    text = base64.b64encode(jpeg_file).decode()
    return (
        "<xmp:Thumbnails><rdf:Alt><rdf:li rdf:parseType='Resource'><xmpGImg:format>JPEG</xmpGImg:format>"
        f"<xmpGImg:image>{text}</xmpGImg:image></rdf:li></rdf:Alt></xmp:Thumbnails>"
    )


def hidden_pictures(data: bytes) -> list[np.ndarray]:
    """Every JPEG that can be decoded from any position of ``data``, plain or in base64."""
    parts = [data]
    for found in re.finditer(rb"/9j/[A-Za-z0-9+/=]+", data):
        text = found.group()
        parts.append(base64.b64decode(text[: len(text) // 4 * 4]))
    pictures = []
    for part in parts:
        for start in re.finditer(rb"\xff\xd8\xff", part):
            try:
                picture = PilImage.open(io.BytesIO(part[start.start() :]))
                picture.load()
            except (OSError, SyntaxError):
                continue
            pictures.append(np.asarray(picture.convert("RGB")).astype(int))
    return pictures


def red_pixels(rgb: np.ndarray) -> int:
    return int(((rgb[..., 0] > 150) & (rgb[..., 1] < 90) & (rgb[..., 2] < 90)).sum())


def shows_the_person(data: bytes) -> bool:
    plain = bytes(RED) * 8 in data or bytes(RED[::-1]) * 8 in data
    return plain or any(red_pixels(rgb) > 4 for rgb in hidden_pictures(data))
