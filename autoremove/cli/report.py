"""`autoremove report`: the page of an output folder made anew from its journal."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from autoremove.cli.options import MAX_PIXELS, Amount, GivenPath, absolute, quiet_option
from autoremove.cli.text import printable


@click.command("report")
@click.argument("output", type=GivenPath())
@click.option(
    "--max-pixels",
    type=Amount("pixels"),
    default=MAX_PIXELS,
    show_default=True,
    help="For larger ones no preview is made.",
)
@quiet_option
def command(output: Path, max_pixels: int, quiet: bool) -> None:
    """Make report.html anew in OUTPUT, the folder that `autoremove run` wrote to.

    It shows the pictures before and after, so also who was removed.
    """
    from tqdm import tqdm

    from autoremove.report.making import write_report

    bar: Any = tqdm(unit="picture", disable=True if quiet else None, dynamic_ncols=True, file=sys.stderr)

    def moved(done: int, total: int) -> None:
        bar.total = total
        bar.update(done - bar.n)

    with bar:
        page = write_report(absolute(output), max_pixels, moved)
    if not quiet:
        click.echo(f"Report: {printable(page)}")
