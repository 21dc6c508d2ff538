"""Pictures to remove something from: pairs with a true empty view, or any folder of pictures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from autoremove.errors import InputError
from autoremove.evaluation.holes import by_name
from autoremove.evaluation.holes import named as name_of
from autoremove.evaluation.inpaint import pictures_below
from autoremove.types import Image, Mask

PARTS = ("with", "without", "object")
"""The pictures of a pair, as their names end."""


@dataclass(frozen=True)
class Pair:
    """One view with the object and, where it is known, without; ``truth`` the object's own pixels."""

    name: str
    image: Image
    empty: Image | None = None
    truth: Mask | None = None


def pairs_in(folder: Path) -> list[Callable[[], Pair]]:
    """A reader for each pair, or for each picture where the folder has no pairs."""
    folder = folder / "images" if (folder / "instances.jsonl").is_file() else folder
    pictures = pictures_below(folder)
    named = {name_of(path.relative_to(folder)): path for path in reversed(pictures)}
    stems = sorted(stem.removesuffix("_with") for stem in named if stem.endswith("_with"))
    if not stems:
        return [partial(_single, name_of(path.relative_to(folder)), path) for path in pictures]
    wanted = [f"{stem}_{part}" for stem in stems for part in PARTS]
    found = by_name(named, wanted)
    lacking = [name for name in wanted if name not in found]
    if lacking:
        raise InputError(
            f"{folder} lacks {', '.join(lacking[:3])}.", hint="Pairs need _with, _without and _object."
        )
    return [partial(_pair, found, stem) for stem in stems]


def _single(name: str, path: Path) -> Pair:
    return Pair(name, _read(path))


def _pair(named: dict[str, Path], stem: str) -> Pair:
    image, empty, marked = (_read(named[f"{stem}_{part}"]) for part in PARTS)
    if not image.shape == empty.shape == marked.shape:
        raise InputError(f"The three pictures of {stem} differ in size.", hint="Crop them to the same view.")
    truth = marked.max(2) > 127
    if not truth.any():
        hint = "Paint the object white (255), and all else black."
        raise InputError(f"{named[f'{stem}_object']} is nowhere white.", hint=hint)
    return Pair(stem, image, empty, truth)


def _read(path: Path) -> Image:
    from autoremove.images import read

    return read(path).rgb
