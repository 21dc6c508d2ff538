"""The logic of the study's page, run by node: balanced, random by seed alone, undone, kept and exported."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

import autoremove.report
from autoremove.report.votes import read_votes, score

CHECK = Path(__file__).parent / "study_deck_check.js"
DECK = Path(autoremove.report.__file__).parent / "study_deck.js"

PICTURES = 10
MODELS = ["v1", "v2", "telea"]
KEY: dict[str, Any] = {
    "models": MODELS,
    "pictures": [f"{number}.png" for number in range(PICTURES)],
    "of": {f"p{m + 1}{p}": [m, p] for m in (-1, 0, 1, 2) for p in range(PICTURES)},
}
STUDY: dict[str, Any] = {
    "id": "abc",
    "version": "9.9",
    "seconds": 0,
    "tasks": {"real": 18, "opinion": 16, "pair": 12},
}
SEEDS = [7, 8, 9]

Trials = list[dict[str, Any]]


@pytest.fixture(scope="module")
def said() -> dict[str, Any]:
    """What the deck answered."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    hidden = base64.b64encode(json.dumps(KEY).encode()).decode()
    given = json.dumps({"study": STUDY, "key": KEY, "hidden": hidden, "seeds": SEEDS})
    done = subprocess.run(
        [node, str(CHECK), str(DECK)], input=given, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def of_task(trials: Trials, task: str) -> Trials:
    return [trial for trial in trials if trial["task"] == task]


def test_the_hidden_key_opens(said: dict[str, Any]) -> None:
    assert said["opened"] == KEY


def test_the_same_seed_asks_the_same_and_another_something_else(said: dict[str, Any]) -> None:
    assert said["twice"] == said["plans"][0]
    assert said["plans"][1] != said["plans"][0]


def test_tasks_come_one_after_the_other_pairs_last(said: dict[str, Any]) -> None:
    for plan in said["plans"]:
        assert [trial["task"] for trial in plan] == ["real"] * 18 + ["opinion"] * 16 + ["pair"] * 12


def test_models_are_asked_about_equally_often(said: dict[str, Any]) -> None:
    for plan in said["plans"]:
        counts = {
            task: Counter(KEY["of"][trial["id"]][0] for trial in of_task(plan, task))
            for task in STUDY["tasks"]
        }
        assert counts["real"] == {-1: 6, 0: 4, 1: 4, 2: 4}  # a third is real
        assert counts["opinion"] == {-1: 4, 0: 4, 1: 4, 2: 4}
        assert counts["pair"] == {0: 4, 1: 4, 2: 4}


def test_no_question_is_asked_twice_and_no_picture_follows_itself(said: dict[str, Any]) -> None:
    for plan in said["plans"]:
        for task in STUDY["tasks"]:
            ids = [trial["id"] for trial in of_task(plan, task)]
            assert len(set(ids)) == len(ids)
            pictures = [KEY["of"][name][1] for name in ids]
            assert all(a != b for a, b in pairwise(pictures))
            assert max(Counter(pictures).values()) - min(Counter(pictures).values()) <= 2


def test_a_pair_is_a_fill_and_its_truth_as_often_left_as_right(said: dict[str, Any]) -> None:
    for plan in said["plans"]:
        pairs = of_task(plan, "pair")
        for trial in pairs:
            left, right = trial["shows"]
            true, fill = (left, right) if trial["real"] == "left" else (right, left)
            assert fill == trial["id"]
            assert KEY["of"][true] == [-1, KEY["of"][fill][1]]
        assert Counter(trial["real"] for trial in pairs) == {"left": 6, "right": 6}


def test_votes_are_checked_undone_kept_and_gone_on_with(said: dict[str, Any]) -> None:
    assert said["wrong"] is False and said["past"] is False
    assert said["undone"] == [True, 0, False]
    assert said["resumed"] == [1, True]
    first, other = said["plans"][0][0], said["plans"][1][0]  # of the next seed
    assert said["foreign"] == (1 if first["id"] == other["id"] else 0)


def test_the_exported_file_can_be_scored(said: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "votes.json"
    path.write_text(json.dumps(said["votes"]))
    ballot = read_votes(path)
    assert (ballot.rater, ballot.seed, ballot.planned, len(ballot.votes)) == ("ann", 7, 46, 46)
    result = score([ballot])
    assert set(result["tasks"]["pair"]) == set(MODELS)
    for i, (trial, vote) in enumerate(zip(said["plans"][0], ballot.votes, strict=True)):
        answer = {"real": ["real", "fake"], "opinion": [1, 2], "pair": ["left", "right"]}[trial["task"]][
            i % 2
        ]
        wanted = {"real": answer == "real", "opinion": answer, "pair": answer != trial["real"]}
        assert vote.value == wanted[trial["task"]]
