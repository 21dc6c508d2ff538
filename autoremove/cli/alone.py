"""One run at a time in an output folder, with nothing half-written left behind by it or a killed one."""

from __future__ import annotations

import errno
import multiprocessing
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from autoremove.errors import OutputError

_HALF_WRITTEN = re.compile(r"\.[0-9a-f]{16}\.part|\.part-[0-9a-f]{16}")
"""The names that files have before they are whole, as ``images.atomic`` and ``store`` give them."""


@contextmanager
def alone_in(output: Path) -> Iterator[None]:
    """Hold the output folder; raises OutputError if another run does.

    Whatever ends the run, its worker processes end with it.
    """
    handle = _opened(output)
    try:
        _lock(handle, output)
        sweep(output)  # a run that was killed could not
        try:
            yield
        except BaseException:
            end_workers()
            sweep(output)
            raise
    finally:
        if handle is not None:
            os.close(handle)


def _opened(output: Path) -> int | None:
    """The folder, made if need be, as a handle; None on systems that cannot open folders."""
    try:
        output.mkdir(parents=True, exist_ok=True)
        return os.open(output, os.O_RDONLY) if os.name == "posix" else None
    except OSError as error:
        raise OutputError(
            f"The output folder {output} cannot be used: {error.strerror or error}.",
            hint="Choose another --output.",
        ) from error


def _lock(handle: int | None, output: Path) -> None:
    if handle is None:
        return
    import fcntl

    try:
        # The system lets go of it when this process ends, however it ends: no stale lock is ever left.
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            raise OutputError(
                f"Another run is writing to {output}.", hint="Wait until it ends, or choose another --output."
            ) from error
        # Some network disks know no locks: go on without.


def sweep(output: Path) -> None:
    """Delete files that a killed run left half-written."""
    for folder, _, names in os.walk(output):
        for name in names:
            if _HALF_WRITTEN.fullmatch(name):
                (Path(folder) / name).unlink(missing_ok=True)


def end_workers() -> None:
    """End this process's workers now; what they were at is done again next time."""
    children = multiprocessing.active_children()
    for child in children:
        child.terminate()
    for child in children:
        child.join(5)
        if child.is_alive():
            child.kill()
