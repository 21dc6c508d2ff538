"""Where the mask of a picture lies: the names under which it is written, and those that are taken back."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

COCO = "coco.json"

ENDINGS = (".png", ".tif", ".tiff", ".bmp", ".webp", ".jpg", ".jpeg", ".gif")
"""What a mask's file name may end with, in the order in which they are looked for."""

_OBJECTS = ".objects.png"


def folded(name: str) -> str:
    """A name as it is compared: neither case nor the way accents are spelt counts."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def mask_names(relatives: Sequence[Path]) -> dict[Path, Path]:
    """The relative name of each picture's mask: its stem, or its full name where two share a stem."""
    stems = Counter(folded(relative.with_suffix("").as_posix()) for relative in relatives)

    def name(relative: Path) -> str:
        shared = stems[folded(relative.with_suffix("").as_posix())] > 1
        return f"{relative.name if shared else relative.stem}.png"

    return {relative: relative.with_name(name(relative)) for relative in relatives}


def objects_name(name: Path) -> Path:
    """Where the object ids lie: beside the mask, `NAME.objects.png`."""
    return name.with_name(name.stem + _OBJECTS)


def is_there(path: Path) -> bool:
    """Whether there is such a file; a name that `.objects.png` makes too long is none."""
    try:
        return path.is_file()
    except OSError:
        return False


def is_objects_name(name: str) -> bool:
    """Whether a file is called like the object ids of a mask."""
    return folded(name).endswith(_OBJECTS)


def mask_files(folder: Path, exclude: Sequence[Path] = ()) -> dict[str, Path]:
    """Every file below ``folder`` that may be a mask, by its folded relative name; no hidden ones."""
    if not folder.is_dir():
        return {}
    inside = [path for path in sorted(folder.rglob("*")) if path.suffix.lower() in ENDINGS and path.is_file()]
    return {
        folded(path.relative_to(folder).as_posix()): path
        for path in inside
        if not any(part.startswith(".") for part in path.relative_to(folder).parts)
        and not any(path.is_relative_to(other) for other in exclude)
    }


def mask_of(relative: Path, files: Mapping[str, Path]) -> Path | None:
    """The mask of a picture at the same place: its full name plus ending, its stem's, or `STEM_mask`."""
    names = (folded(name.as_posix()) for name in _candidates(relative))
    return next((files[name] for name in names if name in files), None)


def _candidates(relative: Path) -> Iterator[Path]:
    for stem in (relative.name, relative.stem, f"{relative.stem}_mask", f"{relative.name}_mask"):
        for ending in ENDINGS:
            yield relative.with_name(stem + ending)
