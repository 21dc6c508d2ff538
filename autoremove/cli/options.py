"""The options that several commands share, and what a person may write in them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

MAX_PIXELS = "200M"
"""As ``pipeline.MAX_PIXELS``, spelt for the help; importing that module would cost numpy."""

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

    @property
    def overrides(self) -> list[str]:
        """``stage.field=value`` texts; what --set says counts last."""
        rows = []
        if self.remove:
            labels = [label.strip() for text in self.remove for label in text.split(",") if label.strip()]
            rows.append(f"detect.labels={json.dumps(labels)}")
        if self.confidence is not None:
            rows.append(f"detect.confidence={self.confidence}")
        return [*rows, *self.settings]


def folder_option(*names: str, help: str, **more: Any) -> Callable[[F], F]:
    """An option that takes a folder, which need not exist."""
    return click.option(*names, type=click.Path(path_type=Path, file_okay=False), help=help, **more)


inputs_argument = click.argument("inputs", nargs=-1, required=True, type=click.Path(path_type=Path))
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
        click.option("--remove", multiple=True, metavar="LABELS", help="What to remove, e.g. person,car."),
        click.option(
            "--confidence",
            type=click.FloatRange(0, 1),
            help="Least score of a detection, 0 to 1. [default: the recipe's]",
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


def absolute(path: Path) -> Path:
    """The same place whatever the current folder: the journal outlives this command."""
    return path.absolute()
