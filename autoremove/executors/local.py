"""The map of this process: one picture after another."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from autoremove.executors import Map


@contextmanager
def open_map() -> Iterator[Map]:
    """Yield the built-in map, which is lazy: each result is there before the next picture is begun."""
    yield map
