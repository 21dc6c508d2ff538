"""The parts of a hole that was filled in parts: their fills go over into each other where they meet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from autoremove.stages.plan import Box, Crop, grown_box
from autoremove.types import Patch

MARGIN = 16
"""Pixels round a hole, beside a sixteenth of its size, in which composite compares fill and picture."""


def patch_box(crop: Crop, least: int = MARGIN) -> Box:
    """The hole with a margin, inside the crop's window."""
    x1, y1, x2, y2 = crop.hole
    longer = max(x2 - x1, y2 - y1)
    margin = max(least, MARGIN) + longer // 16
    # A part reaches a quarter of itself into its neighbours.
    return grown_box(crop.hole, max(margin, longer // 4) if crop.parts > 1 else margin, crop.window)


def joined(crops: Sequence[Crop], patches: Sequence[Patch]) -> list[Patch]:
    """The patches of the crops, those of one group mixed where they overlap."""
    done = list(patches)
    for row, crop in enumerate(crops):
        if crop.parts > 1:
            group = [i for i, other in enumerate(crops) if other.group == crop.group]
            total = np.zeros(patches[row].pixels.shape, np.float32)
            weight = np.zeros(total.shape[:2], np.float32)
            for i in group:
                _add(total, weight, patches[row].xyxy, crops[i].hole, patches[i])
            pixels = np.rint(total / weight[..., None]).astype(np.uint8)
            done[row] = replace(patches[row], pixels=pixels)
    return done


def _add(total: NDArray[np.float32], weight: NDArray[np.float32], box: Box, hole: Box, patch: Patch) -> None:
    """Add what a patch says of a box: fully inside its own hole's extent, ever less towards its border."""
    x1, y1 = max(box[0], patch.xyxy[0]), max(box[1], patch.xyxy[1])
    x2, y2 = min(box[2], patch.xyxy[2]), min(box[3], patch.xyxy[3])
    if x1 >= x2 or y1 >= y2:
        return
    down = _ramp(hole[1], hole[3], patch.xyxy[1], patch.xyxy[3])[y1 - patch.xyxy[1] : y2 - patch.xyxy[1]]
    across = _ramp(hole[0], hole[2], patch.xyxy[0], patch.xyxy[2])[x1 - patch.xyxy[0] : x2 - patch.xyxy[0]]
    share = down[:, None] * across[None]
    pixels = patch.pixels[y1 - patch.xyxy[1] : y2 - patch.xyxy[1], x1 - patch.xyxy[0] : x2 - patch.xyxy[0]]
    rows, columns = slice(y1 - box[1], y2 - box[1]), slice(x1 - box[0], x2 - box[0])
    total[rows, columns] += pixels * share[..., None]
    weight[rows, columns] += share


def _ramp(low: int, high: int, start: int, stop: int) -> NDArray[np.float32]:
    """1 between low and high, falling evenly to nearly 0 at start and stop."""
    place = np.arange(start, stop)
    before = (place - start + 1) / (low - start + 1)
    behind = (stop - place) / (stop - high + 1)
    return np.minimum(1, np.minimum(before, behind)).astype(np.float32)
