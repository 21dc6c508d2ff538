"""No output shows the removed person: every picture hidden in it is found and looked at by colour."""

from __future__ import annotations

import base64
import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags
from PIL import Image as PilImage

from autoremove.images import copy, write
from tests import builders
from tests.builders import removal, save, scene, segment, shows_the_person, small_jpeg

JPEG = small_jpeg(scene())
BASE64 = base64.b64encode(JPEG).decode()
MPF = segment(0xE2, b"MPF\x00II\x2a\x00\x08\x00\x00\x00" + bytes(60))
EXTENDED_XMP = segment(
    0xE1,
    b"http://ns.adobe.com/xmp/extension/\x00"
    + b"A" * 32
    + struct.pack(">II", len(BASE64), 0)
    + BASE64.encode(),
)
RAW_RED = bytes(builders.RED) * 200


def _photoshop(*resources: tuple[int, bytes]) -> bytes:
    return segment(0xED, b"Photoshop 3.0\x00" + builders.photoshop_block(*resources))


def xmp_segment(packet: bytes) -> bytes:
    return segment(0xE1, b"http://ns.adobe.com/xap/1.0/\x00" + packet)


THUMBNAILS = builders.xmp_thumbnails(JPEG)
FILES: dict[str, Callable[[], bytes]] = {
    "thumbnail": builders.jpeg,
    "thumbnail, big-endian": lambda: builders.jpeg(order=">"),
    "thumbnail, turned": lambda: builders.jpeg(6),
    "jfif thumbnail": lambda: _with_jfif_thumbnail(),
    "jfxx thumbnail": lambda: builders.jpeg(segments=segment(0xE0, b"JFXX\x00\x10" + JPEG)),
    "second picture": lambda: builders.jpeg(segments=MPF, trailer=JPEG),
    "motion photo": lambda: builders.jpeg(trailer=b"\x00\x00\x00\x18ftypmp42" + RAW_RED),
    "maker note": lambda: builders.jpeg(maker_note=b"MAKER\x00\x01" + bytes(20) + JPEG + b"serial"),
    "maker note, altered start": lambda: builders.jpeg(maker_note=b"OLYMP" + b"\x00" + JPEG[1:] + b"serial"),
    "photoshop": lambda: builders.jpeg(segments=_photoshop((1036, bytes(28) + JPEG), (1033, JPEG))),
    "photoshop exif": lambda: builders.jpeg(segments=_photoshop((1058, builders.exif_block(1, JPEG)))),
    "xmp thumbnail": lambda: builders.jpeg(segments=xmp_segment(builders.xmp_packet(THUMBNAILS))),
    "xmp depth original": lambda: builders.jpeg(
        segments=xmp_segment(builders.xmp_packet(attributes=f'GImage:Data="{BASE64}"'))
    ),
    "xmp in parts": lambda: builders.jpeg(
        segments=xmp_segment(builders.xmp_packet(attributes=f'xmpNote:HasExtendedXMP="{"A" * 32}"'))
        + EXTENDED_XMP
    ),
    "gain map": lambda: builders.jpeg(
        segments=segment(0xE2, b"urn:iso:std:iso:ts:21496:-1\x00" + JPEG) + MPF, trailer=JPEG
    ),
    "content credentials": lambda: builders.jpeg(segments=segment(0xEB, b"JP\x00\x01jumb" + JPEG)),
    "flashpix": lambda: builders.jpeg(segments=segment(0xE2, b"FPXR\x00" + JPEG)),
    "kodak": lambda: builders.jpeg(segments=segment(0xE3, b"Meta\x00\x00" + builders.exif_block(1, JPEG))),
    "comment": lambda: builders.jpeg(segments=segment(0xFE, JPEG)),
    "exif of two segments": lambda: builders.jpeg(segments=segment(0xE1, b"Exif\x00\x00" + JPEG)),
    "plain thumbnail": lambda: _with_exif(builders.exif_block(1, uncompressed=RAW_RED)),
    "png exif": lambda: builders.png_with(
        save(PilImage.fromarray(scene()), "PNG"), builders.png_chunk(b"eXIf", builders.exif_block(1, JPEG))
    ),
    "png private": lambda: builders.png_with(
        save(PilImage.fromarray(scene()), "PNG"),
        builders.png_chunk(b"prVW", JPEG),
        builders.png_chunk(b"caBX", JPEG),
    ),
    "png xmp": lambda: builders.png_with(
        save(PilImage.fromarray(scene()), "PNG"),
        builders.png_chunk(
            b"iTXt", b"XML:com.adobe.xmp\x00\x00\x00\x00\x00" + builders.xmp_packet(THUMBNAILS)
        ),
    ),
    "png raw profile": lambda: builders.png_with(
        save(PilImage.fromarray(scene()), "PNG"),
        builders.png_chunk(b"zTXt", b"Raw profile type exif\x00\x00" + _raw_profile()),
        builders.png_chunk(b"tEXt", b"preview\x00" + BASE64.encode()),
    ),
    "webp": lambda: save(
        PilImage.fromarray(scene()),
        "WEBP",
        exif=b"Exif\x00\x00" + builders.exif_block(1, JPEG),
        xmp=builders.xmp_packet(THUMBNAILS),
    ),
    "avif": lambda: save(
        PilImage.fromarray(scene()),
        "AVIF",
        exif=builders.exif_block(1, JPEG),
        xmp=builders.xmp_packet(THUMBNAILS),
    ),
    "heic": lambda: builders.heic(
        exif=b"Exif\x00\x00" + builders.exif_block(1, JPEG), xmp=builders.xmp_packet(THUMBNAILS)
    ),
    "tiff": lambda: save(
        PilImage.fromarray(scene()),
        "TIFF",
        tiffinfo={700: builders.xmp_packet(THUMBNAILS), 34377: builders.photoshop_block((1036, JPEG))},
    ),
    "tiff layers": lambda: save(
        PilImage.fromarray(scene()), "TIFF", tiffinfo={37724: RAW_RED * 30, 65000: JPEG}
    ),
    "tiff, smaller page": lambda: _with_smaller_page(),
}


