"""Finds judged once more by the rescorer: new scores, better boxes, each object once."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from autoremove.models.boxes import apart
from autoremove.types import Detections, Image

if TYPE_CHECKING:  # recipes are read without PyTorch
    from autoremove.models.rescorer import Rescorer

SAME = 0.6
"""Overlap (IoU) from which two finds that were moved are one object."""

SEEN = 0.03
"""The detector's own score from which a find is judged once more. Those below are many in large photos, and
judging them too raised nothing on held-out pictures (AP50 0.587 from 0.05 on, 0.589 from 0.03 or 0.02 on).
"""

LEAST_SIDE = 2.0
"""Pixels of the picture: a box that is narrower shows nothing."""


def judged(found: Detections, image: Image, net: Rescorer) -> tuple[Detections, NDArray[np.float32]]:
    """The finds with boxes nearer to where the network has them, and its logits of what each is called.

    All labels must be the network's. Scores stay; finds with no extent in the picture are left out.
    """
    from autoremove.models.rescorer import between, looked_at

    sides = (found.xyxy[:, 2:] - found.xyxy[:, :2]).min(1, initial=np.inf)
    found = found[sides >= LEAST_SIDE]
    said = looked_at(net, image, found.xyxy)
    kinds = np.array([net.labels.index(label) for label in found.label], np.int64)
    high = np.array([image.shape[1], image.shape[0]] * 2, np.float32)
    xyxy = between(found.xyxy, said.xyxy).clip(0, high)
    return replace(found, xyxy=xyxy), said.logit[np.arange(len(found)), kinds]


def rescored(found: Detections, image: Image, net: Rescorer) -> Detections:
    """The finds as :func:`judged` has them with the chance that each is right, best first, each object once.

    All labels must be those of ``net.weighings``.
    """
    found, logit = judged(found, image, net)
    score = found.score.copy()
    for label, weighing in net.weighings.items():
        rows = np.array([own == label for own in found.label], bool)
        score[rows] = weighing(found.score[rows], logit[rows])
    return once(replace(found, score=score))


def once(found: Detections) -> Detections:
    """Finds best first, without those that a better one of the same label nearly covers."""
    return found[apart(found.xyxy, found.score, np.array(found.label), SAME)]
