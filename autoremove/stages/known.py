"""Class names that a chain asks for, held against those that its detector knows, before the first picture."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Any

from autoremove.errors import UsageError
from autoremove.labels import EMBEDDED, GROUPS, PEOPLE
from autoremove.stages.base import Stage


def check_labels(stages: Sequence[Stage]) -> None:
    """Raise UsageError for a class or group that the chain is to find or remove and its detector cannot.

    People alone are not checked: every detector knows them. Loads the network only where its weights do not
    tell their names otherwise.
    """
    detect = next((stage for stage in stages if stage.name == "detect"), None)
    select = next((stage for stage in stages if stage.name == "select"), None)
    sought: tuple[str, ...] = getattr(detect, "labels", ())
    chosen: tuple[str, ...] = getattr(select, "labels", ())
    rows: tuple[str, ...] = tuple(getattr(select, "thresholds", ()))
    if detect is None or {*sought, *chosen, *rows} <= {*PEOPLE, "all-people"}:
        return
    names = known_names(detect)
    for label in (*sought, *chosen):
        if not set(GROUPS.get(label, (label,))) & set(names):
            raise _unknown(label, names, f"The weights {getattr(detect, 'weights', '')!r} know no {label!r}.")
    for label in rows:  # a recipe may have thresholds for more classes than its weights know: no harm
        if label not in {*names, *GROUPS, *EMBEDDED}:
            raise _unknown(label, names, f"There is no {label!r} to have a threshold of its own.")
    unsought = [label for label in chosen if sought and not set(GROUPS.get(label, (label,))) & set(sought)]
    if unsought:
        raise UsageError(
            f"{', '.join(unsought)} cannot be removed: detect.labels looks for {', '.join(sought)} only.",
            hint="Empty detect.labels, which finds all that the weights know.",
        )


def known_names(detect: Any) -> tuple[str, ...]:
    """The class names of a detect stage's weights."""
    from autoremove.models import cache
    from autoremove.models.detector_names import detector_names

    names = detector_names(detect.weights)
    return names if names is not None else tuple(cache.load("detector", detect.weights, detect.device).names)


def _unknown(label: str, names: Sequence[str], message: str) -> UsageError:
    known = [*names, *(group for group, members in GROUPS.items() if set(members) & set(names))]
    near = difflib.get_close_matches(label, known, 3, 0.5) or known[:10]
    hint = f"Nearest of their names: {', '.join(near)}. Other weights: `autoremove weights list`."
    return UsageError(message, hint=hint)
