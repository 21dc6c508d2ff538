"""The whole pipeline's figures, with stages that find the red block."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pytest
from PIL import Image as PilImage

from autoremove.errors import InputError, RecipeError
from autoremove.evaluation import removal
from autoremove.evaluation.metrics import psnr
from autoremove.evaluation.removal import BASELINES, evaluate_removal, mistakes_of
from autoremove.evaluation.table import removal_table
from autoremove.stages.base import StageFields
from autoremove.stages.composite import Composite
from autoremove.stages.inpaint import Inpaint
from autoremove.stages.refine import Refine
from autoremove.types import Detections, Finding, ObjectMask, Verdict
from tests.evaluation.folders import PERSON, instances, pairs, picture, save


@dataclass(frozen=True)
class FindRed(StageFields):
    """Finds one person where the picture is red; ``always`` in any case."""

    always: bool = False
    name: ClassVar[str] = "detect"
    version: ClassVar[int] = 1
    needs: ClassVar[tuple[str, ...]] = ("image",)
    gives: ClassVar[str] = "detections"

    def __call__(self, image):
        return [self.one(pixels) for pixels in image]

    def one(self, pixels):
        ys, xs = np.nonzero((pixels[..., 0] > 200) & (pixels[..., 1] < 40))
        if self.always:
            return Detections(np.array([PERSON], np.float32), np.ones(1, np.float32), ("person",))
        if len(ys) < 20:
            return Detections.empty()
        box = np.array([[xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]], np.float32)
        return Detections(box, np.ones(1, np.float32), ("person",))


@pytest.fixture(autouse=True)
def few_baselines(monkeypatch):
    """Networks and patches take long; what they give is judged like Telea's."""
    for settings in removal.BASELINES.values():
        monkeypatch.setitem(settings, "model", "telea")


STAGES = (FindRed(), Refine(method="box", grow=0.0, grow_min=2), Inpaint(model="telea"), Composite())


def test_pairs_of_one_name_in_several_folders_stay_apart(tmp_path):
    for place in ("a", "b"):
        pairs(tmp_path / "pairs" / place)
    save(picture(), tmp_path / "pairs" / "b" / "view_with.png")
    for part in ("with", "without", "object"):  # one alone may have a folder for each part
        source = tmp_path / "pairs" / "a" / f"view_{part}.png"
        save(np.asarray(PilImage.open(source)), tmp_path / "pairs" / part / f"other_{part}.png")
    result = evaluate_removal(tmp_path / "pairs", STAGES)
    assert [(row["name"], row["removed"]) for row in result["rows"]] == [
        ("a/view", 1),
        ("b/view", 0),
        ("with/other", 1),
    ]


def test_a_pair(tmp_path):
    result = evaluate_removal(pairs(tmp_path / "pairs"), STAGES, sheet=tmp_path / "sheet.png")
    untouched, hole = picture(PERSON), np.zeros((100, 120), bool)
    hole[PERSON[1] : PERSON[3], PERSON[0] : PERSON[2]] = True
    assert result["psnr_untouched"] == pytest.approx(psnr(untouched, picture(), hole))
    assert result["psnr_object"] > result["psnr_untouched"] + 8
    assert result["psnr_telea_own_mask"] == result["psnr_object"]  # the pipeline's model is Telea here
    assert {f"psnr_{name}_{which}_mask" for name in BASELINES for which in ("own", "true")} <= set(result)
    assert {"psnr_model_true_mask", "psnr_outside"} <= set(result)
    told = [line[0] for line in removal_table(result)]
    assert sum("PSNR inside the object" in words for words in told) == 3 + 2 * len(BASELINES)
    assert result["psnr_outside_untouched"] == 100.0
    assert (result["mask_missed"], result["objects_left"]) == (0.0, 0)
    assert 0 < result["mask_needless"] < 0.05
    assert (result["found_again"], result["removed"], result["review"]) == (0.0, 1, 0)
    assert "shadow_missed" not in result
    assert (tmp_path / "sheet.png").read_bytes().startswith(b"\x89PNG")


def test_what_is_still_found_is_told(tmp_path):
    result = evaluate_removal(pairs(tmp_path), (FindRed(always=True), *STAGES[1:]))
    assert (result["found_again"], result["found_again_unnoticed"]) == (1.0, 1.0)
    assert result["causes"]["again"]["by_source"] == {"person": 1}


