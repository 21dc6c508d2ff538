"""Write one picture anew: the source's own pixels, format and metadata, with patches laid on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from autoremove.images.atomic import appearing
from autoremove.images.exif import thumbnail_maker
from autoremove.images.formats import format_of
from autoremove.images.reading import damage_reported, decoded
from autoremove.images.samples import painted, to_rgb
from autoremove.types import Patch


def write(source: Path, destination: Path, patches: Sequence[Patch]) -> None:
    """Write ``source`` to ``destination`` with ``patches`` (upright coordinates) blended in.

    Same format, size, depth, turn and metadata as the source. Where the format is lossless, pixels that no
    patch touches stay bit-identical. The EXIF thumbnail is made anew from the new pixels; other embedded
    previews, second pictures, depth and gain maps are left out. The file appears whole or not at all.

    Raises PictureError where the source cannot be read or encoded again, OutputError where the destination
    cannot be written, ValueError for a patch outside the picture.
    """
    file = decoded(source)
    samples = painted(file.samples, patches)
    with damage_reported(source, file.kind):
        as_stored = to_rgb(replace(samples, orientation=1))
        written = format_of(file.kind).encode(file.data, samples, thumbnail_maker(as_stored))
    with appearing(destination) as stream:
        stream.write(written)
