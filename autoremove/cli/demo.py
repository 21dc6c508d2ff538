"""`autoremove demo`: the whole pipeline on two photos that come with a library we need anyway."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

from autoremove.cli.lazy import say
from autoremove.cli.options import Request, absolute, folder_option, pipeline_options
from autoremove.cli.text import printable
from autoremove.errors import EXIT_SOME_FAILED, InputError


@click.command("demo")
@folder_option(
    "--output", "-o", default="demo-output", show_default=True, help="Folder for photos and results."
)
@pipeline_options("people")
@click.pass_context
def command(ctx: click.Context, /, output: Path, **options: Any) -> None:
    """Remove the people from the two photos of the ultralytics package, and say where to look.

    The photos are copied to OUTPUT/photos, the results go to OUTPUT/clean. Nothing is fetched.
    """
    from autoremove import images
    from autoremove.cli.run import Run, clean_folder

    photos = absolute(output) / "photos"
    for photo in demo_photos():
        images.copy(photo, photos / photo.name)
    say(f"Photos: {printable(photos)}")
    rows = clean_folder(Run((photos,), absolute(output) / "clean", Request(**options)))
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
