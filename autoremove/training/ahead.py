"""The coming batches are made while the network learns from this one: in a thread, or in processes."""

from __future__ import annotations

import os
import platform
import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Generic, Protocol, TypeVar, cast

import cv2
import numpy as np
import torch
from torch.utils.data import DataLoader

from autoremove.errors import AutoremoveError

Made = TypeVar("Made")
Item = TypeVar("Item")

WAITING = 4
"""Batches that each process may have ready."""

MANY = 200
"""Files for which it pays to start processes."""


class Keyed(Protocol):
    """Makes the batch of a key: arrays, or tuples or dictionaries of them. Must not use torch."""

    def __getitem__(self, key: Any) -> Any: ...


def in_processes(made: Keyed, keys: Iterable[Any], workers: int, *, to_gpu: bool = True) -> Iterator[Any]:
    """``made[key]`` for each of the keys in order, its arrays as tensors, made by so many processes.

    Keys are drawn some way ahead of what has been taken. What a process raised is raised here. ``to_gpu``:
    where there is one, put tensors into memory from which it copies them quickly.
    """
    loader: DataLoader[Any] = DataLoader(
        made,  # type: ignore[arg-type]
        sampler=keys,
        batch_size=None,
        num_workers=workers,
        prefetch_factor=WAITING,
        pin_memory=to_gpu and torch.cuda.is_available(),
        worker_init_fn=_alone,
        multiprocessing_context="fork",  # pictures are in memory already, and are not copied so
    )
    return iter(loader)


class _Read(Generic[Item, Made]):
    def __init__(self, read: Callable[[Item], Made], items: Sequence[Item]) -> None:
        self.read, self.items = read, items

    def __getitem__(self, number: int) -> tuple[Made | AutoremoveError]:
        try:
            return (self.read(self.items[number]),)
        except AutoremoveError as error:  # raised here, it would come out as the text of a traceback
            return (error,)


def read_all(read: Callable[[Item], Made], items: Sequence[Item]) -> Iterator[Made]:
    """``read`` of every item in order, many of them on all cores: decoders keep a process to themselves."""
    cores = processes(torch.get_num_threads())
    if cores < 2 or len(items) < MANY:
        yield from map(read, items)
        return
    for (made,) in in_processes(_Read(read, items), range(len(items)), cores, to_gpu=False):
        if isinstance(made, AutoremoveError):
            raise made
        # Arrays come back as tensors.
        yield cast(Made, made.numpy() if torch.is_tensor(made) else made)


def processes(wanted: int) -> int:
    """``wanted`` on Linux, where a process can go on as two with one memory; elsewhere 0."""
    return wanted if platform.system() == "Linux" else 0


def _alone(_: int) -> None:
    """Each process is one of several: threads of its own would only stand in their way.

    The process of the network goes first: while it waits for a core, a GPU waits for it. It also decides what
    Ctrl-C means, which is sent to all; and asked to end, these end.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    cv2.setNumThreads(0)
    os.nice(5)


class Ahead(Generic[Made]):
    """Calls ``make`` before its result is asked for; batch ``n`` follows from seed, ``n`` and what is asked.

    Without ``workers`` one call goes ahead in a thread: what makes pictures (OpenCV, numpy) lets others run,
    and a network on two cores left one idle meanwhile. With them so many processes make the coming batches,
    and arrays come back as tensors: that feeds a GPU. ``make`` must not use torch: in a second thread that
    starts a second team of workers.
    """

    def __init__(
        self, make: Callable[[float, np.random.Generator], Made], seed: int, workers: int = 0
    ) -> None:
        self._make, self._seed = make, seed
        self._workers = processes(workers)
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="batches")
        self.go_on_from(0)

    def go_on_from(self, number: int) -> None:
        """The next batch is this one; what was made ahead is dropped, as when a run is resumed."""
        self._number, self._asked = number, 0.0
        self._coming: Future[Made] | None = None
        self._stream: Iterator[Made] | None = None

    def next(self, asked: float = 0.0) -> Made:
        """The next batch, made with what an earlier call asked for (the first: with what is asked for now).

        Raises whatever ``make`` raised.
        """
        self._asked = asked
        if self._workers:
            if self._stream is None:
                self._stream = in_processes(self, self._keys(), self._workers)
            return next(self._stream)
        coming = self._coming or self._pool.submit(self.__getitem__, self._key())
        made = coming.result()
        self._coming = self._pool.submit(self.__getitem__, self._key())
        return made

    def __getitem__(self, key: tuple[int, float]) -> Made:
        number, asked = key
        return self._make(asked, np.random.default_rng((self._seed, number)))

    def _keys(self) -> Iterator[tuple[int, float]]:
        while True:
            yield self._key()

    def _key(self) -> tuple[int, float]:
        self._number += 1
        return self._number - 1, self._asked
