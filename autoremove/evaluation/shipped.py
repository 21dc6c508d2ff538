"""The stages of a recipe as the evaluations call them: one picture in, one result out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np

from autoremove.errors import RecipeError, UsageError
from autoremove.evaluation.detect import Choose, Confidence, Find
from autoremove.evaluation.inpaint import Fill
from autoremove.evaluation.mask import Refining
from autoremove.labels import expanded
from autoremove.pipeline import run_in_memory
from autoremove.recipe import load_recipe
from autoremove.stages.base import Stage
from autoremove.stages.detect import Detect
from autoremove.stages.inpaint import Inpaint
from autoremove.stages.refine import Refine
from autoremove.stages.select import Select
from autoremove.types import Detections, Image, Mask, ObjectMask

S = TypeVar("S")

LEAST_CONFIDENCE = 0.01
"""Finds below are left out of average precision: they change it by less than a thousandth."""


def recipe_stages(recipe: str, overrides: Iterable[str] = (), device: str = "cpu") -> tuple[Stage, ...]:
    """The stages of a recipe; ``device`` as torch spells it."""
    return load_recipe(recipe, overrides, device=device).stages


def stage_of(stages: Sequence[Stage], kind: type[S]) -> S:
    """The one stage of a kind; raises RecipeError when the recipe has none."""
    found = all_of(stages, kind)
    if found:
        return found[0]
    raise RecipeError(f"The recipe has no stage {kind.__name__.lower()}.", hint="Evaluate the recipe people.")


def all_of(stages: Sequence[Stage], kind: type[S]) -> list[S]:
    """The stages of a kind."""
    return [stage for stage in stages if isinstance(stage, kind)]


def confidence_of(stages: Sequence[Stage]) -> Confidence:
    """The score from which the recipe takes a find, as a function of its class."""
    floors = [stage.confidence for stage in all_of(stages, Detect)]
    choosers = all_of(stages, Select)

    def limit(label: str) -> float:
        return max([0.0, *floors, *(stage.least_score(label) for stage in choosers)])

    return limit


def targets_of(stages: Sequence[Stage], classes: Sequence[str]) -> list[str]:
    """Those of ``classes`` that the recipe removes for their own sake, not for the one who carries them."""
    wanted = list(classes)
    for stage in stages:
        labels = expanded(tuple(stage.params().get("labels") or ())) if stage.gives == "detections" else ()
        wanted = [name for name in wanted if name in labels] if labels else wanted
    return wanted


def known_classes(detect: Detect, wanted: Sequence[str]) -> list[str]:
    """Those of ``wanted`` that the detector's weights know, in their order."""
    from autoremove.models import cache

    names = cache.load("detector", detect.weights, detect.device).names
    return [name for name in wanted if name in names]


def finder(detect: Detect, confidence: float = LEAST_CONFIDENCE) -> Find:
    """The Detect stage for all classes that its weights know, from this score on."""
    stage = replace(detect, labels=(), confidence=confidence)

    def find(image: Image) -> Detections:
        return stage(image=[image])[0]

    return find


def finder_as_shipped(stages: Sequence[Stage]) -> Find:
    """All that the recipe's detector finds, each class from the recipe's confidence on."""
    detect, limit = stage_of(stages, Detect), confidence_of(stages)
    find_all = finder(detect, detect.confidence)

    def find(image: Image) -> Detections:
        found = find_all(image)
        return found[
            np.array(
                [score >= limit(name) for score, name in zip(found.score, found.label, strict=True)], bool
            )
        ]

    return find


def chooser(stages: Sequence[Stage]) -> Choose:
    """What the recipe would remove of the finds of :func:`finder`: from its own floor on, what it selects."""
    detect = stage_of(stages, Detect)
    rest = [stage for stage in stages if stage.gives == "detections" and stage.name != "detect"]
    labels = expanded(detect.labels)

    def choose(image: Image, found: Detections) -> Detections:
        asked = np.array([not labels or label in labels for label in found.label], bool)
        given = found[asked & (found.score >= detect.confidence)]
        chosen: Detections = run_in_memory(image, rest, detections=given)["detections"]
        return chosen

    return choose


def refiner(refine: Refine, text: str) -> Refining:
    """The Refine stage with another method, given as ``METHOD`` or ``METHOD@WEIGHTS``."""
    method, _, weights = text.partition("@")
    own = refine.weights if method == refine.method else "embedded"
    stage = replace(refine, method=method, weights=weights or own)

    def masks(image: Image, found: Detections) -> ObjectMask:
        return stage(image=[image], detections=[found])[0]

    return masks


def inpainter(stages: Sequence[Stage], text: str) -> Inpaint:
    """The recipe's Inpaint stage as ``MODEL[+DETAIL][@WEIGHTS]`` says, for masks of any size.

    Raises RecipeError for an unknown model or detail.
    """
    name, _, weights = text.partition("@")
    model, _, detail = name.partition("+")
    own = stage_of(stages, Inpaint)
    weights, detail = weights or own.weights, detail or own.detail
    return replace(own, model=model, weights=weights, detail=detail, max_share=1.0)


def about_inpainter(stages: Sequence[Stage], text: str) -> dict[str, Any]:
    """How many ``parameters`` its network has, and which ``weights`` (sha256) it uses; None without one.

    Raises UsageError where weights are named for a model that has none, WeightsError where there are none.
    """
    from autoremove.models import cache
    from autoremove.models.families import INPAINTERS

    stage = inpainter(stages, text)
    digest = stage.weights_digest()
    if digest is None and "@" in text:
        raise UsageError(f"--models {text}: {stage.model} has no weights.", hint="Leave out the @ part.")
    if digest is None:
        return {"parameters": None, "weights": None}
    network = cache.load(INPAINTERS[stage.model].kind, stage.weights, stage.device)
    return {"parameters": sum(p.numel() for p in network.parameters()), "weights": digest}


def filler(stages: Sequence[Stage], text: str, *, blend: bool = True) -> Fill:
    """A ``MODEL[+DETAIL][@WEIGHTS]`` in the recipe's last stages; with ``blend`` False its bare fill."""
    last: list[Any] = [inpainter(stages, text)]
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
