"""AVIF pictures, through Pillow; those of more than 8 bits come out with 8."""

from __future__ import annotations

import io
from typing import Any

from autoremove.errors import PictureError
from autoremove.images import exif, xmp
from autoremove.images.opening import Header, frames_of, opened, pillow_picture, samples_of
from autoremove.images.samples import Samples

_QUALITY = 90


def _opened(data: bytes) -> Any:
    from PIL import features

    if not features.check("avif"):
        raise PictureError(
            "This installation of Pillow cannot read AVIF.", hint="Install a newer one: pip install -U pillow"
        )
    return opened("AVIF", data)


def header(data: bytes) -> Header:
    """Size, mode, depth and frames, without decoding the pixels."""
    picture = _opened(data)
    turned = exif.orientation(picture.info.get("exif"))
    return Header(picture.size[::-1], picture.mode, 8, turned, frames_of(picture))


def decode(data: bytes) -> Samples:
    """The stored samples, in their own depth and orientation."""
    picture = _opened(data)
    picture.load()
    return samples_of(picture, exif.orientation(picture.info.get("exif")))


def encode(data: bytes, samples: Samples, make_thumbnail: exif.MakeThumbnail) -> bytes:
    """``samples`` as an AVIF of high quality with the source's metadata, turned as the source was."""
    own = _opened(data).info
    options: dict[str, Any] = {"icc_profile": own.get("icc_profile") or b""}
    options["exif"] = exif.renewed(own["exif"], make_thumbnail, 1 << 20) if own.get("exif") else b""
    options["xmp"] = xmp.scrubbed(own["xmp"]) if own.get("xmp") else b""
    if samples.model in ("RGB", "RGBA"):
        options["subsampling"] = "4:4:4"
    stream = io.BytesIO()
    pillow_picture(samples).save(stream, "AVIF", quality=_QUALITY, **options)
    return stream.getvalue()
