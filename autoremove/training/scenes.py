"""Pictures to train an inpainter on: decoded once into a memory-mapped cache, cropped by seed."""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from autoremove.errors import InputError
from autoremove.training.ahead import in_processes, processes, read_all
from autoremove.training.crops import Pixels, random_crop
from autoremove.training.holes import HoleMix
from autoremove.training.instances import EXTENSIONS, read_pixels
from autoremove.training.record import data_digest
from autoremove.training.sketches import Sketches
from autoremove.training.yolo_labels import read_labels
from autoremove.types import Mask


def pictures_in(folder: Path) -> list[Path]:
    """All pictures of a folder, sorted by name. Raises InputError when there are none."""
    found = sorted(p for p in folder.glob("*") if p.suffix.lower() in EXTENSIONS) if folder.is_dir() else []
    if not found:
        raise InputError(f"No pictures in {folder}.", hint="Give a folder of scenes, with no people in them.")
    return found


@dataclass(frozen=True)
class Source:
    """One picture file, and where it has labels their file: object ids (0 = background) or YOLO boxes."""

    picture: Path
    objects: Path | None = None

    def read(self, short_side: int) -> Pixels:
        """The picture scaled down to ``short_side`` (never up), its objects in the fourth channel."""
        from PIL import Image as PillowImage

        rgb = read_pixels(self.picture)
        keep: NDArray[np.uint8] = np.zeros(rgb.shape[:2], np.uint8)
        if self.objects is not None and self.objects.suffix == ".txt":
            keep = _boxed(self.objects, rgb.shape[:2])
        elif self.objects is not None:
            with PillowImage.open(self.objects) as opened:
                keep = np.where(np.asarray(opened) > 0, 255, 0).astype(np.uint8)
            # A ring as well: outlines are drawn by hand, and half a person's edge is still a person.
            keep = np.asarray(cv2.dilate(keep, np.ones((7, 7), np.uint8)), np.uint8)
        scale = min(1.0, short_side / min(keep.shape))
        size = (round(keep.shape[1] * scale), round(keep.shape[0] * scale))
        return np.asarray(cv2.resize(np.dstack([rgb, keep]), size, interpolation=cv2.INTER_AREA), np.uint8)


def plain_scenes(folders: Iterable[Path]) -> list[Source]:
    """Every picture of the folders, without labels."""
    return [Source(path) for folder in folders for path in pictures_in(folder)]


def labelled_scenes(folder: Path, prefixes: Sequence[str], largest_share: float = 0.35) -> list[Source]:
    """Pictures of an instances folder (images, masks, instances.jsonl) with room beside their objects.

    Only names beginning with one of ``prefixes`` are taken: sets that label no bystanders must stay out.
    ``largest_share`` bounds the area under objects.
    """
    from PIL import Image as PillowImage

    index = folder / "instances.jsonl"
    if not index.is_file():
        raise InputError(
            f"No instances.jsonl in {folder}.",
            hint="Leave the setting `instances` empty, or name another folder.",
        )
    pictures = {path.stem: path for path in pictures_in(folder / "images")}
    masks = {path.stem: path for path in pictures_in(folder / "masks")}
    found = []
    for line in index.read_text().splitlines():
        name = json.loads(line)["name"]
        if not name.startswith(tuple(prefixes)) or name not in pictures or name not in masks:
            continue
        with PillowImage.open(masks[name]) as opened:
            share = float((np.asarray(opened) > 0).mean())
        if share <= largest_share:
            found.append(Source(pictures[name], masks[name]))
    return found


def boxed_scenes(folder: Path, largest_share: float = 0.35) -> list[Source]:
    """Pictures of a folder in the YOLO form (images, labels) with room beside the boxes.

    ``largest_share`` bounds the area under boxes. Raises InputError where there are no labels.
    """
    labels = {path.stem: path for path in sorted((folder / "labels").glob("*.txt"))}
    if not labels:
        raise InputError(
            f"No labels in {folder}.", hint="Leave the setting `boxed` empty, or name another folder."
        )
    found = []
    for picture in pictures_in(folder / "images"):
        if picture.stem in labels and _boxed(labels[picture.stem], (100, 100)).mean() <= 255 * largest_share:
            found.append(Source(picture, labels[picture.stem]))
    return found


def _boxed(labels: Path, size: tuple[int, int]) -> NDArray[np.uint8]:
    """H x W, 255 inside the boxes of a file in the YOLO form and a little around them."""
    keep: NDArray[np.uint8] = np.zeros(size, np.uint8)
    for _, cx, cy, w, h in read_labels(labels):
        edges = np.array([[cx - 0.52 * w, cy - 0.52 * h], [cx + 0.52 * w, cy + 0.52 * h]])
        (x1, y1), (x2, y2) = np.rint(edges * [size[1], size[0]]).astype(int).clip(0).tolist()
        keep[y1:y2, x1:x2] = 255
    return keep


