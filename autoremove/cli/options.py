"""The options that several commands share, and what a person may write in them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from autoremove.cli.regions import Region, Regions
from autoremove.errors import UsageError

F = TypeVar("F", bound=Callable[..., Any])

MAX_PIXELS = "200M"
"""As ``pipeline.MAX_PIXELS``, spelt for the help; importing that module would cost numpy."""

_NUMBER = re.compile(r"(\d+\.?\d*|\.\d+)(e[-+]?\d+)?", re.ASCII | re.IGNORECASE)

_FACTORS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}


class Amount(click.ParamType):  # type: ignore[type-arg]  # generic only in newer versions of click
    """A whole number with an optional k, M, G or T, such as 200M; ``unit`` may follow it (2GB)."""

    def __init__(self, name: str, unit: str = "") -> None:
        self.name = name
        self.unit = unit

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        found = re.fullmatch(
            rf"(\d+(?:\.\d+)?)\s*([kmgt]?)(?:{self.unit})?", str(value).strip(), re.IGNORECASE
        )
        if found is None:
            self.fail(
                f"{value!r} is no number; write it like 500000, 200M{self.unit} or 2G{self.unit}.", param, ctx
            )
        return round(float(found[1]) * _FACTORS[found[2].lower()])


class Threshold(click.ParamType):  # type: ignore[type-arg]
    """A class or group and its own least score, as ``car=0.4``."""

    name = "LABEL=SCORE"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, float]:
        if isinstance(value, tuple):
            return value
        label, _, number = (part.strip() for part in str(value).partition("="))
        if not label or "." in label or _NUMBER.fullmatch(number) is None or not float(number) <= 1:
            self.fail(f"{value!r} is not like car=0.4, with a score from 0 to 1.", param, ctx)
        return label, float(number)


DETECTED_FROM = 0.05
"""As ``detect.confidence``: nothing below is there to be chosen, unless the detector is told so as well."""


@dataclass(frozen=True)
class Request:
    """What was asked for on the command line about the pipeline, not yet checked."""

    recipe: str
    settings: tuple[str, ...]
    remove: tuple[str, ...]
    confidence: float | None
    device: str
    cache: Path | None
    max_pixels: int
    quiet: bool
    threshold: tuple[tuple[str, float], ...] = ()
    min_size: float | None = None
    keep: str | None = None
    keep_region: tuple[tuple[Region, ...], ...] = ()
    speed: str | None = None

    @property
    def overrides(self) -> list[str]:
        """``stage.field=value`` texts; what --set says counts last. Raises UsageError for an empty choice."""
        chosen: dict[str, Any] = {}
        if self.remove:
            chosen["select.labels"] = _labels(self.remove)
        if self.confidence is not None:
            chosen["select.confidence"] = self.confidence
        chosen |= {f"select.thresholds.{label}": score for label, score in self.threshold}
        if self.min_size is not None:
            chosen["select.min_size"] = self.min_size
        if self.keep is not None:
            chosen["select.keep"] = _way(self.keep)
        if self.keep_region:
            chosen["select.keep_region"] = [region for rows in self.keep_region for region in rows]
        if self.speed is not None:
            chosen["detect.speed"] = self.speed
        least = min(
            [
                *(score for _, score in self.threshold),
                DETECTED_FROM if self.confidence is None else self.confidence,
            ]
        )
        if least < DETECTED_FROM:
            chosen["detect.confidence"] = least
        return [*(f"{field}={json.dumps(value)}" for field, value in chosen.items()), *self.settings]


def _labels(texts: tuple[str, ...]) -> list[str]:
    """What --remove names; no label at all, as an unset variable leaves it, would be every class."""
    labels = [label.strip() for text in texts for label in text.split(",") if label.strip()]
    if not labels:
        raise UsageError(
            "--remove names nothing to remove.",
            hint="E.g. --remove person,car; leave --remove out to take the classes of the recipe.",
        )
    return labels


def _way(keep: str) -> str:
    """What --keep says; nothing at all would keep nobody."""
    if not keep.strip():
        raise UsageError("--keep names nobody.", hint="E.g. --keep subject; leave --keep out to keep nobody.")
    return keep


class GivenPath(click.Path):
    """A path that is one: "", as an unset variable leaves it, would be the current folder."""

    def __init__(self, **kind: Any) -> None:
        super().__init__(**{"path_type": Path, **kind})

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value == "":
            self.fail("it is empty; name a file or folder (. is the current one).", param, ctx)
        return super().convert(value, param, ctx)


def folder_option(*names: str, help: str, **more: Any) -> Callable[[F], F]:
    """An option that takes a folder, which need not exist."""
    return click.option(*names, type=GivenPath(file_okay=False), help=help, **more)


inputs_argument = click.argument("inputs", nargs=-1, required=True, type=GivenPath())
device_option = click.option(
    "--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:N or mps."
)
cache_option = folder_option(
    "--cache", help="Folder of the cache. [default: AUTOREMOVE_CACHE, or the platform's cache folder]"
)
quiet_option = click.option("--quiet", "-q", is_flag=True, help="Say only what went wrong.")


def pipeline_options(recipe: str) -> Callable[[F], F]:
    """The options that make a :class:`Request`; ``recipe`` is the default one."""
    rows = (
        click.option("--recipe", default=recipe, show_default=True, help="Name of a recipe, or a YAML file."),
        click.option(
            "--set",
            "settings",
            multiple=True,
            metavar="STAGE.FIELD=VALUE",
            help="Override one field of the recipe, e.g. refine.grow=0.12. May be repeated.",
        ),
        *selection_options(),
        click.option(
            "--speed",
            type=click.Choice(["fast", "normal", "max"]),
            help="How closely to look: fast misses small objects, max takes long. [default: the recipe's]",
        ),
        device_option,
        cache_option,
        click.option(
            "--max-pixels",
            type=Amount("pixels"),
            default=MAX_PIXELS,
            show_default=True,
            help="Larger pictures are refused, one by one.",
        ),
        quiet_option,
    )

    def decorate(function: F) -> F:
        for row in reversed(rows):
            function = row(function)
        return function

    return decorate


def selection_options() -> tuple[Callable[[F], F], ...]:
    """What is to go and what stays; all of them fields of the select stage."""
    return (
        click.option(
            "--remove",
            multiple=True,
            metavar="LABELS",
            help="What to remove: person,car or a group as all-vehicles, all-animals.",
        ),
        click.option(
            "--keep",
            metavar="WAY",
            help="Who stays: largest, central or subject (whom the photo is of); subject:2 keeps two.",
        ),
        click.option(
            "--keep-region",
            type=Regions(),
            multiple=True,
            help="Leave what lies there, in pixels or shares of 1; or a JSON file of polygons. Repeatable.",
        ),
        click.option(
            "--min-size",
            type=click.FloatRange(0),
            help="Leave what is less high: pixels, or below 1 a share of the picture's height.",
        ),
        click.option(
            "--confidence",
            type=click.FloatRange(0, 1),
            help="Least score of what is removed, 0 to 1. [default: the recipe's]",
        ),
        click.option(
            "--threshold",
            type=Threshold(),
            multiple=True,
            help="Another least score for a class or group, as car=0.4. Repeatable.",
        ),
    )


def absolute(path: Path) -> Path:
    """The same place whatever the current folder: the journal outlives this command."""
    return path.absolute()
