"""`autoremove inpaint`: holes that a person drew, filled in one picture or in a folder of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from autoremove.cli.lazy import say
from autoremove.cli.options import GivenPath, absolute, device_option, quiet_option
from autoremove.cli.outputs import output_file, refuse_masks
from autoremove.cli.text import plural, printable
from autoremove.errors import EXIT_SOME_FAILED, InputError, PictureError, RecipeError, UsageError


@dataclass(frozen=True)
class Fill:
    """With what to fill, as ``api.fill`` takes it; ``edges``: what is to be followed may be a picture too."""

    model: str
    weights: str
    device: str
    settings: dict[str, Any]
    edges: bool = False


@dataclass(frozen=True)
class Job:
    """One picture: its file, its mask (None where there is none), its sketch or edges if any, the output."""

    source: Path
    hole: Path | None
    sketch: Path | None
    target: Path


@click.command("inpaint")
@click.argument("image", type=GivenPath())
@click.argument("mask", type=GivenPath())
@click.option("--output", "-o", required=True, type=GivenPath(), help="File, or folder for a folder.")
@click.option(
    "--model",
    default="deepfillv2",
    show_default=True,
    help="A network, as deepfillv2 or edgeconnect; patchmatch, telea or ns.",
)
@click.option(
    "--weights", default="embedded", show_default=True, help="Name or file of the network's weights."
)
@click.option("--sketch", type=GivenPath(), help="Drawn lines to follow: a file, or folder for a folder.")
@click.option(
    "--edges",
    type=GivenPath(),
    help="As --sketch, or another picture, whose edges are followed.",
)
@device_option
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="FIELD=VALUE",
    help="A field of the inpaint stage, e.g. context=0.8. May be repeated.",
)
@quiet_option
@click.pass_context
def command(
    ctx: click.Context,
    /,
    image: Path,
    mask: Path,
    output: Path,
    sketch: Path | None,
    edges: Path | None,
    quiet: bool,
    **options: Any,
) -> None:
    """Fill the white part of MASK in IMAGE; both may be folders.

    \b
    autoremove inpaint photo.jpg hole.png -o filled.jpg
    autoremove inpaint photos/ masks/ -o filled/
    autoremove inpaint photo.jpg hole.png --sketch edges.png -o filled.jpg
    autoremove inpaint photo.jpg hole.png --model edgeconnect --edges other.jpg -o filled.jpg

    A mask has the size of the picture as a viewer shows it (upright). In folders the mask of sub/photo.jpg is
    sub/photo.jpg.png or sub/photo.png. The output keeps the format of the picture.

    A sketch tells the network which edges to put into the hole: thin lines, white on black, black on white or
    on transparent paper, as large as the picture. It needs weights that were trained with sketches, or
    edgeconnect. Edges may be such lines too, or any other picture, which is scaled to cover this one.
    """
    drawn = followed(sketch, edges)
    jobs = paired(absolute(image), absolute(mask), absolute(output), drawn)
    fill = prepared(quiet=quiet, drawn=drawn is not None, edges=edges is not None, **options)
    failed = fill_all(jobs, fill, alone=not image.is_dir())
    if not quiet:
        click.echo(f"{plural(len(jobs) - failed, 'picture')} written to {printable(output)}, {failed} failed")
    if failed:
        ctx.exit(EXIT_SOME_FAILED)


def followed(sketch: Path | None, edges: Path | None) -> Path | None:
    """The file or folder of what is to be followed; raises UsageError for two of them."""
    if sketch and edges:
        raise UsageError("--sketch and --edges are both given.", hint="Give one: --edges takes drawings too.")
    found = sketch or edges
    return found and absolute(found)


def prepared(
    *,
    model: str,
    weights: str,
    device: str,
    settings: Sequence[str],
    quiet: bool,
    drawn: bool,
    edges: bool,
) -> Fill:
    """Everything that does not depend on a picture, checked before the first one."""
    from autoremove import api
    from autoremove.cli.prepare import announced_device
    from autoremove.recipe import build_stage

    chosen = dict(_setting(text) for text in settings)
    build_stage("inpaint", {**chosen, "model": model, "weights": weights}, "cpu")
    on = announced_device(device, quiet)
    build_stage("inpaint", {**chosen, "model": model, "weights": weights}, on).weights_digest()
    if drawn:
        api.check_takes_sketch(model, weights)
    return Fill(model, weights, on, chosen, edges)


def _setting(text: str) -> tuple[str, Any]:
    import yaml

    field, equals, value = text.partition("=")
    if not equals:
        raise RecipeError(f"--set {text}: not of the form field=value.", hint="E.g. --set context=0.8")
    try:
        return field.removeprefix("inpaint."), yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise RecipeError(f"--set {text}: {value!r} is no value.") from error


def fill_all(jobs: Sequence[Job], fill: Fill, *, alone: bool) -> int:
    """How many pictures failed; of one picture ``alone`` the error is raised."""
    failed = 0
    for job in jobs:
        try:
            fill_one(job, fill)
        except (PictureError, UsageError) as error:
            if alone:
                raise
            failed += 1
            say(f"failed: {printable(error)}")
    return failed


def fill_one(job: Job, fill: Fill) -> None:
    """Read picture, mask and sketch, fill, write.

    Raises PictureError, and UsageError for a mask or a sketch of the wrong size or kind.
    """
    from autoremove import api, images

    if job.hole is None:
        raise PictureError(f"{job.source} has no mask.", hint=f"Name it {job.source.stem}.png.")
    rgb = images.read(job.source).rgb
    size_hw = (rgb.shape[0], rgb.shape[1])
    with _naming(job.hole):
        holes = api.read_mask(job.hole, size_hw)
    lines = None
    if job.sketch is not None:
        with _naming(job.sketch):
            lines = api.read_edges(job.sketch, holes) if fill.edges else api.read_sketch(job.sketch, size_hw)
    patches = api.fill(
        rgb,
        holes,
        model=fill.model,
        weights=fill.weights,
        device=fill.device,
        settings=fill.settings,
        sketch=lines,
    )
    if patches:
        images.write(job.source, job.target, patches)
    else:
        images.copy(job.source, job.target)


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Put the file's name before what is wrong with it."""
    try:
        yield
    except UsageError as error:
        raise UsageError(f"{path}: {error.message}", hint=error.hint) from error


