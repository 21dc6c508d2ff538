"""A folder of small photos, and the command line with a detector that takes no time."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from click.testing import CliRunner, Result
from PIL import Image as PilImage

from tests import builders

SCRIPT = Path(__file__).parent / "fake_autoremove.py"


def fake() -> ModuleType:
    spec = importlib.util.spec_from_file_location("fake_autoremove", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Three with a red person (one in a sub-folder), one without, one that is cut off."""
    folder = tmp_path / "photos"
    (folder / "sub").mkdir(parents=True)
    person, nobody = builders.scene(), builders.scene(person=False)
    PilImage.fromarray(person).save(folder / "a.png")
    PilImage.fromarray(person).save(folder / "b.jpg", quality=95)
    PilImage.fromarray(person).save(folder / "sub" / "a.png")
    PilImage.fromarray(nobody).save(folder / "empty street.png")
    (folder / "cut.jpg").write_bytes((folder / "b.jpg").read_bytes()[:700])
    return folder


@pytest.fixture
def light(tmp_path: Path) -> list[str]:
    """Options that need no network: any file will do as the detector's weights."""
    weights = tmp_path / "weights.bin"
    weights.write_bytes(b"fake")
    settings = [
        f"detect.weights={weights}",
        "detect.sizes=[256]",
        "detect.mirror=false",
        "refine.method=box",
        "inpaint.model=telea",
    ]
    return [*(part for text in settings for part in ("--set", text)), "--cache", str(tmp_path / "store")]


@pytest.fixture
def invoke(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Call the command line in this process."""
    from autoremove.cli import cli

    fake().install(monkeypatch.setattr)
    return lambda *args: CliRunner().invoke(cli, [str(arg) for arg in args], prog_name="autoremove")


def _hear_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def start(tmp_path: Path) -> Callable[..., subprocess.Popen[str]]:
    """Start the command line in a process of its own; ``seconds`` is how long each picture takes."""

    def popen(*args: object, seconds: float = 0) -> subprocess.Popen[str]:
        environment = {**os.environ, "AUTOREMOVE_TEST_SECONDS": str(seconds), "HOME": str(tmp_path)}
        return subprocess.Popen(
            [sys.executable, str(SCRIPT), *map(str, args)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
            # A suite run in the background of a script inherits an ignored SIGINT; a person's shell does not.
            preexec_fn=_hear_interrupts if os.name == "posix" else None,
        )

    return popen
