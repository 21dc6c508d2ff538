"""What a stage is: a frozen value whose fields decide its output, called with lists of arrays."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, NamedTuple, Protocol

from autoremove.errors import RecipeError

SPEED_ONLY = {"speed_only": True}
"""Metadata of fields that change how fast a stage runs, never what it gives: they stay out of the key."""


class Stage(Protocol):
    """The contract between the runner and a stage."""

    name: ClassVar[str]
    version: ClassVar[int]
    needs: ClassVar[tuple[str, ...]]
    gives: ClassVar[str]

    @property
    def batch(self) -> int: ...

    @property
    def uses(self) -> tuple[str, ...]: ...

    def params(self) -> dict[str, Any]: ...

    def weights_digest(self) -> str | None: ...

    def __call__(self, **slots: list[Any]) -> list[Any]: ...


class Range(NamedTuple):
    """The least and the most that a field takes; without an end, any finite number from ``low`` on."""

    low: float = 0.0
    high: float = math.inf
    hint: str | None = None

    def __str__(self) -> str:
        return f"less than {self.low:g}" if self.high == math.inf else f"outside {self.low:g}..{self.high:g}"


SHARE = Range(0, 1)
"""Chances, scores and parts of a whole."""

LOOK = Range(32, 8192, hint="The memory that a look takes grows with the square of its size.")
"""Sizes at which a detector sees a picture, in pixels; at 20000 a process was killed for its memory."""


@dataclass(frozen=True)
class StageFields:
    """What all stages share: how many pictures at once, where, and which numbers their fields take."""

    batch: int = field(default=1, metadata=SPEED_ONLY, kw_only=True)
    device: str = field(default="cpu", metadata=SPEED_ONLY, kw_only=True)

    name: ClassVar[str]
    ranges: ClassVar[Mapping[str, Range]] = {}
    """By field; of a list or a table of numbers every one is held to it."""

    def __post_init__(self) -> None:
        """Raises RecipeError for a number out of its range."""
        for name, within in self.ranges.items():
            for where, number in _numbers(f"{self.name}.{name}", getattr(self, name)):
                if not math.isfinite(number):
                    raise RecipeError(f"{where}: {number} is not a finite number.", hint=within.hint)
                if not within.low <= number <= within.high:
                    raise RecipeError(f"{where}: {number} is {within}.", hint=within.hint)

    def params(self) -> dict[str, Any]:
        """The fields that decide the output."""
        return {f.name: getattr(self, f.name) for f in fields(self) if not f.metadata.get("speed_only")}

    @property
    def uses(self) -> tuple[str, ...]:
        """Slots that save time when an earlier stage has given them; they decide nothing: no key has them."""
        return ()

    def weights_digest(self) -> str | None:
        """sha256 of the weights in use, or None for a stage without weights."""
        return None


def _numbers(where: str, value: Any) -> list[tuple[str, float]]:
    """What a field holds, and where: one number, those of a list or those of a table."""
    if isinstance(value, Mapping):
        return [(f"{where}.{key}", number) for key, number in value.items()]
    return [(where, number) for number in (value if isinstance(value, (list, tuple)) else (value,))]
