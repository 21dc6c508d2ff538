"""The values that pass between stages, and the names of the slots they travel in."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
"""H x W x 3, RGB, upright."""

Mask = NDArray[np.bool_]
"""H x W, True = remove."""

Cutout = tuple[tuple[int, int, int, int], Mask]
"""A window (x1, y1, x2, y2) in whole pixels, right and bottom exclusive, and the mask inside it."""

NO_CUTOUT: Cutout = ((0, 0, 0, 0), np.zeros((0, 0), bool))
"""Stands where an object has no mask."""


@dataclass(frozen=True)
class Ref:
    """One finished artefact on disk; its sha256 is computed when first asked for."""

    path: Path

    @cached_property
    def digest(self) -> str:
        digest = hashlib.sha256()
        with self.path.open("rb") as stream:
            while chunk := stream.read(1 << 20):
                digest.update(chunk)
        return digest.hexdigest()


@dataclass(frozen=True)
class Step:
    """What happened to one sample at one stage."""

    stage: str
    cached: bool
    seconds: float


@dataclass(frozen=True)
class Sample:
    """One picture on its way through the pipeline: references, never pixels."""

    source: str
    slots: dict[str, Ref] = field(default_factory=dict)
    steps: tuple[Step, ...] = ()
    error: str | None = None
    review: bool = False

    def with_slot(self, slot: str, ref: Ref, step: Step) -> Sample:
        return replace(self, slots={**self.slots, slot: ref}, steps=(*self.steps, step))

    def failed(self, message: str, *, review: bool = False) -> Sample:
        return replace(self, error=message, review=review)


@dataclass(frozen=True)
class Detections:
    """N found objects as parallel columns.

    ``xyxy`` N x 4 float32 in pixels of the upright picture; ``score`` N float32 in 0..1;
    ``label`` N names; ``masks`` N cutouts (NO_CUTOUT where an object has none) or None. ``owner`` N int64 or
    None: the row of the object that this one goes with (a bag with its person), -1 = it stands for itself.
    ``staying`` M x 4 float32 or None: boxes of others that are kept on purpose and must not be eaten into;
    they are no rows.
    """

    xyxy: NDArray[np.float32]
    score: NDArray[np.float32]
    label: tuple[str, ...]
    masks: tuple[Cutout, ...] | None = None
    owner: NDArray[np.int64] | None = None
    staying: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        n = len(self.label)
        if self.xyxy.shape != (n, 4) or self.score.shape != (n,):
            raise ValueError(
                f"columns of unlike length: xyxy {self.xyxy.shape}, score {self.score.shape}, label {n}"
            )
        if self.masks is not None and len(self.masks) != n:
            raise ValueError(f"{len(self.masks)} masks for {n} objects")
        if self.owner is not None and self.owner.shape != (n,):
            raise ValueError(f"owner {self.owner.shape} for {n} objects")
        if self.staying is not None and self.staying.shape[1:] != (4,):
            raise ValueError(f"staying {self.staying.shape} is not M x 4")

    def __len__(self) -> int:
        return len(self.label)

    def __getitem__(self, index: NDArray[Any] | slice | list[int]) -> Detections:
        """Rows by boolean mask, slice or list of positions; who loses its owner stands for itself."""
        rows = np.arange(len(self))[index]
        return Detections(
            self.xyxy[rows],
            self.score[rows],
            tuple(self.label[int(i)] for i in rows),
            None if self.masks is None else tuple(self.masks[int(i)] for i in rows),
            None if self.owner is None else _followed(self.owner, rows),
            self.staying,
        )

    @classmethod
    def empty(cls) -> Detections:
        return cls(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), ())


def _followed(owner: NDArray[np.int64], rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Owners of the chosen rows, as positions among them."""
    position = np.full(len(owner) + 1, -1, np.int64)
    position[rows] = np.arange(len(rows))
    return position[owner[rows]]  # -1 asks for the last place, which nobody holds


@dataclass(frozen=True)
class ObjectMask:
    """What to remove from one picture.

    ``grown`` H x W bool: everything to be filled. ``ids`` H x W uint16: the tight masks, 0 = no object,
    i + 1 = row i of the detections.
    """

    grown: Mask
    ids: NDArray[np.uint16]

    @property
    def share(self) -> float:
        """Share of the picture that is to be filled, 0..1."""
        return float(self.grown.mean())


@dataclass(frozen=True)
class Embedding:
    """What Segment Anything's image encoder says of one picture: all of its time, for any boxes.

    ``features`` C x h x w float16. ``weights``: sha256 of the weights it was made with.
    """

    features: NDArray[np.float16]
    weights: str


@dataclass(frozen=True)
class Patch:
    """New pixels for one part of a picture.

    ``xyxy``: whole pixels, right and bottom exclusive. ``pixels``: h x w x 3 uint8 RGB.
    ``alpha``: h x w uint8, 0 = keep the picture's own pixel, 255 = take the new one.
    """

    xyxy: tuple[int, int, int, int]
    pixels: Image
    alpha: NDArray[np.uint8]


@dataclass(frozen=True)
class Finding:
    """Something that a second look at the filled picture does not like.

    ``kind``: ``again`` (an object is still found), ``blur`` or ``seam``. ``xyxy``: where, in pixels.
    ``value``: the score 0..1 of a find, else the ratio that stood out. ``reason``: one line for people.
    """

    kind: str
    reason: str
    xyxy: tuple[int, int, int, int]
    value: float


@dataclass(frozen=True)
class FillFigures:
    """One fill beside its surroundings: ratios of 1 where nothing shows, None where they are unknown."""

    xyxy: tuple[int, int, int, int]
    seam: float | None = None
    sharpness: float | None = None


@dataclass(frozen=True)
class Verdict:
    """What a second look says; ``amended``: what should be removed instead, None = nothing more to remove."""

    findings: tuple[Finding, ...] = ()
    fills: tuple[FillFigures, ...] = ()
    amended: ObjectMask | None = None