def _with_exif(block: bytes) -> bytes:
    plain = builders.jpeg(thumbnail=False)
    end = 4 + int.from_bytes(plain[4:6], "big")
    return plain[:2] + segment(0xE1, b"Exif\x00\x00" + block) + plain[end:]


def _with_jfif_thumbnail() -> bytes:
    plain = builders.jpeg(thumbnail=False)
    at = plain.index(b"\xff\xe0")
    head = segment(0xE0, b"JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x14\x0a" + RAW_RED)
    return plain[:at] + head + plain[at + 18 :]


def _raw_profile() -> bytes:
    block = b"Exif\x00\x00" + builders.exif_block(1, JPEG)
    return zlib.compress(b"\nexif\n%8d\n%s\n" % (len(block), block.hex().encode()))


def _with_smaller_page() -> bytes:
    import tifffile

    stream = io.BytesIO()
    with tifffile.TiffWriter(stream) as writer:
        writer.write(scene(), photometric="rgb", metadata=None)
        writer.write(np.ascontiguousarray(scene()[::2, ::2]), photometric="rgb", subfiletype=1, metadata=None)
    return stream.getvalue()


@pytest.mark.parametrize("name", FILES)
def test_nothing_shows_the_person(tmp_path: Path, name: str) -> None:
    source, out = tmp_path / "in.dat", tmp_path / "out.dat"
    data = FILES[name]()
    source.write_bytes(data)
    write(source, out, [removal()])
    assert not shows_the_person(out.read_bytes())


@pytest.mark.filterwarnings("ignore:Image appears to be a malformed MPO")
@pytest.mark.parametrize("name", sorted(set(FILES) - {"png raw profile"}))
def test_the_check_itself_sees_the_person(tmp_path: Path, name: str) -> None:
    """In a copy, where all previews stay, the person is found: the test above can fail."""
    source, out = tmp_path / "in.dat", tmp_path / "out.dat"
    source.write_bytes(FILES[name]())
    copy(source, out)
    assert shows_the_person(out.read_bytes())


@pytest.mark.parametrize("name", ["thumbnail", "thumbnail, big-endian", "thumbnail, turned", "maker note"])
def test_the_thumbnail_is_made_anew(tmp_path: Path, name: str) -> None:
    source, out = tmp_path / "in.jpg", tmp_path / "out.jpg"
    source.write_bytes(FILES[name]())
    write(source, out, [removal()])
    picture = PilImage.open(out)
    exif = picture.getexif()
    first = exif.get_ifd(ExifTags.IFD.IFD1)
    block = picture.info["exif"][6:]
    thumbnail = PilImage.open(io.BytesIO(block[first[0x0201] : first[0x0201] + first[0x0202]]))
    whole = picture.convert("RGB").resize(thumbnail.size, PilImage.Resampling.BOX)
    assert max(thumbnail.size) == 56
    assert np.abs(np.asarray(thumbnail).astype(int) - np.asarray(whole)).mean() < 8
    assert exif[0x010F] == "Testcamera1"
    assert exif.get_ifd(0x8769)[0x829A] == 1 / 125


def test_the_rest_of_a_maker_note_stays_in_its_place(tmp_path: Path) -> None:
    source, out = tmp_path / "in.jpg", tmp_path / "out.jpg"
    source.write_bytes(FILES["maker note"]())
    write(source, out, [removal()])
    before, after = (PilImage.open(path).getexif().get_ifd(0x8769)[0x927C] for path in (source, out))
    assert len(after) == len(before)
    assert after.startswith(b"MAKER\x00\x01") and after.endswith(b"serial")
    assert before != after


def test_thumbnails_of_a_heic_are_left_out(tmp_path: Path) -> None:
    import pillow_heif

    source, out = tmp_path / "in.heic", tmp_path / "out.heic"
    picture = pillow_heif.from_bytes("RGB", builders.SIZE_HW[::-1], scene().tobytes())
    picture[0].info["thumbnails"] = [64]
    picture.save(source, quality=90)
    write(source, out, [removal()])
    assert pillow_heif.open_heif(source).info["thumbnails"]
    assert not pillow_heif.open_heif(out).info["thumbnails"]
