"""Contact sheets: captioned pictures in rows, and the worst cases of an evaluation."""

from __future__ import annotations

import heapq
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np

from autoremove.evaluation.matching import Boxes
from autoremove.types import Image, Mask

TRUE, RIGHT, WRONG, MISSED = (70, 130, 255), (60, 200, 90), (235, 60, 50), (255, 190, 0)
"""Colours of boxes: a true one that was found, a right find, a false find, a true one that was missed."""


def cell(image: Image, caption: str = "", side: int = 256) -> Image:
    """The picture with its longer side at ``side`` pixels, centred on a strip so wide; its caption below.

    A caption too long for one line takes up to three.
    """
    height, width = image.shape[:2]
    scale = side / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    small = np.asarray(cv2.resize(image, size, interpolation=how), np.uint8)
    lines = textwrap.wrap(caption, max(1, side // 6))[:3]
    canvas = np.full((size[1] + 4 + 14 * max(1, len(lines)), side, 3), 255, np.uint8)
    left = (side - size[0]) // 2
    canvas[: size[1], left : left + size[0]] = small
    for number, line in enumerate(lines):
        at = (2, size[1] + 13 + 14 * number)
        cv2.putText(canvas, line, at, cv2.FONT_HERSHEY_SIMPLEX, 0.36, (0, 0, 0), 1, cv2.LINE_AA)
    return canvas


def boxed(image: Image, groups: Sequence[tuple[Boxes, tuple[int, int, int]]]) -> Image:
    """A copy with boxes drawn in each group's colour."""
    canvas = np.ascontiguousarray(image).copy()
    width = max(1, round(max(canvas.shape[:2]) / 300))
    for boxes, colour in groups:
        for x1, y1, x2, y2 in np.rint(boxes).astype(int).tolist():
            cv2.rectangle(canvas, (x1, y1), (x2 - 1, y2 - 1), colour, width)
    return np.asarray(canvas, np.uint8)


def tinted(image: Image, mask: Mask, colour: tuple[int, int, int]) -> Image:
    """A copy with the mask laid over it, half transparent."""
    canvas = image.copy()
    canvas[mask] = (image[mask].astype(np.float32) * 0.5 + np.array(colour) * 0.5).astype(np.uint8)
    return np.asarray(canvas, np.uint8)


def blanked(image: Image, hole: Mask) -> Image:
    """A copy with the hole in white."""
    return np.asarray(np.where(hole[..., None], 255, image), np.uint8)


def write_sheet(path: Path, rows: Sequence[Sequence[Image]], gap: int = 4) -> None:
    """Lay cells of one width out in rows on white and write a PNG; nothing is written without rows."""
    from autoremove.images.atomic import appearing

    if not rows:
        return
    width, columns = rows[0][0].shape[1], max(len(row) for row in rows)
    heights = [max(len(picture) for picture in row) for row in rows]
    sheet = np.full((sum(heights) + gap * (len(rows) + 1), columns * (width + gap) + gap, 3), 255, np.uint8)
    for r, row in enumerate(rows):
        y = gap + sum(heights[:r]) + r * gap
        for c, picture in enumerate(row):
            x = gap + c * (width + gap)
            sheet[y : y + len(picture), x : x + width] = picture
    with appearing(path) as stream:
        stream.write(cv2.imencode(".png", np.ascontiguousarray(sheet[..., ::-1]))[1].tobytes())


class Worst:
    """The ``count`` worst cases seen so far; a case is drawn only when it is among them."""

    def __init__(self, count: int = 20) -> None:
        self.count = count
        self._kept: list[tuple[float, int, list[Image]]] = []
        self._seen = 0

    def add(self, badness: float, draw: Callable[[], list[Image]]) -> None:
        """One case: how bad it is, and what makes its cells."""
        self._seen += 1
        if len(self._kept) < self.count:
            heapq.heappush(self._kept, (badness, -self._seen, draw()))
        elif badness > self._kept[0][0]:
            heapq.heapreplace(self._kept, (badness, -self._seen, draw()))

    def rows(self, cases_a_row: int = 1) -> list[list[Image]]:
        """The cells, worst first, so many cases in each row."""
        cases = [cells for _, _, cells in sorted(self._kept, key=lambda case: case[:2], reverse=True)]
        groups = [cases[i : i + cases_a_row] for i in range(0, len(cases), cases_a_row)]
        return [[picture for cells in group for picture in cells] for group in groups]