def paired(image: Path, mask: Path, output: Path, sketch: Path | None = None) -> list[Job]:
    """The jobs, in a folder those without a mask too. Raises InputError, UsageError."""
    given = [path for path in (image, mask, sketch) if path is not None]
    for path in given:
        if not path.exists():
            raise InputError(f"There is no file or folder {path}.", hint="Check the path.")
    if len({path.is_dir() for path in given}) > 1:
        names = "IMAGE and MASK" if sketch is None else "IMAGE, MASK and --sketch or --edges"
        raise UsageError(f"{names} must {'all' if sketch else 'both'} be files or folders.")
    if not image.is_dir():
        return [Job(image, mask, sketch, output_file(image, output, *given[1:]))]
    return _in_folders(image, mask, output, sketch)


def _in_folders(image: Path, mask: Path, output: Path, sketch: Path | None) -> list[Job]:
    from autoremove import images
    from autoremove.jobs import listed, refuse_inside
    from autoremove.own_masks.finding import of_pictures
    from autoremove.own_masks.names import mask_files

    others = [mask, *([sketch] if sketch else [])]
    refuse_inside(others, output)
    sources = listed([image], output, others)
    targets = images.plan_outputs(sources, output)
    refuse_masks(output, targets.values())
    relatives = [source.relative for source in sources]
    holes = of_pictures(relatives, mask_files(mask, [output]))
    drawn = of_pictures(relatives, mask_files(sketch, [output]), "sketch") if sketch else {}
    return [
        Job(source.path, holes.get(source.relative), drawn.get(source.relative), targets[source])
        for source in sources
    ]
