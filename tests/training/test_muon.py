"""Muon: its steps are orthogonal whatever the gradient, and they go downhill."""

from __future__ import annotations

import pytest
import torch

from autoremove.training.muon import Muon, orthogonal


@pytest.mark.parametrize("shape", [(12, 40), (40, 12), (16, 16)])
def test_singular_values_are_brought_near_one(shape: tuple[int, int]) -> None:
    left, _, right = torch.linalg.svd(torch.randn(shape, generator=torch.manual_seed(0)), full_matrices=False)
    uneven = left @ torch.diag(torch.logspace(0, -1.5, min(shape))) @ right
    values = torch.linalg.svdvals(orthogonal(uneven))
    assert values.min() > 0.6 and values.max() < 1.3


def test_it_finds_the_weights_of_a_convolution() -> None:
    torch.manual_seed(1)
    truth, learner = torch.nn.Conv2d(3, 4, 3, bias=False), torch.nn.Conv2d(3, 4, 3, bias=False)
    optimiser = Muon(learner.parameters(), lr=0.1)
    errors = []
    for step in range(60):
        optimiser.param_groups[0]["lr"] = 0.1 * (1 - step / 60)
        picture = torch.randn(4, 3, 8, 8)
        error = (learner(picture) - truth(picture)).abs().mean()
        optimiser.zero_grad()
        error.backward()
        optimiser.step()
        errors.append(error.item())
    assert errors[-1] < 0.15 * errors[0]


def test_parameters_without_gradient_stay() -> None:
    weight = torch.nn.Parameter(torch.ones(2, 2))
    Muon([weight], lr=1.0).step()
    assert torch.equal(weight, torch.ones(2, 2))
