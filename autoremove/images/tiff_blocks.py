"""The strips and tiles of a TIFF: unpack them all, and pack again only those whose pixels changed."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image as PilImage

from autoremove.images import ifd
from autoremove.images.opening import opened
from autoremove.images.samples import Values

WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, FILL_ORDER = 256, 257, 258, 259, 262, 266
STRIP_OFFSETS, SAMPLES, STRIP_ROWS, STRIP_COUNTS, PLANAR, PREDICTOR = 273, 277, 278, 279, 284, 317
TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS, TILE_COUNTS, SAMPLE_FORMAT = 322, 323, 324, 325, 339
_NONE, _LZW, _PACKBITS, _DEFLATES = 1, 5, 32773, (8, 32946)
_DTYPES = {(8, 1): "u1", (16, 1): "u2", (32, 3): "f4"}


@dataclass(frozen=True)
class Blocks:
    """How a picture is cut up. ``planes``: 1, or one per channel where channels are stored apart."""

    size_hw: tuple[int, int]
    block_hw: tuple[int, int]
    tiled: bool
    channels: int
    planes: int
    compression: int
    predictor: int
    dtype: np.dtype[Any]

    def places(self) -> Iterator[tuple[int, int, int]]:
        """(plane, top, left) of each block in the order of the file."""
        for plane in range(self.planes):
            for top in range(0, self.size_hw[0], self.block_hw[0]):
                for left in range(0, self.size_hw[1], self.block_hw[1]):
                    yield plane, top, left

    def shape(self, top: int) -> tuple[int, int, int]:
        """The stored shape of a block: tiles are padded, the last strip is short."""
        height = self.block_hw[0] if self.tiled else min(self.block_hw[0], self.size_hw[0] - top)
        return height, self.block_hw[1], self.channels // self.planes


def blocks_of(page: ifd.Directory) -> Blocks | None:
    """How ``page`` is cut up, or None where its coding is left to Pillow."""
    bits, formats = set(page.integers(BITS, (1,))), set(page.integers(SAMPLE_FORMAT, (1,)))
    compression = page.integer(COMPRESSION, 1)
    predictor = page.integer(PREDICTOR, 1) if compression in (_LZW, *_DEFLATES) else 1
    if len(bits) != 1 or len(formats) != 1 or page.integer(FILL_ORDER, 1) != 1:
        return None
    name = _DTYPES.get((bits.pop(), formats.pop()))
    known = compression in (_NONE, _LZW, _PACKBITS, *_DEFLATES)
    if name is None or not known or predictor not in ((1,) if name == "f4" else (1, 2)):
        return None
    size_hw = page.integer(HEIGHT, 0), page.integer(WIDTH, 0)
    tiled = TILE_OFFSETS in page.entries
    block_hw = min(page.integer(STRIP_ROWS, size_hw[0]), size_hw[0]), size_hw[1]
    if tiled:
        block_hw = page.integer(TILE_HEIGHT, 0), page.integer(TILE_WIDTH, 0)
        if block_hw[0] * block_hw[1] > max(4 * size_hw[0] * size_hw[1], 1 << 20):
            raise ValueError(f"tiles of {block_hw} for a picture of {size_hw}")
    channels = page.integer(SAMPLES, 1)
    planes = channels if page.integer(PLANAR, 1) == 2 else 1
    if 0 in (*size_hw, *block_hw, channels):
        return None
    dtype = np.dtype(page.layout.order + name)
    return Blocks(size_hw, block_hw, tiled, channels, planes, compression, predictor, dtype)


def stored(data: bytes, page: ifd.Directory) -> list[bytes]:
    """The blocks' bytes as they lie in the file. Raises ValueError where one is cut off."""
    offsets = page.integers(TILE_OFFSETS) or page.integers(STRIP_OFFSETS)
    counts = page.integers(TILE_COUNTS) or page.integers(STRIP_COUNTS)
    if len(offsets) == 1 and not counts:
        counts = (len(data) - offsets[0],)
    parts = [data[at : at + size] for at, size in zip(offsets, counts, strict=True)]
    if not parts or any(len(part) < size for part, size in zip(parts, counts, strict=True)):
        raise ValueError("the file is cut off before its last pixel")
    return parts


