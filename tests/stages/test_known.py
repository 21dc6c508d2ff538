"""A class that the detector does not know is refused before the first picture."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from autoremove.errors import UsageError
from autoremove.models import cache, detector_names
from autoremove.stages import known
from autoremove.stages.detect import Detect
from autoremove.stages.select import Select

NAMES = ("person", "car", "dog", "traffic light")


@pytest.fixture(autouse=True)
def four_classes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(detector_names, "detector_names", lambda weights: NAMES)


def check(labels: tuple[str, ...] = (), sought: tuple[str, ...] = (), **more: Any) -> None:
    known.check_labels([Detect(labels=sought), Select(labels=labels, **more)])


@pytest.mark.parametrize(
    "labels",
    [(), ("person",), ("car", "dog"), ("all-vehicles",), ("all-people", "all-animals"), ("traffic light",)],
)
def test_what_the_weights_know_may_be_removed(labels: tuple[str, ...]) -> None:
    check(labels)


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [("persn", "person"), ("cars", "car"), ("all-vehicle", "all-vehicles"), ("Dog", "dog")],
)
def test_a_typo_is_met_with_a_suggestion(wrong: str, meant: str) -> None:
    with pytest.raises(UsageError, match=f"know no '{wrong}'") as told:
        check(("car", wrong))
    assert meant in str(told.value.hint)
    with pytest.raises(UsageError, match=f"'{wrong}'") as told:
        check(thresholds={wrong: 0.5})
    assert meant in str(told.value.hint)


def test_a_group_of_which_nothing_is_known_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(detector_names, "detector_names", lambda weights: ("person",))
    check(("all-people",))
    with pytest.raises(UsageError, match="all-vehicles"):
        check(("all-people", "all-vehicles"))


def test_what_is_not_looked_for_cannot_be_removed() -> None:
    check(("car",), ("person", "car"))
    with pytest.raises(UsageError, match="looks for person only"):
        check(("person", "car"), ("person",))
    with pytest.raises(UsageError, match="know no 'cow'"):
        check(("person",), ("person", "cow"))


def test_thresholds_of_classes_that_other_weights_know_do_no_harm() -> None:
    check(thresholds={"bus": 0.3, "all-animals": 0.5, "traffic light": 0.2})


def test_people_alone_are_not_asked_about(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(weights: str) -> None:
        raise AssertionError("asked")

    monkeypatch.setattr(detector_names, "detector_names", never)
    check(("person",))
    check(("all-people",), ("person",), thresholds={"person": 0.3})
    known.check_labels([Select(labels=("car",))])  # nothing is looked for: masks of one's own


def test_weights_that_do_not_tell_are_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(detector_names, "detector_names", lambda weights: None)
    monkeypatch.setattr(cache, "load", lambda kind, name, device: SimpleNamespace(names=["person", "tram"]))
    check(("tram",))
    with pytest.raises(UsageError, match="know no 'car'"):
        check(("car",))
