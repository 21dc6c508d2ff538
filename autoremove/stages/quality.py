"""How a fill looks beside its surroundings: whether its border shows, and whether it is as sharp."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from autoremove.types import FillFigures, Image, Mask, Patch

LARGEST = 1024
"""Longer side in pixels from which a fill and its ring are shrunk before they are judged."""

_LEAST_GREY = 1.0
"""Grey levels added to both sides of a ratio: differences below one level cannot be seen."""


def seam_ratio(image: Image, hole: Mask, band: int = 4) -> float:
    """Mean step between neighbours on the two sides of the hole's border, over that of neighbours near it.

    Near: both pixels on one side and within ``band`` pixels of the border, fill and known side alike.
    1 = the border does not stand out; higher = a visible seam; lower = blurred across. NaN without a border.
    """
    grey = _grey(image)
    near = dilated(hole, band) & dilated(~hole, band)
    across, around = [], []
    for axis in (0, 1):
        step = np.abs(np.diff(grey, axis=axis))
        first, second = _neighbours(hole, axis)
        both_near = np.logical_and(*_neighbours(near, axis))
        across.append(step[first != second])
        around.append(step[(first == second) & both_near])
    crossing, beside = np.concatenate(across), np.concatenate(around)
    if not crossing.size or not beside.size:
        return float("nan")
    return float((crossing.mean() + _LEAST_GREY) / (beside.mean() + _LEAST_GREY))


def _neighbours(plane: Mask, axis: int) -> tuple[Mask, Mask]:
    """Each pixel and the next one along the axis."""
    return (plane[:-1], plane[1:]) if axis == 0 else (plane[:, :-1], plane[:, 1:])


def sharpness_ratio(image: Image, hole: Mask, apart: Mask | None = None) -> float:
    """Standard deviation of the Laplacian inside the fill, over that in a ring round it.

    (The root of the ratio of variances: a blur scores 0.1 to 0.2, the true picture mostly 0.7 to 1.4.)
    Two pixels on each side of the border are left out, so that a seam does not count as detail. The ring is a
    quarter of the root of the hole's area wide, at least 8 pixels, without what lies in ``apart`` (other
    fills). NaN where either part has no pixel.
    """
    detail = cv2.Laplacian(_grey(image), cv2.CV_64F, ksize=1)
    inner = hole & ~dilated(~hole, 2)
    ring = dilated(hole, 2 + ring_width(int(hole.sum()))) & ~dilated(hole, 2)
    if apart is not None:
        ring &= ~apart
    if not inner.any() or not ring.any():
        return float("nan")
    return float((detail[inner].std() + _LEAST_GREY) / (detail[ring].std() + _LEAST_GREY))


def sharpness_at_most(image: Image, hole: Mask, apart: Mask) -> float | None:
    """:func:`sharpness_ratio` at no more than LARGEST pixels a side; None where it cannot be told."""
    return _known(sharpness_ratio(*_shrunk(image, hole, apart)))


def ring_width(area: int) -> int:
    """Pixels of surroundings to which a fill of so many pixels is compared."""
    return max(8, round(float(np.sqrt(area)) / 4))


def dilated(mask: Mask, radius: int) -> Mask:
    """The mask and every pixel within ``radius`` of it; a distance test, for large discs are slow kernels."""
    apart = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.asarray(apart <= radius, bool)


def _grey(image: Image) -> NDArray[np.float64]:
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.float64)


def fill_figures(result: Image, holes: Mask, patches: Sequence[Patch]) -> tuple[FillFigures, ...]:
    """Seam and sharpness of each patch's fill in the finished picture; ``holes``: everything filled.

    The border is where a fill has half taken over. Boxes are those of the fills, right and bottom exclusive.
    """
    fills = ((patch, patch.alpha >= 128) for patch in patches)
    return tuple(_one(result, holes, patch, own) for patch, own in fills if own.any())


def _one(result: Image, holes: Mask, patch: Patch, own: Mask) -> FillFigures:
    left, top = patch.xyxy[:2]
    columns, rows = np.nonzero(own.any(0))[0] + left, np.nonzero(own.any(1))[0] + top
    box = (int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)
    margin = ring_width(int(own.sum())) + 3
    x1, y1 = max(0, box[0] - margin), max(0, box[1] - margin)
    window = np.s_[y1 : box[3] + margin, x1 : box[2] + margin]
    apart = holes[window].copy()
    hole = np.zeros_like(apart)
    inner = own[box[1] - top : box[3] - top, box[0] - left : box[2] - left]
    hole[box[1] - y1 : box[3] - y1, box[0] - x1 : box[2] - x1] = inner
    image, hole, apart = _shrunk(result[window], hole, apart & ~hole)
    return FillFigures(box, _known(seam_ratio(image, hole)), _known(sharpness_ratio(image, hole, apart)))


def _shrunk(image: Image, hole: Mask, apart: Mask) -> tuple[Image, Mask, Mask]:
    """A picture and two masks on it, its longer side at most LARGEST."""
    scale = LARGEST / max(image.shape[:2])
    if scale >= 1:
        return image, hole, apart
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    planes = [cv2.resize(m.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) for m in (hole, apart)]
    return np.asarray(small, np.uint8), np.asarray(planes[0], bool), np.asarray(planes[1], bool)


def _known(ratio: float) -> float | None:
    return None if np.isnan(ratio) else round(ratio, 3)