@dataclass(frozen=True)
class Doubt(StageFields):
    """Puts every result up for review."""

    name: ClassVar[str] = "audit"
    version: ClassVar[int] = 1
    needs: ClassVar[tuple[str, ...]] = ("image", "patches")
    gives: ClassVar[str] = "verdict"

    def __call__(self, image, patches):
        return [Verdict((Finding("again", "person found again", (0, 0, 9, 9), 0.9),)) for _ in image]


def test_what_is_put_up_for_review_is_not_unnoticed(tmp_path):
    result = evaluate_removal(pairs(tmp_path), (FindRed(always=True), *STAGES[1:], Doubt()))
    assert (result["found_again"], result["found_again_unnoticed"]) == (1.0, 0.0)
    assert (result["review"], result["unwritten"]) == (1, 0)
    assert result["rows"][0]["review"] == "person found again"


@dataclass(frozen=True)
class FootLine(StageFields):
    """Joins the ten lowest rows of the picture to the mask, as a stage for shadows might."""

    name: ClassVar[str] = "shadow"
    version: ClassVar[int] = 1
    needs: ClassVar[tuple[str, ...]] = ("image", "mask")
    gives: ClassVar[str] = "mask"

    def __call__(self, image, mask):
        grown = mask[0].grown.copy()
        grown[-10:] = True
        return [ObjectMask(grown, mask[0].ids)]


def test_shadows_with_and_without_their_stage(tmp_path):
    folder = pairs(tmp_path)
    marked = np.zeros((100, 120, 3), np.uint8)
    marked[PERSON[1] : PERSON[3], PERSON[0] : PERSON[2]] = 255
    marked[90:, 20:50] = 255  # the shadow at the feet
    save(marked, folder / "view_object.png")
    result = evaluate_removal(folder, (*STAGES[:2], FootLine(), *STAGES[2:]))
    shadow = 30 * 10 / (30 * 90)
    assert result["shadow_missed"] == result["mask_missed"] == 0.0
    assert result["shadow_missed_without"] == pytest.approx(shadow, abs=0.03)
    assert result["shadow_needless"] > result["shadow_needless_without"] + 0.05


def test_nothing_found_leaves_the_object_in_place(tmp_path):
    @dataclass(frozen=True)
    class FindNothing(FindRed):
        def one(self, pixels):
            return Detections.empty()

    result = evaluate_removal(pairs(tmp_path), (FindNothing(), *STAGES[1:]))
    assert result["psnr_object"] == result["psnr_untouched"]
    assert (result["objects_left"], result["mask_missed"], result["found_again"]) == (1, 1.0, None)


def test_a_mask_too_large_is_told_as_review(tmp_path):
    result = evaluate_removal(pairs(tmp_path), (*STAGES[:2], replace(STAGES[2], max_share=0.01), STAGES[3]))
    assert (result["review"], result["unwritten"], result["removed"]) == (1, 1, 0)
    assert result["found_again"] is None, "what was not written cannot be found again"
    assert result["psnr_object"] == result["psnr_untouched"]


@pytest.mark.parametrize("form", ["pictures", "instances"])
def test_pictures_without_truth_count_what_is_found_again(tmp_path, form):
    folder = instances(tmp_path, [{"name": "a", "objects": [("person", PERSON)]}])
    result = evaluate_removal(folder if form == "instances" else folder / "images", STAGES)
    assert (result["psnr_object"], result["found_again"], result["removed"]) == (None, 0.0, 1)


def test_half_a_pair_is_refused(tmp_path):
    folder = pairs(tmp_path)
    (folder / "view_object.png").unlink()
    with pytest.raises(InputError, match="view_object"):
        evaluate_removal(folder, STAGES)


def test_a_recipe_that_removes_nothing_is_refused(tmp_path):
    with pytest.raises(RecipeError, match="no stage inpaint"):
        evaluate_removal(pairs(tmp_path), STAGES[:2])


def test_mistakes_are_named():
    row = {"again_labels": ["person", "person"], "mask_missed": 0.2, "mask_needless": 0.3, "review": "blur"}
    said = mistakes_of(row)
    assert "2 person found again" in said and "20% of object" in said and "30% of the picture" in said
    assert said.endswith("up for review")
    assert mistakes_of({"again_labels": [], "review": ""}) == "nothing found again"
