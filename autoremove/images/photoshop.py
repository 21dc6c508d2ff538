"""Photoshop resource blocks: keep captions and paths, drop the thumbnails and second copies of metadata."""

from __future__ import annotations

import struct

JPEG_PREFIX = b"Photoshop 3.0\x00"
_PICTURES = frozenset((1033, 1036))
"""Thumbnails, the old one in BGR and the new one in RGB."""

_SECOND_COPIES = frozenset((1058, 1059, 1060))
"""EXIF and XMP over again, which can hold thumbnails of their own."""


def scrubbed(resources: bytes) -> bytes:
    """The resource blocks without those that can show the old picture; b"" where they are malformed."""
    kept = []
    at = 0
    while at + 12 <= len(resources):
        if resources[at : at + 4] not in (b"8BIM", b"MeSa", b"AgHg", b"PHUT", b"DCSR"):
            return b""
        number = struct.unpack_from(">H", resources, at + 4)[0]
        name = 1 + resources[at + 6]
        body = at + 6 + name + name % 2
        if body + 4 > len(resources):
            return b""
        length = struct.unpack_from(">I", resources, body)[0]
        end = body + 4 + length + length % 2
        if body + 4 + length > len(resources):
            return b""
        if number not in _PICTURES | _SECOND_COPIES:
            kept.append(resources[at:end])
        at = end
    return b"".join(kept)
