"""EXIF blocks: the orientation, and the embedded previews that would still show what was removed."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable

from PIL import Image as PilImage

from autoremove.images import ifd
from autoremove.types import Image

PREFIX = b"Exif\x00\x00"
ORIENTATION = 0x0112
_DIRECTORIES_BELOW = frozenset((0x8769, 0x8825, 0xA005))
"""EXIF, GPS and interoperability."""

_SUB_DIRECTORIES = 0x014A
_JPEG_AT, _JPEG_LENGTH = 0x0201, 0x0202
_STRIPS_AT, _STRIP_LENGTHS = 0x0111, 0x0117
_XMP, _PHOTOSHOP, _PHOTOSHOP_LAYERS = 0x02BC, 0x8649, 0x935C
_PLAIN_THUMBNAIL = 160
"""The longer side of a thumbnail whose old size cannot be told: what the EXIF standard names."""

MakeThumbnail = Callable[[int, int], bytes]
"""(longer side in pixels, most bytes) -> a JPEG of the new picture, or b"" where it does not fit."""


def orientation(block: bytes | None) -> int:
    """1 to 8 from an EXIF block (with or without its prefix); 1 where it says nothing that makes sense."""
    if not block:
        return 1
    try:
        data = block.removeprefix(PREFIX)
        layout, at = ifd.header(data)
        value = ifd.directory(data, at, layout).integer(ORIENTATION, 1)
    except ifd.BrokenDirectoryError:
        return 1
    return value if 1 <= value <= 8 else 1


def with_orientation(block: bytes, value: int) -> bytes:
    """The block with its orientation, where it has one, set to ``value``."""
    prefix = PREFIX if block.startswith(PREFIX) else b""
    data = bytearray(block[len(prefix) :])
    try:
        layout, at = ifd.header(data)
        entry = ifd.directory(data, at, layout).entries.get(ORIENTATION)
    except ifd.BrokenDirectoryError:
        return block
    if entry is not None and entry.type == 3:
        struct.pack_into(layout.order + "H", data, entry.value_at, value)
    return prefix + bytes(data)


def renewed(block: bytes, make: MakeThumbnail, most: int = 65_527) -> bytes:
    """The block with its thumbnail made anew by ``make`` and every other embedded preview blanked.

    Works in place, so that maker notes, which hold positions of their own, stay readable. The block stays
    within ``most`` bytes. One that does not hold together is replaced by one that holds the orientation.
    """
    prefix = PREFIX if block.startswith(PREFIX) else b""
    data = bytearray(block[len(prefix) :])
    try:
        first, *others = ifd.chain(data, limit=16)
        _blank_directories(data, first)
        room = [_blank_preview(data, directory) for directory in others]
        blank_jpegs(data)
        end = max(_end(data, directory) for directory in (first, *others))
        data[end:] = bytes(len(data) - end)  # Nothing points there but maker notes, to their previews.
        if others:
            _place_thumbnail(data, first, others[0], room[0], make, most - len(prefix))
    except (ifd.BrokenDirectoryError, ValueError):
        return prefix + only_orientation(orientation(block))
    return prefix + bytes(data)


def only_orientation(value: int) -> bytes:
    """The smallest EXIF block that says how the picture is turned."""
    entry = struct.pack("<HHIHH", ORIENTATION, 3, 1, value, 0)
    return b"II*\x00\x08\x00\x00\x00" + struct.pack("<H", 1) + entry + struct.pack("<I", 0)


def _blank_directories(data: bytearray, first: ifd.Directory) -> None:
    """Blank the previews of sub-directories, and the values that hold whole pictures or layers."""
    for at in first.integers(_SUB_DIRECTORIES):
        _blank_preview(data, ifd.directory(data, at, first.layout))
    if _JPEG_AT in first.entries:
        _blank_preview(data, first)
    for tag in (_XMP, _PHOTOSHOP, _PHOTOSHOP_LAYERS):
        entry = first.entries.get(tag)
        if entry is not None:
            _blank(data, entry.value_at, len(entry.raw))


def _end(data: bytearray, directory: ifd.Directory) -> int:
    """Where the last byte lies that a directory, or one below it, points to by its tags."""
    ends = [directory.next_at + 4, *(e.value_at + len(e.raw) for e in directory.entries.values())]
    for tag in _DIRECTORIES_BELOW & directory.entries.keys():
        at = directory.integer(tag, 0)
        if at > directory.entries[tag].at:  # Downwards only, so that a circle ends.
            ends.append(_end(data, ifd.directory(data, at, directory.layout)))
    return min(max(ends), len(data))


def _blank_preview(data: bytearray, directory: ifd.Directory) -> tuple[int, int, int]:
    """Overwrite a directory's picture with zeros; gives the JPEG's position, length and longer side."""
    at, length = directory.integer(_JPEG_AT, 0), directory.integer(_JPEG_LENGTH, 0)
    longer = _longer_side(bytes(data[at : at + length]))
    _blank(data, at, length)
    for start, size in zip(directory.integers(_STRIPS_AT), directory.integers(_STRIP_LENGTHS), strict=False):
        _blank(data, start, size)
    return at, min(length, max(len(data) - at, 0)), longer


def _blank(data: bytearray, at: int, length: int) -> None:
    end = min(at + length, len(data))
    if 0 < at < end:
        data[at:end] = bytes(end - at)


def _longer_side(jpeg: bytes) -> int:
    """The longer side of the old thumbnail, by its header alone."""
    size = jpeg_size(jpeg)
    return max(size) if size else _PLAIN_THUMBNAIL


def jpeg_size(jpeg: bytes) -> tuple[int, int] | None:
    """(height, width) from a JPEG's frame header, or None."""
    at = 2
    while at + 9 <= len(jpeg) and jpeg[at] == 0xFF:
        marker, length = jpeg[at + 1], int.from_bytes(jpeg[at + 2 : at + 4], "big")
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack_from(">HH", jpeg, at + 5)
            return height, width
        at += 2 + length
    return None


