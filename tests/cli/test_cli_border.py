"""Errors become one line, a hint and an exit code, in one place."""

from __future__ import annotations

import errno
from collections.abc import Callable

import click
import pytest
from click.testing import CliRunner, Result

from autoremove import errors
from autoremove.cli.lazy import LazyGroup
from autoremove.cli.text import bytes_as_text, columns, duration, printable


def group_that(action: Callable[[], object]) -> LazyGroup:
    group = LazyGroup("demo")

    @click.command()
    def go() -> None:
        action()

    group.entries["go"] = None  # type: ignore[assignment]
    group.get_command = lambda ctx, name: go  # type: ignore[method-assign]
    return group


def outcome(action: Callable[[], object], *before: str) -> Result:
    return CliRunner().invoke(group_that(action), [*before, "go"])


def raising(error: BaseException) -> Callable[[], None]:
    def action() -> None:
        raise error

    return action


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.PictureError("bad", hint="copy it"), 1),
        (errors.RecipeError("bad", hint="copy it"), 2),
        (errors.DeviceError("bad", hint="copy it"), 2),
        (errors.WeightsError("bad", hint="copy it"), 3),
        (errors.InputError("bad", hint="copy it"), 4),
        (errors.OutputError("bad", hint="copy it"), 4),
    ],
)
def test_our_errors(error: errors.AutoremoveError, code: int) -> None:
    result = outcome(raising(error))
    assert (result.exit_code, result.stderr, result.stdout) == (code, "error: bad\nhint: copy it\n", "")


def test_unexpected_errors_are_one_line_and_debug_shows_where() -> None:
    result = outcome(raising(ZeroDivisionError("by zero\nand more")))
    assert result.exit_code == 1
    assert result.stderr.startswith("error: ZeroDivisionError: by zero\n")
    assert "--debug" in result.stderr and "Traceback" not in result.stderr
    assert "Traceback" in outcome(raising(ZeroDivisionError()), "--debug").stderr


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            PermissionError(errno.EACCES, "Permission denied", "/a/b"),
            "/a/b: Permission denied.\nhint: Give",
        ),
        (
            OSError(errno.EROFS, "Read-only file system", "/a"),
            "/a: Read-only file system.\nhint: Give",
        ),
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device.\nhint: Free"),
        (IsADirectoryError(errno.EISDIR, "Is a directory", "/a"), "/a: Is a directory.\nhint: Name"),
    ],
)
def test_what_the_system_refuses_is_no_fault_of_ours(error: OSError, words: str) -> None:
    result = outcome(raising(error))
    assert (result.exit_code, result.stderr.startswith(f"error: {words}")) == (4, True), result.stderr
    assert "should not happen" in outcome(raising(FileNotFoundError(errno.ENOENT, "None", "/a"))).stderr


def test_interrupted() -> None:
    result = outcome(raising(KeyboardInterrupt()))
    assert result.exit_code == 130
    assert "interrupted; what is finished is kept" in result.stderr


def test_names_cannot_command_the_terminal() -> None:
    result = outcome(raising(errors.InputError("no \x1b[31m\n\udcff here")))
    assert result.stderr == "error: no \\x1b[31m\\n\\udcff here\n"


def test_wrong_usage_is_2_and_typos_are_understood(invoke: Callable[..., Result]) -> None:
    result = invoke("rnu")
    assert result.exit_code == 2
    assert "Did you mean 'run'?" in result.stderr
    assert invoke("run").exit_code == 2
    assert invoke("run", "x", "-o", "y", "--max-pixels", "many").exit_code == 2


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.04, "0.04 s"), (3.21, "3.2 s"), (125, "2 min 05 s"), (3720, "1 h 02 min")]
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_sizes_and_columns() -> None:
    assert [bytes_as_text(n) for n in (12, 1500, 2_000_000_000)] == ["12 B", "1.5 kB", "2.0 GB"]
    assert columns([("a", "1"), ("bcd", "22")], right=(1,)) == ["a     1", "bcd  22"]
    assert columns([]) == []
    assert printable("ok ü 漢") == "ok ü 漢"
