"""What papers and public re-implementations report of the same figures, on other pictures than ours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from autoremove.evaluation.table import Table, number

MARK = "published, other data"
"""Stands at every row of this table: none of these was measured here."""

DOUBT = "from memory"
"""Stands at rows whose source was not opened again when they were written down."""


@dataclass(frozen=True)
class Report:
    """One row of somebody's table.

    ``model``: as the inpaint stage names it. ``source``: whose table. ``data``: on which pictures.
    ``holes``: ``brush`` (free-form), ``box`` (rectangle), or other words. ``bucket``: hole area in
    per cent of the picture, as the evaluations name it; ``all`` where the source does not tell them apart.
    ``figures``: by the keys of `evaluate inpaint`; errors that cover the whole picture are ``l1`` and ``l2``,
    those of the hole alone ``hole_l1`` and ``hole_l2``. ``opened``: read in the source, not remembered.
    """

    model: str
    source: str
    data: str
    holes: str
    figures: Mapping[str, float]
    bucket: str = "all"
    opened: bool = True
    note: str = ""

    @property
    def words(self) -> str:
        """Where it comes from, in one cell."""
        parts = [f"{self.source}, {self.data}", self.note, "" if self.opened else DOUBT]
        return "; ".join(part for part in parts if part)


_V2 = "DeepFillv2 paper, table 1"
_HOLE_ONLY = "likely of the hole alone"

_FREE_FORM = {  # l1 and l2 of rectangles, then of free-form holes, per cent
    "patchmatch": (16.1, 3.9, 11.3, 2.4),
    "glcic": (9.3, 2.2, 21.6, 7.1),
    "deepfillv1": (8.6, 2.1, 17.2, 4.7),
    "partialconv": (9.8, 2.3, 10.4, 1.9),
    "deepfillv2": (8.6, 2.0, 9.1, 1.6),
}

_TENTHS = ("10-20", "20-30", "30-40", "40-50")

_EDGECONNECT = {  # Places2, holes of 10 to 50 per cent
    "deepfillv1": {
        "l1": (2.41, 4.23, 6.15, 8.03),
        "ssim": (0.893, 0.815, 0.739, 0.662),
        "psnr": (24.36, 21.19, 19.13, 17.75),
        "fid": (6.16, 14.17, 24.16, 35.78),
    },
    "glcic": {
        "l1": (2.66, 4.70, 6.78, 8.85),
        "ssim": (0.862, 0.771, 0.686, 0.603),
        "psnr": (23.49, 20.45, 18.50, 17.17),
        "fid": (11.84, 25.11, 39.88, 54.30),
    },
    "partialconv": {
        "l1": (1.14, 1.98, 3.02, 4.11),
        "ssim": (0.869, 0.777, 0.685, 0.589),
        "psnr": (28.02, 24.90, 22.45, 20.86),
    },
    "edgeconnect": {
        "l1": (1.50, 2.59, 3.77, 5.14),
        "ssim": (0.920, 0.861, 0.799, 0.731),
        "psnr": (27.95, 24.92, 22.84, 21.16),
        "fid": (2.32, 4.91, 8.91, 14.98),
    },
}

_SIXTHS = ("0-10", "10-20", "20-30", "30-40", "40-50", "50-60")

_PARTIAL = {  # holes that keep off the border of the picture; 1 to 60 per cent
    "partialconv": {
        "l1": (0.49, 1.18, 2.07, 3.19, 4.37, 6.45),
        "psnr": (33.75, 27.71, 24.54, 22.01, 20.34, 18.21),
        "ssim": (0.946, 0.867, 0.775, 0.681, 0.583, 0.476),
    },
    "patchmatch": {"psnr": (32.97, 26.87, 23.70, 21.27, 19.70, 17.60)},
    "glcic": {"psnr": (30.17, 23.87, 20.92, 18.80, 17.60, 16.90)},
}

_RETRAINED = {  # mmagic's own weights on Places365 val: l1 of the hole, PSNR, SSIM
    "deepfillv2": ("free-form", (8.635, 22.398, 0.815)),
    "deepfillv1": ("rectangles", (11.019, 23.429, 0.862)),
    "glcic": ("rectangles", (11.164, 23.152, 0.862)),
    "partialconv": ("free-form", (8.776, 22.762, 0.801)),
}


def _first_table() -> list[Report]:
    rows = []
    for model, (box_l1, box_l2, free_l1, free_l2) in _FREE_FORM.items():
        for holes, l1, l2 in (("brush", free_l1, free_l2), ("box", box_l1, box_l2)):
            figures = {"hole_l1": l1, "hole_l2": l2}
            rows.append(Report(model, _V2, "Places2 val", holes, figures, note=_HOLE_ONLY))
    return rows


def _by_share(
    table: Mapping[str, Mapping[str, Sequence[float]]], buckets: Sequence[str], source: str, note: str
) -> list[Report]:
    return [
        Report(
            model,
            source,
            "Places2",
            "brush",
            {key: values[place] for key, values in columns.items()},
            bucket,
            opened=False,
            note=note,
        )
        for model, columns in table.items()
        for place, bucket in enumerate(buckets)
    ]


def _retrained() -> list[Report]:
    rows = []
    for model, (holes, (l1, psnr, ssim)) in _RETRAINED.items():
        figures = {"hole_l1": l1, "psnr": psnr, "ssim": ssim}
        kind = "brush" if holes == "free-form" else "box"
        rows.append(Report(model, "mmagic's own weights", "Places365 val", kind, figures))
    return rows


def _single() -> list[Report]:
    """Rows that are in no larger table."""
    paper = {"hole_l1": 8.6, "hole_l2": 2.1, "psnr": 18.91}
    edge = ("EdgeConnect paper, fixed 25 %", "Places2", "box")
    return [
        Report("deepfillv1", "DeepFillv1 paper", "Places2", "box", paper, opened=False),
        Report(
            "edgeconnect",
            *edge,
            {"l1": 3.86, "ssim": 0.823, "psnr": 21.75, "fid": 8.16},
            "20-30",
            opened=False,
        ),
        Report(
            "deepfillv1",
            *edge,
            {"l1": 4.37, "ssim": 0.818, "psnr": 20.65, "fid": 8.31},
            "20-30",
            opened=False,
        ),
        Report(
            "glcic", *edge, {"l1": 4.12, "ssim": 0.814, "psnr": 21.34, "fid": 8.42}, "20-30", opened=False
        ),
    ]


REPORTS: tuple[Report, ...] = (
    *_first_table(),
    *_by_share(_EDGECONNECT, _TENTHS, "EdgeConnect paper", "errors and SSIM of the grey picture"),
    *_by_share(_PARTIAL, _SIXTHS, "partial convolution paper", "holes off the border"),
    *_retrained(),
    *_single(),
)
"""Of GAIN no numbers were found; diffusion has no row in these tables."""


@dataclass(frozen=True)
class Size:
    """Parameters that a paper or its code has. ``counted``: from the public definition, not from the text."""

    parameters: int
    about: str
    counted: bool = True
    seconds: Mapping[str, float] = field(default_factory=dict)


SIZES = {
    "deepfillv2": Size(
        4_052_478, "official code", seconds={"512 on a V100": 0.21, "512 on a Xeon of 2 GHz": 1.9}
    ),
    "deepfillv1": Size(3_601_542, "official code; the paper says 2.9 million"),
    "edgeconnect": Size(21_535_684, "both generators"),
    "partialconv": Size(25_780_000, "7 levels, for 256 x 256; 32.86 million with 8"),
    "gain": Size(207_000_000, "estimated from the widths in the paper, decoder left out", counted=False),
}
"""Of the networks as published; the seconds are the paper's, from memory."""


