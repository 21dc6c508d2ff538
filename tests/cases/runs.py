"""How the folder of photos ends, and what a run of the whole job leaves on the disk."""

from __future__ import annotations

from pathlib import Path

from autoremove import journal
from autoremove.folder import Plan
from autoremove.journal import DONE, FAILED, UNCHANGED, Row
from autoremove.recipe import Recipe
from autoremove.store import Store
from tests.cases import chain

ENDS = {
    "a.jpg": DONE,
    "sub/b.png": DONE,
    "sub/deep/c.png": DONE,
    "grey.png": UNCHANGED,
    "landscape.jpg": UNCHANGED,
    "sub/empty-room.png": UNCHANGED,
    "truncated.jpg": FAILED,
    "empty.png": FAILED,
    "letter.jpg": FAILED,
}
"""What becomes of each picture of :func:`tests.cases.photos.folder`."""


def plan(folder: Path, recipe: Recipe | None = None) -> Plan:
    """The chain without networks, with its store in ``folder``."""
    return Plan(recipe or chain.recipe(), Store(folder / "store"))


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def pictures(output: Path) -> dict[str, bytes]:
    ours = (journal.NAME, "recipe.yaml")
    return {name: data for name, data in files(output).items() if name not in ours}


def stamps(output: Path) -> dict[str, int]:
    """When each picture of an output was written."""
    return {name: (output / name).stat().st_mtime_ns for name in pictures(output)}


def ends(rows: list[Row]) -> dict[str, str]:
    """How each picture ended; there is exactly one row of each."""
    assert len({row.relative for row in rows}) == len(rows)
    return {row.relative: row.status for row in rows}
