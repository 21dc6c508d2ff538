"""Numbers that no stage can work with are refused when the recipe is read, and the usual ones are not."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import pytest

from autoremove.errors import RecipeError
from autoremove.recipe import build_stage
from autoremove.stages import STAGES, stage_class

WRONG: list[tuple[str, str, Any]] = [
    ("detect", "confidence", 3.0),
    ("detect", "confidence", -0.1),
    ("detect", "iou", 9.0),
    ("detect", "sizes", [20000]),
    ("detect", "sizes", [640, 31]),
    ("detect", "max_det", 0),
    ("select", "confidence", 1.1),
    ("select", "attach_confidence", -0.1),
    ("select", "min_size", -1.0),
    ("select", "max_count", -1),
    ("refine", "threshold", 7.0),
    ("refine", "loose", -1.0),
    ("refine", "grow", -1.0),
    ("refine", "grow_min", -1),
    ("refine", "grow_max", -5),
    ("shadow", "strength", 3.1),
    ("shadow", "reach", -0.1),
    ("shadow", "max_area", -0.1),
    ("inpaint", "soft_from", -0.1),
    ("inpaint", "side", 15),
    ("inpaint", "context", -0.4),
    ("inpaint", "max_share", -1.0),
    ("inpaint", "max_share", 1.1),
    ("inpaint", "radius", -3),
    ("inpaint", "radius", 101),
    ("inpaint", "crops", 0),
    ("composite", "match", 9.0),
    ("composite", "reach", -0.1),
    ("composite", "feather", 1.1),
    ("composite", "grain", -4.0),
    ("audit", "confidence", 5.0),
    ("audit", "sizes", [8193]),
    ("audit", "grow", -2.0),
    ("audit", "grow", 3.1),
    ("audit", "blur", -0.1),
    ("audit", "seam", -0.1),
    ("audit", "crops", 0),
]


@pytest.mark.parametrize(("stage", "field", "value"), WRONG)
def test_a_number_out_of_range_is_refused_by_name(stage: str, field: str, value: Any) -> None:
    with pytest.raises(RecipeError, match=rf"^{stage}\.{field}: "):
        build_stage(stage, {field: value}, "cpu")


def test_every_number_of_a_stage_has_a_range() -> None:
    without = [
        f"{name}.{field.name}"
        for name in STAGES
        for field in dataclasses.fields(stage_class(name))
        if str(field.type).startswith(("int", "float", "tuple[int", "Mapping[str, float"))
        and field.name not in stage_class(name).ranges
    ]
    assert set(without) == {f"{name}.batch" for name in STAGES}


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_what_is_no_number_is_refused(value: float) -> None:
    with pytest.raises(RecipeError, match=r"inpaint\.context: (nan|inf) is not a finite number"):
        stage_class("inpaint")(context=value)


def test_each_entry_of_a_table_is_looked_at() -> None:
    with pytest.raises(RecipeError, match=r"refine\.grow_of\.car: -1\.0 is less than 0\."):
        build_stage("refine", {"grow_of": {"bus": 1.0, "car": -1.0}}, "cpu")
    with pytest.raises(RecipeError, match=r"select\.thresholds\.car: 2\.0 is outside 0\.\.1\."):
        build_stage("select", {"thresholds": {"car": 2.0}}, "cpu")


@pytest.mark.parametrize(
    ("stage", "values"),
    [
        ("detect", {"sizes": [32, 8192], "confidence": 0, "iou": 1.0}),
        ("select", {"confidence": 1, "min_size": 300.0, "max_count": 0}),
        ("refine", {"threshold": 0.5, "loose": 1.0, "grow": 1.0, "grow_min": 0, "grow_max": 0}),
        ("inpaint", {"soft_from": 9.0, "context": 0.0, "max_share": 1.0, "radius": 1}),
        ("composite", {"match": 0.0, "reach": 2.0, "feather": 1.0, "grain": 0.0}),
        ("audit", {"blur": 0.0, "seam": 0.0, "grow": 0.0}),
    ],
)
def test_the_ends_of_a_range_are_in_it(stage: str, values: dict[str, Any]) -> None:
    assert build_stage(stage, values, "cpu").name == stage
