"""The command line: a table of commands, each in a file of its own, imported only when called."""

from __future__ import annotations

import signal
import sys
from types import FrameType
from typing import NoReturn

import click

from autoremove import __version__
from autoremove.cli.lazy import Entry, LazyGroup

COMMANDS = (
    Entry("run", "Remove people (or cars, or animals) from a folder of photos."),
    Entry("inpaint", "Fill the holes of a mask of your own, or of a folder of masks."),
    Entry("upscale", "Enlarge pictures four times with SRResNet or SRGAN."),
    Entry("mask", "Find objects and write their masks as PNG and COCO JSON; change no picture."),
    Entry("report", "Make report.html of an output folder anew."),
    Entry("recipes", "List the recipes, or show one with every default filled in."),
    Entry("weights", "List, fetch and verify weights."),
    Entry("cache", "Show how large the cache is, or make it smaller."),
    Entry("train", "Train the detector, the mask network, or any network that fills or enlarges."),
    Entry("evaluate", "Measure detection, masks and fills on labelled pictures."),
    Entry("study", "Let people judge results by eye: a page of questions, and what the votes say."),
    Entry("doctor", "Check this installation and say what is wrong with it."),
    Entry("demo", "Run on two photos that are already on this machine."),
)


@click.group(
    cls=LazyGroup,
    entries=COMMANDS,
    package="autoremove.cli",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, "--version", message="autoremove %(version)s")
def cli() -> None:
    """Find people in photos, cut them out and fill the holes, offline.

    \b
    autoremove run photos/ --output clean/

    Exit codes: 0 all done, 1 some pictures failed (they are listed), 2 wrong usage or recipe, 3 weights
    missing or damaged, 4 input or output, 130 interrupted.
    """


def main() -> NoReturn:
    """The console script."""
    # File names may hold what the terminal's encoding cannot spell.
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, _interrupt)
    cli.main(prog_name="autoremove")
    sys.exit(0)  # click exits by itself; this is for the type checker


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    """Being told to end is the same as Ctrl-C: clean up, keep what is finished."""
    raise KeyboardInterrupt
