"""Read one picture as upright RGB, or say in plain words why it cannot be read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from autoremove.errors import AutoremoveError, PictureError
from autoremove.images.formats import format_of
from autoremove.images.kinds import HEAD_BYTES, RAW, SUPPORTED, UNSUPPORTED, kind_of, sniff
from autoremove.images.opening import Header
from autoremove.images.samples import Samples, to_rgb
from autoremove.types import Image

MAX_PIXELS = 200_000_000


@dataclass(frozen=True)
class Picture:
    """One picture as the stages see it.

    ``rgb``: H x W x 3 uint8, upright, in the picture's own colour space (inks are turned into RGB), without
    alpha. ``format``: JPEG, PNG, WEBP, TIFF, BMP, GIF, HEIC or AVIF. ``mode`` and ``bit_depth``: the pixels
    as the file stores them. ``orientation``: the EXIF turn, 1 to 8, that ``rgb`` has taken already.
    """

    rgb: Image
    format: str
    mode: str
    bit_depth: int
    orientation: int

    @property
    def size_hw(self) -> tuple[int, int]:
        """(height, width), upright."""
        return self.rgb.shape[0], self.rgb.shape[1]

    @property
    def has_alpha(self) -> bool:
        """Whether the file has an alpha channel, which outputs keep."""
        return self.mode in ("LA", "RGBA")


def read(path: Path, *, max_pixels: int = MAX_PIXELS) -> Picture:
    """The picture at ``path``, its kind told by content and its EXIF orientation applied.

    Raises PictureError for a file that is absent, empty, no picture, of a kind that is not supported,
    animated or of several pages, larger than ``max_pixels`` (told before its pixels are decoded), or damaged.
    """
    file = decoded(path, max_pixels=max_pixels)
    with damage_reported(path, file.kind):
        rgb = to_rgb(file.samples)
    return Picture(rgb, file.kind, file.header.mode, file.header.bit_depth, file.header.orientation)


@dataclass(frozen=True)
class Decoded:
    """A file's bytes, its kind, what it says of itself, and its pixels at full depth."""

    data: bytes
    kind: str
    header: Header
    samples: Samples


def decoded(path: Path, *, max_pixels: int | None = None) -> Decoded:
    """The file at full depth. Raises PictureError as ``read`` does."""
    data = load(path)
    kind = checked_kind(path, data)
    with damage_reported(path, kind):
        room = format_of(kind)
        header = room.header(data)
        _check(header, max_pixels)
        return Decoded(data, kind, header, room.decode(data))


def load(path: Path) -> bytes:
    """All bytes of ``path``. Raises PictureError."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise PictureError(
            f"{path} cannot be opened ({error.strerror or error}).",
            hint="Check that it exists and may be read.",
        ) from error
    if not data:
        raise PictureError(f"{path} is empty.", hint="Copy it again from where it came.")
    return data


def checked_kind(path: Path, data: bytes) -> str:
    """The kind of a supported picture. Raises PictureError for anything else."""
    kind = sniff(data[:HEAD_BYTES])
    kind = kind_of(path) if kind == "TIFF" else kind  # Raw files of some makers differ by name alone.
    if kind == RAW:
        raise PictureError(f"{path} is a camera raw file.", hint="Develop it to TIFF or JPEG first.")
    if kind in UNSUPPORTED:
        raise PictureError(
            f"{path} is a {kind} picture, which is not supported.", hint="Convert it to PNG first."
        )
    if kind is None:
        raise PictureError(
            f"{path} is not a picture, whatever its name says.", hint=f"Supported are {', '.join(SUPPORTED)}."
        )
    return kind


@contextmanager
def damage_reported(path: Path, kind: str) -> Iterator[None]:
    """Turn what decoders raise into a PictureError that names the file."""
    try:
        yield
    except AutoremoveError as error:
        raise type(error)(f"{path}: {error.message}", hint=error.hint) from error
    except MemoryError as error:
        raise PictureError(
            f"{path}: there is not enough memory for this picture.",
            hint="Make it smaller, or close other programs.",
        ) from error
    except Exception as error:  # Damaged files make decoders raise nearly anything.
        raise PictureError(
            f"{path} is a damaged or cut-off {kind} picture ({_first_line(error)}).",
            hint="Copy it again from where it came, or repair it.",
        ) from error


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _check(header: Header, max_pixels: int | None) -> None:
    """Refuse, before decoding, what cannot be or should not be processed."""
    height, width = header.size_hw
    if height < 1 or width < 1:
        raise PictureError("The picture has no pixels.", hint="Copy it again from where it came.")
    if max_pixels is not None and height * width > max_pixels:
        raise PictureError(
            f"The picture has {width} x {height} = {height * width / 1e6:.1f} million pixels, "
            f"more than the limit of {max_pixels / 1e6:.1f} million.",
            hint="Raise the limit with --max-pixels if there is memory for it.",
        )
    if header.frames > 1:
        raise PictureError(
            f"The picture is animated or has several pages ({header.frames}).",
            hint="Extract its frames first and run on these.",
        )
