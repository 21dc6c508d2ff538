"""Votes of a study: files read and checked, and what they say of each model with its confidence interval."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist, mean, stdev
from typing import Any

from autoremove.errors import InputError
from autoremove.report.study_page import TASKS

FORMAT, VERSION = "autoremove study votes", 1

TRUTH = "true pictures"
"""What the true pictures are called in tables."""

LEVEL = 0.95

NAMELESS = "anonymous"
"""The rater where no name was given."""

_ANSWERS: dict[str, tuple[Any, ...]] = {
    "real": ("real", "fake"),
    "opinion": (1, 2, 3, 4, 5),
    "pair": ("left", "right"),
}


@dataclass(frozen=True)
class Vote:
    """``model`` None: a true picture. ``value``: 1.0 = taken for real (real, pair), or the score 1 to 5."""

    task: str
    model: str | None
    picture: str
    value: float


@dataclass(frozen=True)
class Ballot:
    """The votes of one person; ``planned``: how many there would be in the end."""

    path: Path
    study: str
    rater: str
    seed: int
    planned: int
    votes: tuple[Vote, ...]

    @property
    def person(self) -> str:
        """Who voted; those without a name are one for each file."""
        return str(self.path) if self.rater == NAMELESS else self.rater


def read_votes(path: Path) -> Ballot:
    """One file as the page of a study saves it. Raises InputError that says what is wrong with it."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}).", hint="Check the path.") from error
    except ValueError as error:
        raise InputError(f"{path} is no votes file: it is no JSON.", hint=_WAY) from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise InputError(f"{path} is no votes file.", hint=_WAY)
    if content.get("version") != VERSION:
        raise InputError(
            f"{path} is of version {content.get('version')!r} of the form of votes; {VERSION} is known.",
            hint="Score it with the autoremove that made the study.",
        )
    try:
        votes = tuple(_vote(row) for row in content["votes"])
        return Ballot(
            path,
            str(content["study"]),
            str(content["rater"]),
            int(content["seed"]),
            int(content["planned"]),
            votes,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path} is a damaged votes file: {_about(error)}.", hint=_WAY) from error


_WAY = "Give files saved by the page that `autoremove study` makes."


def _about(error: Exception) -> str:
    return f"{error} is missing" if isinstance(error, KeyError) else str(error)


def _vote(row: dict[str, Any]) -> Vote:
    task, answer, model = row["task"], row["answer"], row["model"]
    if task not in _ANSWERS:
        raise ValueError(f"there is no task {task!r}")
    if answer not in _ANSWERS[task] or isinstance(answer, bool):
        raise ValueError(f"{answer!r} is no answer to the task {task}")
    if task == "pair":
        if row["real"] not in _ANSWERS["pair"] or model is None:
            raise ValueError("a pair does not say where the true picture was")
        value = float(answer != row["real"])
    else:
        value = float(answer == "real") if task == "real" else float(answer)
    return Vote(task, None if model is None else str(model), str(row["picture"]), value)


def score(ballots: Sequence[Ballot]) -> dict[str, Any]:
    """What all ballots together say.

    ``tasks``: task -> model -> votes, pictures, raters, the figure (``fooled``: share of votes that took the
    picture for real; ``mean``: opinion score) and its 95 % interval ``low`` to ``high`` (Wilson 1927 for a
    share, Student's t for a mean, kept within 1 to 5). The intervals take votes as independent: with few
    raters they are too narrow. In ``real`` the true pictures stand beside the models; ``pair`` is at 0.5
    where nobody can tell a fill from the truth. ``raters``: one row a file with its counts. ``studies``:
    their names. Raises InputError without votes, or where a file is given twice.
    """
    _refuse_twice(ballots)
    votes = [(ballot.person, vote) for ballot in ballots for vote in ballot.votes]
    if not votes:
        raise InputError("These files hold no vote.", hint="Answer some questions and save the votes again.")
    tasks: dict[str, dict[str, Any]] = {}
    for task in TASKS:
        own = [(rater, vote) for rater, vote in votes if vote.task == task]
        models = sorted({vote.model for _, vote in own}, key=lambda model: (model is None, model or ""))
        if own:
            tasks[task] = {
                model or TRUTH: _figures(task, [pair for pair in own if pair[1].model == model])
                for model in models
            }
    return {
        "tasks": tasks,
        "raters": [_rater(ballot) for ballot in ballots],
        "studies": sorted({ballot.study for ballot in ballots}),
        "level": LEVEL,
        "votes": len(votes),
    }


