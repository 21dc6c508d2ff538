"""Label files in the YOLO form: one object a line, as a box or as a polygon."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from autoremove.errors import InputError

Row = tuple[int, float, float, float, float]
"""Class, centre x and y, width and height; the last four as shares of the picture."""


def label_files(folder: Path) -> list[Path]:
    """Every label file of a data set, sorted; `classes.txt` among them holds names and no objects."""
    return sorted(path for path in (folder / "labels").glob("*.txt") if path.name != "classes.txt")


def read_labels(path: Path) -> list[Row]:
    """The objects of a label file; of a polygon its extent.

    Raises InputError for a line that is neither, and for a file that cannot be opened.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig", errors="replace").splitlines()
    except OSError as error:
        raise InputError(
            f"{path} cannot be opened ({error.strerror or error}).", hint="Check that it may be read."
        ) from error
    return [_row(path, number, line) for number, line in enumerate(lines, 1) if line.strip()]


def boxes_of(rows: list[Row], size_hw: tuple[int, int]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """xyxy N x 4 in pixels of the upright picture, and N class numbers."""
    shares = np.array([row[1:] for row in rows], np.float32).reshape(-1, 4)
    centre, half = shares[:, :2], shares[:, 2:] / 2
    xyxy = np.concatenate([centre - half, centre + half], 1) * np.array([*size_hw[::-1]] * 2, np.float32)
    return xyxy.astype(np.float32), np.array([row[0] for row in rows], np.int64)


def _row(path: Path, number: int, line: str) -> Row:
    try:
        kind, *values = (float(word) for word in line.split())
    except ValueError:
        raise _wrong(path, number, line) from None
    if not (kind >= 0 and kind.is_integer() and all(-1 <= value <= 2 for value in values)):
        raise _wrong(path, number, line)
    if len(values) == 4:
        return (int(kind), values[0], values[1], values[2], values[3])
    if len(values) < 6 or len(values) % 2:
        raise _wrong(path, number, line)
    (left, right), (top, bottom) = ((min(side), max(side)) for side in (values[::2], values[1::2]))
    return int(kind), (left + right) / 2, (top + bottom) / 2, right - left, bottom - top


def _wrong(path: Path, number: int, line: str) -> InputError:
    shown = line.strip() if len(line.strip()) <= 60 else f"{line.strip()[:57]}..."
    return InputError(
        f"{path}, line {number}: {shown!r} is no object of the YOLO form.",
        hint="A line is `class cx cy w h` or a polygon `class x1 y1 x2 y2 x3 y3 ...`: the class a whole "
        "number from 0, the others shares of the picture.",
    )
