"""Detail for a network's fill by super-resolution: SRResNet enlarges it with what is known round it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image as PillowImage

from autoremove.stages.joining import patch_box
from autoremove.stages.plan import Box, Crop, part
from autoremove.stages.shrinking import enlarged
from autoremove.types import Image, Patch

if TYPE_CHECKING:
    from autoremove.stages.inpaint import Scene
    from autoremove.stages.network import Answer, Seen

RING = 16
"""Pixels of known surroundings, as the inpainting network saw them, that the enlarging one sees of a fill."""

LEAST_SCALE = 1.2
"""From this shrinking on there is detail to be brought back."""

MOST_STEPS = 2
"""Steps of four times at most; what is larger still is enlarged smoothly."""


def with_super_resolution(
    scene: Scene, crop: Crop, seen: Seen, answer: Answer, device: str = "cpu", weights: str = "embedded"
) -> Patch:
    """The network's forms, brought to full size by an enlarging network (Ledig et al. 2017).

    The fill goes in with a ring of the network's own picture of what is known, by which ``composite`` can
    tell how far its colours are off, through steps of four times until
    it is at least as large as the crop, and is then resized to its exact place. A crop that the inpainting
    network saw at (nearly) full size needs none. Raises WeightsError where there are no weights.
    """
    box = patch_box(crop)
    x1, y1, x2, y2 = crop.hole
    alpha = np.zeros((box[3] - box[1], box[2] - box[0]), np.uint8)
    alpha[y1 - box[1] : y2 - box[1], x1 - box[0] : x2 - box[0]] = crop.own.astype(np.uint8) * 255
    if max(scales(crop.window, seen.size_hw)) < LEAST_SCALE:
        return Patch(box, enlarged(answer.fill, crop.window, box), alpha)
    return Patch(box, brought_up(answer.fill, crop.window, box, device, weights), alpha)


def scales(window: Box, small_hw: tuple[int, int]) -> tuple[float, float]:
    """How many pixels of the picture one of its shrunk form stands for, down and across."""
    return (window[3] - window[1]) / small_hw[0], (window[2] - window[0]) / small_hw[1]


def brought_up(small: Image, window: Box, box: Box, device: str = "cpu", weights: str = "embedded") -> Image:
    """The part in a box of a window's shrunk form, h x w x 3, at the picture's own resolution."""
    from autoremove.models import cache
    from autoremove.models.srgan import SCALE
    from autoremove.models.srgan_tiles import upscaled_pixels

    network = cache.load("srgan", weights, device)
    down, across = scales(window, (small.shape[0], small.shape[1]))
    left, top = (box[0] - window[0]) / across, (box[1] - window[1]) / down
    right, bottom = (box[2] - window[0]) / across, (box[3] - window[1]) / down
    shown = (
        max(0, int(left) - RING),
        max(0, int(top) - RING),
        min(small.shape[1], int(np.ceil(right)) + RING),
        min(small.shape[0], int(np.ceil(bottom)) + RING),
    )
    large = np.ascontiguousarray(part(small, shown))
    place = np.array([left - shown[0], top - shown[1], right - shown[0], bottom - shown[1]])
    for _ in range(steps(max(down, across), SCALE)):
        large, place = np.asarray(upscaled_pixels(network, large), np.uint8), place * SCALE
    size = (box[2] - box[0], box[3] - box[1])
    # Pillow takes a place between pixels, and leaves out what the picture's own pixels cannot show.
    x1, y1, x2, y2 = (float(edge) for edge in place)
    limits = (max(0.0, x1), max(0.0, y1), min(x2, float(large.shape[1])), min(y2, float(large.shape[0])))
    resized = PillowImage.fromarray(large).resize(size, PillowImage.Resampling.BICUBIC, box=limits)
    return np.asarray(resized, np.uint8)


def steps(scale: float, factor: int = 4) -> int:
    """Enlargements by ``factor`` that reach ``scale``, to within a tenth of it."""
    count, reached = 0, 1.0
    while count < MOST_STEPS and reached * 1.1 < scale:
        count, reached = count + 1, reached * factor
    return count
