"""The published figures: complete in their columns, marked, and of models that the bench knows."""

from __future__ import annotations

import pytest

from autoremove.evaluation.published import DOUBT, MARK, REPORTS, SIZES, judged_table, reports
from autoremove.evaluation.table import INPAINT_COLUMNS
from autoremove.models.families import INPAINTERS
from autoremove.stages.inpaint import MODELS


def test_every_row_is_of_a_model_and_figure_that_are_measured_here() -> None:
    measured = {*INPAINT_COLUMNS, "l1", "l2"}
    for report in REPORTS:
        assert report.model in {*MODELS, *INPAINTERS}
        assert report.figures and set(report.figures) <= measured
        assert report.holes in ("brush", "box")


def test_no_row_stands_twice() -> None:
    keys = [(r.model, r.source, r.data, r.holes, r.bucket) for r in REPORTS]
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize(
    ("model", "holes", "bucket", "source", "figures"),
    [
        ("deepfillv2", "brush", "all", "DeepFillv2 paper", {"hole_l1": 9.1, "hole_l2": 1.6}),
        ("partialconv", "box", "all", "DeepFillv2 paper", {"hole_l1": 9.8, "hole_l2": 2.3}),
        (
            "edgeconnect",
            "brush",
            "40-50",
            "EdgeConnect",
            {"l1": 5.14, "ssim": 0.731, "psnr": 21.16, "fid": 14.98},
        ),
        ("partialconv", "brush", "50-60", "partial conv", {"l1": 6.45, "psnr": 18.21, "ssim": 0.476}),
        ("partialconv", "brush", "all", "mmagic", {"hole_l1": 8.776, "psnr": 22.762, "ssim": 0.801}),
    ],
)
def test_figures_stand_in_their_places(
    model: str, holes: str, bucket: str, source: str, figures: dict[str, float]
) -> None:
    (found,) = [report for report in reports(model, holes, bucket) if report.source.startswith(source)]
    assert found.figures == figures


def test_larger_holes_are_harder_in_every_table() -> None:
    for model in ("partialconv", "edgeconnect", "deepfillv1", "glcic"):
        for source in ("EdgeConnect paper", "partial convolution paper"):
            rows = [report for report in reports(model, "brush") if report.source == source]
            psnr = [report.figures["psnr"] for report in rows]
            assert psnr == sorted(psnr, reverse=True)


def test_what_was_not_opened_again_says_so() -> None:
    for report in REPORTS:
        assert (DOUBT in report.words) == (not report.opened)
    assert all(MARK in row[-1] for row in judged_table()[1:])


def test_object_shaped_holes_get_the_rows_of_free_form_ones() -> None:
    assert reports("deepfillv2", "silhouettes") == reports("deepfillv2", "brush") != []


def test_the_published_sizes_are_those_of_the_networks_here() -> None:
    for name in ("deepfillv1", "edgeconnect"):
        network = INPAINTERS[name].load().build({})
        assert sum(p.numel() for p in network.parameters()) == SIZES[name].parameters
