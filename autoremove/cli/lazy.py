"""A click group that knows its commands from a table, and the one place where errors become an exit code."""

from __future__ import annotations

import errno
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import click

from autoremove.cli.text import printable
from autoremove.errors import EXIT_INTERRUPTED, EXIT_SOME_FAILED, AutoremoveError, OutputError

DEBUG = "autoremove.debug"


@dataclass(frozen=True)
class Entry:
    """One command: its name, which is also its module's, and its line in the group's help."""

    name: str
    about: str


class LazyGroup(click.Group):
    """A group whose help is written from a table; a command's module, holding ``command``, loads on use."""

    def __init__(self, *args: Any, entries: Sequence[Entry] = (), package: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.entries = {entry.name: entry for entry in entries}
        self.package = package
        self.params.append(debug_option())

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.entries)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.entries:
            return None
        command: click.Command = import_module(f"{self.package}.{cmd_name}").command
        add_debug(command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(entry.name, entry.about) for entry in self.entries.values()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in self.entries:
            ctx.fail(f"No such command {args[0]!r}.{_nearest(args[0], list(self.entries))}")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """The border: whatever goes wrong in a command ends here, as one line and an exit code."""
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise  # click ends these by itself: usage errors with 2, a closed pipe without a word
        except KeyboardInterrupt:
            say("\ninterrupted; what is finished is kept, run the same command again to go on")
            ctx.exit(EXIT_INTERRUPTED)
        except AutoremoveError as error:
            _tell(ctx, error)
            ctx.exit(error.exit_code)
        except OSError as error:
            told = _of_the_disk(error)
            _tell(ctx, told or error)
            ctx.exit(told.exit_code if told else EXIT_SOME_FAILED)
        except Exception as error:  # a fault of ours: one line for the user, the traceback on demand
            _tell(ctx, error)
            ctx.exit(EXIT_SOME_FAILED)


_FULL = (errno.ENOSPC, errno.EDQUOT)
_NO_RIGHT = (errno.EACCES, errno.EPERM, errno.EROFS)
_NO_PLACE = (errno.EISDIR, errno.ENOTDIR, errno.EEXIST, errno.ENAMETOOLONG, errno.ELOOP)
_HINTS = {
    **dict.fromkeys(_FULL, "Free some space, or name a place on another disk; then run again."),
    **dict.fromkeys(_NO_RIGHT, "Give yourself the right to read and write there, or name another place."),
    **dict.fromkeys(_NO_PLACE, "Name another place, or take what lies there out of the way."),
}


def _of_the_disk(error: OSError) -> AutoremoveError | None:
    """What the system refuses, as an error that the user can put right; None for anything else."""
    hint = _HINTS.get(error.errno or 0)
    if hint is None:
        return None
    where = f"{error.filename}: " if error.filename is not None else ""
    return OutputError(f"{where}{error.strerror}.", hint=hint)


def _tell(ctx: click.Context, error: Exception) -> None:
    if ctx.meta.get(DEBUG):
        say(traceback.format_exc().rstrip())
    if isinstance(error, AutoremoveError):
        say(f"error: {printable(error.message)}")
        if error.hint:
            say(f"hint: {printable(error.hint)}")
    else:
        text = str(error).strip().splitlines()
        say(f"error: {type(error).__name__}{': ' + printable(text[0]) if text else ''}")
        say("hint: this should not happen; --debug shows the traceback.")


def say(line: str) -> None:
    """A line for the person, not for a pipe: standard error."""
    click.echo(line, err=True)


def debug_option() -> click.Option:
    """--debug: show the traceback of an error."""

    def remember(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
        if value:
            ctx.meta[DEBUG] = True

    return click.Option(
        ["--debug"],
        is_flag=True,
        expose_value=False,
        callback=remember,
        help="Show the traceback of an error.",
    )


def add_debug(command: click.Command) -> None:
    """Give ``command`` and its subcommands the option, once."""
    if not any(param.name == "debug" for param in command.params):
        command.params.append(debug_option())
    if isinstance(command, click.Group):
        for below in command.commands.values():
            add_debug(below)


def _nearest(word: str, known: Sequence[str]) -> str:
    from difflib import get_close_matches

    close = get_close_matches(word, known, 1)
    return f" Did you mean {close[0]!r}?" if close else ""
