"""A detector without a network for second looks: what is red is a person, what is blue is a car."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import pytest

from autoremove.types import Detections, Image

RED, BLUE = (220, 20, 30), (20, 60, 220)


class Eyes:
    """Sees coloured things; what it is told to be stubborn about, it sees in the middle of every crop."""

    names = ("person", "car")

    def __init__(self, *, stubborn: bool = False) -> None:
        self.stubborn = stubborn
        self.looks: list[tuple[int, int]] = []
        self.shapes: set[tuple[int, int]] = set()

    def detect(self, images: Sequence[Image], *, labels: Any, **how: Any) -> list[Detections]:
        """As Detector.detect; remembers how many crops came together, at which size, and theirs."""
        self.looks.append((len(images), how["imgsz"]))
        self.shapes |= {(image.shape[0], image.shape[1]) for image in images}
        assert set(labels) <= set(self.names)
        return [self._one(image, labels) for image in images]

    def _one(self, image: Image, labels: Sequence[str]) -> Detections:
        rows = [(label, box) for label in labels for box in boxes_of(image, label)]
        if self.stubborn:
            height, width = image.shape[:2]
            rows.append(("person", [width * 0.4, height * 0.3, width * 0.6, height * 0.7]))
        boxes = np.array([box for _, box in rows], np.float32).reshape(-1, 4)
        return Detections(boxes, np.full(len(rows), 0.8, np.float32), tuple(label for label, _ in rows))


def boxes_of(image: Image, label: str) -> list[list[int]]:
    """The boxes of connected things of at least 20 pixels in the label's colour."""
    channel = {"person": 0, "car": 2}[label]
    others = [i for i in range(3) if i != channel]
    clear = (image[..., channel] > 150) & (image[..., others].max(-1) < 100)
    count, _, stats, _ = cv2.connectedComponentsWithStats(clear.astype(np.uint8))
    return [[x, y, x + w, y + h] for x, y, w, h, size in stats[1:count].tolist() if size >= 20]


def opened(monkeypatch: pytest.MonkeyPatch, *, stubborn: bool = False) -> Eyes:
    """These eyes in place of every detector of this process."""
    from autoremove.models import cache

    eyes = Eyes(stubborn=stubborn)
    monkeypatch.setattr(cache, "load", lambda kind, name, device="cpu": eyes)
    return eyes
