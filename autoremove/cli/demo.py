"""`autoremove demo`: the whole pipeline on two photos that come with a library we need anyway."""

from __future__ import annotations

import shutil
from importlib.util import find_spec
from pathlib import Path

import click

from autoremove.cli.lazy import say
from autoremove.cli.options import (
    MAX_PIXELS,
    Amount,
    Request,
    absolute,
    cache_option,
    device_option,
    folder_option,
)
from autoremove.errors import EXIT_SOME_FAILED, InputError


@click.command("demo")
@folder_option(
    "--output", "-o", default="demo-output", show_default=True, help="Folder for photos and results."
)
@device_option
@cache_option
@click.pass_context
def command(ctx: click.Context, /, output: Path, device: str, cache: Path | None) -> None:
    """Remove the people from the two photos of the ultralytics package, and say where to look.

    The photos are copied to OUTPUT/photos, the results go to OUTPUT/clean. Nothing is fetched.
    """
    from autoremove.cli.run import Run, clean_folder

    photos = absolute(output) / "photos"
    photos.mkdir(parents=True, exist_ok=True)
    for photo in demo_photos():
        shutil.copyfile(photo, photos / photo.name)
    say(f"Photos:  {photos}")
    request = Request(
        "people", (), (), None, device, cache, Amount("pixels").convert(MAX_PIXELS, None, None), False
    )
    rows = clean_folder(Run((photos,), absolute(output) / "clean", request))
    if any(row.status == "failed" for row in rows):
        ctx.exit(EXIT_SOME_FAILED)


def demo_photos() -> list[Path]:
    """The two photos; found without importing the package, which takes seconds."""
    spec = find_spec("ultralytics")
    folders = list(spec.submodule_search_locations or []) if spec else []
    photos = sorted(path for folder in folders for path in (Path(folder) / "assets").glob("*.jpg"))
    if not photos:
        raise InputError(
            "The ultralytics package, whose photos the demo uses, is not there.",
            hint="Install autoremove anew, or run `autoremove run` on photos of your own.",
        )
    return photos
