"""The stages of a recipe as the evaluations call them: one picture in, one result out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np

from autoremove.errors import RecipeError
from autoremove.evaluation.detect import Find
from autoremove.evaluation.inpaint import Fill
from autoremove.evaluation.mask import Refining
from autoremove.pipeline import run_in_memory
from autoremove.recipe import load_recipe
from autoremove.stages.base import Stage
from autoremove.stages.detect import Detect
from autoremove.stages.inpaint import Inpaint
from autoremove.stages.refine import Refine
from autoremove.types import Detections, Image, Mask, ObjectMask

S = TypeVar("S")

LEAST_CONFIDENCE = 0.01
"""Finds below are left out of average precision: they change it by less than a thousandth."""


def recipe_stages(recipe: str, overrides: Iterable[str] = (), device: str = "cpu") -> tuple[Stage, ...]:
    """The stages of a recipe; ``device`` as torch spells it."""
    return load_recipe(recipe, overrides, device=device).stages


def stage_of(stages: Sequence[Stage], kind: type[S]) -> S:
    """The one stage of a kind; raises RecipeError when the recipe has none."""
    for stage in stages:
        if isinstance(stage, kind):
            return stage
    raise RecipeError(f"The recipe has no stage {kind.__name__.lower()}.", hint="Evaluate the recipe people.")


def shipped_confidence(stages: Sequence[Stage]) -> float:
    """The score from which the recipe removes what it finds."""
    limits = [stage.params()["confidence"] for stage in stages if stage.name in ("detect", "select")]
    return float(max(limits))


def known_classes(detect: Detect, wanted: Sequence[str]) -> list[str]:
    """Those of ``wanted`` that the detector's weights know, in their order."""
    from autoremove.models import cache

    names = cache.load("detector", detect.weights, detect.device).names
    return [name for name in wanted if name in names]


def finder(detect: Detect, classes: Sequence[str], confidence: float) -> Find:
    """The Detect stage for these classes, from this score on."""
    stage = replace(detect, labels=tuple(classes), confidence=confidence)

    def find(image: Image) -> Detections:
        return stage(image=[image])[0]

    return find


def refiner(refine: Refine, text: str) -> Refining:
    """The Refine stage with another method, given as ``METHOD`` or ``METHOD@WEIGHTS``."""
    method, _, weights = text.partition("@")
    own = refine.weights if method == refine.method else "embedded"
    stage = replace(refine, method=method, weights=weights or own)

    def masks(image: Image, found: Detections) -> ObjectMask:
        return stage(image=[image], detections=[found])[0]

    return masks


def filler(stages: Sequence[Stage], text: str, *, blend: bool = True) -> Fill:
    """A ``MODEL[+DETAIL][@WEIGHTS]`` in the recipe's last stages; with ``blend`` False its bare fill."""
    name, _, weights = text.partition("@")
    model, _, detail = name.partition("+")
    own = stage_of(stages, Inpaint)
    last: list[Any] = [
        replace(
            own,
            model=model,
            weights=weights or own.weights,
            detail=detail or own.detail,
            max_share=1.0,
        )
    ]
    if blend:
        last += [stage for stage in stages if stage.name == "composite"]

    def fill(image: Image, hole: Mask) -> Image:
        return filled(image, last, ObjectMask(hole, hole.astype(np.uint16)))

    return fill


def filled(image: Image, stages: Sequence[Stage], mask: ObjectMask) -> Image:
    """The picture with the mask filled by the last stages of a recipe."""
    return pasted(image, run_in_memory(image, stages, mask=mask))


def pasted(image: Image, values: dict[str, Any]) -> Image:
    """The picture with the patches of a run laid on; as it was if there are none."""
    from autoremove.images import apply_patches

    return apply_patches(image, values.get("patches", []))