@dataclass(frozen=True)
class Judged:
    """What people said in a paper: ``kind`` as the tasks of `autoremove study`, ``value`` in its ``unit``."""

    model: str
    kind: str
    value: float
    unit: str
    source: str
    opened: bool = True


_SCORE = ("score", "of 10", "DeepFillv2 paper, Places2")
_CHOSEN = ("pair", "% taken for the truth", "EdgeConnect paper, Places2, holes of 10-20 %")

JUDGED = (
    Judged("truth", _SCORE[0], 9.89, *_SCORE[1:]),
    Judged("deepfillv2", _SCORE[0], 7.72, *_SCORE[1:]),
    Judged("partialconv", _SCORE[0], 7.07, *_SCORE[1:]),
    Judged("edgeconnect", _CHOSEN[0], 39.7, *_CHOSEN[1:], opened=False),
    Judged("deepfillv1", _CHOSEN[0], 21.0, *_CHOSEN[1:], opened=False),
    Judged("glcic", _CHOSEN[0], 16.9, *_CHOSEN[1:], opened=False),
)
"""Human judgement, to stand beside `autoremove study score`."""


def reports(model: str, holes: str, bucket: str | None = None) -> list[Report]:
    """The published rows of a model for one kind of holes, of one bucket or of all.

    ``silhouettes`` have no published table; they get those of ``brush``.
    """
    kind = "brush" if holes == "silhouettes" else holes
    return [
        report
        for report in REPORTS
        if report.model == model and report.holes == kind and bucket in (None, report.bucket)
    ]


def judged_table() -> Table:
    """What people said, one row a model."""
    rows = [["model", "figure", "value", "source"]]
    for row in JUDGED:
        source = row.source if row.opened else f"{row.source}; {DOUBT}"
        rows.append([row.model, row.unit, number(row.value, ".2f"), f"{MARK}: {source}"])
    return rows
