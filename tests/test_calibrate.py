"""What scores are worth: the fit finds the truth, the file carries it, the stage applies it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from autoremove.evaluation.calibration import Scores
from autoremove.models.calibration import REST, Line, calibration
from autoremove.models.checkpoints import header
from autoremove.models.detector_names import detector_names
from autoremove.stages.detect import worth
from autoremove.types import Detections
from benchmarks.calibrate import crossed_error, expected_error, fitted, lines_of, write


def drawn(line: Line, count: int, seed: int = 0) -> Scores:
    """Finds whose chance to be right is what the line says of their score."""
    rng = np.random.default_rng(seed)
    score = rng.uniform(0.02, 0.8, count)
    return Scores(score.tolist(), (rng.random(count) < line(score.astype(np.float32))).tolist(), count, 10)


def test_the_fit_finds_the_line_that_made_the_data() -> None:
    true = Line(1.7, 1.2)
    table = drawn(true, 20_000)
    found = fitted(table)
    assert found == pytest.approx(true, abs=0.1)
    before, after = expected_error(table, None), expected_error(table, found)
    assert before is not None and after is not None
    assert after < 0.02 < 0.1 < before


def test_the_error_is_told_of_pictures_that_the_line_was_not_fitted_on() -> None:
    one, other = {"person": drawn(Line(2.0, 1.0), 4000)}, {"person": drawn(Line(2.0, 1.0), 4000, seed=1)}
    alike = crossed_error([one, other], "person")
    assert alike is not None and alike < 0.03
    apart = crossed_error([one, {"person": drawn(Line(1.0, -2.0), 4000)}], "person")
    assert apart is not None and apart > 0.2
    assert crossed_error([one, other], "dog") is None


@pytest.mark.parametrize("right", [[True] * 40, [False] * 40])
def test_one_sided_finds_give_a_finite_line(right: list[bool]) -> None:
    line = fitted(Scores(np.linspace(0.1, 0.9, 40).tolist(), right, 40, 10))
    assert np.isfinite(line).all()


def test_rare_classes_lean_on_their_group_or_on_all_but_persons() -> None:
    own, group = Line(2.0, 1.0), Line(1.0, -1.0)
    rare = Scores([0.3], [True], 1, 10)
    lines = lines_of({"person": drawn(own, 3000), "car": drawn(group, 3000), "bus": rare, "skis": rare})
    assert lines["person"] == pytest.approx(own, abs=0.3)
    assert lines["car"] == pytest.approx(group, abs=0.3)
    assert lines["bus"] == pytest.approx(group, abs=0.4)  # of all vehicles together
    assert lines["skis"] == pytest.approx(group, abs=0.4)
    assert lines[REST] == pytest.approx(group, abs=0.3)  # of all but persons


def test_a_class_says_the_more_itself_the_more_often_it_was_found() -> None:
    group = drawn(Line(1.0, 0.0), 3000)

    def chance(count: int) -> float:
        """Of a class that is never right, at a score at which its group is right every other time."""
        never = Scores([0.5] * count, [False] * count, 0, 10)
        return float(fitted(never, group)(np.array([0.5], np.float32))[0])

    assert 0.4 < chance(2) < 0.5
    assert chance(2) > chance(20) > chance(200)
    assert chance(200) < 0.15


def test_what_was_never_found_has_no_line_and_nothing_right_gives_none() -> None:
    never = Scores([], [], 3, 10)
    assert set(lines_of({"person": drawn(Line(1.0, 0.0), 300), "dog": never})) == {"person", REST}
    assert lines_of({"person": Scores([0.4], [False], 0, 10), "dog": never}) == {}


def test_the_file_carries_it_and_nothing_else_changes(tmp_path: Path) -> None:
    plain, told = tmp_path / "plain.safetensors", tmp_path / "deep" / "told.safetensors"
    save_file({"x": torch.ones(2)}, plain, {"names": '["person"]', "architecture": "yolo11n"})
    assert calibration(header(plain)) == {}
    lines = {"person": Line(1.5, 0.25), REST: Line(1.0, 0.0)}
    write(plain, lines, told)
    assert calibration(header(told)) == lines
    assert detector_names(str(told)) == ("person",)


def test_finds_get_the_score_of_their_class_and_the_best_comes_first() -> None:
    boxes = np.array([[0, 0, 9, 9], [1, 1, 5, 5], [2, 2, 8, 8]], np.float32)
    found = Detections(boxes, np.array([0.6, 0.4, 0.3], np.float32), ("dog", "person", "person"))
    lines = {"person": Line(2.0, 2.0), REST: Line(1.0, -3.0)}
    kept = worth(found, lines, 0.5)
    assert kept.label == ("person", "person")
    assert kept.score == pytest.approx(lines["person"](np.array([0.4, 0.3], np.float32)))
    assert kept.xyxy[0].tolist() == boxes[1].tolist()
    assert worth(found, lines, 0.0).label == ("person", "person", "dog")
    assert worth(found, {}, 0.35).label == ("dog", "person")  # as they are, without lines
