"""EXIF, XMP and Photoshop blocks lose their pictures and nothing else."""

from __future__ import annotations

import struct

import pytest
from PIL import ExifTags
from PIL import Image as PilImage

from autoremove.images.exif import renewed
from autoremove.images.photoshop import scrubbed as scrubbed_resources
from autoremove.images.xmp import scrubbed
from tests import builders
from tests.builders import scene, shows_the_person, small_jpeg

JPEG = small_jpeg(scene())
THUMBNAILS = builders.xmp_thumbnails(JPEG)


def test_a_thumbnail_larger_than_the_old_one_goes_to_the_end() -> None:
    block = builders.exif_block(3, JPEG)
    larger = small_jpeg(scene(person=False)) + bytes(3000)
    out = renewed(block, lambda longer, most: larger if most >= len(larger) else b"")
    assert out.endswith(larger)
    assert JPEG not in out


def test_a_thumbnail_that_fits_nowhere_is_left_out() -> None:
    block = builders.exif_block(3, JPEG)
    out = renewed(block, lambda longer, most: b"", len(block))
    exif = PilImage.Exif()
    exif.load(out)
    assert exif[0x0112] == 3
    assert not exif.get_ifd(ExifTags.IFD.IFD1)
    assert not shows_the_person(out)


@pytest.mark.parametrize("cut", [4, 9, 40, 60, 90, 140])
def test_broken_exif_keeps_no_preview(cut: int) -> None:
    block = builders.exif_block(6, JPEG)
    broken = block[:cut] + JPEG
    out = renewed(b"Exif\x00\x00" + broken, lambda longer, most: b"")
    assert out.startswith(b"Exif\x00\x00")
    assert not shows_the_person(out)


def test_pixels_that_no_directory_points_to_are_blanked() -> None:
    red = bytes(builders.RED) * 200
    out = renewed(builders.exif_block(6, maker_note=b"MAKER") + red, lambda longer, most: b"")
    assert not shows_the_person(out)
    assert b"Testcamera1" in out and b"MAKER" in out


def test_exif_with_directories_in_a_circle_ends() -> None:
    block = bytearray(builders.exif_block(6))
    count = struct.unpack_from("<H", block, 8)[0]
    struct.pack_into("<I", block, 10 + 12 * count, 8)
    assert len(renewed(bytes(block), lambda longer, most: b"")) == len(block)


def test_xmp_without_pictures_stays_to_the_byte() -> None:
    packet = builders.xmp_packet()
    assert scrubbed(packet) == packet


@pytest.mark.parametrize(
    "attribute", ['hdrgm:Version="1.0"', 'xmpNote:HasExtendedXMP="ABC"', 'GImage:Mime="image/jpeg"']
)
def test_xmp_loses_what_announces_absent_pictures(attribute: str) -> None:
    cleaned = scrubbed(builders.xmp_packet(attributes=attribute))
    assert attribute.encode() not in cleaned
    assert b'dc:title="Summer"' in cleaned


def test_xmp_keeps_the_rest() -> None:
    cleaned = scrubbed(builders.xmp_packet(THUMBNAILS + "<dc:creator>Ann</dc:creator>"))
    assert b"<dc:creator>Ann</dc:creator>" in cleaned and b"/9j/" not in cleaned


@pytest.mark.parametrize(
    "packet", [b"<x:xmpmeta>/9j/ cut off", b'<!DOCTYPE a [<!ENTITY b "/9j/">]><x:xmpmeta>&b;</x:xmpmeta>']
)
def test_xmp_that_cannot_be_cleaned_is_left_out(packet: bytes) -> None:
    assert scrubbed(packet) == b""


def test_photoshop_blocks_keep_captions() -> None:
    caption = (1028, b"\x1c\x02\x78\x00\x05Hello")
    block = builders.photoshop_block(caption, (1036, JPEG), (1005, bytes(16)))
    assert scrubbed_resources(block) == builders.photoshop_block(caption, (1005, bytes(16)))
    assert scrubbed_resources(block[:40]) == b""
