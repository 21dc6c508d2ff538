"""`autoremove cache`: how much the store holds, and making it smaller."""

from __future__ import annotations

from pathlib import Path

import click

from autoremove.cli.options import Amount, absolute, cache_option
from autoremove.cli.text import bytes_as_text, columns, plural
from autoremove.errors import UsageError


@click.group("cache")
def command() -> None:
    """Show how large the cache is, or make it smaller.

    The cache holds what each stage found for each picture, so that a changed setting runs only what it
    changes. It holds parts of the filled pictures and masks; deleting it costs nothing but time.
    """


@command.command("size")
@cache_option
def size(cache: Path | None) -> None:
    """How many artefacts of each stage there are, and how large they are."""
    from autoremove.store import Store, default_root

    store = Store(absolute(cache or default_root()))
    totals = store.sizes()
    rows = [(stage, str(count), bytes_as_text(total)) for stage, (count, total) in sorted(totals.items())]
    together = sum(count for count, _ in totals.values()), sum(total for _, total in totals.values())
    for line in columns([*rows, ("all", str(together[0]), bytes_as_text(together[1]))], right=(1, 2)):
        click.echo(line)
    click.echo(store.root)


@command.command("prune")
@click.option(
    "--max-size", type=Amount("size", unit="B"), help="Delete the oldest until it is no larger, e.g. 2GB."
)
@click.option(
    "--older-than", type=click.FloatRange(0), metavar="DAYS", help="Delete what is older than so many days."
)
@cache_option
def prune(max_size: int | None, older_than: float | None, cache: Path | None) -> None:
    """Delete the oldest artefacts; what is needed again is made again."""
    from autoremove.store import Store, default_root

    if max_size is None and older_than is None:
        raise UsageError(
            "Nothing says what to delete.", hint="Give --max-size, e.g. 2GB (0 empties it), or --older-than."
        )
    store = Store(absolute(cache or default_root()))
    count, freed = store.prune(max_bytes=max_size, older_than_days=older_than)
    click.echo(f"Deleted {plural(count, 'artefact')}, {bytes_as_text(freed)}, from {store.root}")
