"""What the evaluations have in common: their options, the recipe's stages, tables and JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from autoremove.cli.lazy import say
from autoremove.cli.options import GivenPath, device_option
from autoremove.cli.outputs import refuse_replacing
from autoremove.cli.text import columns, plural
from autoremove.errors import EXIT_SOME_FAILED, OutputError

if TYPE_CHECKING:
    from autoremove.stages.base import Stage

F = TypeVar("F", bound=Callable[..., Any])


def shared_options(sheet: str) -> Callable[[F], F]:
    """What all evaluations take; ``sheet`` says what theirs shows."""
    rows = (
        click.option(
            "--data",
            required=True,
            type=GivenPath(exists=True, file_okay=False),
            help="Data folder.",
        ),
        click.option(
            "--json",
            "json_file",
            type=GivenPath(dir_okay=False),
            help="File for all figures.",
        ),
        click.option("--sheet", type=GivenPath(dir_okay=False), help=f"PNG file: {sheet}."),
        click.option("--limit", type=click.IntRange(1), help="At most so many pictures, evenly spaced."),
        device_option,
    )

    def decorate(function: F) -> F:
        @wraps(function)
        def checked(**options: Any) -> Any:
            _refuse_inputs(options)
            return function(**options)

        return each_of(rows)(cast(F, checked))

    return decorate


def _refuse_inputs(options: dict[str, Any]) -> None:
    """Raise OutputError where figures or sheets would replace what is read, or be read with it next time."""
    given = [Path(options[name]) for name in ("holes", "weights", "detector") if options.get(name)]
    for name in ("sheet", "ranked", "json_file"):
        path, data = options.get(name), options["data"]
        if path is None:
            continue
        refuse_replacing(path, given)
        ours = name == "json_file" and (path.suffix.lower() == ".json" or not path.exists())
        if path.resolve().is_relative_to(data.resolve()) and not ours:
            raise OutputError(
                f"The output {path} lies in the data folder {data}.",
                hint="Data are never changed: name a file elsewhere.",
            )


def recipe_options(function: F) -> F:
    """Which recipe's stages are measured."""
    rows = (
        click.option(
            "--recipe", default="people", show_default=True, help="The recipe whose stages are measured."
        ),
        click.option(
            "--set",
            "settings",
            multiple=True,
            metavar="STAGE.FIELD=VALUE",
            help="Override one field; repeatable.",
        ),
    )
    return each_of(rows)(function)


def each_of(rows: Sequence[Callable[[F], F]]) -> Callable[[F], F]:
    """A decorator that applies all of these, the first one outermost."""

    def decorate(function: F) -> F:
        for row in reversed(rows):
            function = row(function)
        return function

    return decorate


def chosen_device(request: str) -> str:
    """The device meant, as torch spells it; it is told to the user."""
    from autoremove.models.device import choose, describe

    device = choose(request)
    say(describe(device))
    return device.torch_device


def chosen_stages(options: dict[str, Any], more: dict[str, str | None]) -> tuple[Stage, ...]:
    """The recipe's stages with --set and the options that stand for a setting."""
    from autoremove.evaluation.shipped import recipe_stages
    from autoremove.stages.known import check_labels

    own = [f"{key}={json.dumps(value)}" for key, value in more.items() if value is not None]
    recipe_stages(options["recipe"], [*own, *options["settings"]])  # a typo is told before torch is imported
    stages = recipe_stages(options["recipe"], [*own, *options["settings"]], chosen_device(options["device"]))
    check_labels(stages)
    return stages


def finish(result: dict[str, Any], tables: list[list[list[str]]], options: dict[str, Any]) -> None:
    """Print the tables that say anything, and write all figures; files left out decide the exit code."""
    from autoremove.evaluation.table import write_json

    for position, table in enumerate(table for table in tables if len(table) > 1):
        if position:
            click.echo()
        for line in columns(table, right=range(1, len(table[0]))):
            click.echo(line)
    if options["json_file"]:
        write_json(options["json_file"], result)
    if result["unread"]:
        say(f"Left out, as told above: {plural(len(result['unread']), 'file')}.")
        click.get_current_context().exit(EXIT_SOME_FAILED)
