"""Kinds are told by content."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image as PilImage

from autoremove.images.kinds import claims_to_be_picture, kind_of, sniff
from tests import builders


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "AVIF"])
def test_every_kind_that_pillow_writes_is_told(kind: str) -> None:
    assert sniff(builders.save(PilImage.fromarray(builders.scene()), kind)) == kind


def test_heic_is_told() -> None:
    assert sniff(builders.heic()) == "HEIC"


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"", None),
        (b"hello, this is text", None),
        (b"BM looks like a bitmap to a careless reader", None),
        (b"\x00\x00\x00\x20ftypisom\x00\x00\x02\x00isomiso2avc1mp41", None),
        (b"\x00\x00\x00\x18ftypmif1\x00\x00\x00\x00mif1heic", "HEIC"),
        (b"\x00\x00\x00\x18ftypmif1\x00\x00\x00\x00mif1avif", "AVIF"),
        (b"\x00\x00\x00\x18ftypcrx \x00\x00\x00\x01crx isom", "camera raw"),
        (b"II\x2a\x00\x10\x00\x00\x00CR\x02\x00", "camera raw"),
        (b"MM\x00\x2b\x00\x08", "TIFF"),
        (b"\xff\x0a\xfa\x1f", "JPEG XL"),
    ],
)
def test_heads(head: bytes, kind: str | None) -> None:
    assert sniff(head) == kind


def test_a_raw_file_in_tiff_clothing_is_told_by_its_name(tmp_path: Path) -> None:
    data = builders.save(PilImage.fromarray(builders.scene()), "TIFF")
    (tmp_path / "a.NEF").write_bytes(data)
    (tmp_path / "a.tif").write_bytes(data)
    assert kind_of(tmp_path / "a.NEF") == "camera raw"
    assert kind_of(tmp_path / "a.tif") == "TIFF"


@pytest.mark.parametrize(
    ("name", "claims"), [("a.JPG", True), ("a.dng", True), ("a.txt", False), ("jpg", False)]
)
def test_claims(name: str, claims: bool) -> None:
    assert claims_to_be_picture(Path(name)) is claims
