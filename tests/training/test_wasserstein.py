"""The penalty on a judge's slope against cases worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch

from autoremove.training.wasserstein import critic_loss, gradient_penalty, shares


def pictures() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    real, fake = (torch.randn(2, 3, 4, 4, generator=generator) for _ in range(2))
    return real, fake, torch.ones(2, 1, 4, 4)


def test_of_a_linear_judge_it_is_the_length_of_its_weights() -> None:
    real, fake, mask = pictures()
    weight = torch.zeros(3, 4, 4)
    weight[0, 1, 1], weight[2, 3, 0] = 3.0, 4.0  # the slope is 5 long everywhere
    penalty = gradient_penalty(
        lambda x: (x * weight).sum((1, 2, 3)), real, fake, mask, torch.rand(2, 1, 1, 1)
    )
    assert penalty.item() == pytest.approx(16.0)


def test_slopes_outside_the_mask_do_not_count() -> None:
    real, fake, mask = pictures()
    weight = torch.zeros(3, 4, 4)
    weight[0, 1, 1], weight[2, 3, 0] = 3.0, 4.0
    mask[:, :, 1, 1] = 0
    mask[1] = 0  # of the second sample nothing counts: length 0, penalty 1
    penalty = gradient_penalty(
        lambda x: (x * weight).sum((1, 2, 3)), real, fake, mask, torch.rand(2, 1, 1, 1)
    )
    assert penalty.item() == pytest.approx(((4 - 1) ** 2 + 1) / 2)


def test_of_a_curved_judge_it_is_taken_between_the_pictures() -> None:
    real, fake, mask = torch.zeros(2, 1, 1, 1), torch.full((2, 1, 1, 1), 2.0), torch.ones(2, 1, 1, 1)
    share = torch.tensor([0.25, 0.75]).reshape(2, 1, 1, 1)
    # x^2 has the slope 2 x: 1 at 0.5, and 3 at 1.5.
    penalty = gradient_penalty(lambda x: x.square().flatten(1), real, fake, mask, share)
    assert penalty.item() == pytest.approx((0 + 4) / 2)


def test_it_teaches_the_judge() -> None:
    real, fake, mask = pictures()
    judge = torch.nn.Linear(48, 1)
    penalty = gradient_penalty(lambda x: judge(x.flatten(1)), real, fake, mask, torch.rand(2, 1, 1, 1))
    penalty.backward()
    length = judge.weight.detach().norm()
    expected = 2 * (length - 1) * judge.weight.detach() / length
    torch.testing.assert_close(judge.weight.grad, expected)
    assert real.grad is None


def test_a_flat_judge_gives_no_broken_gradient() -> None:
    real, fake, mask = pictures()
    judge = torch.nn.Linear(48, 1)
    torch.nn.init.zeros_(judge.weight)
    gradient_penalty(lambda x: judge(x.flatten(1)), real, fake, mask, torch.rand(2, 1, 1, 1)).backward()
    assert judge.weight.grad is not None
    assert judge.weight.grad.isfinite().all()


def test_the_judge_pays_for_high_scores_of_made_pictures() -> None:
    real, fake = torch.tensor([[1.0], [3.0]]), torch.tensor([[-1.0], [0.0]])
    assert float(critic_loss(real, fake)) == -2.5


def test_shares_are_the_same_for_a_seed() -> None:
    first = shares(4, 7, torch.device("cpu"))
    assert torch.equal(first, shares(4, 7, torch.device("cpu")))
    assert not torch.equal(first, shares(4, 8, torch.device("cpu")))
    assert first.shape == (4, 1, 1, 1)
    assert first.min() >= 0
    assert first.max() <= 1
    assert not math.isclose(float(first[0]), float(first[1]))
