"""Image file directories: the tables of tags that TIFF files and EXIF blocks are made of."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

TYPE_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
TYPE_SIZES |= {16: 8, 17: 8, 18: 8}
_INTEGERS = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q", 6: "b", 7: "B", 8: "h", 9: "i", 17: "q"}


class BrokenDirectoryError(ValueError):
    """A directory that does not hold together; whoever reads it decides what that means."""


@dataclass(frozen=True)
class Layout:
    """Byte order (``<`` or ``>``) and width: classic TIFF, or BigTIFF with 8-byte offsets."""

    order: str
    big: bool = False

    @property
    def offset(self) -> str:
        return "Q" if self.big else "I"

    @property
    def inline(self) -> int:
        """Values of up to this many bytes lie in the entry itself."""
        return 8 if self.big else 4

    @property
    def entry_bytes(self) -> int:
        return 20 if self.big else 12


@dataclass(frozen=True)
class Entry:
    """One tag: where its entry and its value lie (byte positions), and the value's bytes."""

    tag: int
    type: int
    count: int
    at: int
    value_at: int
    raw: bytes


@dataclass(frozen=True)
class Directory:
    """One table of tags. ``next_at``: where the position of the following directory is written."""

    entries: dict[int, Entry]
    next_at: int
    next: int
    layout: Layout

    def integers(self, tag: int, default: Sequence[int] = ()) -> tuple[int, ...]:
        """The whole numbers of ``tag``, or ``default`` where it is absent or of another type."""
        entry = self.entries.get(tag)
        if entry is None or entry.type not in _INTEGERS:
            return tuple(default)
        return struct.unpack(f"{self.layout.order}{entry.count}{_INTEGERS[entry.type]}", entry.raw)

    def integer(self, tag: int, default: int) -> int:
        """The first whole number of ``tag``."""
        return (self.integers(tag) or (default,))[0]

    def raw(self, tag: int) -> bytes | None:
        entry = self.entries.get(tag)
        return None if entry is None else entry.raw


def header(data: bytes | bytearray) -> tuple[Layout, int]:
    """The layout and the position of the first directory. Raises BrokenDirectoryError."""
    order = {b"II": "<", b"MM": ">"}.get(bytes(data[:2]))
    if order is None or len(data) < 8:
        raise BrokenDirectoryError("no TIFF header")
    version = unpack(data, 2, order + "H")
    if version == 43:
        return Layout(order, True), unpack(data, 8, order + "Q")
    return Layout(order), unpack(data, 4, order + "I")


def unpack(data: bytes | bytearray, at: int, form: str) -> int:
    """One number at a position. Raises BrokenDirectoryError past the end."""
    try:
        return int(struct.unpack_from(form, data, at)[0])
    except struct.error as error:
        raise BrokenDirectoryError(f"position {at} is past the end") from error


def directory(data: bytes | bytearray, at: int, layout: Layout) -> Directory:
    """The directory at ``at``; a value outside the data is left out. Raises BrokenDirectoryError."""
    count = unpack(data, at, layout.order + ("Q" if layout.big else "H"))
    first = at + (8 if layout.big else 2)
    next_at = first + count * layout.entry_bytes
    if next_at > len(data):
        raise BrokenDirectoryError(f"the directory at {at} is cut off")
    entries = (_entry(data, first + i * layout.entry_bytes, layout) for i in range(count))
    following = 0
    if next_at + layout.inline <= len(data):  # Some cameras leave the last pointer out.
        following = unpack(data, next_at, layout.order + layout.offset)
    return Directory({entry.tag: entry for entry in entries if entry}, next_at, following, layout)


def _entry(data: bytes | bytearray, at: int, layout: Layout) -> Entry | None:
    tag, kind, count = struct.unpack_from(f"{layout.order}HH{layout.offset}", data, at)
    size = TYPE_SIZES.get(kind, 0) * count
    value_at = at + 4 + layout.inline
    if size > layout.inline:
        value_at = unpack(data, value_at, layout.order + layout.offset)
    if size == 0 or value_at + size > len(data):
        return None
    return Entry(tag, kind, count, at, value_at, bytes(data[value_at : value_at + size]))


def chain(data: bytes | bytearray, limit: int = 10_000) -> list[Directory]:
    """All directories of the file in order; a loop ends it. Raises BrokenDirectoryError."""
    layout, at = header(data)
    found: list[Directory] = []
    seen: set[int] = set()
    while at and at not in seen and len(found) < limit:
        seen.add(at)
        found.append(directory(data, at, layout))
        at = found[-1].next
    return found
