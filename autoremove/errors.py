"""What a user can put right: every error that reaches the command line, with its exit code."""

from __future__ import annotations

EXIT_OK = 0
EXIT_SOME_FAILED = 1
EXIT_USAGE = 2
EXIT_WEIGHTS = 3
EXIT_IO = 4
EXIT_INTERRUPTED = 130


class AutoremoveError(Exception):
    """Something the user can put right.

    The message says what went wrong and where; ``hint`` says what to do about it.
    """

    exit_code = EXIT_SOME_FAILED

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}" if self.hint else self.message

    def __reduce__(self) -> tuple[object, ...]:
        # Errors cross process borders in the `processes` executor; the default form loses `hint`.
        return _rebuild, (type(self), self.message, self.hint)


def _rebuild(kind: type[AutoremoveError], message: str, hint: str | None) -> AutoremoveError:
    return kind(message, hint=hint)


class UsageError(AutoremoveError):
    """A wrong option or argument."""

    exit_code = EXIT_USAGE


class RecipeError(AutoremoveError):
    """A recipe that cannot be run: unknown stage or field, or a chain that does not close."""

    exit_code = EXIT_USAGE


class DeviceError(AutoremoveError):
    """The device that was asked for is not there."""

    exit_code = EXIT_USAGE


class WeightsError(AutoremoveError):
    """Weights that are missing, damaged or of another network."""

    exit_code = EXIT_WEIGHTS


class InputError(AutoremoveError):
    """The input as a whole cannot be used (no such folder, colliding names)."""

    exit_code = EXIT_IO


class OutputError(AutoremoveError):
    """The output cannot be written (disk full, no permission)."""

    exit_code = EXIT_IO


class PictureError(AutoremoveError):
    """One picture cannot be processed; the others go on."""

    exit_code = EXIT_SOME_FAILED


class ReviewNeeded(PictureError):
    """A picture that can be processed but should be looked at by a person first."""


class BrokenArtefact(Exception):
    """A stored artefact that cannot be decoded; the store deletes it and its stage runs again."""

    def __init__(self, path: object) -> None:
        super().__init__(f"{path} cannot be decoded.")
        self.path = path
