"""Which kind of picture a file holds, told from its first bytes and never from its name."""

from __future__ import annotations

from pathlib import Path

HEAD_BYTES = 512
"""How much of a file is read to tell its kind."""

SUPPORTED = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "HEIC", "AVIF")

RAW = "camera raw"
JPEG_XL = "JPEG XL"
JPEG_2000 = "JPEG 2000"
UNSUPPORTED = (RAW, JPEG_XL, JPEG_2000)
"""Pictures that are recognised, and refused with a reason instead of being passed over in silence."""

_RAW_NAMES = ".3fr .arw .cr2 .cr3 .dng .erf .iiq .mrw .nef .nrw .orf .pef .raf .raw .rw2 .rwl .sr2 .srw .x3f"
_PICTURE_NAMES = ".jpg .jpeg .jpe .jfif .png .apng .webp .tif .tiff .bmp .dib .gif .heic .heif .hif .avif"
_OTHER_NAMES = ".jxl .jp2 .j2k"
_RAW_SUFFIXES = frozenset(_RAW_NAMES.split())
_CLAIMING_SUFFIXES = _RAW_SUFFIXES.union(_PICTURE_NAMES.split(), _OTHER_NAMES.split())

_PREFIXES: tuple[tuple[bytes, str], ...] = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"II\x2a\x00\x10\x00\x00\x00CR", RAW),
    (b"IIRO", RAW),
    (b"IIRS", RAW),
    (b"MMOR", RAW),
    (b"IIU\x00", RAW),
    (b"FUJIFILMCCD-RAW", RAW),
    (b"FOVb", RAW),
    (b"\x00MRM", RAW),
    (b"II\x2a\x00", "TIFF"),
    (b"MM\x00\x2a", "TIFF"),
    (b"II\x2b\x00", "TIFF"),
    (b"MM\x00\x2b", "TIFF"),
    (b"\xff\x0a", JPEG_XL),
    (b"\x00\x00\x00\x0cJXL \r\n\x87\n", JPEG_XL),
    (b"\x00\x00\x00\x0cjP  \r\n\x87\n", JPEG_2000),
    (b"\xff\x4f\xff\x51", JPEG_2000),
)
_HEIC_BRANDS = frozenset((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"))
_AVIF_BRANDS = frozenset((b"avif", b"avis"))
_BMP_HEADER_SIZES = frozenset((12, 16, 40, 52, 56, 64, 108, 124))


def sniff(head: bytes) -> str | None:
    """The kind of picture that begins with ``head`` (the first 512 bytes), or None."""
    for prefix, kind in _PREFIXES:
        if head.startswith(prefix):
            return kind
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    if head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in _BMP_HEADER_SIZES:
        return "BMP"
    if head[4:8] == b"ftyp":
        return _sniff_brands(head)
    return None


def _sniff_brands(head: bytes) -> str | None:
    """HEIC, AVIF or Canon raw, from the brands of an ISO media file; None for a video."""
    end = min(int.from_bytes(head[:4], "big"), len(head))
    major, compatible = head[8:12], [head[i : i + 4] for i in range(16, end - 3, 4)]
    if major == b"crx ":
        return RAW
    for brand in (major, *compatible):
        if brand in _AVIF_BRANDS:
            return "AVIF"
        if brand in _HEIC_BRANDS:
            return "HEIC"
    return "HEIC" if major in (b"mif1", b"msf1") else None


def kind_of(path: Path) -> str | None:
    """The kind of the file at ``path``, or None where it is no picture. Raises OSError."""
    with path.open("rb") as stream:
        kind = sniff(stream.read(HEAD_BYTES))
    # A raw file of most makers begins like a TIFF, and its first page is but a small preview.
    return RAW if kind == "TIFF" and path.suffix.lower() in _RAW_SUFFIXES else kind


def claims_to_be_picture(path: Path) -> bool:
    """Whether the name has a picture's ending."""
    return path.suffix.lower() in _CLAIMING_SUFFIXES
