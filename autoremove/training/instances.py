"""Reading a folder in the `instances` form: pictures, id masks and one JSON line per picture."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
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
    """A picture as RGB, upright as its labels are: cameras store many turned, and say so in EXIF."""
    with PillowImage.open(path) as picture:
        rgb = np.asarray(picture.convert("RGB"))  # Decoded first: a PNG may hold its EXIF after the pixels.
        turned = exif.orientation(picture.info.get("exif"))
    return np.ascontiguousarray(upright(rgb, turned))


def read_instances(folder: Path) -> Iterator[LabelledPicture]:
    """Yield every picture of a data set in the `instances` form (README, "Measuring on your own data").

    An object without a pixel in its mask has no box and counts nowhere; the first one is told in the log.
    Raises InputError for what is not there or does not fit together.
    """
    table = folder / "instances.jsonl"
    if not table.exists():
        raise InputError(
            f"{folder} has no instances.jsonl.", hint="Give the folder that holds images/ and masks/."
        )
    rows = [json.loads(line) for line in table.read_text().splitlines()]
    told = False
    for picture in read_all(lambda row: _read_row(folder, row), rows):
        if not told and (lost := [row for row in picture.objects if not (picture.ids == row[0]).any()]):
            where = f"{folder}: object {lost[0][0]} ({lost[0][1]}) of {picture.name}"
            _log.warning("%s has no pixel in its mask, and is left out as any more like it.", where)
            told = True
        yield picture


def _read_row(folder: Path, row: dict[str, Any]) -> LabelledPicture:
    image = read_pixels(find_picture(folder / "images", row["name"]))
    mask = folder / "masks" / f"{row['name']}.png"
    with PillowImage.open(mask) as picture:
        ids = np.asarray(picture)
    if ids.shape[:2] != image.shape[:2]:
        sizes = " and ".join(f"{plane.shape[1]} x {plane.shape[0]}" for plane in (ids, image))
        raise InputError(
            f"{mask} and its picture differ in size: {sizes} pixels.",
            hint="A mask is of the upright picture, turned as its EXIF says.",
        )
    objects = tuple((int(item["id"]), str(item["label"])) for item in row["instances"])
    return LabelledPicture(row["name"], row.get("source", ""), image, ids, objects)
