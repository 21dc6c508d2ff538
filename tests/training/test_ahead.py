"""One batch is made ahead, in order, and what went wrong in it is told."""

from __future__ import annotations

import threading

import pytest

from autoremove.training.ahead import Ahead


def test_what_is_asked_for_comes_one_call_later_and_in_order() -> None:
    asked: list[int] = []

    def make(value: int) -> int:
        asked.append(value)
        return 10 * value

    ahead = Ahead(make)
    assert [ahead.next(value) for value in (1, 2, 3)] == [10, 10, 20]
    ahead.forget()
    assert asked[:3] == [1, 1, 2]
    assert ahead.next(7) == 70


def test_the_next_is_made_while_this_one_is_used() -> None:
    calls, release = [], threading.Event()

    def make(value: int) -> int:
        calls.append(value)
        assert len(calls) == 1 or release.wait(10)
        return value

    ahead = Ahead(make)
    assert ahead.next(1) == 1  # though the second call has not come back
    release.set()
    assert ahead.next(2) == 1
    assert ahead.next(3) == 2


def test_an_error_is_raised_where_the_batch_is_wanted() -> None:
    def make(value: int) -> int:
        raise ValueError(f"no {value}")

    with pytest.raises(ValueError, match="no 4"):
        Ahead(make).next(4)
