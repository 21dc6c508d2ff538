"""Several processes give the same bytes as one, share its store, and end cleanly when one of them does not."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import pytest

from autoremove import journal
from autoremove.errors import AutoremoveError, OutputError
from autoremove.executors import executor
from autoremove.folder import Plan, clean
from autoremove.store import Store
from tests.cases import chain, photos


def square(item: int) -> tuple[int, int]:
    return os.getpid(), item * item


def die(item: int) -> int:
    if item == 3:
        os._exit(9)
    return item


def refuse(item: int, folder: Path) -> int:
    if item == 1:
        while not (folder / "0").exists():
            pass
        raise OutputError("The disk is full.", hint="Free some space.")
    (folder / str(item)).touch()
    return item


def pictures(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != journal.NAME
    }


def test_a_folder_comes_out_the_same_and_the_store_is_shared(tmp_path: Path) -> None:
    source = photos.folder(tmp_path / "photos")
    plan = Plan(chain.recipe(), Store(tmp_path / "store"))
    several = clean([source], tmp_path / "several", plan, executor_name="processes", workers=2)
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


def test_a_fatal_error_comes_back_whole_after_what_was_finished(tmp_path: Path) -> None:
    got: list[int] = []
    with (
        pytest.raises(OutputError, match="disk is full") as told,
        executor("processes", 2) as mapper,
    ):
        got.extend(mapper(partial(refuse, folder=tmp_path), range(2)))
    assert told.value.hint == "Free some space."
