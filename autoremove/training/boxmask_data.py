"""What MaskNet learns from: crops round labelled objects, jittered and recoloured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from autoremove.models import masknet
from autoremove.training.instances import IGNORE, LabelledPicture, read_instances
from autoremove.types import Image

CACHE_MARGIN = 0.5
"""Context kept in memory round each box, so that a jittered box still has its surroundings."""

FEW = (20.0, 112.0)
"""Longer side in pixels of a crop that is seen with few: boxes of 14 to 80 and their margin."""

NARROW = (0.35, 1.0)
"""The shorter side over the longer one."""


@dataclass(frozen=True)
class BoxMaskConfig:
    """Everything that decides a MaskNet run.

    ``validation``: a data set, or empty to hold out every ``hold_out``-th picture of ``data``. ``share`` 0..1
    of the other objects is learnt from, evenly spread, which is for curves over the number of pictures.
    ``drawn``: a data set whose masks a network drew (``benchmarks/drawn_masks.py``): all of it is learnt from
    and none held out, for a network is no judge of itself; empty = none.
    ``eyes``: safetensors of a YOLO11n detector whose backbone is the encoder; empty = a U-Net from nothing.
    ``eyes_rate``: share of the learning rate with which that backbone goes on learning.
    ``overlap`` 0..1: share of the samples into which another object is pasted, before or behind the one that
    is asked for: people stand together, and few labelled ones do. ``coarse`` 0..1: share of the samples that
    are seen with few pixels, as things far away are; most labelled ones are near.
    ``start``: safetensors of a trained MaskNet to go on from, instead of ``eyes``. ``muon``,
    ``precision`` and ``workers``: see :class:`~autoremove.training.detector.DetectorConfig`.
    """

    data: tuple[str, ...] = ()
    validation: str = ""
    hold_out: int = 20
    share: float = 1.0
    drawn: str = ""
    eyes: str = ""
    start: str = ""
    eyes_rate: float = 0.4
    side: int = 96
    batch: int = 32
    learning_rate: float = 2e-3
    weight_decay: float = 0.02
    jitter: float = 0.08
    overlap: float = 0.0
    coarse: float = 0.0
    ema: float = 0.995
    minimum_side: int = 14
    person_weight: float = 3.0
    partly_labelled_weight: float = 0.35
    muon: float = 0.0
    precision: str = "auto"
    workers: int = 0
    seed: int = 0


@dataclass(frozen=True)
class Crop:
    """One object with its surroundings. ``truth`` 0 background, 1 object, 255 ignored."""

    pixels: Image
    truth: NDArray[np.uint8]
    box: NDArray[np.float32]
    person: bool
    weight: float


def read_crops(
    folder: Path, config: BoxMaskConfig, chosen: Callable[[int], bool] = lambda number: True
) -> list[Crop]:
    """Cut every object that is large enough out of the pictures of a data set whose number is ``chosen``."""
    return [
        crop
        for number, picture in enumerate(read_instances(folder))
        if chosen(number)
        for identity, label in picture.objects
        if (crop := _crop(picture, identity, label, config)) is not None
    ]


def _crop(picture: LabelledPicture, identity: int, label: str, config: BoxMaskConfig) -> Crop | None:
    box = picture.box(identity)
    if box is None or min(box[2] - box[0], box[3] - box[1]) < config.minimum_side:
        return None
    dx, dy = (box[2] - box[0]) * CACHE_MARGIN, (box[3] - box[1]) * CACHE_MARGIN
    window = (float(box[0] - dx), float(box[1] - dy), float(box[2] + dx), float(box[3] + dy))
    side = int(config.side * 1.5)
    truth = np.where(picture.ids == IGNORE, IGNORE, (picture.ids == identity).astype(np.uint8))
    inner = np.array([dx, dy, dx + box[2] - box[0], dy + box[3] - box[1]], np.float32)
    scale = side / np.array([window[2] - window[0], window[3] - window[1]] * 2, np.float32)
    matrix = masknet.to_window(window, (side, side))
    cut = cv2.warpAffine(truth.astype(np.uint8), matrix, (side, side), flags=cv2.INTER_NEAREST, borderValue=0)
    person = label == "person"
    weight = (config.person_weight if person else 1.0) * (
        1.0 if picture.fully_labelled else config.partly_labelled_weight
    )
    pixels = masknet.cut(picture.image, window, side)
    return Crop(pixels, np.asarray(cut, np.uint8), (inner * scale).astype(np.float32), person, weight)


def overlapped(crop: Crop, other: Crop, rng: np.random.Generator) -> Crop:
    """``crop`` with the object of ``other`` beside it, in front of it or, now and then, behind it.

    The other is scaled and shifted at random, so that it covers a part; where it stands in front, the object
    asked for ends. A crop of which too little would be left is returned as it was.
    """
    side = crop.truth.shape[0]
    box, theirs = crop.box, other.box
    scale = (
        float(np.exp(rng.uniform(-0.5, 0.35))) * (box[3] - box[1]) / max(1.0, float(theirs[3] - theirs[1]))
    )
    sign = 1.0 if rng.random() < 0.5 else -1.0
    centre = (box[:2] + box[2:]) / 2 + (box[2:] - box[:2]) * [
        sign * rng.uniform(0.25, 0.8),
        rng.normal(0, 0.2),
    ]
    moved = centre - scale * (theirs[:2] + theirs[2:]) / 2
    matrix = np.array([[scale, 0, moved[0]], [0, scale, moved[1]]])
    pixels = cv2.warpAffine(other.pixels, matrix, (side, side))
    there = cv2.warpAffine((other.truth == 1).astype(np.float32), matrix, (side, side))
    # The edge of the pasted one is soft, as edges in photos are.
    alpha = np.asarray(cv2.GaussianBlur(there, (0, 0), 0.7), np.float32)
    if rng.random() < 0.35:
        alpha = alpha * (crop.truth != 1)
    truth = np.where((alpha > 0.5) & (crop.truth == 1), 0, crop.truth).astype(np.uint8)
    if (truth == 1).sum() < 0.4 * (crop.truth == 1).sum():
        return crop
    mixed = crop.pixels + alpha[..., None] * (pixels.astype(np.float32) - crop.pixels)
    return replace(crop, pixels=np.rint(mixed).astype(np.uint8), truth=truth)


def jittered(
    crop: Crop, config: BoxMaskConfig, rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """One training sample: network input 4 x S x S and truth S x S."""
    sides = np.array([crop.box[2] - crop.box[0], crop.box[3] - crop.box[1]] * 2, np.float32)
    shift = config.jitter * sides * rng.standard_normal(4).clip(-2, 2)
    box = (crop.box + shift).astype(np.float32)
    window = masknet.crop_window(box)
    matrix = masknet.to_window(window, (config.side, config.side))
    size = (config.side, config.side)
    pixels = cv2.warpAffine(crop.pixels, matrix, size, borderMode=cv2.BORDER_REPLICATE)
    truth = cv2.warpAffine(crop.truth, matrix, size, flags=cv2.INTER_NEAREST)
    if rng.random() < config.coarse:
        pixels = coarsened(np.asarray(pixels), rng)
    colour = recoloured(np.asarray(pixels), rng).astype(np.float32).transpose(2, 0, 1) / 255
    planes = np.concatenate([colour, masknet.box_map(box, window, config.side)[None]])
    if rng.random() < 0.5:
        planes, truth = planes[:, :, ::-1], truth[:, ::-1]
    return np.ascontiguousarray(planes), np.ascontiguousarray(truth)


def coarsened(pixels: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """A crop as if it had few pixels in its picture, four times in five more high than wide."""
    side = pixels.shape[0]
    longer = float(np.exp(rng.uniform(*np.log(FEW))))
    shorter = longer * rng.uniform(*NARROW)
    width, height = (shorter, longer) if rng.random() < 0.8 else (longer, shorter)
    size = (max(4, min(side, round(width))), max(4, min(side, round(height))))
    few = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    # The same resampling as where a small window of a picture is enlarged for the network.
    matrix = masknet.to_window((0.0, 0.0, float(size[0]), float(size[1])), (side, side))
    return np.asarray(cv2.warpAffine(few, matrix, (side, side), borderMode=cv2.BORDER_REPLICATE))


def recoloured(pixels: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Random exposure, contrast and white balance; now and then a soft or noisy picture."""
    gain = rng.uniform(0.7, 1.3) * rng.uniform(0.92, 1.08, 3)
    shifted: NDArray[Any] = (pixels.astype(np.float32) - 114) * gain + 114 + rng.uniform(-25, 25)
    if rng.random() < 0.2:
        shifted = np.asarray(cv2.GaussianBlur(shifted, (0, 0), rng.uniform(0.4, 1.4)), np.float64)
    if rng.random() < 0.2:
        shifted = shifted + rng.standard_normal(shifted.shape).astype(np.float32) * rng.uniform(2, 12)
    return np.asarray(shifted.clip(0, 255), np.uint8)
