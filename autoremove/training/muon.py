"""Muon: momentum whose step is made orthogonal, for the hidden convolutions of deep plain networks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn


class Muon(torch.optim.Optimizer):
    """Momentum, orthogonalised per weight matrix (a convolution counts as outputs x all else).

    Every direction of a layer is moved by the same amount, so weak signals deep in a network without
    normalisation are learnt as fast as strong ones: the inpainter needs about a third of Adam's steps.
    For parameters of two or more dimensions only. Jordan et al., "Muon: an optimizer for hidden layers in
    neural networks" (2024).
    """

    def __init__(
        self, parameters: Iterable[Any], lr: float, momentum: float = 0.95, weight_decay: float = 0.0
    ) -> None:
        super().__init__(list(parameters), {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """One step from the gradients that are there; ``closure`` is not supported."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    parameter.mul_(1 - group["lr"] * group.get("weight_decay", 0.0))
                    self._move(parameter, parameter.grad, group["lr"], group["momentum"])

    def _move(self, parameter: nn.Parameter, gradient: Tensor, rate: float, momentum: float) -> None:
        state = self.state[parameter]
        if not state:
            state["average"] = torch.zeros_like(parameter)
        state["average"].mul_(momentum).add_(gradient)
        direction = gradient.add(state["average"], alpha=momentum).flatten(1)
        rows, columns = direction.shape
        step = orthogonal(direction) * max(1.0, rows / columns) ** 0.5
        parameter.add_(step.reshape(parameter.shape), alpha=-rate)


def set_rates(optimisers: Sequence[torch.optim.Optimizer], rate: float, muon: float) -> None:
    """Set the learning rate of all groups, of Muon at ``muon`` times it; ``share`` of a group scales its."""
    for optimiser in optimisers:
        times = muon if isinstance(optimiser, Muon) else 1.0
        for group in optimiser.param_groups:
            group["lr"] = float(rate * times * group.get("share", 1.0))


def split_for_muon(kernels: Iterable[nn.Parameter]) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """Kernels that are matrices of some size, for Muon, and the others: depthwise ones and thin outputs."""
    fit: list[nn.Parameter] = []
    rest: list[nn.Parameter] = []
    for kernel in kernels:
        wide = kernel.ndim == 4 and kernel.shape[0] >= 8 and kernel.shape[1] >= 3
        (fit if wide else rest).append(kernel)
    return fit, rest


def orthogonal(matrix: Tensor, rounds: int = 5) -> Tensor:
    """A matrix of the same singular vectors whose singular values are about 1 (0.7 to 1.2).

    A Newton-Schulz iteration of fifth order, its coefficients chosen for a steep start (Jordan, 2024).
    """
    tall = matrix.shape[0] > matrix.shape[1]
    x: Tensor = (matrix.T if tall else matrix).float()
    x = x / (x.norm() + 1e-7)
    for _ in range(rounds):
        gram = x @ x.T
        x = 3.4445 * x + (-4.7750 * gram + 2.0315 * (gram @ gram)) @ x
    return x.T if tall else x
