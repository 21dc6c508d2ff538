"""Who stays: the largest, the one in the middle, or those whom the photo is of."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from autoremove.errors import RecipeError
from autoremove.types import Image

WAYS = ("largest", "central", "subject")

LIKE = 0.55
"""Who is of less than this share of the main person's scale stands in another depth, or is a child."""

CHILD = 0.3
"""Least scale of a child beside or on the arm of someone who stays."""

PART = 0.4
"""A box inside another, of this share of its size or more, is taken for the same person."""

NEAR = 0.6
"""Widest gap between two people of one group, as a share of the main person's height."""

SAME_FOOT = 0.15
"""Feet this close in height, as a share of the main person's, stand in one depth."""

BLURRED = 0.4
"""Who has less than this share of the main person's sharpness is out of focus."""

FOCUS_SIDE = 1024
"""Sharpness is judged on the picture shrunk to this longer side: above it, noise looks like detail."""

MOST = 200
"""So many pixels a side of a box are looked at for its sharpness."""


def parsed(text: str) -> tuple[str, int]:
    """``subject:3`` as its way and number; 0 = no number. Raises RecipeError."""
    way, colon, number = text.partition(":")
    if way not in WAYS or (colon and (not number.isascii() or not number.isdigit() or int(number) < 1)):
        raise RecipeError(
            f"select.keep: {text!r} is none of {', '.join(WAYS)}.",
            hint="A number of objects may follow, as in largest:2.",
        )
    return way, int(number or 0)


def kept(text: str, xyxy: NDArray[np.float32], image: Image) -> NDArray[np.bool_]:
    """N bool: which of the N x 4 boxes stay.

    ``largest``: the box of the largest area. ``central``: the box whose centre is nearest the picture's.
    Both may say how many, as in ``largest:2``. ``subject``: see :func:`subjects`; with a number exactly so
    many, the group first. A box in or round that of one who stays, if not much smaller or larger, stays too.
    """
    way, number = parsed(text)
    if not len(xyxy):
        return np.zeros(0, bool)
    if way == "subject":
        score, chosen = _subjects(xyxy, image)
        if not number:
            return _with_parts(chosen, xyxy)
        rank = np.lexsort((-score, ~chosen))
    elif way == "largest":
        rank = np.argsort(-_size(xyxy), kind="stable")
    else:
        middle = np.array([image.shape[1], image.shape[0]]) / 2
        rank = np.argsort(np.hypot(*((xyxy[:, :2] + xyxy[:, 2:]) / 2 - middle).T), kind="stable")
    stays = np.zeros(len(xyxy), bool)
    stays[rank[: number or 1]] = True
    return _with_parts(stays, xyxy)


