"""The map of several processes on this machine; results come as they finish."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import partial
from itertools import islice
from typing import Any

from autoremove.errors import AutoremoveError
from autoremove.executors import Map


@contextmanager
def open_map(workers: int) -> Iterator[Map]:
    """Yield a map over ``workers`` fresh processes (spawned: CUDA and threads do not survive a fork)."""
    threads = max(1, (os.cpu_count() or 1) // workers)
    pool = ProcessPoolExecutor(
        workers, mp_context=multiprocessing.get_context("spawn"), initializer=_start, initargs=(threads,)
    )
    try:
        yield partial(_map, pool, workers)
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    pool.shutdown()


def _start(threads: int) -> None:
    """Ctrl-C belongs to the parent; workers share the cores instead of fighting for all of them."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ["OMP_NUM_THREADS"] = str(threads)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    import cv2

    cv2.setNumThreads(threads)


def _end_with_parent() -> None:
    """A parent that is killed outright cannot end its workers; they would wait for work for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _map(
    pool: ProcessPoolExecutor, workers: int, work: Callable[[Any], Any], items: Iterable[Any]
) -> Iterator[Any]:
    """At most three items per worker wait in the queue, so a folder of any size takes little memory."""
    remaining = iter(items)
    waiting: set[Future[Any]] = {pool.submit(work, item) for item in islice(remaining, workers * 3)}
    try:
        while waiting:
            finished, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            # A failure ends the run: what finished beside it is handed over first.
            for future in sorted(finished, key=lambda one: one.exception() is not None):
                yield future.result()
            waiting |= {pool.submit(work, item) for item in islice(remaining, len(finished))}
    except BrokenProcessPool as error:
        raise AutoremoveError(
            "A worker process died (often: out of memory).",
            hint="Use fewer --workers and run again: what is finished is kept.",
        ) from error