def _refuse_twice(ballots: Sequence[Ballot]) -> None:
    seen: dict[tuple[str, str, int], Path] = {}
    for ballot in ballots:
        key = (ballot.study, ballot.rater, ballot.seed)
        if key in seen:
            raise InputError(
                f"{seen[key]} and {ballot.path} are of the same person at the same questions.",
                hint="Leave one of them out: the later one holds the votes of the earlier.",
            )
        seen[key] = ballot.path


def _figures(task: str, rows: Sequence[tuple[str, Vote]]) -> dict[str, Any]:
    values = [vote.value for _, vote in rows]
    about = {
        "votes": len(rows),
        "pictures": len({vote.picture for _, vote in rows}),
        "raters": len({rater for rater, _ in rows}),
    }
    if task == "opinion":
        low, high = mean_interval(values)
        held = {"low": max(1.0, low), "high": min(5.0, high)}
        return {"mean": mean(values), **held, **about, "scores": _scores(values)}
    low, high = wilson(round(sum(values)), len(values))
    return {"fooled": mean(values), "low": low, "high": high, **about}


def _scores(values: Sequence[float]) -> list[int]:
    """How often each of 1 to 5 was given."""
    counts = Counter(round(value) for value in values)
    return [counts[value] for value in (1, 2, 3, 4, 5)]


def _rater(ballot: Ballot) -> dict[str, Any]:
    counts = Counter(vote.task for vote in ballot.votes)
    told = {task: counts[task] for task in TASKS}
    return {
        "rater": ballot.rater,
        "file": ballot.path.name,
        **told,
        "votes": len(ballot.votes),
        "planned": ballot.planned,
    }


def wilson(hits: int, trials: int, level: float = LEVEL) -> tuple[float, float]:
    """The interval of Wilson (1927) for a share, from ``hits`` of ``trials`` (at least one)."""
    z = NormalDist().inv_cdf((1 + level) / 2)
    share, extra = hits / trials, z * z / trials
    middle = (share + extra / 2) / (1 + extra)
    half = z * math.sqrt(share * (1 - share) / trials + extra / (4 * trials)) / (1 + extra)
    return max(0.0, middle - half), min(1.0, middle + half)


def mean_interval(values: Sequence[float], level: float = LEVEL) -> tuple[float, float]:
    """Student's interval for a mean; without end in both directions for a single value."""
    if len(values) < 2:
        return -math.inf, math.inf
    half = student(len(values) - 1, level) * stdev(values) / math.sqrt(len(values))
    return mean(values) - half, mean(values) + half


def student(freedom: int, level: float = LEVEL) -> float:
    """The two-sided quantile of Student's t: exact for 1 and 2 degrees of freedom, else within 0.2 %.

    The expansion in 1/freedom round the normal quantile is that of Abramowitz and Stegun, 26.7.5.
    """
    if freedom == 1:
        return math.tan(math.pi * level / 2)
    if freedom == 2:
        return level * math.sqrt(2 / (1 - level * level))
    x = NormalDist().inv_cdf((1 + level) / 2)
    terms = (
        (x**3 + x) / 4,
        (5 * x**5 + 16 * x**3 + 3 * x) / 96,
        (3 * x**7 + 19 * x**5 + 17 * x**3 - 15 * x) / 384,
        (79 * x**9 + 776 * x**7 + 1482 * x**5 - 1920 * x**3 - 945 * x) / 92160,
    )
    return float(x + sum(term / freedom**power for power, term in enumerate(terms, 1)))
