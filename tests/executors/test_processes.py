"""Several processes give the same bytes as one, share its store, and end cleanly when one dies."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

import pytest

from autoremove import journal
from autoremove.errors import AutoremoveError, OutputError
from autoremove.executors import executor, processes
from autoremove.folder import Plan, clean
from autoremove.store import Store
from tests.cases import chain, photos


def square(item: int) -> tuple[int, int]:
    return os.getpid(), item * item


def die(item: int) -> int:
    if item == 3:
        os._exit(9)
    return item


def refuse(item: int) -> int:
    if item == 1:
        raise OutputError("The disk is full.", hint="Free some space.")
    return item


class Instant:
    """A pool whose work is done when it is handed over."""

    def submit(self, work: Callable[[int], int], item: int) -> Future[int]:
        future: Future[int] = Future()
        try:
            future.set_result(work(item))
        except OutputError as error:
            future.set_exception(error)
        return future


def pictures(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != journal.NAME
    }


def test_a_folder_comes_out_the_same_and_the_store_is_shared(tmp_path: Path) -> None:
    source = photos.folder(tmp_path / "photos")
    plan = Plan(chain.recipe(), Store(tmp_path / "store"))
    several = clean([source], tmp_path / "several", plan, workers=2)
    one = clean([source], tmp_path / "one", Plan(chain.recipe(), Store(tmp_path / "own")))
    assert pictures(tmp_path / "several") == pictures(tmp_path / "one")
    assert [(row.relative, row.status, row.made_from) for row in several] == [
        (row.relative, row.status, row.made_from) for row in one
    ]
    again = clean([source], tmp_path / "again", plan)
    assert pictures(tmp_path / "again") == pictures(tmp_path / "one")
    assert all(step["cached"] for row in again for step in row.steps)


def test_everything_is_mapped_in_other_processes() -> None:
    with executor("processes", 2) as mapper:
        results = list(mapper(square, iter(range(9))))
        assert list(mapper(square, [])) == []
    assert sorted(value for _, value in results) == [item * item for item in range(9)]
    assert os.getpid() not in {process for process, _ in results}


def test_a_worker_that_dies_is_told_with_the_way_out() -> None:
    with (
        pytest.raises(AutoremoveError, match="worker process died") as told,
        executor("processes", 1) as mapper,
    ):
        list(mapper(die, range(6)))
    assert "--workers" in str(told.value.hint)


def test_a_fatal_error_comes_back_whole() -> None:
    with (
        pytest.raises(OutputError, match="disk is full") as told,
        executor("processes", 1) as mapper,
    ):
        list(mapper(refuse, [1]))
    assert told.value.hint == "Free some space."


def test_what_finished_beside_a_failure_is_handed_over_first() -> None:
    got: list[int] = []
    with pytest.raises(OutputError):
        for value in processes._map(Instant(), 2, refuse, range(100)):  # type: ignore[arg-type]
            got.append(value)
    assert sorted(got) == [0, 2, 3, 4, 5]


def test_only_a_few_items_wait_so_that_a_folder_of_any_size_fits() -> None:
    asked: list[int] = []
    results = processes._map(Instant(), 2, int, (asked.append(item) or item for item in range(1000)))  # type: ignore[arg-type,func-returns-value]
    next(results)
    assert len(asked) == 6
    assert sorted([*results]) != []
    assert len(asked) == 1000
