"""Help is instant: it imports no network library, and no command but the one that was asked about."""

from __future__ import annotations

import subprocess
import sys

import pytest
from click.testing import CliRunner

from autoremove.cli import COMMANDS, cli

HEAVY = ("torch", "numpy", "cv2", "PIL", "ultralytics", "jinja2")
LOADED = (
    "import sys\n"
    "from click.testing import CliRunner\n"
    "from autoremove.cli import cli\n"
    "result = CliRunner().invoke(cli, sys.argv[1:])\n"
    "assert result.exit_code == 0, result.output\n"
    "print('\\n'.join(sys.modules))\n"
)


def modules_after(*args: str) -> set[str]:
    done = subprocess.run([sys.executable, "-c", LOADED, *args], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def test_help_of_the_group_imports_no_command() -> None:
    loaded = modules_after("--help")
    assert not loaded.intersection(HEAVY)
    assert not loaded.intersection(f"autoremove.cli.{entry.name}" for entry in COMMANDS)


@pytest.mark.parametrize("name", [entry.name for entry in COMMANDS])
def test_help_of_a_command_imports_nothing_heavy(name: str) -> None:
    assert not modules_after(name, "--help").intersection(HEAVY)


def below(command: object, path: tuple[str, ...]) -> list[tuple[str, ...]]:
    names = list(getattr(command, "commands", {}))
    return [path, *(row for name in names for row in below(command.commands[name], (*path, name)))]  # type: ignore[attr-defined]


def every_command() -> list[tuple[str, ...]]:
    import click

    context = click.Context(cli)
    return [path for entry in COMMANDS for path in below(cli.get_command(context, entry.name), (entry.name,))]


@pytest.mark.parametrize("path", every_command(), ids=" ".join)
def test_every_command_and_option_says_what_it_does(path: tuple[str, ...]) -> None:
    result = CliRunner().invoke(cli, [*path, "--help"], prog_name="autoremove")
    assert result.exit_code == 0
    assert f"Usage: autoremove {' '.join(path)}" in result.output
    assert "--debug" in result.output
    assert len(result.output.split("Options:")[0].splitlines()) > 3  # a sentence under the usage line


def test_the_table_covers_help_and_version() -> None:
    listing = CliRunner().invoke(cli, ["--help"]).output
    for entry in COMMANDS:
        assert f"  {entry.name} " in listing
    assert CliRunner().invoke(cli, ["--version"]).output.startswith("autoremove ")


def test_python_m_is_the_same_program() -> None:
    done = subprocess.run([sys.executable, "-m", "autoremove", "--version"], capture_output=True, text=True)
    assert done.stdout.startswith("autoremove ")
