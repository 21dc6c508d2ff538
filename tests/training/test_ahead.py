"""Batches are made ahead, in order and by number, and what went wrong in one is told."""

from __future__ import annotations

import os
import signal
import threading
from typing import Any

import numpy as np
import pytest

from autoremove.errors import InputError
from autoremove.training import ahead as room
from autoremove.training.ahead import Ahead, in_processes, read_all


def test_what_is_asked_for_comes_one_call_later_and_in_order() -> None:
    asked: list[float] = []

    def make(value: float, rng: np.random.Generator) -> float:
        asked.append(value)
        return 10 * value

    ahead = Ahead(make, seed=0)
    assert [ahead.next(value) for value in (1, 2, 3)] == [10, 10, 20]
    ahead.go_on_from(3)
    assert asked[:3] == [1, 1, 2]
    assert ahead.next(7) == 70


def test_the_next_is_made_while_this_one_is_used() -> None:
    calls, release = [], threading.Event()

    def make(value: float, rng: np.random.Generator) -> float:
        calls.append(value)
        assert len(calls) == 1 or release.wait(10)
        return value

    ahead = Ahead(make, seed=0)
    assert ahead.next(1) == 1  # though the second call has not come back
    release.set()
    assert ahead.next(2) == 1
    assert ahead.next(3) == 2


@pytest.mark.parametrize("workers", [0, 2])
def test_an_error_is_raised_where_the_batch_is_wanted(workers: int) -> None:
    def make(value: float, rng: np.random.Generator) -> float:
        raise ValueError(f"no {value:.0f}")

    with pytest.raises(ValueError, match="no 4"):
        Ahead(make, 0, workers).next(4)


def drawn(value: float, rng: np.random.Generator) -> dict[str, Any]:
    return {
        "drawn": rng.integers(1 << 30, size=3),
        "asked": np.array([value]),
        "process": np.array(os.getpid()),
    }


def test_processes_make_the_same_batches_as_the_thread() -> None:
    one, many = Ahead(drawn, seed=3), Ahead(drawn, seed=3, workers=2)
    told = [(one.next(0.5), many.next(0.5)) for _ in range(5)]
    for ours, theirs in told:
        assert ours["drawn"].tolist() == theirs["drawn"].tolist()
        assert float(theirs["asked"]) == 0.5
    assert len({int(theirs["process"]) for _, theirs in told} - {os.getpid()}) == 2
    assert len({tuple(ours["drawn"].tolist()) for ours, _ in told}) == 5


@pytest.mark.parametrize("workers", [0, 2])
def test_going_on_from_a_number_gives_what_came_then(workers: int) -> None:
    ahead = Ahead(drawn, 1, workers)
    first = [ahead.next()["drawn"].tolist() for _ in range(4)]
    ahead.go_on_from(2)
    assert [ahead.next()["drawn"].tolist() for _ in range(2)] == first[2:]


def test_where_memory_cannot_be_shared_the_thread_does_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.system", lambda: "Windows")
    assert int(Ahead(drawn, 1, workers=2).next()["process"]) == os.getpid()


def test_keys_come_back_in_order() -> None:
    class Squares:
        def __getitem__(self, key: int) -> Any:
            return np.array([key * key])

    assert [int(x) for x in in_processes(Squares(), range(7), 2)] == [0, 1, 4, 9, 16, 25, 36]


def test_signals_to_all_are_left_to_the_process_of_the_network() -> None:
    class Handlers:
        def __getitem__(self, key: int) -> Any:
            return np.array([int(signal.getsignal(signal.SIGINT)), int(signal.getsignal(signal.SIGTERM))])

    def stop(number: int, frame: object) -> None:
        raise AssertionError

    before = signal.signal(signal.SIGTERM, stop)
    try:
        told = next(in_processes(Handlers(), range(1), 1))
    finally:
        signal.signal(signal.SIGTERM, before)
    assert told.tolist() == [signal.SIG_IGN, signal.SIG_DFL]


@pytest.mark.parametrize("many", [1, 1000])
def test_everything_is_read_in_order(monkeypatch: pytest.MonkeyPatch, many: int) -> None:
    monkeypatch.setattr(room, "MANY", many)
    monkeypatch.setattr(room.torch, "get_num_threads", lambda: 2)
    pictures = list(read_all(lambda n: np.full((2, 2), n, np.uint8), range(10)))
    assert [int(picture[0, 0]) for picture in pictures] == list(range(10))
    assert all(isinstance(picture, np.ndarray) for picture in pictures)
    assert list(read_all(str, [4, 5])) == ["4", "5"]


@pytest.mark.parametrize("many", [1, 1000])
def test_what_cannot_be_read_is_said_as_it_was_there(monkeypatch: pytest.MonkeyPatch, many: int) -> None:
    monkeypatch.setattr(room, "MANY", many)
    monkeypatch.setattr(room.torch, "get_num_threads", lambda: 2)

    def read(number: int) -> int:
        raise InputError(f"{number} is damaged.", hint="Leave it out.")

    with pytest.raises(InputError, match=r"^0 is damaged\. Leave it out\.$"):
        list(read_all(read, [0, 1]))
