"""Where a command writes the picture it makes of another: the format is kept, the input never replaced."""

from __future__ import annotations

from pathlib import Path

from autoremove.errors import OutputError, UsageError

SAME_FORMAT = (
    frozenset((".jpg", ".jpeg", ".jpe", ".jfif")),
    frozenset((".tif", ".tiff")),
    frozenset((".heic", ".heif", ".hif")),
)
"""Endings that mean one format."""


def output_file(image: Path, output: Path) -> Path:
    """The file to write for a picture; in ``output`` if that is a folder.

    Raises OutputError where it is the input, UsageError for a name that claims another format.
    """
    target = output / image.name if output.is_dir() else output
    if target.exists() and target.samefile(image):
        raise OutputError(
            f"The output {target} is the input.", hint="Inputs are never changed: name another."
        )
    endings = image.suffix.lower(), target.suffix.lower()
    if endings[0] != endings[1] and not any(set(endings) <= group for group in SAME_FORMAT):
        raise UsageError(
            f"The output keeps the format of the picture, and {target.name} is named like another.",
            hint=f"Name it {target.stem}{image.suffix}.",
        )
    return target
