"""The stack on which a thread's signals are handled (sigaltstack), kept as it was."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager

ON_STACK = 1
"""Flag of a stack in use, which cannot be set (SS_ONSTACK of Linux)."""


class SignalStack(ctypes.Structure):
    """stack_t of Linux."""

    _fields_ = (("sp", ctypes.c_void_p), ("flags", ctypes.c_int), ("size", ctypes.c_size_t))


def current() -> SignalStack | None:
    """The signal stack of this thread; None where it cannot be told."""
    if not sys.platform.startswith("linux"):
        return None
    stack = SignalStack()
    failed = ctypes.CDLL(None).sigaltstack(None, ctypes.byref(stack))
    return None if failed else stack


@contextmanager
def kept() -> Iterator[None]:
    """What runs inside may set another signal stack; afterwards the thread has its own again."""
    before = current()
    try:
        yield
    finally:
        if before is not None and not before.flags & ON_STACK:
            ctypes.CDLL(None).sigaltstack(ctypes.byref(before), None)
