"""The plan of looks at one picture: the whole of it at several scales, and slices where it is large."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from autoremove.errors import RecipeError

STEP = 32
"""Sides in the network are multiples of this many pixels."""

OVERLAP = 64
"""Least overlap of neighbouring slices, in pixels of the network."""

SLICE = 1.25
"""Longest side of a slice in the network, over the network's own size."""

LARGEST_WHOLE = 2.0
"""Longest side at which the network sees a whole picture, over its own size; beyond there are slices."""

SMALL = 1.6
"""Pictures up to so many times the network's own size are seen enlarged."""

LARGE = 12e6
"""Pixels of the picture that the scale of an effort is told for."""


@dataclass(frozen=True)
class View:
    """One look: a window (x1, y1, x2, y2) of the picture, its longer side in the network, mirrored or not."""

    window: tuple[int, int, int, int]
    imgsz: int
    mirror: bool = False

    @property
    def scale(self) -> float:
        """Pixels in the network for one of the picture."""
        x1, y1, x2, y2 = self.window
        return self.imgsz / max(x2 - x1, y2 - y1, 1)


@dataclass(frozen=True)
class Effort:
    """What a speed stands for.

    ``whole``: the looks at the whole picture, each its size over the network's own, and whether mirrored.
    ``finest``: whether the finest look at the whole picture is mirrored, for each time it is taken; where
    there are slices they take its place. ``scale``: pixels in the network for one of a 12 megapixel picture,
    at the finest look; it falls with the fourth root of the pixels, so that four times the picture takes
    twice the time. ``most``: that of any picture. ``again``: there are slices at half the scale too, and the
    coarsest slices are also mirrored. ``whole_only``: never slices.
    """

    whole: tuple[tuple[float, bool], ...]
    scale: float
    most: float
    finest: tuple[bool, ...] = (False, True)
    again: bool = False
    whole_only: bool = False


# What other plans find is told by benchmarks/looks.py. Six sizes, each seen once, tell as much of persons and
# cars as five seen straight and mirrored: on held-out pictures, and where things are small. `fast` leaves out
# the finest at small pictures, at 0.58 of the cost: AP50 of persons is the same, and 0.008 lower where things
# are small (0.037 without the one of 768 pixels too, 0.018 with 256, 448 and 832 alone, which as a whole is
# hardly quicker, for it is filling that takes the time).
WHOLE = ((0.4, False), (0.6, True), (0.8, False), (1.0, True), (1.2, False))

EFFORTS = {
    "fast": Effort(whole=WHOLE, scale=0.8, most=1.0, finest=(True,), whole_only=True),
    "normal": Effort(whole=WHOLE, scale=0.8, most=1.0, finest=(True,)),
    "max": Effort(
        whole=tuple((size, mirror) for size in (0.3, 0.4, 0.6, 0.8, 1.0) for mirror in (False, True)),
        scale=1.5,
        most=2.0,
        again=True,
    ),
}

SPEEDS = tuple(EFFORTS)


def plan_views(size_hw: tuple[int, int], speed: str = "normal", imgsz: int = 640) -> list[View]:
    """The looks at a picture of that size, the coarsest first.

    ``imgsz``: the size in pixels that the network is made for. ``fast``: five looks at the whole picture,
    and a finer one if it is large. ``normal``: the whole picture at several scales, at last enlarged if it is
    small; where the finest look would be larger than the network can see well, slices that overlap take its
    place. ``max``: finer slices, at two scales, straight and mirrored. Raises RecipeError for another speed.
    """
    if speed not in SPEEDS:
        raise RecipeError(f"detect.speed: {speed!r} is none of {', '.join(SPEEDS)}.")
    whole = (0, 0, size_hw[1], size_hw[0])
    effort = EFFORTS[speed]
    fine, largest = _finest(size_hw, effort, imgsz), LARGEST_WHOLE * imgsz
    views = [View(whole, _side(size * imgsz), mirror) for size, mirror in effort.whole]
    if effort.whole_only:
        small = max(size_hw) <= SMALL * imgsz
        fine = 0.0 if small else min(fine, largest)
    if fine > largest:
        return [*views, *_sliced(size_hw, effort, fine, imgsz)]
    return [*views, *(View(whole, _side(fine), mirror) for mirror in effort.finest if fine)]


def _side(pixels: float) -> int:
    return max(STEP, round(pixels / STEP) * STEP)


def _finest(size_hw: tuple[int, int], effort: Effort, imgsz: int) -> float:
    """The picture's longer side in the finest look."""
    scale = effort.scale * (LARGE / max(1, size_hw[0] * size_hw[1])) ** 0.25
    return float(max(min(scale, effort.most) * max(size_hw), SMALL * imgsz))


def _sliced(size_hw: tuple[int, int], effort: Effort, fine: float, imgsz: int) -> list[View]:
    """The bridging look at the whole, for what is too large for slices, and the slices."""
    longer, side, largest = max(size_hw), round(SLICE * imgsz), LARGEST_WHOLE * imgsz
    bridge = View((0, 0, size_hw[1], size_hw[0]), _side(largest))
    straight = [bridge, *slices(size_hw, fine / longer, side)]
    if not effort.again:
        return straight
    coarser = slices(size_hw, fine / 2 / longer, side) if fine / 2 > largest else []
    turned = [bridge, *(coarser or straight[1:])]
    return [*straight, *coarser, *(replace(view, mirror=True) for view in turned)]


def slices(size_hw: tuple[int, int], scale: float, side: int) -> list[View]:
    """Windows of one size that cover the picture, in rows from its top left.

    ``scale``: pixels in the network for one of the picture; ``side``: most pixels of a window's longer side
    there. Neighbours overlap by at least OVERLAP pixels of the network.
    """
    rows, columns = (_spans(length, scale, side) for length in size_hw)
    longer = max(rows[0][1] - rows[0][0], columns[0][1] - columns[0][0])
    imgsz = _side(longer * scale)
    return [View((x1, y1, x2, y2), imgsz) for y1, y2 in rows for x1, x2 in columns]


def _spans(length: int, scale: float, side: int) -> Sequence[tuple[int, int]]:
    """Equal intervals that cover 0..length."""
    count = max(1, math.ceil((length * scale - OVERLAP) / (side - OVERLAP)))
    own = min(length, math.ceil((length + (count - 1) * OVERLAP / scale) / count))
    starts = [round(number * (length - own) / max(1, count - 1)) for number in range(count)]
    return [(start, start + own) for start in starts]
