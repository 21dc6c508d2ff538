"""Things that go with a person: what is carried, held, stood on or ridden."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from autoremove.labels import CARRIED
from autoremove.models.boxes import Boxes

RIDDEN = ("bicycle", "motorcycle", "horse")
ATTACHED = (*CARRIED, *RIDDEN)
"""The classes that may go with a person."""

IN_DOUBT = 0.15
"""A thing must fit a person who goes by so much better than one who stays to go with the former."""

Fits = NDArray[np.float64]


def owners(
    label: tuple[str, ...],
    xyxy: Boxes,
    able: NDArray[np.bool_],
    people: NDArray[np.bool_],
    staying: NDArray[np.bool_],
) -> NDArray[np.int64]:
    """N int64: the row of the person that each thing goes with, -1 = none.

    ``able`` N bool: the things in question. ``people`` N bool: who may own them; those who are also
    ``staying`` remain in the picture. A thing goes with whom it fits best, in doubt with one who stays.
    """
    owner = np.full(len(label), -1, np.int64)
    persons = np.flatnonzero(people)
    for row in np.flatnonzero(able):
        fits = fit(label[row], xyxy[row], xyxy[persons])
        if fits.any():
            owner[row] = persons[np.argmax(fits + IN_DOUBT * (staying[persons] & (fits > 0)))]
    return owner


def fit(label: str, thing: Boxes, people: Boxes) -> Fits:
    """How well a thing's box (4,) fits being with each of M x 4 people: 0 = not at all, at most 1."""
    if not len(people) or label not in RULES:
        return np.zeros(len(people))
    apart = np.abs((people[:, 0] + people[:, 2]) / 2 - (thing[0] + thing[2]) / 2)
    shared = overlap(thing, people) / max(float(area(thing)), 1e-6)
    closeness = 0.4 + 0.4 * shared + 0.2 / (1 + apart / _height(people))
    return np.asarray(np.where(RULES[label](thing, people), closeness, 0.0))


def carried(thing: Boxes, people: Boxes) -> NDArray[np.bool_]:
    """On the back, on the shoulder or in the hand: beside or before the body, and no larger than it."""
    width, height = _width(people), _height(people)
    reach = np.minimum(0.3 * width, 0.15 * height)
    around = people + np.stack([-reach, 0 * reach, reach, 0.06 * height], 1)
    touching = overlap(thing, people) > 0.1 * area(thing)
    small = (thing[3] - thing[1] <= 0.65 * height) & (thing[2] - thing[0] <= 0.6 * height)
    return np.asarray((overlap(thing, around) > 0.7 * area(thing)) & touching & small)


def rolled(thing: Boxes, people: Boxes) -> NDArray[np.bool_]:
    """A suitcase, carried or pulled: on the person's floor, not higher than the hip, within reach."""
    height = _height(people)
    gap = np.maximum(thing[0] - people[:, 2], people[:, 0] - thing[2])
    floor = np.abs(thing[3] - people[:, 3]) <= 0.12 * height
    fits = (thing[3] - thing[1] <= 0.6 * height) & (thing[3] - thing[1] >= 0.15 * height)
    return np.asarray(carried(thing, people) | (floor & fits & (gap <= 0.08 * height)))


def held_above(thing: Boxes, people: Boxes) -> NDArray[np.bool_]:
    """An umbrella: over the head, or closed and carried. What is wider than a person is high is a parasol."""
    height = _height(people)
    middle = (people[:, 0] + people[:, 2]) / 2
    over = (middle >= thing[0]) & (middle <= thing[2])
    at_head = (thing[1] <= people[:, 1] + 0.15 * height) & (thing[3] >= people[:, 1] - 0.05 * height)
    low = thing[3] <= people[:, 1] + 0.75 * height
    tall = np.maximum(height, 1.8 * _width(people))  # a portrait shows but half of the height
    small = (thing[2] - thing[0] <= 1.1 * tall) & (thing[3] - thing[1] <= 0.9 * tall)
    return np.asarray((over & at_head & low & small) | carried(thing, people))


