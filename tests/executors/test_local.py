"""The map of this process is lazy, in order, and lets errors through."""

from __future__ import annotations

import pytest

from autoremove.errors import UsageError
from autoremove.executors import NAMES, executor


def test_results_come_in_order_and_one_at_a_time() -> None:
    done: list[int] = []

    def work(item: int) -> int:
        done.append(item)
        return item * 2

    with executor("local", 1) as mapper:
        results = mapper(work, [3, 1, 2])
        assert next(results) == 6
        assert done == [3]
        assert list(results) == [2, 4]


def test_an_error_ends_the_map() -> None:
    with pytest.raises(ZeroDivisionError), executor("local", 1) as mapper:
        list(mapper(lambda item: 1 // item, [1, 0, 1]))


def test_an_unknown_executor_is_refused_with_those_there_are() -> None:
    with pytest.raises(UsageError) as told:
        executor("ray", 1)
    for name in NAMES:
        assert name in str(told.value.hint)
