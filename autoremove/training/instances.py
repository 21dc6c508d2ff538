"""Reading a folder in the `instances` form: pictures, id masks and one JSON line per picture."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from glob import escape
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage

from autoremove.errors import InputError
from autoremove.images import exif
from autoremove.images.samples import upright
from autoremove.training.ahead import read_all
from autoremove.types import Image

_log = logging.getLogger("autoremove")

EXTENSIONS = frozenset({".webp", ".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".avif", ".heic"})
"""How the names of pictures usually end, in small letters."""

_ENDINGS = sorted(EXTENSIONS | {ending.upper() for ending in EXTENSIONS})

IGNORE = 255
"""Value in an id mask for pixels that belong to an object too small or too unclear to label."""

ONE_OBJECT = "object only"
"""What the source of a picture says when only its main object carries a label, whatever else is in it: masks
can be learnt from it, and not what there is to find."""

PARTLY_LABELLED = ONE_OBJECT, "person only"
"""What the source of a picture says when bystanders in it carry no label."""


@dataclass(frozen=True)
class LabelledPicture:
    """One picture with its instance ids. ``ids`` H x W uint8; ``objects`` (id, label) pairs."""

    name: str
    source: str
    image: Image
    ids: NDArray[np.uint8]
    objects: tuple[tuple[int, str], ...]

    @property
    def fully_labelled(self) -> bool:
        return not any(words in self.source for words in PARTLY_LABELLED)

    def box(self, identity: int) -> NDArray[np.float32] | None:
        """xyxy of one object, right and bottom exclusive; None if it has no pixel."""
        ys, xs = np.nonzero(self.ids == identity)
        if not len(ys):
            return None
        return np.array([xs.min(), ys.min(), xs.max() + 1, ys.max() + 1], np.float32)


def find_picture(folder: Path, name: str) -> Path:
    """The picture of exactly that stem, whatever its extension. Raises InputError where there is none."""
    # The usual names first: asked for every picture of a large folder, listing it each time takes long.
    for ending in _ENDINGS:
        if (path := folder / f"{name}{ending}").is_file():
            return path
    for path in sorted(folder.glob(f"{escape(name)}.*")):
        if path.stem == Path(name).name:
            return path
    raise InputError(f"{folder} has no picture called {name}.", hint="Check the data set's folders.")


def read_pixels(path: Path) -> Image:
    """A picture as RGB, upright as its labels are: cameras store many turned, and say so in EXIF.

    Raises InputError where it cannot be read.
    """
    with _damage_told(path), PillowImage.open(path) as picture:
        rgb = np.asarray(picture.convert("RGB"))  # Decoded first: a PNG may hold its EXIF after the pixels.
        turned = exif.orientation(picture.info.get("exif"))
    return np.ascontiguousarray(upright(rgb, turned))


@contextmanager
def _damage_told(path: Path) -> Iterator[None]:
    """Turn what decoders raise into an InputError that names the file."""
    try:
        yield
    except Exception as error:  # damaged files make decoders raise nearly anything
        said = error.strerror if isinstance(error, OSError) else None
        first = (said or str(error).strip() or type(error).__name__).splitlines()[0]
        raise InputError(
            f"{path} cannot be read as a picture ({first}).",
            hint="Copy it again from where it came, or take it out of the data.",
        ) from error


def read_rows(folder: Path) -> list[dict[str, Any]]:
    """The rows of ``instances.jsonl``, one a picture. Raises InputError for a line that is none."""
    table = folder / "instances.jsonl"
    if not table.exists():
        raise InputError(
            f"{folder} has no instances.jsonl.", hint="Give the folder that holds images/ and masks/."
        )
    lines = table.read_text(encoding="utf-8-sig", errors="replace").splitlines()
    return [_row(table, number, line) for number, line in enumerate(lines, 1) if line.strip()]


def _row(table: Path, number: int, line: str) -> dict[str, Any]:
    try:
        row: dict[str, Any] = json.loads(line)
        objects = [{"id": int(item["id"]), "label": str(item["label"])} for item in row["instances"]]
        return {**row, "name": str(row["name"]), "source": str(row.get("source", "")), "instances": objects}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{table}, line {number} is no row of the `instances` form ({error!r}).",
            hint='A row is {"name", "size_hw", "source", "instances": [{"id", "label"}]}.',
        ) from error


def read_instances(
    folder: Path,
    numbers: Sequence[int] | None = None,
    unread: Callable[[InputError], None] | None = None,
) -> Iterator[LabelledPicture]:
    """Yield the pictures of a data set in the `instances` form (README, "Measuring on your own data").

    ``numbers``: which rows, None = all. An object without a pixel in its mask has no box and counts nowhere;
    the first one is told in the log. What is not there, damaged, or does not fit together, goes to
    ``unread`` and is left out; without that it raises InputError.
    """
    rows = read_rows(folder)
    rows = rows if numbers is None else [rows[number] for number in numbers]
    told = False
    for picture in read_all(lambda row: _attempt(folder, row), rows):
        if isinstance(picture, InputError):
            if unread is None:
                raise picture
            unread(picture)
            continue
        if not told and (lost := [row for row in picture.objects if not (picture.ids == row[0]).any()]):
            where = f"{folder}: object {lost[0][0]} ({lost[0][1]}) of {picture.name}"
            _log.warning("%s has no pixel in its mask, and is left out as any more like it.", where)
            told = True
        yield picture


def _attempt(folder: Path, row: dict[str, Any]) -> LabelledPicture | InputError:
    """Errors come back as values, for the others are still to be read."""
    try:
        return _read_row(folder, row)
    except InputError as error:
        return error


def _read_row(folder: Path, row: dict[str, Any]) -> LabelledPicture:
    image = read_pixels(find_picture(folder / "images", row["name"]))
    mask = folder / "masks" / f"{row['name']}.png"
    with _damage_told(mask), PillowImage.open(mask) as picture:
        ids = np.asarray(picture)
    if ids.ndim != 2:
        raise InputError(f"{mask} is no grey picture.", hint="A mask holds one number a pixel, in 8 bits.")
    if ids.shape != image.shape[:2]:
        sizes = " and ".join(f"{plane.shape[1]} x {plane.shape[0]}" for plane in (ids, image))
        raise InputError(
            f"{mask} and its picture differ in size: {sizes} pixels.",
            hint="A mask is of the upright picture, turned as its EXIF says.",
        )
    objects = tuple((item["id"], item["label"]) for item in row["instances"])
    return LabelledPicture(row["name"], row["source"], image, ids, objects)