def underfoot(thing: Boxes, people: Boxes) -> NDArray[np.bool_]:
    """A board or skis at the feet, also a little below them in a jump, or under the arm."""
    width, tall, height = thing[2] - thing[0], thing[3] - thing[1], _height(people)
    shared = np.minimum(people[:, 2], thing[2]) - np.maximum(people[:, 0], thing[0])
    below = shared >= 0.4 * np.minimum(_width(people), width)
    middle = (thing[1] + thing[3]) / 2
    low = (middle >= people[:, 1] + 0.65 * height) & (thing[3] >= people[:, 3] - 0.15 * height)
    at_feet = below & low & (thing[1] <= people[:, 3] + 0.15 * height) & (tall <= 0.9 * height)
    held = (overlap(thing, people) > 0.15 * area(thing)) & (shared >= 0.6 * _width(people))
    beside = (middle >= people[:, 1] + 0.15 * height) & (middle < people[:, 3])
    across = held & beside & (tall <= 0.6 * height)
    upright = (overlap(thing, people) > 0.5 * area(thing)) & (tall <= 1.3 * height)
    return np.asarray(((at_feet | across) & (width <= 2 * height)) | upright)


def ridden(thing: Boxes, people: Boxes) -> NDArray[np.bool_]:
    """A bicycle or motorcycle: the rider rises above its middle, and no foot is lower than its wheels.

    Who stands beside a parked one is not over its middle; who stands before it has his feet further down.
    """
    width, height, tall = thing[2] - thing[0], thing[3] - thing[1], _height(people)
    above = people[:, 1] <= thing[1] - 0.15 * tall
    lifted = people[:, 3] <= thing[3] + 0.02 * height
    near = (height >= 0.25 * tall) & (height <= 2 * tall) & (width <= 2.5 * tall)
    return np.asarray(_astride(thing, people) & above & lifted & near)


def ridden_high(thing: Boxes, people: Boxes) -> NDArray[np.bool_]:
    """A horse: its head may be as high as the rider's, whose feet are well above its hooves."""
    width, height, tall = thing[2] - thing[0], thing[3] - thing[1], _height(people)
    above = people[:, 1] <= thing[1] + 0.2 * height
    lifted = people[:, 3] <= thing[3] - 0.15 * height
    near = (height >= 0.4 * tall) & (height <= 3.2 * tall) & (width <= 3.5 * tall)
    return np.asarray(_astride(thing, people, 0.05) & above & lifted & near)


def _astride(thing: Boxes, people: Boxes, depth: float = 0.25) -> NDArray[np.bool_]:
    """Over the middle of the thing, and reaching down into it by a share of its height."""
    width, height = thing[2] - thing[0], thing[3] - thing[1]
    middle = np.abs((people[:, 0] + people[:, 2]) / 2 - (thing[0] + thing[2]) / 2) <= 0.25 * width
    middle |= (thing[0] >= people[:, 0]) & (thing[2] <= people[:, 2])  # as from the front
    into = (people[:, 3] >= thing[1] + depth * height) & (overlap(thing, people) > 0.15 * area(people))
    return np.asarray(middle & into)


RULES: dict[str, Callable[[Boxes, Boxes], NDArray[np.bool_]]] = {
    "backpack": carried,
    "handbag": carried,
    "suitcase": rolled,
    "umbrella": held_above,
    "skateboard": underfoot,
    "snowboard": underfoot,
    "surfboard": underfoot,
    "skis": underfoot,
    "bicycle": ridden,
    "motorcycle": ridden,
    "horse": ridden_high,
}


def overlap(box: Boxes, boxes: Boxes) -> Fits:
    """Common area of one box (4,) and M x 4 others, in square pixels."""
    low, high = np.maximum(boxes[:, :2], box[:2]), np.minimum(boxes[:, 2:], box[2:])
    return np.asarray((high - low).clip(0).prod(1), np.float64)


def area(boxes: Boxes) -> Fits:
    """Area of ... x 4 boxes in square pixels."""
    return np.asarray((boxes[..., 2:] - boxes[..., :2]).clip(0).prod(-1), np.float64)


def _width(people: Boxes) -> Fits:
    return np.asarray(np.maximum(people[:, 2] - people[:, 0], 1), np.float64)


def _height(people: Boxes) -> Fits:
    return np.asarray(np.maximum(people[:, 3] - people[:, 1], 1), np.float64)
