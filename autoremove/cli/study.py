"""`autoremove study`: a page on which people judge results, and what their votes say."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from autoremove.cli.options import GivenPath, folder_option, quiet_option
from autoremove.cli.outputs import refuse_replacing
from autoremove.cli.text import bytes_as_text, columns, plural, printable
from autoremove.errors import EXIT_SOME_FAILED

LISTED = 10
"""So many files without counterparts are named."""


class StudyGroup(click.Group):
    """What is none of its commands is given to ``make``, so that RESULTS may follow at once."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        own = {"-h", "--help", "--debug", *self.commands}
        first = next((i for i, word in enumerate(args) if word != "--debug"), len(args))
        if first < len(args) and args[first] not in own:
            args = [*args[:first], "make", *args[first:]]
        return super().parse_args(ctx, args)


@click.group(cls=StudyGroup)
def command() -> None:
    """Let people judge results by eye: a page with questions, and what the answers say.

    \b
    autoremove study RESULTS... --truth originals/ -o study.html
    autoremove study score votes-*.json

    The page is one file that works from disk. Whoever answers saves the votes there as JSON.
    """


@command.command()
@click.argument("results", nargs=-1, required=True, metavar="RESULTS...")
@click.option(
    "--output",
    "-o",
    required=True,
    type=GivenPath(dir_okay=False),
    help="The page to write, e.g. study.html.",
)
@folder_option("--truth", help="The originals. Without them only opinion scores are asked for.")
@folder_option("--masks", help="White where a picture was filled: shown as an outline on demand.")
@click.option("--tasks", help="Some of real,opinion,pair. [default: all that the folders allow]")
@click.option(
    "--side",
    default=512,
    show_default=True,
    type=click.IntRange(32, 4096),
    help="Longest side of a picture, pixels.",
)
@click.option(
    "--seconds",
    default=0.0,
    show_default=True,
    type=click.FloatRange(0, 600),
    help="How long a picture is shown that is real or not; 0 = until answered.",
)
@click.option(
    "--questions",
    default=60,
    show_default=True,
    type=click.IntRange(1),
    help="At most so many of each task for one person, drawn anew for each.",
)
@click.option("--limit", type=click.IntRange(1), help="At most so many pictures, evenly spaced.")
@quiet_option
@click.pass_context
def make(ctx: click.Context, /, results: tuple[str, ...], output: Path, quiet: bool, **options: Any) -> None:
    """Write the page (this is what `autoremove study RESULTS...` does).

    RESULTS are folders, as NAME=FOLDER or FOLDER (then named as the folder is). Pictures belong together by
    their paths below the folders; what is not in all of them is listed and left out. The page shows no
    names, asks in random order, goes on where it was closed, and holds all pictures: mind whom you give it.
    """
    from autoremove.report import study as room

    chosen = room.Options(
        tasks=_tasks(options["tasks"]),
        **{key: options[key] for key in ("side", "seconds", "questions", "limit")},
    )
    room.tasks_of(chosen, options["truth"] is not None)
    found = room.matched(room.named_folders(results), options["truth"], options["masks"])
    refuse_replacing(output, (path for files in found.pictures.values() for path in files.values()))
    study, odd = _made(room, found, chosen, quiet)
    size = room.write_study(study, output)
    _say_left("not in all folders", found.left)
    _say_left("damaged or of another shape", odd)
    if not quiet:
        asked = ", ".join(f"{count} {task}" for task, count in study.tasks.items())
        click.echo(f"Questions for one person: {asked}")
        click.echo(f"Study {study.id}: {printable(output)} ({bytes_as_text(size)})")
    if odd:
        ctx.exit(EXIT_SOME_FAILED)


def _tasks(text: str | None) -> list[str] | None:
    return None if text is None else [name.strip() for name in text.split(",") if name.strip()]


def _made(room: Any, found: Any, chosen: Any, quiet: bool) -> Any:
    from tqdm import tqdm

    bar: Any = tqdm(unit="picture", disable=True if quiet else None, dynamic_ncols=True, file=sys.stderr)

    def moved(done: int, total: int) -> None:
        bar.total = total
        bar.update(done - bar.n)

    with bar:
        return room.make_study(found, chosen, moved)


def _say_left(why: str, lines: Sequence[str]) -> None:
    """What does not match goes to standard error, also when --quiet is given."""
    if lines:
        click.echo(f"Left out, {why}: {plural(len(lines), 'file')}", err=True)
    for line in lines[:LISTED]:
        click.echo(f"  {printable(line)}", err=True)
    if len(lines) > LISTED:
        click.echo(f"  ... and {len(lines) - LISTED} more", err=True)


@command.command()
@click.argument("votes", nargs=-1, required=True, type=GivenPath())
@click.option(
    "--json",
    "json_file",
    type=GivenPath(dir_okay=False),
    help="File for all figures.",
)
def score(votes: tuple[Path, ...], json_file: Path | None) -> None:
    """How often each model fools people, and its mean opinion score, with 95 % intervals.

    VOTES are files saved by the page; several people's are pooled.
    """
    from autoremove.evaluation.table import write_json
    from autoremove.report.votes import read_votes
    from autoremove.report.votes import score as scored

    if json_file is not None:
        refuse_replacing(json_file, votes)
    result = scored([read_votes(path) for path in votes])
    for position, table in enumerate(_tables(result)):
        if position:
            click.echo()
        for line in columns(table, right=range(1, len(table[0]))):
            click.echo(line)
    if len(result["studies"]) > 1:
        click.echo(f"These are votes of {len(result['studies'])} studies, pooled.", err=True)
    if json_file is not None:
        write_json(json_file, result)


_HEADS = {
    "real": "real or not: taken for real",
    "opinion": "opinion score, 1 to 5",
    "pair": "which is real: fill chosen",
}


def _tables(result: dict[str, Any]) -> list[list[list[str]]]:
    """One table a task, and one of the raters."""
    tables = []
    for task, models in result["tasks"].items():
        rows = [[_HEADS[task], "", "95 % interval", "votes", "pictures", "raters"]]
        for name, row in models.items():
            figures = _opinion(row) if task == "opinion" else _share(row)
            rows.append(
                [printable(name), *figures, *(str(row[key]) for key in ("votes", "pictures", "raters"))]
            )
        tables.append(rows)
    raters = [["rater", "real", "opinion", "pair", "votes", "planned"]]
    for row in result["raters"]:
        raters.append([printable(row["rater"]), *(str(row[key]) for key in raters[0][1:])])
    return [*tables, raters]


def _share(row: dict[str, Any]) -> list[str]:
    return [f"{row['fooled']:.1%}", f"{row['low']:.1%} to {row['high']:.1%}"]


def _opinion(row: dict[str, Any]) -> list[str]:
    return [f"{row['mean']:.2f}", f"{row['low']:.2f} to {row['high']:.2f}"]
