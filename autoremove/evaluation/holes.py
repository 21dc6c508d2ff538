"""Holes to measure an inpainter with: drawn by a seed, so that every model and every run gets the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from zipfile import BadZipFile

import cv2
import numpy as np

from autoremove.errors import InputError, UsageError
from autoremove.training.holes import Silhouettes, brush, silhouette
from autoremove.types import Mask

KINDS = ("silhouettes", "brush", "box")

ALONE, TRIES = 100, 400
"""Draws before several are laid over each other, and before the nearest to the wanted share is taken."""

Draw = Callable[[int, np.random.Generator], Mask]
"""Side of the square crop in pixels and a source of chance to one hole."""


@dataclass(frozen=True)
class Holes:
    """Where the holes come from; ``origin`` says it in words for the record.

    ``draw`` gives a new one by chance; ``fixed`` are mask files by name (under "" one for all pictures).
    """

    origin: str
    draw: Draw | None = None
    fixed: dict[str, Path] | None = None

    def dealt(self, names: Sequence[str]) -> Holes:
        """These holes for pictures of these names (places below the folder, without their endings).

        Masks that bear none of the names, as :func:`by_name` takes them, go round in turn. Raises InputError
        where some pictures have a mask of their name and others have none.
        """
        if self.fixed is None or "" in self.fixed:
            return self
        found = by_name(self.fixed, names)
        if self.fixed and not found:
            files = list(self.fixed.values())
            turns = {name: files[number % len(files)] for number, name in enumerate(names)}
            return replace(self, origin=f"{self.origin}, in turn", fixed=turns)
        dealt = replace(self, fixed=found)
        for name in names:
            dealt._file(name)
        return dealt

    def of(self, name: str, size: int, share: tuple[float, float], seed: tuple[int, ...]) -> Mask:
        """The hole for one square crop, True = fill; drawn ones cover a share between the two of the crop."""
        if self.draw is None:
            return _read(self._file(name), size)
        rng = np.random.default_rng(seed)
        best, middle = np.zeros((size, size), bool), sum(share) / 2
        for attempt in range(TRIES):
            hole = self.draw(size, rng)
            # Strokes and slim objects alone never cover half of a crop; several of them do.
            while attempt >= ALONE and hole.mean() < share[0] and rng.random() < 0.9:
                hole |= self.draw(size, rng)
            area = float(hole.mean())
            if share[0] <= area < share[1]:
                return hole
            if abs(area - middle) < abs(float(best.mean()) - middle):
                best = hole
        return best

    def _file(self, name: str) -> Path:
        assert self.fixed is not None
        path = self.fixed.get("", self.fixed.get(name))
        if path is None:
            raise InputError(
                f"{self.origin} has no mask for {name}.", hint="Name each mask as its picture, or none."
            )
        return path


def by_name(files: Mapping[str, Path], names: Sequence[str]) -> dict[str, Path]:
    """The file of each name that has one: at the same place, else the only one with the same last part."""
    alike: dict[str, list[Path]] = {}
    for place, path in files.items():
        alike.setdefault(Path(place).name, []).append(path)
    found = {}
    for name in names:
        others = alike.get(Path(name).name, [])
        if name in files or len(others) == 1:
            found[name] = files[name] if name in files else others[0]
    return found


def holes_of(kind: str, data: Path) -> Holes:
    """The holes for a word or a file.

    ``silhouettes``: outlines of real objects from ``holes/silhouettes.npz`` beside the data or above it, or
    drawn figures where there is none; ``brush``: free-form strokes; ``box``: rectangles; else a file: an npz
    of shapes, one mask for all pictures, or a folder of masks, named as the pictures or taken in turn.
    Raises UsageError for anything else.
    """
    if kind == "silhouettes":
        path = near(data)
        return (
            _silhouettes(path) if path else Holes("drawn figures (no silhouettes.npz near the data)", figure)
        )
    if kind in KINDS:
        return Holes(kind, {"brush": brush, "box": box}[kind])
    path = Path(kind)
    if path.suffix == ".npz" and path.is_file():
        return _silhouettes(path)
    if kind and path.is_dir():
        return _folder(path)
    if path.is_file():
        return Holes(f"the mask {path.name}", fixed={"": path})
    raise UsageError(
        f"--holes {kind!r}: no such file.", hint=f"Take {', '.join(KINDS)}, or a file or folder of masks."
    )


def near(data: Path) -> Path | None:
    """``silhouettes.npz``, or ``holes/silhouettes.npz``, in the data folder or one of three above it."""
    start = data.resolve()
    for folder in (start, *list(start.parents)[:3]):
        for path in (folder / "silhouettes.npz", folder / "holes" / "silhouettes.npz"):
            if path.is_file():
                return path
    return None


def _folder(path: Path) -> Holes:
    from autoremove.images import list_pictures

    readable, damaged = list_pictures([path])
    found = {named(source.relative): source.path for source in [*damaged, *readable]}
    if not found:
        raise InputError(f"{path} holds no mask.", hint="Give a folder of black and white pictures.")
    return Holes(f"masks in {path.name}", fixed=found)


def named(relative: Path) -> str:
    """What a picture is called, and its mask: its place below the folder, without the ending."""
    return relative.with_suffix("").as_posix()


def _silhouettes(path: Path) -> Holes:
    outlines = _shapes(path)
    if not len(outlines):
        raise InputError(f"{path} holds no shape.", hint="Give another file, or a word for --holes.")

    def draw(size: int, rng: np.random.Generator) -> Mask:
        outline = outlines[int(rng.integers(len(outlines)))]
        return silhouette(size, outline, rng, extent=(0.35, 1.0))

    return Holes("silhouettes of objects", draw)


def _shapes(path: Path) -> Silhouettes:
    """Shapes from an npz: ``packed`` and ``shape``, or any one array of N x height x width masks."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            planes = [arrays[name] for name in arrays.files if arrays[name].ndim == 3]
    except (OSError, ValueError, BadZipFile) as error:
        raise InputError(f"{path} cannot be read: {error}.", hint="Give an npz of shapes.") from error
    if len(planes) != 1:
        return Silhouettes.load(path)
    masks = planes[0] > (127 if planes[0].max(initial=0) > 1 else 0)
    count, height, width = masks.shape
    return Silhouettes(np.packbits(masks.reshape(count, height * width), axis=1), (height, width))


