"""Ways to map work over many pictures: each a context manager that yields a map."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from typing import Any

from autoremove.errors import UsageError

Map = Callable[[Callable[[Any], Any], Iterable[Any]], Iterator[Any]]

NAMES = ("local", "processes")


def executor(name: str, workers: int) -> AbstractContextManager[Map]:
    """The executor of that name; ``workers`` only matters to ``processes``."""
    if name == "local":
        from autoremove.executors import local

        return local.open_map()
    if name == "processes":
        from autoremove.executors import processes

        return processes.open_map(workers)
    raise UsageError(f"No executor called {name!r}.", hint=f"There are: {', '.join(NAMES)}.")
