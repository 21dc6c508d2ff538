"""Which optimiser steps to leave out: those with broken gradients, and those far larger than is usual."""

from __future__ import annotations

import math
import statistics
from collections import deque
from dataclasses import dataclass, field

WINDOW = 101
"""Steps over which the usual size is taken: a lasting change is usual after half of them."""

LEAST = 20
"""Steps before anything is called unusual."""


@dataclass
class GradientGuard:
    """Judges the gradient norms of one network, step by step.

    ``limit``: a step is left out from so many times the running median on (0: never). ``broken``: how many
    were left out because their norm was not finite, ``spikes``: how many as too large.
    """

    limit: float = 10.0
    broken: int = 0
    spikes: int = 0
    norms: deque[float] = field(default_factory=lambda: deque(maxlen=WINDOW))

    def allows(self, norm: float) -> bool:
        """Whether a step with this gradient norm is to be taken; it is counted if not."""
        if not math.isfinite(norm):
            self.broken += 1
            return False
        usual = statistics.median(self.norms) if len(self.norms) >= LEAST else math.inf
        self.norms.append(norm)  # spikes too: where all steps become larger, that is soon the usual size
        if self.limit and norm > self.limit * usual:
            self.spikes += 1
            return False
        return True

    def state_dict(self) -> dict[str, int | list[float]]:
        """Everything that a resumed run needs."""
        return {"broken": self.broken, "spikes": self.spikes, "norms": list(self.norms)}

    def load_state_dict(self, state: dict[str, int | list[float]]) -> None:
        """Go on from such a state."""
        self.broken, self.spikes = int(state["broken"]), int(state["spikes"])  # type: ignore[arg-type]
        self.norms = deque(state["norms"], maxlen=WINDOW)  # type: ignore[arg-type]
