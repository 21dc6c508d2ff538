"""`autoremove weights`: which weights there are, which are here, and whether they are what they should be."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from autoremove.cli.lazy import say
from autoremove.cli.options import GivenPath
from autoremove.cli.text import bytes_as_text, columns
from autoremove.errors import EXIT_WEIGHTS, UsageError
from autoremove.models.families import NEIGHBOURS

if TYPE_CHECKING:
    from autoremove.models.weights import Status

KINDS = ("detector", "rescorer", "segmenter", "masknet", "inpainter", *NEIGHBOURS)
"""As in ``models.weights_table``; a test holds the two together."""

kind_option = click.option("--kind", type=click.Choice(KINDS), help="Which, where a name stands for several.")


@click.group("weights")
def command() -> None:
    """List, fetch, verify and convert weights."""


@command.command("list")
def list_them() -> None:
    """Every set of weights known by name, its licence, and whether it is on this machine."""
    from autoremove.models import weights

    rows: list[tuple[str, ...]] = [("NAME", "KIND", "STATE", "SIZE", "LICENCE", "")]
    rows += [_row(status) for status in weights.listing()]
    for line in columns(rows, right=(3,)):
        click.echo(line)
    say(f"Fetched weights lie in {weights.folder()}; files of your own are taken by their path.")


def _row(status: Status) -> tuple[str, ...]:
    entry = status.weights
    size = (
        entry.size
        if entry.size is not None
        else status.path.stat().st_size
        if status.path.is_file()
        else None
    )
    state = (
        "to fetch by hand"
        if status.state == "missing" and not entry.url and not entry.embedded
        else status.state
    )
    note = "" if entry.commercial else "not for commercial use"
    return entry.name, entry.kind, state, "" if size is None else bytes_as_text(size), entry.licence, note


@command.command("fetch")
@click.argument("name")
@kind_option
def fetch(name: str, kind: str | None) -> None:
    """Download the weights NAME, check them, and print where they are. A broken-off download is continued."""
    from autoremove.models import weights

    entry = weights.find(name, kind)
    if not entry.commercial:
        say(f"note: {name} may not be used commercially ({entry.licence}).")
    path = weights.resolve(name, entry.kind) if entry.embedded else weights.fetch(name, kind=kind)
    click.echo(path)


@command.command("convert")
@click.argument("file", type=GivenPath())
@click.option("--output", "-o", required=True, type=GivenPath(), help="Safetensors to write.")
@click.option(
    "--model",
    type=click.Choice(("deepfillv2", *NEIGHBOURS, "detector")),
    default="deepfillv2",
    show_default=True,
    help="Whose checkpoint it is.",
)
@click.option(
    "--channel-order",
    type=click.Choice(("rgb", "bgr")),
    help="In which order the network takes colours, where it is not that of its kind.",
)
@click.option("--trust", is_flag=True, help="Read a FILE that holds more than tensors, which could run code.")
def convert(file: Path, output: Path, model: str, channel_order: str | None, trust: bool) -> None:
    """Write the public checkpoint FILE (a path, or a name of the list) in our own form.

    \b
    autoremove weights convert states_tf_places2.pth -o places2.safetensors
    autoremove inpaint photo.jpg hole.png -o filled.jpg --weights places2.safetensors
    autoremove weights convert best.pt --model detector --trust -o best.safetensors
    autoremove run photos/ -o clean/ --set detect.weights=best.safetensors

    Of DeepFillv2 the spellings of the two PyTorch ports of the official weights, of MMagic and of csqiangwen
    are known. Fills in wrong colours ask for the other --channel-order, which only DeepFillv2 has.
    """
    from autoremove.models import conversion, weights

    if model != "deepfillv2":
        if channel_order:
            raise UsageError(f"{model} has no --channel-order.", hint="Leave it out.")
        source = weights.resolve(file, model)
        if model == "detector":
            model = conversion.convert_detector(source, output, trust=trust)
        else:
            conversion.convert_network(source, output, model, trust=trust)
        click.echo(f"{output}: {model}, {bytes_as_text(output.stat().st_size)}")
        return
    config = conversion.convert(weights.resolve(file, "inpainter"), output, channel_order, trust=trust).config
    click.echo(
        f"{output}: cnum {config.cnum}, {config.in_channels} input channels, "
        f"{config.padding} padding, {config.channel_order}, {bytes_as_text(output.stat().st_size)}"
    )


@command.command("verify")
@click.argument("name", required=False)
@kind_option
@click.pass_context
def verify(ctx: click.Context, /, name: str | None, kind: str | None) -> None:
    """Hash the weights NAME, or all that are here, and compare. Exit code 3 if any is damaged or lacking."""
    from autoremove.models import weights

    chosen = [
        status
        for status in weights.listing()
        if name in (None, status.weights.name) and kind in (None, status.weights.kind)
    ]
    if not chosen and name is not None:
        weights.find(name, kind)  # says what was meant
    # Embedded weights must be there; of the others only those that were fetched, or named.
    wanted = [s for s in chosen if name or s.weights.embedded or s.state != "missing"]
    found = [weights.verify(status.weights.name, status.weights.kind) for status in wanted]
    for line in columns([(s.weights.name, s.weights.kind, s.state, s.detail or str(s.path)) for s in found]):
        click.echo(line)
    if any(status.state in ("damaged", "missing") for status in found):
        ctx.exit(EXIT_WEIGHTS)
