"""What of a data set cannot be read: told and left out, while the others are measured."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from autoremove.errors import InputError, PictureError

T = TypeVar("T")

_log = logging.getLogger("autoremove")


@dataclass(frozen=True)
class Unread:
    """``told``: what is wrong, a line for each file."""

    told: list[str] = field(default_factory=list)

    def add(self, error: InputError | PictureError) -> None:
        """Tell it, once."""
        if str(error) not in self.told:
            self.told.append(str(error))
            _log.warning("Left out: %s", error)

    def attempt(self, read: Callable[[], T]) -> T | None:
        """What ``read`` gives; None where it raises that a file cannot be used."""
        try:
            return read()
        except (InputError, PictureError) as error:
            self.add(error)
            return None

    def refuse_nothing(self, measured: int) -> None:
        """Raise InputError where what could be read is nothing at all."""
        if self.told and not measured:
            raise InputError(f"None of the pictures can be read and measured: {self.told[0]}")
