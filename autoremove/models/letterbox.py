"""How a picture of any size is laid into a network's input, and how masks come back from there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from autoremove.types import NO_CUTOUT, Cutout, Image

if TYPE_CHECKING:  # pictures are letterboxed without PyTorch
    from torch import Tensor

_GREY = 114
"""What ultralytics pads with in training."""


class Fit(NamedTuple):
    """How a picture lies in the network's input: scaled to ``size_hw``, then padded at the left and top."""

    size_hw: tuple[int, int]
    input_hw: tuple[int, int]
    left: int
    top: int


def fit_to(size_hw: tuple[int, ...], imgsz: int, stride: int = 32) -> Fit:
    """The whole picture at ``imgsz`` on its longer side, padded to whole strides, in the middle."""
    scale = imgsz / max(size_hw)
    height, width = (max(1, round(side * scale)) for side in size_hw)
    input_h, input_w = (-(-side // stride) * stride for side in (height, width))
    return Fit((height, width), (input_h, input_w), (input_w - width) // 2, (input_h - height) // 2)


def letterbox(image: Image, fit: Fit) -> Image:
    """The picture as it goes into the network: input_hw x 3 uint8, the margin grey."""
    height, width = fit.size_hw
    while min(image.shape[0] / height, image.shape[1] / width) >= 4:
        # Halving is a fast case of cv2: of 12 megapixels the rest is then done in a third of the time.
        halves = image.shape[1] // 2, image.shape[0] // 2
        image = np.asarray(cv2.resize(image, halves, interpolation=cv2.INTER_AREA), np.uint8)
    shrinks = height < image.shape[0]
    scaled = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    canvas = np.full((*fit.input_hw, 3), _GREY, np.uint8)
    canvas[fit.top : fit.top + height, fit.left : fit.left + width] = scaled
    return canvas


def as_planes(images: Tensor) -> Tensor:
    """Pictures N x H x W x 3 uint8 as networks take them: N x 3 x H x W float32 in 0..1, channels last."""
    return images.permute(0, 3, 1, 2).float() / 255


def masks_in_boxes(
    logits: NDArray[np.float32], xyxy: NDArray[np.float32], fit: Fit, size_hw: tuple[int, int]
) -> list[Cutout]:
    """Masks at picture scale from logits at the prototypes' size, each in the window of its own box.

    ``logits``: N x h x w over the whole network input, above 0 = object. ``xyxy``: N x 4, pixels of the
    picture, inside it. ``size_hw``: of the picture.

    Only the box of each object is resampled and kept: a large picture costs what its objects cover.
    """
    cutouts: list[Cutout] = []
    step_x = fit.size_hw[1] / size_hw[1] * logits.shape[2] / fit.input_hw[1]
    step_y = fit.size_hw[0] / size_hw[0] * logits.shape[1] / fit.input_hw[0]
    offset_x = fit.left * logits.shape[2] / fit.input_hw[1]
    offset_y = fit.top * logits.shape[1] / fit.input_hw[0]
    for plane, box in zip(logits, xyxy, strict=True):
        left, top = (int(v) for v in np.floor(box[:2]))
        right, bottom = (int(v) for v in np.ceil(box[2:]))
        if right <= left or bottom <= top:
            cutouts.append(NO_CUTOUT)
            continue
        # Pixel centres: column left of the picture is at (left + 0.5) * step + offset - 0.5 in the plane.
        to_plane = np.array(
            [
                [step_x, 0, (left + 0.5) * step_x + offset_x - 0.5],
                [0, step_y, (top + 0.5) * step_y + offset_y - 0.5],
            ]
        )
        part = cv2.warpAffine(
            plane,
            to_plane,
            (right - left, bottom - top),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
        cutouts.append(((left, top, right, bottom), part > 0))
    return cutouts


def alike(fits: Sequence[Fit], pixels: int) -> Iterator[list[int]]:
    """Positions of pictures of one size in the network, as many as have so many pixels together there."""
    for input_hw in dict.fromkeys(fit.input_hw for fit in fits):
        same = [i for i, fit in enumerate(fits) if fit.input_hw == input_hw]
        step = max(1, pixels // (input_hw[0] * input_hw[1]))
        yield from (same[i : i + step] for i in range(0, len(same), step))
