"""Recipes: YAML to a checked list of stages, with --set and suggestions for typos."""

from __future__ import annotations

import dataclasses
import difflib
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from autoremove.errors import AutoremoveError, RecipeError
from autoremove.stages import STAGES, stage_class
from autoremove.stages.base import Stage

_POWER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+", re.ASCII)

Settings = list[tuple[str, dict[str, Any]]]


@dataclass(frozen=True)
class Recipe:
    """A named chain of stages."""

    name: str
    about: str
    stages: tuple[Stage, ...]

    def to_yaml(self) -> str:
        """The full recipe, every default filled in; it can be run again as it is."""
        rows = [{stage.name: _plain(stage.params())} for stage in self.stages]
        return yaml.safe_dump({"about": self.about, "stages": rows}, sort_keys=False, allow_unicode=True)


def recipe_folder() -> Path:
    """The shipped recipes: beside the package in a checkout, inside it in a wheel."""
    inside = Path(__file__).parent / "pipelines"
    return inside if inside.is_dir() else Path(__file__).parent.parent / "pipelines"


def recipe_names() -> list[str]:
    """The names of the shipped recipes, in alphabetical order."""
    return sorted(path.stem for path in recipe_folder().glob("*.yaml"))


def load_recipe(name: str, overrides: Iterable[str] = (), *, device: str = "cpu") -> Recipe:
    """Read a recipe by name or path and apply ``stage.field=value`` overrides.

    Raises RecipeError for an unknown recipe, stage or field, a value of the wrong kind, or a chain in which a
    stage needs what no earlier one gives.
    """
    path = _find(name)
    about, settings = _read(path)
    for override in overrides:
        _apply(settings, override)
    stages = tuple(build_stage(stage, values, device) for stage, values in settings)
    check_chain(stages)
    return Recipe(path.stem, about, stages)


def _find(name: str) -> Path:
    shipped = recipe_folder() / f"{name}.yaml"
    if shipped.is_file():
        return shipped
    if Path(name).suffix in (".yaml", ".yml"):
        if Path(name).is_file():
            return Path(name)
        raise RecipeError(f"No recipe file {name}.", hint="Check the path.")
    raise RecipeError(f"No recipe called {name!r}.", hint=_suggest(name, recipe_names()))


def _read(path: Path) -> tuple[str, Settings]:
    try:
        body = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path} is not valid YAML: {error}.") from error
    except OSError as error:
        raise RecipeError(f"{path} cannot be read ({error.strerror or error}).") from error
    if not isinstance(body, dict) or not isinstance(body.get("stages"), list):
        raise RecipeError(f"{path} has no list of stages.", hint="See `autoremove recipes show people`.")
    settings: Settings = []
    for row in body["stages"]:
        pairs = {row: {}} if isinstance(row, str) else row
        if not isinstance(pairs, dict) or len(pairs) != 1:
            raise RecipeError(f"{path}: {row!r} is not one stage with its fields.")
        for stage, values in pairs.items():
            if not isinstance(values or {}, dict):
                hint = f"Write `- {stage}: {{field: value}}`."
                raise RecipeError(f"{path}: the fields of {stage} are {values!r}.", hint=hint)
            settings.append((str(stage), {str(key): value for key, value in (values or {}).items()}))
    return str(body.get("about") or ""), settings


def _apply(settings: Settings, override: str) -> None:
    """One --set stage.field=value."""
    target, equals, text = override.partition("=")
    stage, dot, field = target.partition(".")
    if not equals or not dot:
        raise RecipeError(
            f"--set {override}: not of the form stage.field=value.", hint="E.g. --set refine.grow=0.05"
        )
    rows = [values for name, values in settings if name == stage]
    if not rows:
        hint = _suggest(stage, [name for name, _ in settings])
        raise RecipeError(f"--set {override}: the recipe has no stage {stage!r}.", hint=hint)
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise RecipeError(f"--set {override}: {text!r} is no value.") from error
    for values in rows:
        table, dot, entry = field.partition(".")
        values[table] = {**_table_so_far(override, stage, table, values), entry: value} if dot else value


def _table_so_far(override: str, stage: str, field: str, values: dict[str, Any]) -> dict[str, Any]:
    """What ``stage.field.entry=value`` adds an entry to: the recipe's table, else the stage's own."""
    known = {row.name: row for row in dataclasses.fields(stage_class(stage))} if stage in STAGES else {}  # type: ignore[arg-type]
    so_far = values.get(field, _default(known[field]) if field in known else {})
    if not isinstance(so_far, Mapping):
        raise RecipeError(
            f"--set {override}: {stage}.{field} has no entries.", hint="Leave out the last dot."
        )
    return dict(so_far)


def _default(field: Any) -> Any:
    return field.default if field.default_factory is dataclasses.MISSING else field.default_factory()


