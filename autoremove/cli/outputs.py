"""Where a command writes the picture it makes of another: neither an input nor a mask is replaced."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from autoremove.errors import OutputError, UsageError

SAME_FORMAT = (
    frozenset((".jpg", ".jpeg", ".jpe", ".jfif")),
    frozenset((".tif", ".tiff")),
    frozenset((".heic", ".heif", ".hif")),
)
"""Endings that mean one format."""


def output_file(image: Path, output: Path, *others: Path) -> Path:
    """The file to write for a picture; in ``output`` if that is a folder.

    ``others``: further inputs. Raises OutputError where it is an input or lies among masks of
    `autoremove mask`, UsageError for a name that claims another format.
    """
    target = output / image.name if output.is_dir() else output
    refuse_replacing(target, [image, *others])
    if target.exists():
        refuse_masks(target.parent, [target])
    endings = image.suffix.lower(), target.suffix.lower()
    if endings[0] != endings[1] and not any(set(endings) <= group for group in SAME_FORMAT):
        raise UsageError(
            f"The output keeps the format of the picture, and {target.name} is named like another.",
            hint=f"Name it {target.stem}{image.suffix}.",
        )
    return target


def refuse_replacing(target: Path, given: Iterable[Path]) -> None:
    """Raises OutputError where the file to write is one of those that are read."""
    for path in given if target.exists() else ():
        if path.exists() and target.samefile(path):
            raise OutputError(
                f"The output {target} is the input{'' if path == target else f' {path}'}.",
                hint="Inputs are never changed: name another.",
            )


def refuse_masks(output: Path, targets: Iterable[Path], hint: str = "Choose another --output.") -> None:
    """Pictures must not take the place of masks, some of which have the same names.

    ``targets``: the files that would be written. Raises OutputError.
    """
    from autoremove import journal
    from autoremove.own_masks.coco import is_ours
    from autoremove.own_masks.names import COCO, is_there, objects_name

    written = {Path(row.output) for row in journal.read(output / journal.NAME).values() if row.output}
    replaced = {path for path in targets if path.is_file()}
    beside = {objects_name(path) for path in written | replaced} - written - replaced
    if is_ours(output / COCO) or any(map(is_there, beside)):  # stopped, there is no COCO file yet
        raise OutputError(f"The folder {output} holds masks of `autoremove mask`.", hint=hint)
