"""Find the pictures in folders, and say where each one's output goes."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from autoremove.errors import InputError
from autoremove.images.kinds import SUPPORTED, claims_to_be_picture, kind_of

_NOT_OURS = frozenset(("@eadir", "__macosx"))
"""Folders in which other programs keep their own thumbnails."""

_PREVIEWS = "report_files"
"""Where a report keeps its previews, as ``report.previews.FOLDER``, which this room may not know."""

_REPORTED = ("report.html", "journal.jsonl")
"""What lies beside that folder if it is a report's."""


@dataclass(frozen=True)
class Source:
    """One input file, and its place below the folder that was named (a file named alone: its name)."""

    path: Path
    relative: Path


def list_pictures(
    inputs: Sequence[Path], *, exclude: Sequence[Path] = ()
) -> tuple[list[Source], list[Source]]:
    """Every picture in ``inputs`` (files and folders), in a fixed order, each once.

    The second list holds what is named like a picture, or was named outright, but is none that can be
    read: empty, text, camera raw, out of reach. ``read`` raises the fitting PictureError for each of them,
    so that they end as failures and are not lost in silence. Other files (text, video) and hidden ones
    are in neither list. Nothing at or below a path of ``exclude`` is listed, and none of the previews of a
    report.

    Raises InputError where an input does not exist or a folder cannot be opened.
    """
    excluded = frozenset(os.path.realpath(path) for path in exclude)
    pictures: list[Source] = []
    doubtful: list[Source] = []
    seen: set[str] = set()
    for given in inputs:
        for source, must_list in _sources_below(given, excluded):
            real = os.path.realpath(source.path)
            if real in seen:
                continue
            seen.add(real)
            if _is_readable_picture(source.path):
                pictures.append(source)
            elif must_list or claims_to_be_picture(source.path):
                doubtful.append(source)
    return pictures, doubtful


def _sources_below(given: Path, excluded: frozenset[str]) -> Iterator[tuple[Source, bool]]:
    """The files of one input; True beside those that were named outright."""
    if given.is_dir():
        for path in _walk(given, excluded, set()):
            yield Source(path, path.relative_to(given)), False
    elif given.exists():
        yield Source(given, Path(given.name)), True
    else:
        raise InputError(f"There is no file or folder {given}.", hint="Check the path.")


def _walk(folder: Path, excluded: frozenset[str], visited: set[str]) -> Iterator[Path]:
    """Files below ``folder`` by name; a folder reached twice, as by a link to itself, counts once."""
    real = os.path.realpath(folder)
    if real in visited or _is_excluded(real, excluded):
        return
    visited.add(real)
    for path in _entries(folder):
        if path.name.startswith(".") or path.name.casefold() in _NOT_OURS:
            continue
        if path.is_dir():
            if _holds_previews(path):
                continue
            yield from _walk(path, excluded, visited)
        elif (path.is_file() or path.is_symlink()) and not _is_excluded(os.path.realpath(path), excluded):
            yield path


def _holds_previews(folder: Path) -> bool:
    """Whether a folder is what a report keeps beside it, and not somebody's own of that name."""
    return folder.name == _PREVIEWS and any((folder.parent / name).is_file() for name in _REPORTED)


def _entries(folder: Path) -> list[Path]:
    """What ``folder`` holds: real entries before links, so that a link never takes a real folder's place."""
    try:
        return sorted(folder.iterdir(), key=lambda path: (path.is_symlink(), path.name))
    except OSError as error:
        raise InputError(
            f"The folder {folder} cannot be opened ({error.strerror}).",
            hint="Give yourself the right to read it, or leave it out.",
        ) from error


def _is_excluded(real: str, excluded: frozenset[str]) -> bool:
    return any(real == root or real.startswith(root.rstrip(os.sep) + os.sep) for root in excluded)


def _is_readable_picture(path: Path) -> bool:
    try:
        return path.is_file() and kind_of(path) in SUPPORTED
    except OSError:
        return False  # Listed as doubtful where it is named like a picture; `read` says what is wrong.


def plan_outputs(sources: Sequence[Source], output: Path) -> dict[Source, Path]:
    """Where each output goes: the same name at the same place below ``output``.

    Names are compared as a file system would that does not tell upper from lower case.
    Raises InputError where two inputs would meet, or where an output would replace an input.
    """
    plan = {source: output / source.relative for source in sources}
    originals = {_folded(os.path.realpath(source.path)): source for source in sources}
    taken: dict[str, Source] = {}
    for source, destination in plan.items():
        _refuse_replacing(destination, originals)
        _refuse_meeting(source, taken.setdefault(_folded(str(source.relative)), source), destination)
    for source in plan:
        for parent in source.relative.parents:
            _refuse_meeting(source, taken.get(_folded(str(parent)), source), output / parent)
    return plan


def _folded(name: str) -> str:
    """A name as macOS and Windows compare it: case and the way accents are spelt do not count."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def _refuse_replacing(destination: Path, originals: dict[str, Source]) -> None:
    real = _folded(os.path.realpath(destination))
    if real in originals:
        raise InputError(
            f"The output {destination} would replace the input {originals[real].path}.",
            hint="Inputs are never changed: choose another output folder.",
        )
    if _is_folder(destination):
        raise InputError(
            f"The output {destination} is a folder already.", hint="Choose another output folder."
        )


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False  # Its name is too long, which is told when it is to be written.


def _refuse_meeting(one: Source, other: Source, destination: Path) -> None:
    if one != other:
        raise InputError(
            f"Both {other.path} and {one.path} would be written to {destination}.",
            hint="Rename one of them, or run them into separate output folders.",
        )