def build_stage(name: str, values: Mapping[str, Any], device: str) -> Stage:
    """A stage by name with some of its fields. Raises RecipeError for what it does not know or take."""
    if name not in STAGES:
        raise RecipeError(f"No stage called {name!r}.", hint=_suggest(name, list(STAGES)))
    kind = stage_class(name)
    fields: dict[str, Any] = {f.name: f for f in dataclasses.fields(kind)}  # type: ignore[arg-type]
    checked: dict[str, Any] = {"device": device}
    for key, value in values.items():
        if key not in fields:
            raise RecipeError(f"Stage {name} has no field {key!r}.", hint=_suggest(key, list(fields)))
        checked[key] = _checked(f"{name}.{key}", value, fields[key])
    try:
        return kind(**checked)
    except AutoremoveError:
        raise
    except (TypeError, ValueError) as error:
        raise RecipeError(f"Stage {name}: {error}.") from error


def _checked(where: str, value: Any, field: Any) -> Any:
    """The value in the kind of the field's default; a number is not a word, a word is not a list."""
    default = _default(field)
    if isinstance(default, Mapping):
        return _table(where, value)
    if isinstance(default, tuple):
        # The annotation tells of what the rows are; an empty default does not.
        nested = "tuple[tuple[float" in str(field.type)
        return _number_rows(where, value) if nested else _row(where, value, _kind_of_rows(str(field.type)))
    if isinstance(default, bool) or isinstance(value, bool):
        right = isinstance(value, bool) and isinstance(default, bool)
    elif isinstance(default, float):
        number = _real(value)
        right, value = number is not None, value if number is None else number
    else:
        right = isinstance(value, type(default))
    if not right:
        raise RecipeError(f"{where}: {value!r} is not of the kind of {default!r}.")
    return value


def _real(value: Any) -> float | None:
    """A finite number, or None; 1e-05 is one too, which YAML 1.1 takes for a word for want of a point."""
    if not isinstance(value, (int, float)) and not (isinstance(value, str) and _POWER.fullmatch(value)):
        return None
    try:
        number = float(value)
    except OverflowError:  # a whole number of hundreds of digits
        return None
    return number if math.isfinite(number) else None


def _kind_of_rows(annotation: str) -> type[Any]:
    return next((kind for kind in (int, float) if annotation.startswith(f"tuple[{kind.__name__}")), str)


def _row(where: str, value: Any, kind: type[Any]) -> tuple[Any, ...]:
    """A YAML list, or words with commas between them, as a tuple of words or numbers."""
    rows = value if isinstance(value, list) else str(value).split(",") if value not in (None, "") else []
    try:
        return tuple(kind(str(row).strip()) for row in rows)
    except ValueError as error:
        raise RecipeError(f"{where}: {value!r} is not a list of {kind.__name__}.") from error


def _number_rows(where: str, value: Any) -> tuple[tuple[float, ...], ...]:
    """Lists of numbers; a single one need not be in a list of its own."""
    rows = value.split(",") if isinstance(value, str) and value else value or []
    rows = [rows] if isinstance(rows, list) and rows and not isinstance(rows[0], list) else rows
    try:
        return tuple(tuple(_number(number) for number in row) for row in rows)
    except (TypeError, ValueError) as error:
        hint = "E.g. [[0, 0, 0.5, 1]]."
        raise RecipeError(f"{where}: {value!r} is not a list of rows of numbers.", hint=hint) from error


def _table(where: str, value: Any) -> dict[str, float]:
    """Names with a number each, in the order of the names: the same table is the same key."""
    try:
        rows = {} if value in (None, "") else {str(key): _number(number) for key, number in value.items()}
    except (AttributeError, TypeError, ValueError) as error:
        hint = "E.g. {car: 0.4, bus: 0.3}."
        raise RecipeError(f"{where}: {value!r} is no table of names and numbers.", hint=hint) from error
    return dict(sorted(rows.items()))


def _number(value: Any) -> float:
    if isinstance(value, bool):
        raise ValueError(value)
    return float(value)


def check_chain(stages: Sequence[Stage], given: Sequence[str] = ("image",)) -> None:
    """Refuse a chain in which a stage needs what nothing before it gives."""
    there = set(given)
    for stage in stages:
        lacking = [slot for slot in stage.needs if slot not in there]
        if lacking:
            raise RecipeError(
                f"Stage {stage.name} needs {', '.join(lacking)}, which no stage before it gives.",
                hint="The usual order is detect, select, refine, shadow, inpaint, composite, audit.",
            )
        there.add(stage.gives)


def _suggest(word: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(word, known, 1)
    return f"Did you mean {close[0]}?" if close else f"There are: {', '.join(known)}."


def _plain(value: Any) -> Any:
    """Tuples and mappings as the lists and dicts that YAML knows."""
    if isinstance(value, Mapping):
        return {key: _plain(value[key]) for key in value}
    return [_plain(row) for row in value] if isinstance(value, (list, tuple)) else value
