"""Still GIF pictures: new colours go into free places of the palette, or to the nearest it has."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image as PilImage

from autoremove.images import palette
from autoremove.images.exif import MakeThumbnail
from autoremove.images.opening import Header, frames_of, opened, samples_of
from autoremove.images.samples import Samples


def header(data: bytes) -> Header:
    """Size, mode, depth and frames, without decoding the pixels."""
    picture = opened("GIF", data)
    return Header(picture.size[::-1], picture.mode, frames=frames_of(picture))


def decode(data: bytes) -> Samples:
    """The stored samples, in their own depth and orientation."""
    picture = opened("GIF", data)
    picture.load()
    return samples_of(picture)


def encode(data: bytes, samples: Samples, make_thumbnail: MakeThumbnail) -> bytes:
    """``samples`` as a GIF: the picture's own pixels to the bit, new ones as near as 256 colours allow."""
    before = decode(data).values
    clear = _is_clear(before)
    # All clear pixels are one place of the palette: none of them can have a new colour.
    values = np.where(clear[..., None], before, samples.values)
    changed = (values != before).any(axis=2)
    table = _colours(before[..., :3], clear, values[changed][:, :3])
    values[changed, :3] = table[palette.nearest(values[changed][:, :3], table)]
    picture = palette.fitted(Samples(values, samples.model))
    if picture is None:
        raise ValueError("more than 256 colours after the change")
    options = {}
    alphas = picture.info.pop("transparency", b"")
    if 0 in alphas:
        options["transparency"] = alphas.index(0)
    stream = io.BytesIO()
    picture.save(
        stream, "GIF", optimize=False, comment=opened("GIF", data).info.get("comment", b""), **options
    )
    return stream.getvalue()


def _is_clear(values: np.ndarray) -> np.ndarray:
    """H x W, True where nothing is seen of a pixel."""
    if values.shape[2] < 4:
        return np.zeros(values.shape[:2], bool)
    return np.asarray(values[..., 3] == 0)


def _colours(before: np.ndarray, clear: np.ndarray, new: np.ndarray) -> np.ndarray:
    """The picture's own colours that are seen, and as many of the new ones as there is room for."""
    own = np.unique(before[~clear], axis=0)
    room = 256 - len(own) - int(clear.any())
    if room > 0 and len(new):
        strip = PilImage.fromarray(np.ascontiguousarray(new[None]))
        fresh = np.asarray(strip.quantize(room).convert("RGB")).reshape(-1, 3)
        return np.concatenate([own, np.unique(fresh, axis=0)]).astype(np.uint8)
    return own.astype(np.uint8)
