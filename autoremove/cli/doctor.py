"""`autoremove doctor`: one line for each thing a run needs, and what to do where it is lacking."""

from __future__ import annotations

import platform
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import click

from autoremove import __version__
from autoremove.cli.options import absolute, cache_option, device_option
from autoremove.cli.text import bytes_as_text, duration, printable
from autoremove.errors import EXIT_SOME_FAILED, AutoremoveError

PACKAGES = (
    "torch",
    "torchvision",
    "ultralytics",
    "numpy",
    "opencv-python",
    "pillow",
    "pillow-heif",
    "safetensors",
)
OPTIONAL = {"openvino": "the detector runs through PyTorch, often somewhat slower"}
LOW_SPACE = 2 * 10**9


@dataclass(frozen=True)
class Finding:
    """``state``: ok, note (works, but) or problem."""

    state: str
    subject: str
    text: str


@click.command("doctor")
@device_option
@cache_option
@click.pass_context
def command(ctx: click.Context, /, device: str, cache: Path | None) -> None:
    """Check versions, device, weights, cache folder and formats, and fill a small hole.

    Exit code 1 on a problem.
    """
    from autoremove.store import default_root

    root = absolute(cache or default_root())
    checks: list[tuple[str, Callable[[], Iterator[Finding]]]] = [
        ("versions", _versions),
        ("device", lambda: _device(device)),
        ("weights", _weights),
        ("cache", lambda: _cache(root)),
        ("formats", _formats),
        ("self-test", lambda: _fill(device)),
    ]
    problems = 0
    for subject, check in checks:
        for finding in _findings(subject, check):
            problems += finding.state == "problem"
            click.echo(f"{finding.state:8} {finding.subject:10} {printable(finding.text)}")
    click.echo("All is well." if not problems else f"{problems} to put right.")
    if problems:
        ctx.exit(EXIT_SOME_FAILED)


def _findings(subject: str, check: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    """A check that cannot even run is a finding itself, and the others still run."""
    try:
        yield from check()
    except AutoremoveError as error:
        yield Finding("problem", subject, str(error))
    except Exception as error:  # a broken installation may raise anything
        yield Finding("problem", subject, f"{type(error).__name__}: {error}")


def _versions() -> Iterator[Finding]:
    yield Finding(
        "ok",
        "versions",
        f"autoremove {__version__}, Python {platform.python_version()}, {platform.platform()}",
    )
    for name in PACKAGES:
        try:
            yield Finding("ok", "versions", f"{name} {version(name)}")
        except PackageNotFoundError:
            yield Finding("problem", "versions", f"{name} is not installed: install autoremove anew.")
    for name, without in OPTIONAL.items():
        try:
            yield Finding("ok", "versions", f"{name} {version(name)}")
        except PackageNotFoundError:
            yield Finding("note", "versions", f"{name} is not installed: {without}.")


def _device(request: str) -> Iterator[Finding]:
    from autoremove.models import device

    yield Finding("ok", "device", device.describe(device.choose(request)).removeprefix("Device: "))


def _weights() -> Iterator[Finding]:
    from autoremove.models import weights

    for status in weights.listing():
        if status.weights.embedded:
            kind = status.weights.kind
            checked = weights.verify("embedded", kind)
            state = {"ok": "ok", "unverified": "note"}.get(checked.state, "problem")
            yield Finding(state, "weights", f"embedded {kind}: {checked.detail or checked.state}")


def _cache(root: Path) -> Iterator[Finding]:
    from autoremove.store import write_atomically

    probe = root / ".doctor"
    write_atomically(probe, b"")
    probe.unlink()
    free = shutil.disk_usage(root).free
    state = "ok" if free >= LOW_SPACE else "note"
    yield Finding(state, "cache", f"{root} can be written, {bytes_as_text(free)} free")


def _formats() -> Iterator[Finding]:
    from PIL import features

    yield Finding("ok", "formats", "JPEG, PNG, WebP, TIFF, BMP")
    import pillow_heif

    yield Finding("ok", "formats", f"HEIC through libheif {pillow_heif.libheif_version()}")
    if features.check("avif"):
        yield Finding("ok", "formats", f"AVIF through libavif {features.version('avif')}")
    else:
        yield Finding("note", "formats", "no AVIF: this Pillow was built without it")


def _fill(device: str) -> Iterator[Finding]:
    """A smooth picture with a hole: the fill must change the hole, and nothing else."""
    import numpy as np

    from autoremove import api, images

    y, x = np.mgrid[:128, :128]
    picture = np.stack([x + 60, y + 60, (x + y) // 2 + 60], -1).astype(np.uint8)
    hole = np.zeros((128, 128), bool)
    hole[48:80, 48:80] = True
    damaged = np.where(hole[..., None], np.uint8(0), picture)
    started = time.perf_counter()
    filled = images.apply_patches(damaged, api.fill(damaged, hole, device=device))
    seconds = time.perf_counter() - started
    error = float(np.abs(filled.astype(int) - picture)[hole].mean())
    right = bool((filled[~hole] == picture[~hole]).all()) and bool((filled[hole] > 0).any())
    text = f"a small hole filled in {duration(seconds)}, {error:.1f} of 255 off on average"
    yield Finding("ok" if right else "problem", "self-test", text)