def _place_thumbnail(
    data: bytearray,
    first: ifd.Directory,
    second: ifd.Directory,
    room: tuple[int, int, int],
    make: MakeThumbnail,
    most: int,
) -> None:
    """Put the new thumbnail where the old one was, or at the end; drop its directory where neither fits."""
    at, old_length, longer = room
    free = max(old_length, most - len(data))
    jpeg = make(min(longer, 512), free) if _JPEG_AT in second.entries and free > 0 else b""
    if not jpeg:
        struct.pack_into(first.layout.order + first.layout.offset, data, first.next_at, 0)
        return
    if len(jpeg) > old_length:
        at = len(data)
        data.extend(bytes(len(jpeg)))
    data[at : at + len(jpeg)] = jpeg
    _set_long(data, second.entries[_JPEG_AT], at, first.layout)
    if _JPEG_LENGTH in second.entries:
        _set_long(data, second.entries[_JPEG_LENGTH], len(jpeg), first.layout)


def _set_long(data: bytearray, entry: ifd.Entry, value: int, layout: ifd.Layout) -> None:
    struct.pack_into(f"{layout.order}HHII", data, entry.at, entry.tag, 4, 1, value)


def blank_jpegs(data: bytearray) -> None:
    """Overwrite every JPEG that lies anywhere in ``data``, as maker notes hold them.

    A few makers change a preview's first byte, so the marker that follows it is looked for.
    """
    at = 0
    while (at := data.find(b"\xd8\xff", at)) >= 0:
        if at + 2 < len(data) and data[at + 2] in (0xDB, 0xE0, 0xE1, 0xE2, 0xEE, 0xC0, 0xC4, 0xFE):
            start = max(at - 1, 0)
            end = jpeg_end(data, at - 1)
            data[start:end] = bytes(end - start)
        at += 2


def jpeg_end(data: bytes | bytearray, start: int) -> int:
    """Where the JPEG that starts at ``start`` ends; the end of ``data`` where it breaks off."""
    at = start + 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xD9:
            return at + 2
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if marker == 0xDA:
            at = _scan_end(data, at)
    return len(data)


def _scan_end(data: bytes | bytearray, at: int) -> int:
    """The next marker that is neither a stuffed byte nor a restart."""
    while (at := data.find(b"\xff", at)) >= 0 and at + 1 < len(data):
        if data[at + 1] != 0 and not 0xD0 <= data[at + 1] <= 0xD7 and data[at + 1] != 0xFF:
            return at
        at += 1
    return len(data)


def thumbnail_maker(rgb: Image) -> MakeThumbnail:
    """Thumbnails of ``rgb`` (turned as the file stores it), as small as is asked for."""

    def make(longer_side: int, most: int) -> bytes:
        picture = PilImage.fromarray(rgb)
        picture.thumbnail((longer_side, longer_side), reducing_gap=3.0)
        for quality in (85, 70, 50, 30, 15):
            stream = io.BytesIO()
            picture.save(stream, "JPEG", quality=quality)
            if stream.tell() <= most:
                return stream.getvalue()
        return b""

    return make
