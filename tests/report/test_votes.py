"""Votes: files checked as they are read, shares and means with their intervals."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from autoremove.errors import InputError
from autoremove.report.votes import TRUTH, mean_interval, read_votes, score, student, wilson


def row(task: str, model: str | None, answer: Any, **more: Any) -> dict[str, Any]:
    return {"task": task, "model": model, "picture": "a.png", "answer": answer, "ms": 900, **more}


VOTES = [
    row("real", "v2", "real"),
    row("real", "v2", "fake", picture="b.png"),
    row("real", None, "real"),
    row("opinion", "v2", 4),
    row("opinion", "v2", 2),
    row("pair", "v2", "left", real="right"),
    row("pair", "v2", "left", real="left"),
    row("pair", "telea", "right", real="right"),
]


def ballot_file(path: Path, votes: list[dict[str, Any]] = VOTES, **fields: Any) -> Path:
    content = {
        "format": "autoremove study votes",
        "version": 1,
        "study": "abc",
        "rater": "ann",
        "seed": 1,
        "planned": 20,
        "votes": votes,
        **fields,
    }
    path.write_text(json.dumps(content))
    return path


@pytest.mark.parametrize(
    ("hits", "trials", "low", "high"),
    [  # Newcombe 1998, table I, method 3
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_against_published_values(hits: int, trials: int, low: float, high: float) -> None:
    assert wilson(hits, trials) == pytest.approx((low, high), abs=5e-5)
    turned = wilson(trials - hits, trials)
    assert turned == pytest.approx((1 - high, 1 - low), abs=5e-5)


@pytest.mark.parametrize(
    ("freedom", "quantile"), [(1, 12.7062), (2, 4.3027), (3, 3.1824), (5, 2.5706), (10, 2.2281), (60, 2.0003)]
)
def test_student_against_the_tables(freedom: int, quantile: float) -> None:
    assert student(freedom) == pytest.approx(quantile, rel=2e-3)


def test_the_interval_of_a_mean() -> None:
    low, high = mean_interval([1, 2, 3, 4, 5])
    assert (low, high) == pytest.approx((3 - 1.963, 3 + 1.963), abs=2e-3)
    assert mean_interval([3.0]) == (-math.inf, math.inf)
    assert mean_interval([4.0, 4.0]) == (4.0, 4.0)


def test_rates_and_means(tmp_path: Path) -> None:
    result = score([read_votes(ballot_file(tmp_path / "a.json"))])
    real, pair, opinion = (result["tasks"][task] for task in ("real", "pair", "opinion"))
    assert real["v2"]["fooled"] == 0.5 and real["v2"]["votes"] == 2 and real["v2"]["pictures"] == 2
    assert real[TRUTH]["fooled"] == 1.0
    assert list(real) == ["v2", TRUTH]
    assert pair["v2"]["fooled"] == 0.5 and pair["telea"]["fooled"] == 0.0
    assert (pair["v2"]["low"], pair["v2"]["high"]) == pytest.approx(wilson(1, 2))
    assert opinion["v2"]["mean"] == 3.0 and opinion["v2"]["scores"] == [0, 1, 0, 1, 0]
    assert (opinion["v2"]["low"], opinion["v2"]["high"]) == (1.0, 5.0)  # two votes say little
    assert result["votes"] == 8


def test_several_raters_are_pooled_and_counted(tmp_path: Path) -> None:
    one = ballot_file(tmp_path / "a.json")
    other = ballot_file(tmp_path / "b.json", VOTES[:2], rater="bob", seed=2, study="def")
    result = score([read_votes(one), read_votes(other)])
    assert result["tasks"]["real"]["v2"]["votes"] == 4
    assert result["tasks"]["real"]["v2"]["raters"] == 2
    assert result["tasks"]["opinion"]["v2"]["raters"] == 1
    assert [(r["rater"], r["real"], r["opinion"], r["pair"]) for r in result["raters"]] == [
        ("ann", 3, 2, 3),
        ("bob", 2, 0, 0),
    ]
    assert result["studies"] == ["abc", "def"]


def test_nameless_raters_are_told_apart_by_their_files(tmp_path: Path) -> None:
    files = [ballot_file(tmp_path / f"{n}.json", rater="anonymous", seed=n) for n in (1, 2, 3)]
    result = score([read_votes(path) for path in files])
    assert result["tasks"]["real"]["v2"]["raters"] == 3


def test_a_file_given_twice_or_without_votes_is_refused(tmp_path: Path) -> None:
    one = read_votes(ballot_file(tmp_path / "a.json"))
    later = read_votes(ballot_file(tmp_path / "b.json", VOTES[:3]))
    with pytest.raises(InputError, match="same person"):
        score([one, later])
    with pytest.raises(InputError, match="no vote"):
        score([read_votes(ballot_file(tmp_path / "c.json", []))])


@pytest.mark.parametrize(
    ("vote", "words"),
    [
        (row("reel", "v2", "real"), "no task 'reel'"),
        (row("opinion", "v2", 6), "6 is no answer"),
        (row("opinion", "v2", True), "True is no answer"),
        (row("real", "v2", "left"), "'left' is no answer"),
        (row("pair", "v2", "left", real="up"), "where the true picture was"),
        (row("pair", "v2", "left"), "'real' is missing"),
        ({"task": "real"}, "'answer' is missing"),
        ("vote", "damaged"),
    ],
)
def test_a_damaged_vote_is_told(tmp_path: Path, vote: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        read_votes(ballot_file(tmp_path / "a.json", [vote]))


@pytest.mark.parametrize("text", ["[1]", '{"format": "else"}', "{", "\udcff"])
def test_what_is_no_votes_file_is_told(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(InputError, match="no votes file"):
        read_votes(path)


def test_a_file_that_is_not_there_or_newer_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read_votes(tmp_path / "gone.json")
    with pytest.raises(InputError, match="version 2"):
        read_votes(ballot_file(tmp_path / "a.json", version=2))
