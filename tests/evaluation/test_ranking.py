"""Which fills are the best and the worst, and what is special about their holes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from autoremove.evaluation.fills import Row
from autoremove.evaluation.ranking import Ranking, faults_of, score_of, traits_of, write_ranked
from autoremove.evaluation.table import causes_table


def row(psnr: float, sharpness: float = 1.0, seam: float = 1.0, colour: float = 0.0) -> Row:
    return {"hole_psnr": psnr, "sharpness": sharpness, "seam": seam, "colour": colour, "share": 0.2}


def hole(x1: int, y1: int, x2: int, y2: int, side: int = 96) -> np.ndarray:
    mask = np.zeros((side, side), bool)
    mask[y1:y2, x1:x2] = True
    return mask


def flat(value: int = 120, side: int = 96) -> np.ndarray:
    return np.full((side, side, 3), value, np.uint8)


def test_a_score_is_relative_to_the_other_models() -> None:
    assert score_of([row(20), row(16)]) == pytest.approx(2.0)
    assert score_of([row(20)]) == 20.0


def test_a_blur_and_a_seam_cost() -> None:
    assert score_of([row(20, sharpness=0.25)]) == pytest.approx(14.0)
    assert score_of([row(20, seam=2.0)]) == pytest.approx(17.0)
    assert score_of([row(20, sharpness=float("nan"))]) == 20.0


def test_traits_of_a_hole_and_what_surrounds_it() -> None:
    assert traits_of(flat(), hole(40, 40, 50, 50)) == ("flat_surroundings",)
    large = traits_of(flat(), hole(0, 10, 60, 80))
    assert large == ("large_hole", "thick_hole", "touching_border", "flat_surroundings")
    noise = np.random.default_rng(0).integers(0, 256, (96, 96, 3)).astype(np.uint8)
    assert "textured_surroundings" in traits_of(noise, hole(40, 40, 50, 50))


def test_a_hole_across_edges() -> None:
    halves = flat(20)
    halves[:, 45:] = 230
    assert "between_unlike_things" in traits_of(halves, hole(40, 40, 50, 50))
    assert "between_unlike_things" not in traits_of(halves, hole(5, 40, 15, 50))
    assert "many_edges_cross" not in traits_of(halves, hole(5, 10, 90, 80))
    fence = flat(20)
    fence.reshape(96, 8, 12, 3)[:, :, 6:] = 230
    assert "many_edges_cross" in traits_of(fence, hole(5, 10, 90, 80))
    assert "many_edges_cross" not in traits_of(fence, hole(5, 10, 12, 80))


def test_faults_of_a_fill() -> None:
    assert faults_of(row(20)) == ()
    assert faults_of(row(20, 0.2, 1.5, 10.0)) == ("blurred", "seam_shows", "wrong_colour")
    assert faults_of(row(20, 2.0)) == ("too_sharp",)


def ranking_of(count: int) -> Ranking:
    ranking = Ranking()
    for number in range(count):
        worse = number % 2
        rows = [row(30 - number, 0.2 if worse else 1.0)]
        ranking.add((number, 0, f"p{number}"), flat(), hole(40, 40, 50, 50), rows)
    return ranking


def test_groups_share_no_fill() -> None:
    groups = ranking_of(12).groups(most=4)
    names = [entry.name for entries in groups.values() for entry in entries]
    assert len(names) == len(set(names)) == 12
    assert groups["best"][0].name == "p0" and groups["worst"][0].name == "p11"
    assert {name: len(entries) for name, entries in ranking_of(2).groups().items()} == {"best": 2}


def test_what_the_worst_have_in_common() -> None:
    causes = ranking_of(12).causes()
    assert causes["worst"] == {"all": 3, "flat_surroundings": 3, "blurred": 3}
    assert causes["best"]["all"] == 3 and causes["best"]["blurred"] < 3
    assert (causes["fills"]["all"], causes["fills"]["blurred"]) == (12, 6)
    table = causes_table(causes, "fills")
    assert table[0][1:] == ["worst (3)", "best (3)", "all fills (12)"]


def test_the_sheet_does_each_fill_once_more(tmp_path: Path) -> None:
    import cv2

    done: list[str] = []

    def redo(entry):
        done.append(entry.name)
        return flat(), hole(40, 40, 50, 50), flat(60)

    write_ranked(tmp_path / "ranked.png", ranking_of(9), redo)
    assert sorted(done) == sorted(f"p{i}" for i in range(9))
    sheet = cv2.imread(str(tmp_path / "ranked.png"))
    assert sheet.shape[1] > 9 * 256 and sheet.shape[0] > 3 * 256
    assert "flat surroundings" in ranking_of(1).entries[0].words()
    write_ranked(tmp_path / "none.png", Ranking(), redo)
    assert not (tmp_path / "none.png").exists()
