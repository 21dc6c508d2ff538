"""The next batch is made while the network learns from this one."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

Asked = TypeVar("Asked")
Made = TypeVar("Made")


class Ahead(Generic[Asked, Made]):
    """Calls ``make`` in one thread, one call ahead of :meth:`next`, so that its draws stay in one order.

    What makes pictures (OpenCV, numpy) lets other threads run; a network on two cores left one idle
    meanwhile. ``make`` must not use torch: in a second thread that starts a second team of workers.
    """

    def __init__(self, make: Callable[[Asked], Made]) -> None:
        self._make = make
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="batches")
        self._coming: Future[Made] | None = None

    def next(self, asked: Asked) -> Made:
        """What the call before asked for ahead (the first time: what is asked for now).

        Raises whatever ``make`` raised.
        """
        coming = self._coming or self._pool.submit(self._make, asked)
        made = coming.result()
        self._coming = self._pool.submit(self._make, asked)
        return made

    def forget(self) -> None:
        """Drop what was made ahead, as when a run goes on from a checkpoint with other draws."""
        if self._coming is not None:
            self._coming.cancel() or self._coming.exception()
        self._coming = None
