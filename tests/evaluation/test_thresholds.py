"""benchmarks/thresholds.py: the confidences it chooses on a tiny folder, with a detector made by hand."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from autoremove.evaluation.labelled import read_boxed
from autoremove.recipe import load_recipe
from autoremove.types import Detections, Image
from tests.evaluation.folders import PERSON, SMALL, instances

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "thresholds.py"


@pytest.fixture(scope="module")
def thresholds() -> ModuleType:
    """The script as a module."""
    spec = importlib.util.spec_from_file_location("thresholds_script", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def find(image: Image) -> Detections:
    """The person at 0.8, a stray one at 0.3, and the dog at 0.5."""
    boxes = np.array([PERSON, (95, 60, 115, 95), SMALL], np.float32)
    return Detections(boxes, np.array([0.8, 0.3, 0.5], np.float32), ("person", "person", "dog"))


def test_choices_end_in_a_line_for_a_recipe(thresholds: ModuleType, tmp_path: Path) -> None:
    objects = [("person", PERSON), ("dog", SMALL)]
    folder = instances(tmp_path, [{"name": name, "objects": objects} for name in "ab"])
    judge = thresholds.scored(read_boxed(folder), find, ["dog", "person"])
    choices = thresholds.chosen(judge.scores, {}, precision=0.9, least=1)
    person, dog = choices["person"][1], choices["dog"][1]
    assert (person.confidence, person.recall, person.precision) == (0.8, 1.0, 1.0)
    assert (dog.confidence, dog.false_per_picture) == (0.5, 0.0)
    rows = thresholds.table(choices, {"dog": 2, "person": 2})
    assert rows[2][:4] == ["person", "2", "0.800", "own"]
    line = thresholds.line(choices)
    assert line == "thresholds: {dog: 0.500, person: 0.800}"
    field = f"select.{line.replace(': ', '=', 1)}"
    (select,) = [stage for stage in load_recipe("people", [field]).stages if stage.name == "select"]
    assert select.params()["thresholds"] == {"dog": 0.5, "person": 0.8}


def test_all_options_are_understood(thresholds: ModuleType, tmp_path: Path) -> None:
    words = ["--data", str(tmp_path), "--data", "b", "--labels", "person", "--precision", "0.8"]
    options = thresholds.parsed([*words, "--false-finds", "0.1", "--set", "detect.speed=max"])
    assert (len(options.data), options.precision, options.false_finds) == (2, 0.8, 0.1)
    assert options.set == ["detect.speed=max"]