def _with_parts(stays: NDArray[np.bool_], xyxy: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Who stays, and boxes in theirs or round theirs: a second find of them must not remove them."""
    size, parts = _size(xyxy), stays.copy()
    for row in np.flatnonzero(stays):
        inside = _share_inside(xyxy, xyxy[row])
        around = inside * (size / max(float(size[row]), 1e-6)) ** 2  # share of this box in each of the others
        parts |= (inside >= 0.8) & (size >= PART * size[row])
        parts |= (around >= 0.8) & (size * PART <= size[row])
    return np.asarray(parts)


def subject_scores(xyxy: NDArray[np.float32], sharp: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    """How likely each of the N x 4 boxes is the main person, 0..1, in a picture of that width.

    The product of: size (root of the area over the largest, to the power 1.5); place (1 in the middle of the
    width, 0.2 at its ends); the root of the sharpness ``sharp`` (:func:`focus`; 0.5..1); and 0.75 for who is
    cut off by the left or right border, as passers-by are. The lower border cuts portraits too, so it counts
    nothing.
    """
    away = np.abs((xyxy[:, 0] + xyxy[:, 2]) / 2 / width - 0.5)
    size = (_size(xyxy) / max(float(_size(xyxy).max()), 1e-6)) ** 1.5
    whole = np.where(_cut_off(xyxy, width), 0.75, 1.0)
    return np.asarray(size * np.exp(-((away / 0.4) ** 2)) * np.sqrt(sharp.clip(0.25, 1)) * whole)


def subjects(xyxy: NDArray[np.float32], image: Image) -> NDArray[np.bool_]:
    """N bool: the people the photo is of, by their N x 4 boxes.

    The main person has the best of :func:`subject_scores`. Then the group grows, as long as somebody joins.
    Who joins is near a member (a gap of at most 0.6 of the main person's height) and

    - of like scale (0.55 to 1.8 times the main person's) and, unless their boxes touch, with feet on a like
      level; the scale is the height a person would have if all of them were seen (:func:`_scale`);
    - or a child: smaller, down to 0.3, and with its feet on the main person's level, or mostly inside a
      member's box, as on an arm.

    Who is far less sharp than the main person never joins; who is cut off by the left or right border joins
    only from a quarter of that gap. When in doubt a person stays: one bystander too many is a smaller harm
    than a family without its child.
    """
    return _subjects(xyxy, image)[1]


def _subjects(xyxy: NDArray[np.float32], image: Image) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """The scores, and the group."""
    sharp = focus(xyxy, image)
    score = subject_scores(xyxy, sharp, image.shape[1])
    main = int(np.argmax(score))
    # Small boxes are soft, or not, for reasons of their own: of one's own scale a little blur is forgiven.
    able = (sharp >= BLURRED * sharp[main]) | (_scale(xyxy) > LIKE * _scale(xyxy)[main])
    able &= sharp >= BLURRED / 2 * sharp[main]
    group = np.zeros(len(xyxy), bool)
    fresh = [main]
    while fresh:
        group[fresh] = True
        joining = np.zeros(len(xyxy), bool)
        for member in fresh:
            joining |= _joins(xyxy, main, member, (image.shape[0], image.shape[1]))
        fresh = np.flatnonzero(joining & able & ~group).tolist()
    return score, group


def _joins(xyxy: NDArray[np.float32], main: int, member: int, size_hw: tuple[int, int]) -> NDArray[np.bool_]:
    """N bool: who belongs to the main person's group, standing beside this member of it."""
    height = float(max(xyxy[main, 3] - xyxy[main, 1], 1))
    scale = _scale(xyxy) / max(float(_scale(xyxy)[main]), 1e-6)
    apart = np.maximum(xyxy[:, :2] - xyxy[member, 2:], xyxy[member, :2] - xyxy[:, 2:]).clip(0).max(1)
    touching, cut = apart == 0, _cut_off(xyxy, size_hw[1])
    near = apart <= np.where(cut, NEAR / 4, NEAR) * height
    feet = np.abs(xyxy[:, 3] - xyxy[main, 3]) / height
    like = (scale >= LIKE) & (scale <= 1 / LIKE) & (touching | (feet <= 2 * SAME_FOOT))
    # The feet of someone whom the lower border cuts off are further down than his box tells.
    standing = xyxy[:, 3] < 0.99 * size_hw[0]
    beside = (feet <= SAME_FOOT) & (standing == standing[main]) & (apart <= NEAR / 2 * height)
    within = _share_inside(xyxy, xyxy[member]) >= 0.6
    child = (scale >= CHILD) & (scale < LIKE) & (touching | ~cut) & (beside | within)
    return np.asarray(near & (like | child))


def focus(xyxy: NDArray[np.float32], image: Image) -> NDArray[np.float64]:
    """Sharpness of the middle of each of the N x 4 boxes over the picture's; 1 = as sharp as the whole.

    The upper twentieth of the Laplacian's magnitude (a measure of focus; Pertuz et al. 2013): edges tell of
    focus, plain cloth says nothing.
    """
    scale = min(1.0, FOCUS_SIDE / max(image.shape[:2]))
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    grey = cv2.cvtColor(cv2.resize(image, size, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
    energy = np.abs(cv2.Laplacian(grey, cv2.CV_32F))
    whole = max(float(np.percentile(energy, 95)), 1.0)
    low, high = xyxy[:, :2] * scale, xyxy[:, 2:] * scale
    inset = (high - low) * [0.2, 0.05]
    corners = np.concatenate([np.floor(low + inset), np.ceil(high - inset)], 1).astype(int)
    parts = [energy[max(0, y1) : max(y2, y1 + 1), max(0, x1) : max(x2, x1 + 1)] for x1, y1, x2, y2 in corners]
    thinned = [part[:: 1 + part.shape[0] // MOST, :: 1 + part.shape[1] // MOST] for part in parts]
    return np.array([float(np.percentile(part, 95)) / whole if part.size else 1.0 for part in thinned])


def _size(xyxy: NDArray[np.float32]) -> NDArray[np.float64]:
    """Root of each box's area."""
    return np.asarray(np.sqrt((xyxy[:, 2:] - xyxy[:, :2]).clip(0).prod(1)), np.float64)


def _scale(xyxy: NDArray[np.float32]) -> NDArray[np.float64]:
    """How high each would stand: who sits, or whose legs are hidden, is wide for the height seen."""
    width, height = (xyxy[:, 2:] - xyxy[:, :2]).T
    return np.asarray(np.maximum(height, np.minimum(1.8 * width, 2 * height)), np.float64)


def _cut_off(xyxy: NDArray[np.float32], width: int) -> NDArray[np.bool_]:
    margin = max(2.0, 0.005 * width)
    return np.asarray((xyxy[:, 0] <= margin) | (xyxy[:, 2] >= width - margin))


def _share_inside(xyxy: NDArray[np.float32], box: NDArray[np.float32]) -> NDArray[np.float64]:
    """Share of each of the N x 4 boxes that lies in one box."""
    low, high = np.maximum(xyxy[:, :2], box[:2]), np.minimum(xyxy[:, 2:], box[2:])
    return np.asarray((high - low).clip(0).prod(1) / np.maximum(_size(xyxy) ** 2, 1e-6))
