"""HEIC pictures, of 8 and of 10 or 12 bits, through pillow-heif."""

from __future__ import annotations

import io
from typing import Any

import numpy as np

from autoremove.errors import OutputError, PictureError
from autoremove.images import exif, xmp
from autoremove.images.opening import Header
from autoremove.images.samples import Samples

_QUALITY = 92
_MODELS = {"L": "L", "LA": "LA", "RGB": "RGB", "RGBA": "RGBA", "RGBa": "RGBA"}
_SEQUENCES = frozenset((b"hevc", b"hevx", b"hevm", b"hevs", b"msf1"))


def _opened(data: bytes) -> Any:
    try:
        import pillow_heif
    except ImportError as error:
        raise PictureError(
            "HEIC pictures need the package pillow-heif.", hint="Install it: pip install pillow-heif"
        ) from error
    return pillow_heif.open_heif(io.BytesIO(data), convert_hdr_to_8bit=False)


def header(data: bytes) -> Header:
    """Size, mode, depth and frames, without decoding the pixels."""
    found = _opened(data)
    frames = 2 if data[8:12] in _SEQUENCES else len(found)
    picture = found[found.primary_index]
    width, height = picture.size
    return Header((height, width), picture.mode.split(";")[0], int(picture.info["bit_depth"]), 1, frames)


def decode(data: bytes) -> Samples:
    """The pixels, already upright: the library turns them as the file asks, whatever its EXIF says."""
    found = _opened(data)
    picture = found[found.primary_index]
    model = _MODELS[picture.mode.split(";")[0]]
    values = np.asarray(picture)
    width, height = picture.size
    values = values.reshape(height, -1)[:, : width * len(model)].reshape(height, width, len(model))
    white = 65_535 if values.dtype == np.uint16 else 255
    return Samples(values, model, white, 1, picture.info.get("icc_profile"), picture.mode.startswith("RGBa"))


def encode(data: bytes, samples: Samples, make_thumbnail: exif.MakeThumbnail) -> bytes:
    """``samples`` as a HEIC with the source's metadata and nothing else.

    Thumbnails, depth maps, gain maps and further pictures of the source are not taken over.
    """
    import pillow_heif

    found = _opened(data)
    own = found[found.primary_index]
    if not pillow_heif.libheif_info()["HEIF"]:
        raise OutputError(
            "This installation of pillow-heif cannot write HEIC.",
            hint="Install pillow-heif from its wheel, or convert the pictures to JPEG first.",
        )
    height, width = samples.values.shape[:2]
    fresh = pillow_heif.from_bytes(own.mode, (width, height), np.ascontiguousarray(samples.values).tobytes())
    stream = io.BytesIO()
    fresh[0].info.update(_colour(own.info))
    fresh.save(stream, quality=_QUALITY, **_metadata(own.info, make_thumbnail), **_coding(own.info))
    return stream.getvalue()


def _metadata(own: dict[str, Any], make_thumbnail: exif.MakeThumbnail) -> dict[str, Any]:
    """EXIF and XMP free of previews, and of the turn that the pixels have taken already."""
    import pillow_heif

    upright = {"exif": own.get("exif"), "xmp": own.get("xmp")}
    pillow_heif.set_orientation(upright)
    block, packet = upright["exif"], upright["xmp"]
    return {
        "exif": exif.with_orientation(exif.renewed(block, make_thumbnail, 1 << 20), 1) if block else None,
        "xmp": xmp.scrubbed(packet) or None if packet else None,
    }


def _colour(own: dict[str, Any]) -> dict[str, Any]:
    """Depth, colour profile (of either kind) and light levels."""
    names = ("bit_depth", "icc_profile", "icc_profile_type", "nclx_profile", "content_light_level")
    return {name: own[name] for name in names if own.get(name)}


def _coding(own: dict[str, Any]) -> dict[str, Any]:
    """Subsampling as in the source."""
    return {"chroma": own["chroma"]} if own.get("chroma") in (420, 422, 444) else {}
