"""Which fills of a model are its best and its worst, and what the worst have in common."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from autoremove.evaluation.fills import Row
from autoremove.evaluation.metrics import SEAM_RANGE, SHARPNESS_RANGE
from autoremove.evaluation.sheet import blanked, cell, write_sheet
from autoremove.stages.quality import dilated, ring_width
from autoremove.types import Image, Mask

SHOWN = 10
"""Fills in each group of the sheet."""

WORST = 0.25
"""The share of the fills that counts as the worst."""

LOOKS = 3.0
"""dB that a fill loses in the ranking for each factor of two by which its sharpness or its seam is off."""

LARGE, THICK = 0.2, 0.2
"""A hole is large from this share of the square on, and thick when a pixel of it lies so many sides deep."""

FLAT, TEXTURED = 10.0, 30.0
"""Deviation of the Laplacian in the ring, in grey levels, below which it is flat and above which textured."""

CROSSINGS = 12
"""Strong edges (texture smoothed away) that meet a hole's outline, from which they are many."""

UNLIKE = 55.0
"""Grey levels of colour deviation in the ring from which a hole lies between unlike things."""

OFF_COLOUR = 8.0
"""Per cent of the range by which the mean colour of a fill is off before it is called wrong."""


TRAITS = (
    "large_hole",
    "thick_hole",
    "touching_border",
    "flat_surroundings",
    "textured_surroundings",
    "many_edges_cross",
    "between_unlike_things",
    "blurred",
    "too_sharp",
    "seam_shows",
    "wrong_colour",
)
"""What can be special about a hole, and what can be wrong with a fill."""


@dataclass(frozen=True)
class Ranked:
    """One fill of the ranked model: its case, its figures and score, and what is special about it."""

    number: int
    repeat: int
    name: str
    row: Row
    score: float
    traits: tuple[str, ...]

    def words(self) -> str:
        """What is special about the hole, and what is wrong with the fill."""
        return ", ".join(name.replace("_", " ") for name in self.traits) or "nothing special"

    def figures(self) -> str:
        """Figures as a caption shows them."""
        row = self.row
        return (
            f"{row['hole_psnr']:.1f} dB, score {self.score:+.1f}, "
            f"sharpness {row['sharpness']:.2f}, seam {row['seam']:.2f}"
        )


@dataclass
class Ranking:
    """Takes in the fills of a run one by one."""

    entries: list[Ranked] = field(default_factory=list)

    def add(self, case: tuple[int, int, str], truth: Image, hole: Mask, rows: Sequence[Row]) -> None:
        """One hole: ``rows`` are the figures of all models there, the ranked one's first."""
        special = (*traits_of(truth, hole), *faults_of(rows[0]))
        self.entries.append(Ranked(*case, rows[0], score_of(rows), special))

    def order(self) -> list[Ranked]:
        """Best first."""
        return sorted(self.entries, key=lambda entry: -entry.score)

    def causes(self) -> dict[str, Any]:
        """How often each trait and fault occurs among the worst quarter, the best quarter and all fills."""
        order = self.order()
        count = max(1, round(len(order) * WORST)) if order else 0
        groups = {"worst": order[len(order) - count :], "best": order[:count], "fills": order}
        traits = [name for name in TRAITS if any(name in entry.traits for entry in order)]
        return {
            name: {"all": len(entries), **{key: sum(key in e.traits for e in entries) for key in traits}}
            for name, entries in groups.items()
        }

    def groups(self, most: int = SHOWN) -> dict[str, list[Ranked]]:
        """The best, the median and the worst fills, as many of each; the worst one first in its group."""
        order = self.order()
        count = min(most, len(order) // 3)
        if not count:
            return {"best": order}
        start = (len(order) - count) // 2
        return {
            "best": order[:count],
            "median": order[start : start + count],
            "worst": order[: -count - 1 : -1],
        }


def score_of(rows: Sequence[Row]) -> float:
    """How well the first of several fills of one hole looks, in dB; higher is better.

    Its hole PSNR over the mean of all (by itself: over nothing), for a hole in grass is harder than one in
    the sky; less LOOKS for each factor of two of its sharpness and its seam: a blur has a good PSNR and is
    seen at once.
    """
    own = rows[0]
    level = float(np.mean([row["hole_psnr"] for row in rows])) if len(rows) > 1 else 0.0
    off = [abs(float(np.log2(max(own[key], 1e-3)))) for key in ("sharpness", "seam") if own[key] == own[key]]
    return own["hole_psnr"] - level - LOOKS * sum(off)


def traits_of(truth: Image, hole: Mask) -> tuple[str, ...]:
    """What is special about a hole in a picture: its size, its place and what surrounds it."""
    grey = cv2.cvtColor(truth, cv2.COLOR_RGB2GRAY)
    ring = dilated(hole, 2 + ring_width(int(hole.sum()))) & ~hole
    outline = dilated(hole, 1) & ~hole
    detail = float(cv2.Laplacian(grey, cv2.CV_64F, ksize=1)[ring].std())
    strong = cv2.Canny(cv2.GaussianBlur(grey, (0, 0), 2), 40, 100)
    edges = cv2.dilate(strong, np.ones((3, 3), np.uint8)) > 0
    crossings = cv2.connectedComponents((edges & outline).astype(np.uint8))[0] - 1
    depth = cv2.distanceTransform(hole.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE).max()
    special = {
        "large_hole": hole.mean() >= LARGE,
        "thick_hole": depth >= THICK * min(hole.shape),
        "touching_border": any(edge.any() for edge in (hole[0], hole[-1], hole[:, 0], hole[:, -1])),
        "flat_surroundings": detail < FLAT,
        "textured_surroundings": detail > TEXTURED,
        "many_edges_cross": crossings >= CROSSINGS,
        "between_unlike_things": float(truth[ring].std(0).mean()) > UNLIKE,
    }
    return tuple(name for name, holds in special.items() if holds)


def faults_of(row: Row) -> tuple[str, ...]:
    """What can be said against a fill."""
    faults = {
        "blurred": row["sharpness"] < SHARPNESS_RANGE[0],
        "too_sharp": row["sharpness"] > SHARPNESS_RANGE[1],
        "seam_shows": row["seam"] > SEAM_RANGE[1],
        "wrong_colour": row["colour"] > OFF_COLOUR,
    }
    return tuple(name for name, holds in faults.items() if holds)


def write_ranked(path: Path, ranking: Ranking, redo: Callable[[Ranked], tuple[Image, Mask, Image]]) -> None:
    """A sheet of three columns (best, median, worst), each with hole, fill and truth of up to ten fills.

    ``redo`` gives the true picture, the hole and the fill of an entry once more, so that none is kept.
    """
    groups = ranking.groups()
    rows: list[list[Image]] = [[] for _ in range(max(map(len, groups.values()), default=0))]
    for group, entries in groups.items():
        for place, entry in enumerate(entries, 1):
            truth, hole, fill = redo(entry)
            about = f"{group} {place}: {entry.row['share']:.0%} of {entry.name}"
            rows[place - 1] += [
                cell(blanked(truth, hole), about),
                cell(fill, entry.figures()),
                cell(truth, entry.words()),
            ]
    write_sheet(path, rows)
