"""Small JPEGs of a picture for the report and for samples of training."""

from __future__ import annotations

import io

from PIL import Image as PilImage

from autoremove.types import Image

_QUALITY = 85


def encode_preview(rgb: Image, max_side: int) -> bytes:
    """``rgb`` (H x W x 3 uint8) as a JPEG whose longer side has at most ``max_side`` pixels."""
    picture = PilImage.fromarray(rgb)
    picture.thumbnail((max_side, max_side), reducing_gap=3.0)
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=_QUALITY)
    return stream.getvalue()
