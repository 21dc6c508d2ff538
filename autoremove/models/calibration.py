"""What the scores of a detector are worth, as its weights tell."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Line(NamedTuple):
    """What a score is worth: the chance that the find is right is sigmoid(slope * logit(score) + offset).

    Platt scaling of the score's logit (Platt 1999; Kull et al. 2017 call it the beta map of equal powers).
    """

    slope: float
    offset: float

    def __call__(self, score: NDArray[np.float32]) -> NDArray[np.float32]:
        """Chances 0..1 of scores 0..1, in the same order."""
        kept = np.clip(score.astype(np.float64), 1e-6, 1 - 1e-6)
        chance = 1 / (1 + np.exp(-(self.slope * np.log(kept / (1 - kept)) + self.offset)))
        return np.asarray(chance, np.float32)


class Weighing(NamedTuple):
    """What a score and a second network's verdict are worth together.

    The chance that the find is right is sigmoid(score * logit(score) + verdict * its logit + offset).
    """

    score: float
    verdict: float
    offset: float

    def __call__(self, score: NDArray[np.float32], verdict: NDArray[np.float32]) -> NDArray[np.float32]:
        """Chances 0..1 of scores 0..1 and logits of the same finds."""
        kept = np.clip(score.astype(np.float64), 1e-6, 1 - 1e-6)
        sum_ = self.score * np.log(kept / (1 - kept)) + self.verdict * verdict + self.offset
        return np.asarray(1 / (1 + np.exp(-sum_)), np.float32)


REST = "*"
"""Key of the line for classes without one of their own."""


def weighings(notes: Mapping[str, str]) -> dict[str, Weighing]:
    """The weighings by class in the notes of a rescorer's file; empty if it was not calibrated."""
    told = json.loads(notes.get("weighings", "{}"))
    return {str(name): Weighing(*map(float, parts)) for name, parts in told.items()}


def calibration(notes: Mapping[str, str]) -> dict[str, Line]:
    """The lines by class in the notes of a safetensors file; empty if it was not calibrated."""
    told = json.loads(notes.get("calibration", "{}"))
    return {str(name): Line(float(slope), float(offset)) for name, (slope, offset) in told.items()}