def box(size: int, rng: np.random.Generator) -> Mask:
    """One rectangle, each side 0.2 to 0.9 of the crop, anywhere inside it."""
    height, width = (int(v) for v in rng.uniform(0.2, 0.9, 2) * size)
    top, left = int(rng.integers(0, size - height + 1)), int(rng.integers(0, size - width + 1))
    hole = np.zeros((size, size), bool)
    hole[top : top + height, left : left + width] = True
    return hole


def figure(size: int, rng: np.random.Generator) -> Mask:
    """The outline of a standing person: head, trunk, arms and legs at random angles."""
    outline = np.zeros((128, 128), np.uint8)
    cv2.circle(outline, (64, 18), int(rng.integers(9, 13)), 1, -1)
    half = int(rng.integers(12, 22))
    cv2.rectangle(outline, (64 - half, 30), (64 + half, 76), 1, -1)
    for side in (-1, 1):
        _limb(outline, (64 + side * (half - 4), 36), rng.uniform(-0.2, 0.9) * side, 46, 11)
        _limb(outline, (64 + side * (half // 2), 72), rng.uniform(-0.1, 0.5) * side, 50, 15)
    return silhouette(size, outline.astype(bool), rng, extent=(0.35, 1.0))


def _limb(outline: np.ndarray, start: tuple[int, int], angle: float, length: int, width: int) -> None:
    end = (int(start[0] + length * np.sin(angle)), int(start[1] + length * np.cos(angle)))
    cv2.line(outline, start, end, 1, width)


def _read(path: Path, size: int) -> Mask:
    """A mask file as a square of ``size`` pixels, cropped as its picture is; brighter than half = hole."""
    from autoremove.images import read

    grey = read(path).rgb.max(2)
    side = min(grey.shape)
    top, left = (grey.shape[0] - side) // 2, (grey.shape[1] - side) // 2
    square = grey[top : top + side, left : left + side]
    return np.asarray(cv2.resize(square, (size, size), interpolation=cv2.INTER_NEAREST)) > 127


def parse_shares(text: str) -> Sequence[tuple[float, float]]:
    """``10-30`` to buckets of ten per cent: [(0.1, 0.2), (0.2, 0.3)]. Raises UsageError."""
    low, _, high = text.partition("-")
    if not (low.isdecimal() and high.isdecimal() and 0 <= int(low) < int(high) <= 100):
        raise UsageError(
            f"--shares {text}: not of the form LOW-HIGH in per cent.", hint="E.g. --shares 10-30."
        )
    edges = [*range(int(low), int(high), 10), int(high)]
    return [(a / 100, b / 100) for a, b in pairwise(edges)]
