"""The table of picture formats: which room reads and writes each kind."""

from __future__ import annotations

from importlib import import_module
from typing import Protocol, cast

from autoremove.images.exif import MakeThumbnail
from autoremove.images.opening import Header
from autoremove.images.samples import Samples


class Format(Protocol):
    """What each of the rooms named below offers."""

    def header(self, data: bytes) -> Header:
        """What the file says of itself, without decoding its pixels."""

    def decode(self, data: bytes) -> Samples:
        """The pixels at full depth. Raises whatever the library below raises."""

    def encode(self, data: bytes, samples: Samples, make_thumbnail: MakeThumbnail) -> bytes:
        """``samples`` in the coding and with the metadata of ``data``, free of previews."""


_ROOMS = {
    "JPEG": "jpeg",
    "PNG": "png",
    "WEBP": "webp",
    "TIFF": "tiff",
    "BMP": "bmp",
    "GIF": "gif",
    "HEIC": "heif",
    "AVIF": "avif",
}


def format_of(kind: str) -> Format:
    """The room for a kind of ``kinds.SUPPORTED``."""
    return cast(Format, import_module(f"autoremove.images.{_ROOMS[kind]}"))
