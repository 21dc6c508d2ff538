"""Every network that the stage knows fills with its own embedded weights, alone and with detail."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from autoremove.errors import RecipeError
from autoremove.images import apply_patches
from autoremove.models.families import INPAINTERS
from autoremove.pipeline import run_in_memory
from autoremove.stages.composite import Composite
from autoremove.stages.inpaint import Inpaint
from autoremove.types import ObjectMask
from tests import builders


@pytest.mark.parametrize("model", INPAINTERS)
def test_it_fills_the_hole_and_nothing_else(model: str) -> None:
    picture = builders.scene((96, 120), person=False)
    hole = np.zeros(picture.shape[:2], bool)
    hole[30:66, 50:78] = True
    shown = picture.copy()
    shown[hole] = (255, 0, 0)
    stages = [Inpaint(model=model, detail="none"), Composite(grain=0)]
    values = run_in_memory(shown, stages, mask=ObjectMask(hole, hole.astype(np.uint16)))
    filled = apply_patches(shown, values["patches"])
    assert np.array_equal(filled[~hole], picture[~hole])
    # Nothing of the red is left, and the guess is nearer to the truth than that was.
    off = np.abs(filled[hole].astype(int) - picture[hole]).mean()
    assert off < 0.5 * np.abs(shown[hole].astype(int) - picture[hole]).mean()


def test_each_has_weights_of_its_own_in_the_key() -> None:
    stage = Inpaint()
    digests = {model: replace(stage, model=model).weights_digest() for model in INPAINTERS}
    assert len(set(digests.values())) == len(INPAINTERS)
    assert replace(stage, detail="srgan").weights_digest() != digests["deepfillv2"]


def test_residuals_need_a_network_that_tells_its_sources() -> None:
    with pytest.raises(RecipeError, match="patches or none"):
        Inpaint(model="gain", detail="residuals")
