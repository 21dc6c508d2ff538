"""`autoremove upscale`: one picture, or a folder of them, four times as high and as wide."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from autoremove.cli.lazy import say
from autoremove.cli.options import GivenPath, absolute, device_option, quiet_option
from autoremove.cli.outputs import output_file, refuse_masks
from autoremove.cli.text import plural, printable
from autoremove.errors import EXIT_SOME_FAILED, InputError, PictureError


@dataclass(frozen=True)
class Job:
    """One picture and the file to write."""

    source: Path
    target: Path


@click.command("upscale")
@click.argument("image", type=GivenPath())
@click.option("--output", "-o", required=True, type=GivenPath(), help="File, or folder for a folder.")
@click.option(
    "--weights", default="embedded", show_default=True, help="Name or file of the network's weights."
)
@click.option("--trust", is_flag=True, help="Read weights that hold more than tensors, which could run code.")
@device_option
@quiet_option
@click.pass_context
def command(ctx: click.Context, /, image: Path, output: Path, quiet: bool, **options: Any) -> None:
    """Enlarge IMAGE, a picture or a folder, four times in each direction (SRResNet, SRGAN).

    \b
    autoremove upscale photo.jpg -o large.jpg
    autoremove upscale photos/ -o large/
    autoremove upscale photo.jpg --weights SRGAN_x4-ImageNet.pth.tar -o large.jpg

    Format, depth and metadata stay those of the picture; EXIF tags that tell its size tell the new one. Up
    to 200 million pixels may come out, in tiles, so that memory holds little more than the two pictures.
    """
    jobs = planned(absolute(image), absolute(output))
    network = prepared(quiet=quiet, **options)
    failed = 0
    for job in jobs:
        try:
            upscale_one(job, network)
        except PictureError as error:
            if len(jobs) == 1 and not image.is_dir():
                raise
            failed += 1
            say(f"failed: {printable(error)}")
    if not quiet:
        click.echo(f"{plural(len(jobs) - failed, 'picture')} written to {printable(output)}, {failed} failed")
    if failed:
        ctx.exit(EXIT_SOME_FAILED)


def prepared(weights: str, trust: bool, device: str, quiet: bool) -> Any:
    """The network on its device, which is announced. Raises DeviceError, WeightsError."""
    from autoremove.cli.prepare import announced_device
    from autoremove.models import cache

    return cache.load("srgan", weights, announced_device(device, quiet), trust=trust)


def planned(image: Path, output: Path) -> list[Job]:
    """The jobs; in a folder those that cannot be read too, so that they are told. Raises InputError."""
    if not image.exists():
        raise InputError(f"There is no file or folder {image}.", hint="Check the path.")
    if not image.is_dir():
        return [Job(image, output_file(image, output))]
    from autoremove import images
    from autoremove.jobs import listed

    sources = listed([image], output)
    targets = images.plan_outputs(sources, output)
    refuse_masks(output, targets.values())
    return [Job(source.path, targets[source]) for source in sources]


def upscale_one(job: Job, network: Any) -> tuple[int, int]:
    """Read, enlarge, write; gives the new (height, width). Raises PictureError, OutputError."""
    from autoremove.images.enlarging import write_enlarged
    from autoremove.models import memory
    from autoremove.models.srgan import SCALE
    from autoremove.models.srgan_tiles import upscaled_pixels

    try:
        return write_enlarged(job.source, job.target, SCALE, lambda rgb: upscaled_pixels(network, rgb))
    except (RuntimeError, MemoryError) as error:
        if not memory.is_full(error):
            raise
        raise PictureError(
            f"{job.source}: there is not enough memory to enlarge it.", hint="Close other programs."
        ) from error
