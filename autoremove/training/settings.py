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


def read_config(kind: type[Config], shipped: str, file: Path | None, assignments: Sequence[str]) -> Config:
    """A config of ``kind`` from ``file`` (default: the shipped one of that name) and assignments over it.

    Raises UsageError for a file that cannot be read and for names the config does not know.
    """
    values = read_values(shipped, file, assignments)
    return kind(**{key: _checked(kind, key, value) for key, value in values.items()})


def read_values(shipped: str, file: Path | None, assignments: Sequence[str]) -> dict[str, Any]:
    """The plain values of a settings file with the assignments over them, read as YAML; UsageError if not.

    ``file`` may be the name of a shipped one.
    """
    configs = Path(__file__).parent / "configs"
    path = file or configs / f"{shipped}.yaml"
    if not path.is_file() and (configs / f"{path}.yaml").is_file():
        path = configs / f"{path}.yaml"
    try:
        values: dict[str, Any] = yaml.safe_load(path.read_text()) or {}
        for assignment in assignments:
            key, equals, text = assignment.partition("=")
            if not equals:
                raise UsageError(f"--set {assignment}: no `=` in it.", hint="Write --set key=value.")
            values[key] = _value(text)
    except (OSError, yaml.YAMLError) as error:
        raise UsageError(f"The settings {path} cannot be read ({error}).") from error
    return values


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
