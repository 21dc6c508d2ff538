"""Detail for a network's fill: what the known picture has beyond its shrunk form, moved as attention says.

Residuals of the places that the network copied from are added to its enlarged fill (contextual residual
aggregation of HiFill, Yi et al. 2020), here with the scores that DeepFillv2 computes anyway.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from autoremove.stages.network import Answer, Grid, Seen
from autoremove.stages.plan import Box
from autoremove.stages.shrinking import enlarged
from autoremove.types import Image, Mask

Float = NDArray[np.float32]

SOURCES = 4
"""Sources mixed for each place."""

PEAKED = 8.0
"""Power of the attention's weights: the mean of unlike residuals is grey, so the best one counts for more."""

LEAST_SCALE = 1.2
"""From this shrinking on the network has missed detail that is worth adding."""


def detailed(own: Image, holes: Mask, window: Box, box: Box, seen: Seen, answer: Answer) -> Image:
    """The fill of a window in a box of it, at full size and with residuals.

    ``own`` and ``holes``: the picture in the window and its holes there, H x W. ``seen``: what the network
    was shown of it, ``answer``: what it gave, with its grid of sources.
    """
    base = enlarged(answer.fill, window, box)
    scale = own.shape[0] / seen.size_hw[0], own.shape[1] / seen.size_hw[1]
    if answer.grid is None or min(scale) < LEAST_SCALE:
        return base
    total, weight = moved(residual(own, window, seen, answer.fill), holes, answer.grid, scale, window, box)
    added = total / np.maximum(weight, 1e-6)[..., None]
    return np.asarray(np.rint(base + added).clip(0, 255), np.uint8)


def residual(own: Image, window: Box, seen: Seen, fill: Image) -> NDArray[np.int8]:
    """What a window holds beyond its shrunk form, H x W x 3; rubbish in the holes."""
    # Next to a hole the shrunk form is continued by the fill, or its blank level would ring there.
    whole = np.where(seen.holes[..., None], fill, seen.image)
    smooth = enlarged(whole, window, window)
    return np.asarray(cv2.subtract(own, smooth, dtype=cv2.CV_8S), np.int8)


def moved(
    fine: NDArray[np.int8], holes: Mask, grid: Grid, scale: tuple[float, float], window: Box, box: Box
) -> tuple[Float, Float]:
    """Sums of the residuals, and of the weights, that the sources of each place lay on a box.

    A place takes the surroundings of a source, two cells wide and fading out, so that neighbours overlap.
    """
    height, width = box[3] - box[1], box[2] - box[0]
    total, weight = np.zeros((height, width, 3), np.float32), np.zeros((height, width), np.float32)
    cell = np.array([grid.cell * scale[0], grid.cell * scale[1]])
    side = np.maximum(2, np.rint(2 * cell)).astype(int)
    fade = _fade(int(side[0]), int(side[1]))
    corner = np.array([box[1] - window[1], box[0] - window[0]])
    limit = np.array(holes.shape)
    for y, x in np.argwhere(grid.present):
        to = np.rint((np.array([y, x]) - 0.5) * cell).astype(int) - corner
        if (to + side <= 0).any() or (to >= [height, width]).any():
            continue
        shares = grid.weights[:, y, x] ** PEAKED
        for place, share in zip(
            grid.positions[:, y, x], shares / max(float(shares.sum()), 1e-12), strict=True
        ):
            start = np.rint((np.array(divmod(int(place), grid.present.shape[1])) - 0.5) * cell).astype(int)
            low = np.maximum(0, np.maximum(-to, -start))
            high = np.minimum(side, np.minimum([height, width] - to, limit - start))
            if share > 0.02 and (low < high).all():
                rows, columns = (slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
                source = _shifted(rows, start[0]), _shifted(columns, start[1])
                target = _shifted(rows, to[0]), _shifted(columns, to[1])
                strength = fade[rows, columns] * np.float32(share) * ~holes[source]
                total[target] += fine[source] * strength[..., None]
                weight[target] += strength
    return total, weight


def _shifted(span: slice, by: int) -> slice:
    return slice(span.start + int(by), span.stop + int(by))


def _fade(height: int, width: int) -> Float:
    """A window that falls to nothing at its border; halfway overlapping ones add up to one."""
    rows, columns = (np.sin(np.pi * (np.arange(n) + 0.5) / n) ** 2 for n in (height, width))
    return np.asarray(rows[:, None] * columns[None], np.float32)
