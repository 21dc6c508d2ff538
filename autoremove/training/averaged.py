"""What the tasks of detector, rescorer and MaskNet share: the average that is shipped, and the checkpoint."""

from __future__ import annotations

from typing import Any

import torch
from torch.optim.swa_utils import get_ema_multi_avg_fn

from autoremove.training.ahead import Ahead


class Averaged:
    """A network under training with the exponential moving average of its weights."""

    net: Any  # each task has a network of its own kind
    average: Any
    optimisers: list[torch.optim.Optimizer]
    ahead: Ahead[Any]
    done: int

    @torch.no_grad()
    def follow(self, keep: float) -> None:
        """Move the average towards the network; ``keep`` 0..1 is the share that stays."""
        pairs = list(zip(self.average.state_dict().values(), self.net.state_dict().values(), strict=True))
        # All at once: a GPU would be asked hundreds of times a step.
        means, values = zip(*(pair for pair in pairs if pair[0].is_floating_point()), strict=True)
        get_ema_multi_avg_fn(keep)(means, values, None)  # type: ignore[no-untyped-call]
        for ours, theirs in pairs:
            if not ours.is_floating_point():
                ours.copy_(theirs)

    def state_dict(self) -> dict[str, Any]:
        """Everything that a resumed run needs."""
        return {
            "net": self.net.state_dict(),
            "average": self.average.state_dict(),
            "optimisers": [optimiser.state_dict() for optimiser in self.optimisers],
            "done": self.done,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from such a state."""
        self.net.load_state_dict(state["net"])
        self.average.load_state_dict(state["average"])
        # The first checkpoints held one optimiser.
        before = state["optimisers"] if "optimisers" in state else [state["optimiser"]]
        for optimiser, kept in zip(self.optimisers, before, strict=True):
            optimiser.load_state_dict(kept)
        self.done = state["done"]
        # A resumed run must not see the first samples again.
        self.ahead.go_on_from(self.done)