@dataclass(frozen=True)
class SceneCache:
    """Decoded pictures in one memory-mapped file: picture ``i`` is ``cache[i]``."""

    pixels: NDArray[np.uint8]
    places: tuple[tuple[int, int, int], ...]

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, index: int) -> Pixels:
        offset, height, width = self.places[index]
        return self.pixels[offset : offset + height * width * 4].reshape(height, width, 4)

    @classmethod
    def of(cls, sources: Sequence[Source], folder: Path, short_side: int = 288) -> SceneCache:
        """The cache of exactly these files, decoded now if it is not there yet."""
        paths = [p for source in sources for p in (source.picture, source.objects) if p is not None]
        stem = folder / f"scenes-{short_side}-{data_digest(paths)}"
        index = stem.with_suffix(".json")
        if not index.exists():
            folder.mkdir(parents=True, exist_ok=True)
            _decode(sources, stem, short_side)
        places = tuple((int(o), int(h), int(w)) for o, h, w in json.loads(index.read_text()))
        return cls(np.memmap(stem.with_suffix(".u8"), np.uint8, "r"), places)


def _decode(sources: Sequence[Source], stem: Path, short_side: int) -> None:
    """Write pixels, then the index: the index is there only once the pixels are whole."""
    places, offset = [], 0
    beside = stem.with_suffix(f".part{os.getpid()}")
    with beside.open("wb") as stream:
        for pixels in read_all(lambda source: source.read(short_side), sources):
            stream.write(pixels.tobytes())
            places.append((offset, *pixels.shape[:2]))
            offset += pixels.size
    os.replace(beside, stem.with_suffix(".u8"))
    beside.write_text(json.dumps(places))
    os.replace(beside, stem.with_suffix(".json"))


@dataclass(frozen=True)
class Batch:
    """N square crops: ``images`` N x S x S x 3 uint8; ``holes``, ``objects``, ``sketches`` N x S x S bool."""

    images: NDArray[np.uint8]
    holes: NDArray[np.bool_]
    objects: NDArray[np.bool_]
    sketches: NDArray[np.bool_]


@dataclass
class Batches:
    """Random crops with holes. Batch ``step`` follows from the seed alone, so a resumed run sees the same.

    ``weights``: how often each picture is drawn, in proportion. ``workers`` processes prepare the coming
    batches; 0 makes each when it is asked for. ``zoom`` and ``vary``: see `random_crop`.
    """

    cache: SceneCache
    holes: HoleMix
    seed: int = 0
    weights: NDArray[np.float64] | None = None
    workers: int = 0
    zoom: float = 4.5
    vary: float = 0.0
    sketches: Sketches = field(default_factory=Sketches)
    _stream: Iterator[Any] | None = None
    _next: tuple[int, int, int] = (-1, 0, 0)

    def __post_init__(self) -> None:
        weights = np.ones(len(self.cache)) if self.weights is None else self.weights
        self._edges = np.cumsum(weights / weights.sum())
        self.workers = processes(self.workers)

    def at(self, step: int, size: int, count: int) -> Batch:
        """``count`` crops of ``size`` pixels for this step."""
        asked = (step, size, count)
        if not self.workers:
            return Batch(*self[asked])
        if self._stream is None or asked != self._next:
            steps = ((number, size, count) for number in itertools.count(step))
            self._stream = in_processes(self, steps, self.workers)
        self._next = (step + 1, size, count)
        return Batch(*(column.numpy() for column in next(self._stream)))

    def __getitem__(self, asked: tuple[int, int, int]) -> tuple[NDArray[Any], ...]:
        """The columns of the batch for a step, a size and a count."""
        step, size, count = asked
        samples = [self._sample(np.random.default_rng((self.seed, step, i)), size) for i in range(count)]
        return tuple(np.stack(column) for column in zip(*samples, strict=True))

    def _sample(self, rng: np.random.Generator, size: int) -> tuple[NDArray[np.uint8], Mask, Mask, Mask]:
        """Picture, hole, objects and sketch of one crop whose hole keeps off objects and still has area."""
        for _ in range(8):
            index = int(np.searchsorted(self._edges, rng.random()).clip(0, len(self.cache) - 1))
            crop = random_crop(self.cache[index], size, rng, zoom=self.zoom, vary=self.vary)
            objects = crop[..., 3] > 0
            hole = self.holes.draw(size, rng) & ~objects
            if objects.mean() < 0.4 and hole.mean() > 0.01:
                break
        picture = np.ascontiguousarray(crop[..., :3])
        return picture, hole, objects, self.sketches.draw(picture, hole, rng)