def decode(parts: list[bytes], blocks: Blocks) -> Values:
    """H x W x C in the machine's byte order."""
    height, width = blocks.size_hw
    values = np.empty((height, width, blocks.channels), blocks.dtype.newbyteorder("="))
    for part, (plane, top, left) in zip(parts, blocks.places(), strict=True):
        shape = blocks.shape(top)
        block = _unpacked(part, shape, blocks)
        channels = slice(plane, plane + 1) if blocks.planes > 1 else slice(None)
        target = values[top : top + shape[0], left : left + shape[1], channels]
        target[...] = block[: target.shape[0], : target.shape[1]]
    return values


def encode(parts: list[bytes], before: Values, after: Values, blocks: Blocks) -> list[bytes]:
    """The blocks' new bytes; those without a changed pixel are the old ones."""
    packed = []
    for part, (plane, top, left) in zip(parts, blocks.places(), strict=True):
        shape = blocks.shape(top)
        channels = slice(plane, plane + 1) if blocks.planes > 1 else slice(None)
        window = (slice(top, top + shape[0]), slice(left, left + shape[1]), channels)
        if np.array_equal(before[window], after[window]):
            packed.append(part)
            continue
        block = np.zeros(shape, after.dtype)
        block[: after[window].shape[0], : after[window].shape[1]] = after[window]
        packed.append(_packed(block, blocks))
    return packed


def _unpacked(part: bytes, shape: tuple[int, int, int], blocks: Blocks) -> Values:
    size = int(np.prod(shape)) * blocks.dtype.itemsize
    if blocks.compression == _NONE:
        raw = part
    elif blocks.compression in _DEFLATES:
        raw = zlib.decompressobj().decompress(part, size)
    else:
        raw = _pillow_unpacked(part, blocks.compression, shape[0], size // shape[0])
    block = np.frombuffer(raw, blocks.dtype, count=size // blocks.dtype.itemsize).reshape(shape)
    block = block.astype(blocks.dtype.newbyteorder("="))
    if blocks.predictor == 2:
        block = np.cumsum(block, axis=1, dtype=block.dtype)
    return block


def _packed(block: Values, blocks: Blocks) -> bytes:
    if blocks.predictor == 2:
        block = np.concatenate([block[:, :1], block[:, 1:] - block[:, :-1]], axis=1)
    raw = block.astype(blocks.dtype).tobytes()
    if blocks.compression == _NONE:
        return raw
    if blocks.compression in _DEFLATES:
        return zlib.compress(raw, 6)
    return _pillow_packed(raw, blocks.compression, block.shape[0])


def _pillow_unpacked(part: bytes, compression: int, rows: int, row_bytes: int) -> bytes:
    """LZW and PackBits work on bytes alone, so a block is shown to Pillow as a grey picture of its own."""
    tags = [(WIDTH, row_bytes), (HEIGHT, rows), (BITS, 8), (COMPRESSION, compression), (PHOTOMETRIC, 1)]
    tags += [(STRIP_OFFSETS, 8 + 2 + 9 * 12 + 4), (SAMPLES, 1), (STRIP_ROWS, rows), (STRIP_COUNTS, len(part))]
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    small = b"II*\x00" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4) + part
    picture = opened("TIFF", small)
    return bytes(picture.tobytes())


def _pillow_packed(raw: bytes, compression: int, rows: int) -> bytes:
    name = {_LZW: "tiff_lzw", _PACKBITS: "packbits"}[compression]
    stream = io.BytesIO()
    grey = PilImage.frombytes("L", (len(raw) // rows, rows), raw)
    grey.save(stream, "TIFF", compression=name, strip_size=max(len(raw), 65_536))
    written = stream.getvalue()
    parts = stored(written, ifd.chain(written)[0])
    if len(parts) != 1:
        raise ValueError("Pillow cut a block of a TIFF into several")
    return parts[0]
