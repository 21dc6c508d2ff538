"""`autoremove inpaint`: holes that a person drew, filled in one picture or in a folder of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from autoremove.cli.lazy import say
from autoremove.cli.options import absolute, device_option, quiet_option
from autoremove.cli.text import plural, printable
from autoremove.errors import EXIT_SOME_FAILED, InputError, OutputError, PictureError, RecipeError, UsageError


@dataclass(frozen=True)
class Fill:
    """With what to fill, as ``api.fill`` takes it."""

    model: str
    weights: str
    device: str
    settings: dict[str, Any]


@click.command("inpaint")
@click.argument("image", type=click.Path(path_type=Path))
@click.argument("mask", type=click.Path(path_type=Path))
@click.option(
    "--output", "-o", required=True, type=click.Path(path_type=Path), help="File, or folder for a folder."
)
@click.option("--model", default="deepfillv2", show_default=True, help="deepfillv2, telea or ns.")
@click.option(
    "--weights", default="embedded", show_default=True, help="Name or file of the network's weights."
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
    ctx: click.Context, /, image: Path, mask: Path, output: Path, quiet: bool, **options: Any
) -> None:
    """Fill the white part of MASK in IMAGE; both may be folders.

    \b
    autoremove inpaint photo.jpg hole.png -o filled.jpg
    autoremove inpaint photos/ masks/ -o filled/

    A mask has the size of the picture as a viewer shows it (upright). In folders the mask of sub/photo.jpg is
    sub/photo.jpg.png or sub/photo.png. The output keeps the format of the picture.
    """
    pairs = paired(absolute(image), absolute(mask), absolute(output))
    fill = prepared(quiet=quiet, **options)
    failed = 0
    for source, hole, target in pairs:
        try:
            fill_one(source, hole, target, fill)
        except (PictureError, UsageError) as error:
            if len(pairs) == 1 and not image.is_dir():
                raise
            failed += 1
            say(f"failed: {printable(error)}")
    if not quiet:
        click.echo(
            f"{plural(len(pairs) - failed, 'picture')} written to {printable(output)}, {failed} failed"
        )
    if failed:
        ctx.exit(EXIT_SOME_FAILED)


def prepared(model: str, weights: str, device: str, settings: Sequence[str], quiet: bool) -> Fill:
    """Everything that does not depend on a picture, checked before the first one."""
    from autoremove.cli.prepare import announced_device
    from autoremove.recipe import build_stage

    chosen = dict(_setting(text) for text in settings)
    build_stage("inpaint", {**chosen, "model": model, "weights": weights}, "cpu")
    on = announced_device(device, quiet)
    build_stage("inpaint", {**chosen, "model": model, "weights": weights}, on).weights_digest()
    return Fill(model, weights, on, chosen)


def _setting(text: str) -> tuple[str, Any]:
    import yaml

    field, equals, value = text.partition("=")
    if not equals:
        raise RecipeError(f"--set {text}: not of the form field=value.", hint="E.g. --set context=0.8")
    try:
        return field.removeprefix("inpaint."), yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise RecipeError(f"--set {text}: {value!r} is no value.") from error


def fill_one(source: Path, hole: Path | None, target: Path, fill: Fill) -> None:
    """Read picture and mask, fill, write. Raises PictureError, UsageError for a mask of the wrong size."""
    from autoremove import api, images

    if hole is None:
        raise PictureError(f"{source} has no mask.", hint=f"Name it {source.stem}.png.")
    rgb = images.read(source).rgb
    try:
        holes = api.read_mask(images.read(hole).rgb, (rgb.shape[0], rgb.shape[1]))
    except UsageError as error:
        raise UsageError(f"{hole}: {error.message}", hint=error.hint) from error
    patches = api.fill(
        rgb, holes, model=fill.model, weights=fill.weights, device=fill.device, settings=fill.settings
    )
    if patches:
        images.write(source, target, patches)
    else:
        images.copy(source, target)


def paired(image: Path, mask: Path, output: Path) -> list[tuple[Path, Path | None, Path]]:
    """Picture, mask (None where there is none) and output of each job. Raises InputError, UsageError."""
    for path in (image, mask):
        if not path.exists():
            raise InputError(f"There is no file or folder {path}.", hint="Check the path.")
    if image.is_dir() != mask.is_dir():
        raise UsageError("IMAGE and MASK must both be files or both be folders.")
    if not image.is_dir():
        return [(image, mask, _target(image, output))]
    from autoremove import images
    from autoremove.own_masks.names import mask_files, mask_of

    readable, broken = images.list_pictures([image], exclude=[output, mask])
    sources = [*readable, *broken]
    if not sources:
        raise InputError(f"No pictures in {image}.")
    targets = images.plan_outputs(sources, output)
    files = mask_files(mask, [output])
    return [(source.path, mask_of(source.relative, files), targets[source]) for source in sources]


def _target(image: Path, output: Path) -> Path:
    """The file to write; a name that claims another format is refused, for the format is kept."""
    target = output / image.name if output.is_dir() else output
    if target.exists() and target.samefile(image):
        raise OutputError(
            f"The output {target} is the input.", hint="Inputs are never changed: name another."
        )
    same = {
        frozenset((".jpg", ".jpeg", ".jpe", ".jfif")),
        frozenset((".tif", ".tiff")),
        frozenset((".heic", ".heif", ".hif")),
    }
    endings = image.suffix.lower(), target.suffix.lower()
    if endings[0] != endings[1] and not any(set(endings) <= group for group in same):
        raise UsageError(
            f"The output keeps the format of the picture, and {target.name} is named like another.",
            hint=f"Name it {target.stem}{image.suffix}.",
        )
    return target
