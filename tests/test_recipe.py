"""Recipes: the shipped ones load, typos are met with a suggestion, and a wrong kind never reaches a stage."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from autoremove.errors import RecipeError
from autoremove.labels import PEOPLE, VEHICLES, expanded
from autoremove.recipe import Recipe, build_stage, check_chain, load_recipe, recipe_names
from autoremove.stages import STAGES, stage_class
from autoremove.stages.composite import Composite
from autoremove.stages.detect import Detect
from autoremove.stages.inpaint import Inpaint
from autoremove.stages.refine import Refine
from autoremove.stages.select import Select
from autoremove.store import artefact_key

TWO_REGIONS = ((1.0, 2.0, 3.0, 4.0), (0.0, 0.0, 1.0, 0.0, 0.5, 1.0))
FULL = "stages: [detect, select, refine, inpaint, composite]"


def recipe(tmp_path: Path, text: str, *overrides: str) -> Recipe:
    path = tmp_path / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    return load_recipe(str(path), overrides)


@pytest.mark.parametrize("name", recipe_names())
def test_each_shipped_recipe_loads_and_says_what_it_is_about(name: str) -> None:
    loaded = load_recipe(name)
    assert loaded.name == name
    assert len(loaded.about) > 10
    assert loaded.stages


@pytest.mark.parametrize("name", ["people", "bystanders", "street"])
def test_the_recipes_that_remove_are_the_whole_chain(name: str) -> None:
    chain = ["detect", "select", "refine", "shadow", "inpaint", "composite", "audit"]
    assert [stage.name for stage in load_recipe(name).stages] == chain


def test_what_the_shipped_recipes_remove() -> None:
    assert recipe_names() == ["bystanders", "fast", "masks-only", "people", "street"]
    chosen = {
        name: next(stage.params() for stage in load_recipe(name).stages if stage.name == "select")
        for name in recipe_names()
    }
    assert {name for name, params in chosen.items() if params["keep"] == "subject"} == {"bystanders"}
    assert {name for name, params in chosen.items() if params["labels"] == ("person",)} == {
        "bystanders",
        "fast",
        "masks-only",
        "people",
    }
    assert expanded(chosen["street"]["labels"]) == (*PEOPLE, *VEHICLES)


@pytest.mark.parametrize("name", [name for name in recipe_names() if name != "fast"])
def test_all_that_is_there_is_detected_once_for_every_choice(name: str) -> None:
    detect = load_recipe(name).stages[0]
    assert detect.params()["labels"] == ()
    assert detect.params() == load_recipe("people").stages[0].params()


def test_entries_of_tables_add_to_what_the_recipe_has(tmp_path: Path) -> None:
    text = "stages: [detect, {select: {thresholds: {car: 0.5, bus: 0.3}}}]"
    loaded = recipe(tmp_path, text, "select.thresholds.car=0.4", "select.thresholds.dog=0.9")
    assert loaded.stages[1].params()["thresholds"] == {"bus": 0.3, "car": 0.4, "dog": 0.9}


def test_the_order_of_a_table_says_nothing(tmp_path: Path) -> None:
    one = recipe(tmp_path, FULL, "select.thresholds={car: 0.5, bus: 0.3}")
    other = recipe(tmp_path, FULL, "select.thresholds={bus: 0.3, car: 0.5}")
    assert one.to_yaml() == other.to_yaml()
    keys = {artefact_key("select", 2, loaded.stages[1].params(), None, {}) for loaded in (one, other)}
    assert len(keys) == 1


def test_tables_and_regions_are_saved_as_plain_yaml(tmp_path: Path) -> None:
    chosen = ["select.thresholds={car: 0.4}", "select.keep_region=[[0, 0, 0.5, 1]]", "select.keep=subject:2"]
    loaded = recipe(tmp_path, FULL, *chosen)
    saved = yaml.safe_load(loaded.to_yaml())["stages"][1]["select"]
    assert saved["thresholds"] == {"car": 0.4}
    assert saved["keep_region"] == [[0.0, 0.0, 0.5, 1.0]]
    assert recipe(tmp_path, loaded.to_yaml()).stages == loaded.stages


@pytest.mark.parametrize("name", recipe_names())
def test_the_full_recipe_can_be_run_again_as_it_is(tmp_path: Path, name: str) -> None:
    loaded = load_recipe(name, ["detect.confidence=0.4"])
    again = recipe(tmp_path, loaded.to_yaml())
    assert again.stages == loaded.stages
    assert again.about == loaded.about
    saved = yaml.safe_load(loaded.to_yaml())["stages"]
    assert saved[0]["detect"]["confidence"] == 0.4
    assert "device" not in saved[0]["detect"]


def test_stages_may_be_named_alone_or_with_fields(tmp_path: Path) -> None:
    loaded = recipe(tmp_path, "about: ü\nstages:\n- detect\n- select: {}\n- refine: {grow: 1}\n")
    assert loaded.stages == (Detect(), Select(), Refine(grow=1.0))
    assert isinstance(loaded.stages[2].grow, float)
    assert loaded.about == "ü"


@pytest.mark.parametrize(
    ("override", "stage", "field", "value"),
    [
        ("refine.grow=0.05", Refine, "grow", 0.05),
        ("refine.grow=1", Refine, "grow", 1.0),
        ("refine.loose=1e-05", Refine, "loose", 0.00001),
        ("refine.loose=2.5E-6", Refine, "loose", 0.0000025),
        ("refine.loose=.5e-2", Refine, "loose", 0.005),
        ("refine.grow_max=12", Refine, "grow_max", 12),
        ("refine.method=box", Refine, "method", "box"),
        ("detect.mirror=false", Detect, "mirror", False),
        ("detect.labels=car", Detect, "labels", ("car",)),
        ("detect.labels=car, traffic light", Detect, "labels", ("car", "traffic light")),
        ("detect.labels=[car, dog]", Detect, "labels", ("car", "dog")),
        ("detect.labels=", Detect, "labels", ()),
        ("detect.labels=[]", Detect, "labels", ()),
        ("detect.sizes=320", Detect, "sizes", (320,)),
        ("detect.sizes=[320, 640]", Detect, "sizes", (320, 640)),
        ("inpaint.weights=a=b", Inpaint, "weights", "a=b"),
        ("inpaint.crops=9", Inpaint, "crops", 9),
        ("select.thresholds={car: 0.4, bus: 1}", Select, "thresholds", {"bus": 1.0, "car": 0.4}),
        ('select.thresholds={"traffic light": 0}', Select, "thresholds", {"traffic light": 0.0}),
        ("select.thresholds=", Select, "thresholds", {}),
        ("select.thresholds.all-vehicles=0.4", Select, "thresholds", {"all-vehicles": 0.4}),
        ("select.keep_region=[[1, 2, 3, 4], [0, 0, 1, 0, 0.5, 1]]", Select, "keep_region", TWO_REGIONS),
        ("select.keep_region=[1, 2, 3, 4]", Select, "keep_region", TWO_REGIONS[:1]),
        ("select.keep_region=1,2,3,4", Select, "keep_region", TWO_REGIONS[:1]),
        ("select.keep_region=[]", Select, "keep_region", ()),
        ("select.keep_region=", Select, "keep_region", ()),
    ],
)
def test_one_field_is_set(tmp_path: Path, override: str, stage: type, field: str, value: object) -> None:
    loaded = recipe(tmp_path, FULL, override)
    (chosen,) = (row for row in loaded.stages if isinstance(row, stage))
    assert getattr(chosen, field) == value
    assert type(getattr(chosen, field)) is type(value)


@pytest.mark.parametrize(
    "override",
    [
        "refine.grow=much",
        "refine.grow=true",
        "refine.grow=",
        "refine.grow=[1]",
        "refine.grow_max=1.5",
        "refine.grow_max=1e-05",
        "refine.grow=1e",
        "refine.grow=e-5",
        "refine.grow=1e999",
        "refine.grow=.nan",
        "refine.grow=-.inf",
        "refine.grow=NaN",
        "refine.grow=1" + 400 * "0",
        "refine.method=7",
        "detect.mirror=1",
        "detect.mirror=maybe",
        "select.thresholds=0.4",
        "select.thresholds=[car]",
        "select.thresholds={car: much}",
        "select.thresholds={car: true}",
        "select.thresholds={car: 2}",
        "select.thresholds.car=",
        "select.confidence.car=0.4",
        "select.keep_region=left",
        "select.keep_region=[[1, 2, 3]]",
        "select.keep_region=[[1, 2, 3, four]]",
        "select.keep_region=[1, [2], 3, 4]",
        "select.keep=biggest",
        "select.nothing.car=0.4",
        "detect.sizes=large",
        "detect.sizes=[1.5]",
        "refine.method=boxes",
        "inpaint.model=lama",
        "refine.grow=[1",
        "refine.grow",
        "refine=0.1",
        "=",
        "",
    ],
)
def test_a_value_of_the_wrong_kind_is_refused(tmp_path: Path, override: str) -> None:
    with pytest.raises(RecipeError) as told:
        recipe(tmp_path, FULL, override)
    assert told.value.exit_code == 2


@pytest.mark.parametrize(
    ("text", "override", "meant"),
    [
        (FULL, "refine.grwo=0.1", "grow"),
        (FULL, "refin.grow=0.1", "refine"),
        ("stages: [detect, {refine: {grw: 0.1}}]", None, "grow"),
        ("stages: [detekt]", None, "detect"),
    ],
)
def test_a_typo_is_met_with_a_suggestion(tmp_path: Path, text: str, override: str | None, meant: str) -> None:
    with pytest.raises(RecipeError) as told:
        recipe(tmp_path, text, *([override] if override else []))
    assert told.value.hint == f"Did you mean {meant}?"


def test_an_unknown_recipe_is_met_with_a_suggestion() -> None:
    with pytest.raises(RecipeError) as told:
        load_recipe("poeple")
    assert told.value.hint == "Did you mean people?"
    with pytest.raises(RecipeError, match=r"No recipe file nowhere\.yaml"):
        load_recipe("nowhere.yaml")
    with pytest.raises(RecipeError) as told:
        load_recipe("zzz")
    assert "people" in str(told.value.hint)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "stages:",
        "stages: detect",
        "- detect",
        "stages: [detect, 5]",
        "stages: [{detect: {}, refine: {}}]",
        "stages: [detect: person]",
        "stages: [detect: [labels]]",
        "stages: [[detect]]",
        "stages: [detect",
        "a: &a [*a]",
    ],
)
def test_what_is_no_recipe_is_refused_in_one_line(tmp_path: Path, text: str) -> None:
    with pytest.raises(RecipeError, match="mine"):
        recipe(tmp_path, text)


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_bytes(b"\xff\xfe\x00 stages")
    with pytest.raises(RecipeError, match="mine"):
        load_recipe(str(path))


@pytest.mark.parametrize(
    ("text", "lacks"),
    [
        ("stages: [select]", "detections"),
        ("stages: [refine]", "detections"),
        ("stages: [detect, inpaint]", "mask"),
        ("stages: [detect, refine, composite]", "patches"),
        ("stages: [inpaint, detect, refine]", "mask"),
    ],
)
def test_a_chain_that_does_not_close_is_refused(tmp_path: Path, text: str, lacks: str) -> None:
    with pytest.raises(RecipeError, match=f"needs {lacks}, which no stage before it gives"):
        recipe(tmp_path, text)


def test_a_mask_of_ones_own_closes_the_chain() -> None:
    check_chain([Inpaint(model="telea"), Composite()], given=("image", "mask"))


def test_every_stage_gets_the_device() -> None:
    assert {stage.device for stage in load_recipe("people", device="cuda:1").stages} == {"cuda:1"}
    assert build_stage("select", {"device": "mps"}, "cpu").device == "mps"


def test_the_table_of_stages_is_right() -> None:
    for name in STAGES:
        stage = stage_class(name)
        assert stage.name == name
        assert stage.version >= 1
    with pytest.raises(KeyError):
        stage_class("polish")
