"""What a score is worth, and the confidence for a wanted precision, worked out by hand."""

from __future__ import annotations

import pytest

from autoremove.evaluation.calibration import Scores, chosen, pooled


def scores(*rows: tuple[float, bool], objects: int = 4, pictures: int = 2) -> Scores:
    return Scores([score for score, _ in rows], [right for _, right in rows], objects, pictures)


MIXED = scores((0.9, True), (0.8, True), (0.6, False), (0.5, True), (0.3, False), (0.2, False))


def test_bands_count_finds_and_right_ones() -> None:
    bands = scores((0.31, True), (0.34, False), (0.05, True), (1.0, True)).bands()
    assert bands == [
        {"score_from": 0.05, "score_to": 0.1, "finds": 1, "right": 1},
        {"score_from": 0.3, "score_to": 0.35, "finds": 2, "right": 1},
        {"score_from": 0.95, "score_to": 1.0, "finds": 1, "right": 1},
    ]


def test_the_lowest_confidence_with_the_precision_is_taken() -> None:
    choice = MIXED.choose(0.75)
    assert choice.confidence == pytest.approx(0.5)
    assert (choice.precision, choice.recall, choice.false_per_picture) == (0.75, 0.75, 0.5)
    assert choice.met
    assert MIXED.choose(0.9).confidence == pytest.approx(0.8)


def test_false_finds_are_bounded_too() -> None:
    assert MIXED.choose(0.0, 0.5).confidence == pytest.approx(0.5)
    assert MIXED.choose(0.0, 0.0).confidence == pytest.approx(0.8)


def test_finds_of_one_score_stay_together() -> None:
    tied = scores((0.9, True), (0.5, True), (0.5, False))
    assert tied.choose(0.9).confidence == pytest.approx(0.9)


def test_what_cannot_be_met_is_told() -> None:
    choice = scores((0.9, False), (0.8, True)).choose(0.9)
    assert not choice.met
    assert choice.confidence == pytest.approx(0.8), "the best balance instead"
    assert not scores().choose(0.5).met


def test_rare_classes_take_the_confidence_of_their_group() -> None:
    tables = {
        "car": scores(*[(0.7, True)] * 30, *[(0.4, False)] * 30, objects=40),
        "bus": scores((0.2, True), objects=1),
        "dog": scores((0.6, True), objects=1),
    }
    rows = chosen(tables, {"all-vehicles": ("car", "bus")}, precision=0.9, least=20)
    assert rows["car"][0] == "own"
    assert rows["bus"][0] == "group"
    assert rows["bus"][1].confidence == rows["car"][1].confidence
    assert rows["bus"][1].recall == 0.0, "its own recall at that confidence"
    assert rows["dog"][0] == "all"


def test_pooled_adds_up() -> None:
    both = pooled([MIXED, MIXED])
    assert (len(both.score), both.objects, both.pictures) == (12, 8, 2)
