"""`autoremove train`: the embedded networks, on one's own pictures or on ours."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from autoremove.cli.options import GivenPath, folder_option


@click.group()
def command() -> None:
    """Train or fine-tune the networks.

    Every run can be stopped at any time and goes on with --resume; without it a folder with a run is refused.
    The folder receives the checkpoint, the best weights as safetensors, a log, a curve and sample pictures.
    """


_FOLDER = GivenPath(path_type=str)


def training_options(function: Callable[..., None]) -> Callable[..., None]:
    """What all trainings have in common."""
    options = [
        click.option(
            "--data",
            type=_FOLDER,
            multiple=True,
            required=True,
            metavar="DIR",
            help="Folder to learn from; may be repeated.",
        ),
        click.option("--validation", type=_FOLDER, metavar="DIR", help="Folder of held-out pictures."),
        click.option(
            "--config",
            type=GivenPath(dir_okay=False),
            help="YAML file of settings, or the name of shipped ones, as detector-gpu.",
        ),
        click.option(
            "--set", "assignments", multiple=True, metavar="KEY=VALUE", help="One setting; repeatable."
        ),
        folder_option("--output", "-o", required=True, help="Folder of the run."),
        click.option("--resume", is_flag=True, help="Go on from the last checkpoint in --output."),
        click.option(
            "--time-budget",
            type=click.FloatRange(0, min_open=True),
            metavar="MINUTES",
            help="Stop after so much training.",
        ),
        click.option("--cpu-time", is_flag=True, help="Count computing in the budget, not waiting."),
        click.option("--steps", type=click.IntRange(1), help="Stop after so many steps."),
        click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:N or mps."),
        click.option("--threads", type=click.IntRange(0), default=0, help="CPU threads; 0 = all."),
    ]
    for option in reversed(options):
        function = option(function)
    return function


@command.command()
@training_options
def detector(**options: Any) -> None:
    """YOLO on pictures with boxes (YOLO form) or instance masks (`instances` form)."""
    from autoremove.training import detector as room

    _run(room, room.DetectorConfig, "detector", options)


@command.command()
@training_options
def masknet(**options: Any) -> None:
    """The box-to-mask network, on pictures with instance masks (`instances` form)."""
    from autoremove.training import boxmask as room

    _run(room, room.BoxMaskConfig, "masknet", options)


@command.command()
@training_options
def rescorer(**options: Any) -> None:
    """What looks at the detector's finds once more, on pictures as for the detector."""
    from autoremove.training import rescorer as room

    _run(room, room.RescorerConfig, "rescorer", options)


@command.command()
@training_options
def inpainter(**options: Any) -> None:
    """DeepFillv2 on a folder of photos without the objects that are to be removed.

    \b
    autoremove train inpainter --data my-street/ -o runs/street --set start=embedded --time-budget 60
    autoremove run photos/ -o clean/ --set inpaint.weights=runs/street/best.safetensors

    With `start` (a file, or a name of `autoremove weights list`) it goes on from trained weights with the
    settings `inpainter-finetune`; without it begins anew with `inpainter`; --config takes these names too.
    Without --validation every twentieth picture is held out, of few pictures more.
    """
    _fill("inpainter", options)


NEIGHBOURS = {
    "edgeconnect": "EdgeConnect: edges first, then colours (Nazeri et al. 2019).",
    "partialconv": "The U-Net of partial convolutions (Liu et al. 2018).",
    "gain": "GAIN, with streams for gradients and for pixels (2019).",
    "deepfillv1": "DeepFillv1, contextual attention without gates (Yu et al. 2018).",
    "glcic": "Global&Local, completion judged whole and in part (Iizuka et al. 2017).",
    "srgan": "SRResNet and SRGAN, which enlarge four times (Ledig et al. 2017).",
}


def _neighbour(name: str, about: str) -> None:
    """One command a network: they differ in nothing but the settings that they begin with."""

    @command.command(name, help=f"{about}\n\nSettings: training/configs/{name}.yaml.")
    @training_options
    def train(**options: Any) -> None:
        _fill(name, options)


for _name, _about in NEIGHBOURS.items():
    _neighbour(_name, _about)


def _fill(network: str, options: dict[str, Any]) -> None:
    """Train what fills or enlarges pictures: one trainer, settings by the name of the network."""
    from dataclasses import replace

    from autoremove.training import inpainter as room
    from autoremove.training.inpainter_config import read_settings
    from autoremove.training.loop import check_begun

    check_begun(options["output"], options["resume"])
    config = read_settings(options["config"], options["assignments"], network)
    config = replace(config, data=options["data"], threads=options["threads"] or config.threads)
    if options["validation"]:
        config = replace(config, validation=options["validation"])
    room.run(
        config,
        options["output"],
        resume=options["resume"],
        device=options["device"],
        time_budget=options["time_budget"],
        steps=options["steps"],
        cpu_time=options["cpu_time"],
    )


def _run(room: Any, kind: type[Any], shipped: str, options: dict[str, Any]) -> None:
    """Detector, mask network and rescorer differ in nothing that the command line sees."""
    from dataclasses import replace

    import torch

    from autoremove.models.device import choose
    from autoremove.training.loop import LoopConfig, check_begun
    from autoremove.training.settings import read_config

    check_begun(options["output"], options["resume"])
    if options["threads"]:
        torch.set_num_threads(options["threads"])
    config = read_config(kind, shipped, options["config"], options["assignments"])
    config = replace(config, data=options["data"], validation=options["validation"] or config.validation)
    steps = options["steps"] or LoopConfig().steps
    room.run(
        config,
        options["output"],
        resume=options["resume"],
        device=choose(options["device"]).torch_device,
        loop=LoopConfig(
            steps, options["time_budget"], look_first=bool(config.start), cpu_time=options["cpu_time"]
        ),
    )
