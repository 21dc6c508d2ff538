"""What is asked for on the command line reaches the recipe, and a changed choice detects nothing anew."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
import yaml
from click.testing import CliRunner, Result
from PIL import Image as PilImage

from autoremove import journal
from autoremove.cli.options import DETECTED_FROM, Request, pipeline_options
from autoremove.errors import UsageError
from autoremove.recipe import load_recipe
from tests import builders

Invoke = Callable[..., Result]


def request_of(*arguments: str) -> Request:
    """The request that a command with these arguments would get."""
    got: list[Request] = []

    @click.command()
    @pipeline_options("people")
    def command(**options: Any) -> None:
        got.append(Request(**options))

    result = CliRunner().invoke(command, arguments)
    assert result.exit_code == 0, result.output
    return got[0]


def refused(*arguments: str) -> str:
    @click.command()
    @pipeline_options("people")
    def command(**options: Any) -> None:
        raise AssertionError(f"{arguments} were taken as {options}")

    result = CliRunner().invoke(command, arguments)
    assert result.exit_code == 2 or result.exception
    return f"{result.output} {result.exception}"


def selection(*arguments: str) -> dict[str, Any]:
    """The fields of select that the arguments change, by way of the shipped recipe."""
    plain, chosen = (
        next(
            stage.params()
            for stage in load_recipe("people", request.overrides).stages
            if stage.name == "select"
        )
        for request in (request_of(), request_of(*arguments))
    )
    return {key: value for key, value in chosen.items() if value != plain[key]}


@pytest.mark.parametrize(
    ("arguments", "fields"),
    [
        ((), {}),
        (("--remove", "car"), {"labels": ("car",)}),
        (
            ("--remove", "person, all-vehicles,", "--remove", "dog"),
            {"labels": ("person", "all-vehicles", "dog")},
        ),
        (("--keep", "subject"), {"keep": "subject"}),
        (("--keep", "largest:2"), {"keep": "largest:2"}),
        (("--min-size", "0.1"), {"min_size": 0.1}),
        (("--min-size", "40"), {"min_size": 40.0}),
        (("--confidence", "0.5"), {"confidence": 0.5}),
        (("--confidence", "0.00001"), {"confidence": 0.00001}),
        (("--min-size", "1e-6"), {"min_size": 0.000001}),
        (
            ("--threshold", "car=0.4", "--threshold", "all-animals=.6", "--threshold", "car=1"),
            {"thresholds": {"all-animals": 0.6, "car": 1.0}},
        ),
        (("--threshold", "car=1e-5"), {"thresholds": {"car": 0.00001}}),
        (("--threshold", "car=0.", "--threshold", "bus=00.50"), {"thresholds": {"car": 0.0, "bus": 0.5}}),
        (
            ("--keep-region", "1,2,3,4", "--keep-region", "0,0,1,0,0.5,1"),
            {"keep_region": ((1.0, 2.0, 3.0, 4.0), (0.0, 0.0, 1.0, 0.0, 0.5, 1.0))},
        ),
        (("--keep", "central", "--set", "select.keep=largest"), {"keep": "largest"}),
    ],
)
def test_options_are_fields_of_select(arguments: tuple[str, ...], fields: dict[str, Any]) -> None:
    assert selection(*arguments) == fields


def test_speed_is_the_detectors() -> None:
    detect = load_recipe("people", request_of("--speed", "max").overrides).stages[0]
    assert detect.params()["speed"] == "max"


@pytest.mark.parametrize(
    "arguments",
    [
        ("--speed", "furious"),
        ("--threshold", "car"),
        ("--threshold", "car=2"),
        ("--threshold", "car=-0.1"),
        ("--threshold", "car=1.1"),
        ("--threshold", "car=1e1"),
        ("--threshold", "car=nan"),
        ("--threshold", "car="),
        ("--threshold", "=0.3"),
        ("--threshold", "car=high"),
        ("--min-size", "-1"),
        ("--confidence", "2"),
        ("--keep-region", "1,2,3"),
        ("--keep-region", "nowhere.json"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments: tuple[str, ...]) -> None:
    assert arguments[0] in refused(*arguments)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--remove", ""), "--remove names nothing to remove"),
        (("--remove", " , "), "--remove names nothing to remove"),
        (("--remove", "", "--remove", ","), "--remove names nothing to remove"),
        (("--keep", ""), "--keep names nobody"),
        (("--keep", " "), "--keep names nobody"),
    ],
)
def test_an_unset_variable_is_no_choice(arguments: tuple[str, ...], words: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        request_of(*arguments).overrides
    assert caught.value.hint and "leave" in caught.value.hint


def commands(group: click.Group) -> Iterator[click.Command]:
    for name in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), name)
        assert command is not None
        yield from commands(command) if isinstance(command, click.Group) else [command]


def test_an_empty_path_is_not_the_current_folder(
    invoke: Invoke, photos: Path, light: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from autoremove.cli import cli

    params = [param for command in commands(cli) for param in command.params]
    paths = [param for param in params if isinstance(param.type, click.Path)]
    assert len(paths) > 40
    for param in paths:
        with pytest.raises(click.BadParameter, match="it is empty; name a file or folder"):
            param.type.convert("", param, None)
    monkeypatch.chdir(photos)
    before = sorted(photos.rglob("*"))
    result = invoke("run", "", "-o", "out", *light)
    assert (result.exit_code, "'INPUTS...': it is empty" in result.stderr) == (2, True), result.output
    assert sorted(photos.rglob("*")) == before
    assert "empty" in invoke("train", "detector", "--data", "", "-o", "out").stderr
    assert "'' names no folder" in invoke("study", "", "-o", "study.html").stderr
    unset = invoke("evaluate", "inpaint", "--data", photos, "--holes", "", "--models", "telea")
    assert (unset.exit_code, "--holes ''" in unset.stderr) == (2, True), unset.output


def test_an_empty_label_among_others_says_nothing() -> None:
    assert selection("--remove", "", "--remove", "car") == {"labels": ("car",)}


def test_nothing_is_written_where_nothing_is_to_be_removed(
    invoke: Invoke, photos: Path, light: list[str], tmp_path: Path
) -> None:
    for name in ("run", "mask"):
        result = invoke(name, photos, "-o", tmp_path / "out", *light, "--remove", "")
        assert (result.exit_code, "hint: E.g. --remove person,car" in result.stderr) == (2, True)
    assert not (tmp_path / "out").exists()


def test_a_lower_confidence_lowers_the_floor_of_the_detector_too() -> None:
    assert not [text for text in request_of("--confidence", "0.1").overrides if text.startswith("detect.")]
    assert "detect.confidence=0.02" in request_of("--confidence", "0.02").overrides
    low = request_of("--threshold", "car=0.01", "--confidence", "0.3").overrides
    assert "detect.confidence=0.01" in low
    assert load_recipe("people").stages[0].params()["confidence"] == DETECTED_FROM
    least = load_recipe("people", request_of("--threshold", "car=1E-5").overrides).stages[0]
    assert least.params()["confidence"] == 0.00001


def steps_of(output: Path, name: str) -> dict[str, bool]:
    """Stage -> whether it was taken from the cache."""
    return {step["stage"]: step["cached"] for step in journal.read(output / journal.NAME)[name].steps}


@pytest.mark.parametrize(
    ("arguments", "removed"),
    [
        (("--remove", "car"), ["car"]),
        (("--remove", "all-vehicles,person"), ["car", "person"]),
        (("--confidence", "0.95"), []),
        (("--threshold", "person=0.95"), []),
        (("--keep", "subject"), []),
        (("--keep-region", "0,0,1,1"), []),
        (("--min-size", "500"), []),
        (("--set", "select.attach=false"), ["person"]),
    ],
)
def test_another_choice_detects_nothing_anew(
    arguments: tuple[str, ...], removed: list[str], invoke: Invoke, light: list[str], tmp_path: Path
) -> None:
    photo, output = tmp_path / "a.png", tmp_path / "clean"
    PilImage.fromarray(with_car()).save(photo)
    fast = [*light, "--no-report", "--quiet"]
    assert invoke("run", photo, "-o", output, *fast).exit_code == 0
    first = journal.read(output / journal.NAME)["a.png"]
    assert [row["label"] for row in first.objects] == ["person"]
    assert not any(step["cached"] for step in first.steps)
    result = invoke("run", photo, "-o", output, *fast, *arguments)
    assert result.exit_code == 0, result.output
    steps = steps_of(output, "a.png")
    assert (steps["detect"], steps["select"]) == (True, False)
    again = journal.read(output / journal.NAME)["a.png"]
    assert sorted(row["label"] for row in again.objects) == removed


def with_car() -> np.ndarray:
    """A red person, as everywhere, and a blue car."""
    image = builders.scene()
    image[:16, :24] = (30, 40, 220)
    return image


def test_the_saved_recipe_holds_the_polygon_itself(invoke: Invoke, light: list[str], tmp_path: Path) -> None:
    photo, polygon, output = tmp_path / "a.png", tmp_path / "us.json", tmp_path / "clean"
    PilImage.fromarray(with_car()).save(photo)
    polygon.write_text(json.dumps([[0, 0], [1, 0], [1, 1], [0, 1]]))
    chosen = ["--keep-region", str(polygon), "--quiet", "--no-report"]
    assert invoke("run", photo, "-o", output, *light, *chosen).exit_code == 0
    rows = yaml.safe_load((output / "recipe.yaml").read_text())["stages"]
    (select,) = (row["select"] for row in rows if "select" in row)
    assert select["keep_region"] == [[0.0, 0.0, 1.0, 0.0, 1.0, 1.0, 0.0, 1.0]]
    polygon.write_text(json.dumps([[0, 0], [0.1, 0], [0, 0.1]]))  # the content counts, not the name
    assert invoke("run", photo, "-o", output, *light, *chosen).exit_code == 0
    assert [row["label"] for row in journal.read(output / journal.NAME)["a.png"].objects] == ["person"]
    polygon.write_text("[[0, 0]]")
    result = invoke("run", photo, "-o", output, *light, *chosen)
    assert (result.exit_code, "us.json" in result.stderr) == (2, True)


def test_unknown_classes_are_refused_with_suggestions(
    invoke: Invoke, photos: Path, light: list[str], tmp_path: Path
) -> None:
    output = tmp_path / "clean"
    cases = [
        (("--remove", "persn"), "know no 'persn'", "person"),
        (("--remove", "car,all-vehicle"), "know no 'all-vehicle'", "all-vehicles"),
        (("--remove", "all-animals"), "know no 'all-animals'", "all-vehicles"),
        (("--threshold", "cra=0.3"), "no 'cra'", "car"),
        (
            ("--recipe", "street", "--set", "detect.labels=[person]"),
            "all-vehicles cannot be removed",
            "detect.labels",
        ),
        (("--keep", "biggest"), "'biggest' is none of", "largest:2"),
    ]
    for arguments, words, hint in cases:
        result = invoke("run", photos, "-o", output, *light, *arguments)
        assert result.exit_code == 2, (arguments, result.output)
        assert words in result.stderr and hint in result.stderr.split("hint:")[1], result.stderr
    assert not output.exists()
