"""What a stage is: a frozen value whose fields decide its output, called with lists of arrays."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Protocol

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


@dataclass(frozen=True)
class StageFields:
    """What all stages share: how many pictures at once, and where."""

    batch: int = field(default=1, metadata=SPEED_ONLY, kw_only=True)
    device: str = field(default="cpu", metadata=SPEED_ONLY, kw_only=True)

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
