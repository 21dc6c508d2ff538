"""What a picture says of itself is still said by its output."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PilImage
from PIL import ImageCms

from autoremove.images import read, write
from tests import builders
from tests.builders import removal, save, scene

PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
XMP = builders.xmp_packet()


def _exif(orientation: int = 1) -> bytes:
    exif = PilImage.Exif()
    exif[0x010F] = "Testcamera"
    exif[0x0112] = orientation
    exif.get_ifd(0x8769)[0x829A] = 0.008
    exif.get_ifd(0x8825)[1] = "N"
    exif.get_ifd(0x8825)[2] = (47.0, 22.0, 11.0)
    return exif.tobytes()


def _picture(orientation: int = 1) -> PilImage.Image:
    return PilImage.fromarray(builders.turned_back(scene(), orientation))


@pytest.mark.parametrize("orientation", [1, 6])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF", "TIFF", "HEIC"])
def test_exif_xmp_and_profile(tmp_path: Path, kind: str, orientation: int) -> None:
    source, out = tmp_path / "in.dat", tmp_path / "out.dat"
    own = {"exif": _exif(orientation), "icc_profile": PROFILE, "xmp": XMP}
    if kind == "HEIC":
        source.write_bytes(_heic(orientation, own))
    elif kind == "TIFF":
        exif = PilImage.Exif()
        exif.load(own["exif"])
        exif[700] = XMP
        source.write_bytes(save(_picture(orientation), kind, exif=exif, icc_profile=PROFILE))
    elif kind == "PNG":
        packet = builders.png_chunk(b"iTXt", b"XML:com.adobe.xmp\x00\x00\x00\x00\x00" + XMP)
        plain = save(_picture(orientation), kind, exif=own["exif"], icc_profile=PROFILE)
        source.write_bytes(builders.png_with(plain, packet))
    else:
        source.write_bytes(save(_picture(orientation), kind, quality=90, **own))
    write(source, out, [removal()])
    info, exif = _info(out, kind)
    assert info["icc_profile"] == PROFILE
    assert exif[0x010F] == "Testcamera"
    assert exif.get_ifd(0x8769)[0x829A] == pytest.approx(0.008)
    assert tuple(exif.get_ifd(0x8825)[2]) == (47, 22, 11)
    assert b"Summer" in (info.get("xmp") or exif[700])
    assert exif.get(0x0112, 1) == (1 if kind == "HEIC" else orientation)
    assert read(out).size_hw == builders.SIZE_HW


def _heic(orientation: int, own: dict[str, bytes]) -> bytes:
    import pillow_heif

    stored = builders.turned_back(scene(), orientation)
    picture = pillow_heif.from_bytes("RGB", stored.shape[1::-1], stored.tobytes())
    picture[0].info.update(icc_profile=own["icc_profile"], icc_profile_type="prof")
    stream = io.BytesIO()
    picture.save(stream, quality=90, exif=own["exif"], xmp=own["xmp"])
    return stream.getvalue()


def _info(path: Path, kind: str) -> tuple[dict[str, bytes], PilImage.Exif]:
    if kind == "HEIC":
        import pillow_heif

        info = pillow_heif.open_heif(path).info
        exif = PilImage.Exif()
        exif.load(info["exif"])
        return info, exif
    picture = PilImage.open(path)  # Left open: its EXIF is read from the file when asked for.
    return dict(picture.info), picture.getexif()


@pytest.mark.parametrize(
    ("kind", "options"), [("JPEG", {}), ("PNG", {}), ("TIFF", {"compression": "tiff_lzw"}), ("BMP", {})]
)
def test_resolution(tmp_path: Path, kind: str, options: dict[str, str]) -> None:
    source, out = tmp_path / "in.dat", tmp_path / "out.dat"
    source.write_bytes(save(_picture(), kind, dpi=(300, 300), **options))
    write(source, out, [removal()])
    assert [round(float(value)) for value in PilImage.open(out).info["dpi"]] == [300, 300]


def test_png_text_and_colour_chunks(tmp_path: Path) -> None:
    source, out = tmp_path / "in.png", tmp_path / "out.png"
    chunks = [
        builders.png_chunk(b"gAMA", (45455).to_bytes(4, "big")),
        builders.png_chunk(b"sRGB", b"\x00"),
        builders.png_chunk(b"tEXt", b"Author\x00Ann"),
        builders.png_chunk(b"iTXt", b"Title\x00\x00\x00de\x00Titel\x00" + "Größe".encode()),
        builders.png_chunk(b"iDOT", bytes(28)),
    ]
    source.write_bytes(builders.png_with(builders.png_16(builders.deep(scene())), *chunks))
    write(source, out, [removal()])
    data = out.read_bytes()
    for chunk in chunks[:-1]:
        assert chunk in data
    assert b"iDOT" not in data, "it points into pixels that are no longer there"
    PilImage.open(out).verify()


def test_jpeg_captions_and_comment(tmp_path: Path) -> None:
    source, out = tmp_path / "in.jpg", tmp_path / "out.jpg"
    caption = builders.photoshop_block((1028, b"\x1c\x02\x78\x00\x05Hello"))
    kept = builders.segment(0xED, b"Photoshop 3.0\x00" + caption) + builders.segment(0xFE, b"a comment")
    source.write_bytes(builders.jpeg(segments=kept))
    write(source, out, [removal()])
    assert kept in out.read_bytes()


def test_a_jpeg_profile_of_many_segments(tmp_path: Path) -> None:
    source, out = tmp_path / "in.jpg", tmp_path / "out.jpg"
    profile = np.random.default_rng(0).bytes(150_000)
    source.write_bytes(save(_picture(), "JPEG", icc_profile=profile))
    write(source, out, [removal()])
    assert PilImage.open(out).info["icc_profile"] == profile


def test_inks_are_converted_by_their_profile(tmp_path: Path) -> None:
    """Without a CMYK profile at hand: a profile of another kind is passed over, not obeyed."""
    source, out = tmp_path / "in.jpg", tmp_path / "out.jpg"
    source.write_bytes(save(_picture().convert("CMYK"), "JPEG", icc_profile=PROFILE, quality=95))
    assert np.abs(read(source).rgb.astype(int) - scene()).mean() < 4
    write(source, out, [removal()])
    assert PilImage.open(out).info["icc_profile"] == PROFILE


def test_big_endian_tags_of_a_tiff_coded_by_pillow(tmp_path: Path) -> None:
    """The pixels are coded anew in little-endian order; the tags round them are turned to fit."""
    import tifffile

    source, out = tmp_path / "in.tif", tmp_path / "out.tif"
    indexed = np.asarray(builders.palette_picture())
    colours = np.arange(3 * 256, dtype=np.uint16).reshape(3, 256) * 80
    tifffile.imwrite(
        source,
        indexed,
        byteorder=">",
        photometric="palette",
        colormap=colours,
        resolution=(72, 72),
        metadata=None,
        description="A summer",
        software="Tester",
    )
    write(source, out, [removal()])
    picture = PilImage.open(out)
    assert picture.tag_v2[270] == "A summer" and picture.tag_v2[305] == "Tester"
    assert float(picture.tag_v2[282]) == 72
    kept = builders.outside()
    before = np.asarray(PilImage.open(source).convert("RGB"))
    assert np.array_equal(np.asarray(picture.convert("RGB"))[kept], before[kept])
