"""Training settings from a YAML file and key=value assignments, checked against a config dataclass."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml

from autoremove.errors import UsageError

Config = TypeVar("Config")

CONFIGS = Path(__file__).parent / "configs"


def read_config(kind: type[Config], shipped: str, file: Path | None, assignments: Sequence[str]) -> Config:
    """A config of ``kind`` from ``file`` (default: the shipped one of that name) and assignments over it.

    Raises UsageError for a file that cannot be read and for names the config does not know.
    """
    values = read_values(shipped, file, assignments)
    return kind(**{key: _checked(kind, key, value) for key, value in values.items()})


def read_values(shipped: str, file: Path | None, assignments: Sequence[str]) -> dict[str, Any]:
    """The plain values of a settings file with the assignments over them, read as YAML; UsageError if not.

    ``file`` may be the name of a shipped one. ``base`` in a file is the name of a shipped one, too: what the
    file does not say is taken from there.
    """
    path = file or CONFIGS / f"{shipped}.yaml"
    if not path.is_file() and (CONFIGS / f"{path}.yaml").is_file():
        path = CONFIGS / f"{path}.yaml"
    try:
        values = _read(path)
        for assignment in assignments:
            key, equals, text = assignment.partition("=")
            if not equals:
                raise UsageError(f"--set {assignment}: no `=` in it.", hint="Write --set key=value.")
            values[key] = _value(text)
    except (OSError, yaml.YAMLError) as error:
        raise UsageError(f"The settings {path} cannot be read ({error}).") from error
    return values


def _read(path: Path) -> dict[str, Any]:
    """A settings file over those that it builds on."""
    values: dict[str, Any] = yaml.safe_load(path.read_text()) or {}
    base = values.pop("base", None)
    return values if base is None else {**_read(CONFIGS / f"{base}.yaml"), **values}


def _value(text: str) -> Any:
    """A YAML value; 7e-4 is a number too, which YAML 1.1 takes for a word for want of a point."""
    value = yaml.safe_load(text)
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value


def _checked(kind: type[Any], key: str, value: Any) -> Any:
    known = [field.name for field in dataclasses.fields(kind)]
    if key not in known:
        close = difflib.get_close_matches(key, known, 1)
        hint = f"Did you mean {close[0]}?" if close else f"Known: {', '.join(known)}."
        raise UsageError(f"There is no setting {key!r}.", hint=hint)
    return tuple(value) if isinstance(value, list) else value
