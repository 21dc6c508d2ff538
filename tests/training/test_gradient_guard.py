"""The guard of optimiser steps: broken gradients and spikes are left out, lasting changes are not."""

from __future__ import annotations

import numpy as np
import pytest

from autoremove.training.gradient_guard import LEAST, WINDOW, GradientGuard


def seasoned(**settings: float) -> GradientGuard:
    guard = GradientGuard(**settings)
    for norm in np.random.default_rng(0).uniform(0.5, 2.0, WINDOW):
        assert guard.allows(float(norm))
    return guard


@pytest.mark.parametrize("norm", [float("nan"), float("inf")])
def test_broken_gradients_are_left_out_and_never_usual(norm: float) -> None:
    guard = seasoned()
    assert [guard.allows(norm) for _ in range(WINDOW)] == [False] * WINDOW
    assert (guard.broken, guard.spikes) == (WINDOW, 0)
    assert guard.allows(1.0)


def test_a_spike_is_left_out_and_counted() -> None:
    guard = seasoned(limit=10.0)
    assert [guard.allows(norm) for norm in (9.0, 30.0, 1.0)] == [True, False, True]
    assert (guard.broken, guard.spikes) == (0, 1)


def test_at_first_and_without_a_limit_nothing_is_a_spike() -> None:
    early = GradientGuard()
    assert all(early.allows(1000.0**i) for i in range(2)) and len(early.norms) < LEAST
    assert seasoned(limit=0.0).allows(1e9)


def test_a_lasting_change_becomes_usual() -> None:
    guard = seasoned(limit=10.0)
    allowed = [guard.allows(100.0) for _ in range(WINDOW)]
    assert not allowed[0] and all(allowed[WINDOW // 2 + 1 :])


def test_a_resumed_guard_judges_alike() -> None:
    first = seasoned()
    first.allows(float("nan"))
    second = GradientGuard()
    second.load_state_dict(first.state_dict())
    assert second == first
    assert not second.allows(1e6)
