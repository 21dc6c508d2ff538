"""Stage refine: boxes in, tight masks and their grown union out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from autoremove.errors import RecipeError
from autoremove.stages import grow
from autoremove.stages.base import SHARE, Range, StageFields
from autoremove.types import Cutout, Detections, Embedding, Image, Mask, ObjectMask

LEAST = 0.05
"""A mask that fills less of its box than this is taken for a failure of what made it."""

CERTAIN = 255
"""Probability 1 in the steps in which a :class:`Shape` keeps it."""


BLIND = 2.0
"""So many times further grows what a method made that cannot say where it is unsure."""


class Shape(NamedTuple):
    """One object's mask: the tight one, and the one that growth starts from.

    ``chance``: how sure each pixel of the tight mask's window is, 0..255; None = the method says yes or no.
    """

    tight: Cutout
    loose: Cutout
    chance: NDArray[np.uint8] | None = None


@dataclass(frozen=True)
class Refine(StageFields):
    """Turn boxes into masks and grow them.

    ``method``: ``network`` (the embedded MaskNet), ``box`` (the box itself), ``grabcut`` (Rother et al.
    2004), ``sam`` (Segment Anything, Kirillov et al. 2023; set ``weights``), ``detector`` (the masks that a
    -seg detector found). ``threshold``: probability from which a pixel belongs to the object (``network``).
    ``loose``: probability from which a pixel may belong to it: growth starts from these pixels, so that it
    goes far where the network is unsure and stays near where the edge is sharp; at ``threshold`` or more it
    starts from the mask. ``grow``: growth as a share of the object's size (the root of its box's area),
    twice that for the other methods, kept between ``grow_min`` and ``grow_max`` pixels; ``grow_of``: factors
    on it by class, in place of the built-in ones (``grow.GROW_OF``).
    """

    method: str = "network"
    weights: str = "embedded"
    threshold: float = 0.45
    loose: float = 0.025
    grow: float = 0.015
    grow_min: int = 3
    grow_max: int = 80
    grow_of: Mapping[str, float] = field(default_factory=dict)

    name: ClassVar[str] = "refine"
    version: ClassVar[int] = 4
    needs: ClassVar[tuple[str, ...]] = ("image", "detections")
    gives: ClassVar[str] = "mask"
    ranges: ClassVar[Mapping[str, Range]] = {
        "threshold": SHARE,
        "loose": SHARE,
        "grow": Range(),
        "grow_min": Range(),
        "grow_max": Range(),
        "grow_of": Range(),
    }

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.method not in METHODS:
            raise RecipeError(f"refine.method: {self.method!r} is none of {', '.join(METHODS)}.")

    def weights_digest(self) -> str | None:
        from autoremove.models import weights

        kinds = {"network": "masknet", "sam": "segmenter"}
        return weights.digest(self.weights, kinds[self.method]) if self.method in kinds else None

    @property
    def uses(self) -> tuple[str, ...]:
        return ("embedding",) if self.method == "sam" else ()

    def __call__(
        self, image: list[Image], detections: list[Detections], embedding: list[Embedding] | None = None
    ) -> list[ObjectMask]:
        seen: Sequence[Embedding | None] = embedding or [None] * len(image)
        return [self._one(*given) for given in zip(image, detections, seen, strict=True)]

    def _one(self, image: Image, found: Detections, embedding: Embedding | None) -> ObjectMask:
        union = np.zeros(image.shape[:2], bool)
        ids = np.zeros(image.shape[:2], np.uint16)
        best = np.zeros(image.shape[:2], np.float16)
        there = _with_staying(found) if self.method in SEEING else found
        shapes = METHODS[self.method](self, image, there, embedding)
        # Large objects first: the last of equal claims stands.
        for row in sorted(range(len(there)), key=lambda i: -int(shapes[i].tight[1].sum())):
            claim(ids, best, shapes[row], row + 1)
            if row >= len(found):
                continue
            share = self.grow * (BLIND if shapes[row].chance is None else 1.0)
            grow.add_grown(union, shapes[row].loose, self.radius(found.xyxy[row], found.label[row], share))
        if len(there) > len(found):
            union &= ~_inside(ids > len(found), self.grow_min)
            ids[ids > len(found)] = 0
        return ObjectMask(union, ids)

    def radius(self, xyxy: NDArray[np.float32], label: str, share: float) -> int:
        """Growth in pixels, by a share of its size, for an object of that box and class."""
        return grow.radius(xyxy, label, share, self.grow_min, self.grow_max, self.grow_of)


def _with_staying(found: Detections) -> Detections:
    """Also, as rows behind the others, what is to stay: it claims its pixels as they do."""
    if found.staying is None or not len(found) or not len(found.staying):
        return found
    count = len(found.staying)
    return Detections(
        np.concatenate([found.xyxy, found.staying]),
        np.concatenate([found.score, np.ones(count, np.float32)]),
        found.label + ("",) * count,
    )


def _inside(kept: Mask, border: int) -> Mask:
    """What is kept but for its border, over which a fill beside it may blend."""
    core = cv2.erode(kept.astype(np.uint8), np.ones((2 * border + 1, 2 * border + 1), np.uint8))
    return np.asarray(core, np.uint8) > 0


def claim(ids: NDArray[np.uint16], best: NDArray[np.float16], shape: Shape, number: int) -> None:
    """Give an object the pixels of its tight mask on which no one before has a better claim.

    ``best`` H x W: the claims so far. The surer of two gets a pixel; of two about as sure the smaller, for a
    bag is in front of its bearer: a claim is the probability over the fourth root of the object's area.
    """
    (x1, y1, x2, y2), mask = shape.tight
    chance = np.full(mask.shape, CERTAIN, np.uint8) if shape.chance is None else shape.chance
    claims = (chance / np.sqrt(np.sqrt(max(1, int(mask.sum()))))).astype(np.float16)
    own = mask & (claims >= best[y1:y2, x1:x2])
    ids[y1:y2, x1:x2][own] = number
    best[y1:y2, x1:x2][own] = claims[own]


def _window(box: NDArray[np.float32], size_hw: tuple[int, int]) -> tuple[int, int, int, int]:
    """The box in whole pixels inside the picture."""
    low = np.floor(box[:2]).clip(0).astype(int)
    high = np.minimum(np.ceil(box[2:]).astype(int), [size_hw[1], size_hw[0]])
    return int(low[0]), int(low[1]), int(max(low[0], high[0])), int(max(low[1], high[1]))


def by_network(stage: Refine, image: Image, found: Detections, _: Embedding | None) -> list[Shape]:
    """The embedded MaskNet: its probabilities cut at the ``threshold``, and at ``loose``."""
    from autoremove.models import cache, masknet

    net = cache.load("masknet", stage.weights, stage.device)
    shapes = []
    for guess in masknet.guesses(net, image, found.xyxy):
        window, chance = masknet.at_full_size(guess, image)
        loose = tight = chance > stage.threshold
        if stage.loose < stage.threshold:  # by the network alone: edges do not say where it is unsure
            loose = tight | (masknet.at_full_size(guess, image, sharp=False)[1] > stage.loose)
        shapes.append(Shape((window, tight), (window, loose), np.rint(chance * CERTAIN).astype(np.uint8)))
    return _with_boxes(shapes, image, found)


def by_box(stage: Refine, image: Image, found: Detections, _: Embedding | None) -> list[Shape]:
    """The whole box, as the first write-ups of automatic removal did."""
    return [Shape(box, box) for box in _boxes(image, found)]


def _boxes(image: Image, found: Detections) -> list[Cutout]:
    windows = [_window(box, (image.shape[0], image.shape[1])) for box in found.xyxy]
    return [((x1, y1, x2, y2), np.ones((y2 - y1, x2 - x1), bool)) for x1, y1, x2, y2 in windows]


def _with_boxes(shapes: list[Shape], image: Image, found: Detections) -> list[Shape]:
    """The shapes, but the box for one that is next to nothing: an object must not stay unseen."""
    pairs = zip(shapes, _boxes(image, found), strict=True)
    return [shape if shape.tight[1].sum() >= LEAST * box[1].size else _only(box) for shape, box in pairs]


def _only(box: Cutout) -> Shape:
    """The box of an object whose shape is not known: it takes no pixel from one whose shape is."""
    return Shape(box, box, np.zeros(box[1].shape, np.uint8))


def by_grabcut(stage: Refine, image: Image, found: Detections, _: Embedding | None) -> list[Shape]:
    """Colour models inside and outside the box, cut by a graph."""
    from autoremove.models import grabcut

    cutouts = [grabcut.cut_out(image, window) for window, _ in _boxes(image, found)]
    return _with_boxes([Shape(cutout, cutout) for cutout in cutouts], image, found)


def by_sam(stage: Refine, image: Image, found: Detections, embedding: Embedding | None) -> list[Shape]:
    """Segment Anything, prompted with the boxes; the picture's embedding is computed where none is given."""
    from autoremove.models import cache

    if not len(found):
        return []
    if embedding is not None and embedding.weights != stage.weights_digest():
        raise RecipeError(
            "embed and refine name different weights of Segment Anything.",
            hint=f"Set embed.weights to {stage.weights} too.",
        )
    segmenter = cache.load("segmenter", stage.weights, stage.device)
    cutouts = segmenter.masks(image, found.xyxy, None if embedding is None else embedding.features)
    return _with_boxes([Shape(cutout, cutout) for cutout in cutouts], image, found)


def by_detector(stage: Refine, image: Image, found: Detections, _: Embedding | None) -> list[Shape]:
    """The masks that a -seg detector gave with its boxes; the box where it gave none."""
    if not len(found):
        return []  # several views that agree on nothing leave no masks either
    if found.masks is None:
        raise RecipeError(
            "refine.method: detector needs a detector that gives masks.",
            hint="Set detect.weights to yolo11n-seg.",
        )
    pairs = zip(found.masks, _boxes(image, found), strict=True)
    return [Shape(own, own) if own[1].any() else _only(box) for own, box in pairs]


SEEING = ("network", "grabcut", "sam")
"""Methods that find a shape for any box, and so also for what is to stay."""

METHODS: dict[str, Callable[[Refine, Image, Detections, Embedding | None], list[Shape]]] = {
    "network": by_network,
    "box": by_box,
    "grabcut": by_grabcut,
    "sam": by_sam,
    "detector": by_detector,
}
