"""Write a TIFF anew: given pixel tags and blocks, with the source's own tags free of previews."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from autoremove.images import exif, ifd, photoshop, tiff_blocks, xmp

_XMP, _IPTC, _PHOTOSHOP, _ICC = 700, 33723, 34377, 34675
_EXIF, _GPS, _INTEROP, _MAKER_NOTE = 34665, 34853, 40965, 37500
PIXEL_TAGS = frozenset(
    (*range(256, 260), 262, 266, 273, 277, 278, 279, 284, 292, 293, 317, 320, 322, 323, 324, 325)
).union((332, 338, 339, 347, 512, 529, 530, 531, 532))
"""Tags that say how the pixels are coded; all others are about the picture."""

_DROPPED = frozenset((288, 289, 330, 513, 514, 519, 520, 521, 37724, 50255))
"""Previews, layers, and positions of free space."""

_LARGE = 4096
_KEPT_WHEN_LARGE = frozenset((270, _IPTC, _ICC, 33550, 33922, 34264, 34735, 34736, 34737, 42112))
"""Captions, IPTC, the colour profile and map coordinates. Other long values may hold pictures."""

_SWAP = {3: 2, 8: 2, 4: 4, 5: 4, 9: 4, 10: 4, 11: 4, 13: 4, 12: 8, 16: 8, 17: 8, 18: 8}
Value = tuple[int, int, bytes]
"""(type, count, bytes in the output's order) of one tag."""


@dataclass
class _Output:
    """A TIFF in the making."""

    layout: ifd.Layout
    data: bytearray = field(default_factory=bytearray)

    def append(self, raw: bytes) -> int:
        """Add bytes at an even position, and say where."""
        self.data.extend(bytes(len(self.data) % 2))
        self.data.extend(raw)
        return len(self.data) - len(raw)

    def number(self, value: int) -> bytes:
        return struct.pack(self.layout.order + self.layout.offset, value)

    def directory(self, tags: dict[int, Value]) -> int:
        """Add a directory, with its long values before it, and say where it begins."""
        entries = []
        for tag, (kind, count, raw) in sorted(tags.items()):
            inline = raw if len(raw) <= self.layout.inline else self.number(self.append(raw))
            head = struct.pack(f"{self.layout.order}HH{self.layout.offset}", tag, kind, count)
            entries.append(head + inline.ljust(self.layout.inline, b"\x00"))
        count_form = self.layout.order + ("Q" if self.layout.big else "H")
        return self.append(struct.pack(count_form, len(entries)) + b"".join(entries) + self.number(0))


def assembled(
    data: bytes, page: ifd.Directory, pixels: ifd.Directory, parts: list[bytes], leave_out: Iterable[int] = ()
) -> bytes:
    """A TIFF of one page: ``parts``, coded as ``pixels`` says, with the other tags of ``page``."""
    out = _Output(page.layout)
    out.data.extend(_header(page.layout))
    tags = {
        tag: value
        for tag, value in _metadata(page, out.layout).items()
        if tag not in PIXEL_TAGS and tag not in set(leave_out)
    }
    for tag in PIXEL_TAGS & pixels.entries.keys():
        tags[tag] = _swapped(pixels.entries[tag], pixels.layout, out.layout)
    tags |= _block_tags(out, pixels, [out.append(part) for part in parts], [len(part) for part in parts])
    for tag in (_EXIF, _GPS):
        below = _sub_directory(data, page, tag, out)
        if below is not None:
            tags[tag] = (16 if out.layout.big else 4, 1, out.number(below))
    at = out.directory(tags)
    width = out.layout.inline
    out.data[len(_header(page.layout)) - width : len(_header(page.layout))] = out.number(at)
    return bytes(out.data)


def _header(layout: ifd.Layout) -> bytes:
    mark = b"II" if layout.order == "<" else b"MM"
    if layout.big:
        return mark + struct.pack(layout.order + "HHHQ", 43, 8, 0, 0)
    return mark + struct.pack(layout.order + "HI", 42, 0)


def _block_tags(
    out: _Output, pixels: ifd.Directory, offsets: list[int], counts: list[int]
) -> dict[int, Value]:
    """Where the blocks lie and how long they are."""
    tiled = tiff_blocks.TILE_OFFSETS in pixels.entries
    kind, form = (16, "Q") if out.layout.big else (4, "I")
    names = (tiff_blocks.TILE_OFFSETS, tiff_blocks.TILE_COUNTS)
    if not tiled:
        names = (tiff_blocks.STRIP_OFFSETS, tiff_blocks.STRIP_COUNTS)
    return {
        name: (kind, len(numbers), struct.pack(f"{out.layout.order}{len(numbers)}{form}", *numbers))
        for name, numbers in zip(names, (offsets, counts), strict=True)
    }


def _metadata(directory: ifd.Directory, layout: ifd.Layout) -> dict[int, Value]:
    """The tags of a directory that are about the picture, free of previews."""
    kept: dict[int, Value] = {}
    for tag, entry in directory.entries.items():
        if tag in _DROPPED or tag in (_EXIF, _GPS, _INTEROP):
            continue
        kind, count, raw = _swapped(entry, directory.layout, layout)
        if tag in (_XMP, _PHOTOSHOP):
            raw = xmp.scrubbed(raw) if tag == _XMP else photoshop.scrubbed(raw)
            kind, count = (1, len(raw)) if tag == _XMP else (7, len(raw))
        elif tag == _MAKER_NOTE:
            note = bytearray(raw)
            exif.blank_jpegs(note)
            raw = bytes(note)
        elif tag != _ICC and _may_be_a_picture(tag, raw):
            continue
        if raw:
            kept[tag] = (kind, count, raw)
    return kept


def _may_be_a_picture(tag: int, raw: bytes) -> bool:
    """Whether a value is, or for its length could be, a picture of its own."""
    return (
        b"\xff\xd8\xff" in raw
        or b"/9j/" in raw
        or (len(raw) > _LARGE and tag not in _KEPT_WHEN_LARGE | PIXEL_TAGS)
    )


def _sub_directory(data: bytes, page: ifd.Directory, tag: int, out: _Output) -> int | None:
    """Copy the EXIF or GPS directory; gives its place, or None where there is none that holds together."""
    at = page.integer(tag, 0)
    if not at:
        return None
    try:
        below = ifd.directory(data, at, page.layout)
    except ifd.BrokenDirectoryError:
        return None
    return out.directory(_metadata(below, out.layout))


def _swapped(entry: ifd.Entry, source: ifd.Layout, target: ifd.Layout) -> Value:
    """A tag's value in the byte order of ``target``."""
    raw, size = entry.raw, _SWAP.get(entry.type, 1)
    if source.order != target.order and size > 1:
        raw = np.frombuffer(raw, f"u{size}").byteswap().tobytes()
    return entry.type, entry.count, raw
