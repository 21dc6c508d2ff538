"""Making a study: the pictures of several results matched, brought to one form and laid into a page."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image as PilImage

from autoremove import __version__, images
from autoremove.errors import InputError, PictureError, UsageError
from autoremove.report.study_page import TASKS, Study, Version, render
from autoremove.store import write_atomically
from autoremove.types import Image, Mask

QUALITY = 92
"""Of the JPEGs, without thinned colour: seams must not vanish in it."""

ASPECT_OFF = 0.02
"""Pictures whose aspect ratios differ by more do not show the same view."""

TRUTH, MASKS = "--truth", "--masks"
"""What the folders that hold no results are called in messages."""


@dataclass(frozen=True)
class Options:
    """What a study asks and how.

    ``tasks``: in any order, None = all that the folders allow. ``side``: longest side of a picture in pixels.
    ``questions``: at most so many of each task for one person. ``limit``: pictures, evenly spaced.
    """

    tasks: Sequence[str] | None = None
    side: int = 512
    seconds: float = 0.0
    questions: int = 60
    limit: int | None = None


@dataclass(frozen=True)
class Matched:
    """``pictures``: relative path -> folder's name -> file, where every folder has it (masks may lack it).

    ``left``: one line for each file without its counterparts.
    """

    pictures: dict[str, dict[str, Path]]
    left: list[str]


def named_folder(text: str) -> tuple[str, Path]:
    """``NAME=FOLDER`` or ``FOLDER``, named as the folder is. Raises UsageError for what has no name."""
    name, sign, rest = text.partition("=")
    if not sign or "/" in name or Path(text).is_dir():
        name, rest = Path(text).absolute().name, text
    if not name.strip() or not rest:
        raise UsageError(f"{text!r} names no folder of results.", hint="Write NAME=FOLDER or FOLDER.")
    return name.strip(), Path(rest)


def named_folders(texts: Iterable[str]) -> dict[str, Path]:
    """All of them; raises UsageError where two have one name, InputError where there is no such folder."""
    found: dict[str, Path] = {}
    for name, folder in map(named_folder, texts):
        if name in found:
            hint = f"Write another name before one of them: OTHER={folder}."
            raise UsageError(f"{found[name]} and {folder} are both named {name}.", hint=hint)
        found[name] = folder
    return found


def matched(results: Mapping[str, Path], truth: Path | None, masks: Path | None = None) -> Matched:
    """The pictures that every folder of results, and ``truth``, holds at the same relative path.

    Where the path is not there, one that differs only in its ending counts, if there is just one. Raises
    InputError where nothing is in all folders.
    """
    folders = {**({TRUTH: truth} if truth else {}), **results, **({MASKS: masks} if masks else {})}
    files = {name: _files(folder) for name, folder in folders.items()}
    first, *others = [name for name in folders if name != MASKS]
    pictures: dict[str, dict[str, Path]] = {}
    used: dict[str, set[str]] = {name: set() for name in folders}
    for relative in files[first]:
        row = {name: _counterpart(relative, files[name]) for name in folders}
        if all(row[name] is not None for name in others):
            pictures[relative] = {name: files[name][path] for name, path in row.items() if path is not None}
            for name, path in row.items():
                used[name].update([path] if path is not None else [])
    left = [f"{name}: {path}" for name in folders for path in files[name] if path not in used[name]]
    if not pictures:
        told = ", ".join(f"{name} {len(found)}" for name, found in files.items())
        raise InputError(
            f"No picture is in all folders by the same relative path ({told} pictures).",
            hint="Give folders in which the results of one photo bear one name.",
        )
    return Matched(pictures, left)


def _files(folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        raise InputError(f"There is no folder {folder}.", hint="Write NAME=FOLDER or FOLDER.")
    both = images.list_pictures([folder])  # those that cannot be read too: they are told when it is tried
    return {source.relative.as_posix(): source.path for sources in both for source in sources}


def _counterpart(relative: str, files: Mapping[str, Path]) -> str | None:
    if relative in files:
        return relative
    stem = Path(relative).with_suffix("")
    close = [other for other in files if Path(other).with_suffix("") == stem]
    return close[0] if len(close) == 1 else None


def tasks_of(options: Options, has_truth: bool) -> list[str]:
    """The tasks to ask; raises UsageError for an unknown one, and for one that needs true pictures."""
    if options.tasks is None:
        return list(TASKS) if has_truth else ["opinion"]
    if not options.tasks:
        raise UsageError("--tasks names no task.", hint=f"Choose of {', '.join(TASKS)}.")
    for task in options.tasks:
        if task not in TASKS:
            raise UsageError(f"There is no task {task!r}.", hint=f"Choose of {', '.join(TASKS)}.")
        if task != "opinion" and not has_truth:
            raise UsageError(f"The task {task} needs true pictures.", hint="Name their folder with --truth.")
    return [task for task in TASKS if task in options.tasks]


def make_study(
    found: Matched, options: Options, on_picture: Callable[[int, int], None] = lambda done, total: None
) -> tuple[Study, list[str]]:
    """Read, shrink and encode; the study, and a line for each picture that is damaged or of odd shape.

    ``on_picture``: called with (number done, total). Raises InputError where none is left.
    """
    versions: list[Version] = []
    outlines: dict[str, bytes] = {}
    left: list[str] = []
    chosen = _spread(list(found.pictures), options.limit)
    for number, relative in enumerate(chosen, 1):
        row = dict(found.pictures[relative])
        mask = row.pop(MASKS, None)
        try:
            pixels = {name: images.read(path).rgb for name, path in row.items()}
            size = _size(relative, pixels, options.side)
            if mask is not None:
                outlines[relative] = _outline(images.read(mask).rgb.max(2) > 127, size)
            versions += [_version(relative, name, rgb, size) for name, rgb in pixels.items()]
        except PictureError as error:
            left.append(str(error))
        on_picture(number, len(chosen))
    if not versions:
        raise InputError(f"No picture can be shown: {left[0]}", hint="Give whole pictures of one shape.")
    return Study(versions, _counts(versions, options), options.seconds, __version__, outlines), left


def write_study(study: Study, path: Path) -> int:
    """Write the page; its size in bytes. Raises OutputError."""
    data = render(study).encode("utf-8")
    write_atomically(path, data)
    return len(data)


def _counts(versions: Sequence[Version], options: Options) -> dict[str, int]:
    """Questions of each task: no picture is asked about twice in one."""
    truths = sum(version.model is None for version in versions)
    most = {"real": len(versions), "opinion": len(versions), "pair": len(versions) - truths}
    return {task: min(options.questions, most[task]) for task in tasks_of(options, truths > 0)}


def _spread(names: list[str], limit: int | None) -> list[str]:
    """At most ``limit`` of them, evenly spaced."""
    if limit is None or limit >= len(names):
        return names
    return [names[round(i)] for i in np.linspace(0, len(names) - 1, limit)]


def _size(relative: str, pixels: Mapping[str, Image], side: int) -> tuple[int, int]:
    """Width and height for all versions of a picture: those of the smallest, its longer side within ``side``.

    Raises PictureError where one has another aspect ratio than the first: it does not show the same view.
    """
    ratios = {name: rgb.shape[1] / rgb.shape[0] for name, rgb in pixels.items()}
    wanted = next(iter(ratios.values()))
    for name, ratio in ratios.items():
        if abs(ratio / wanted - 1) > ASPECT_OFF:
            raise PictureError(f"{name}: {relative} has another shape than in {next(iter(ratios))}.")
    height, width = min((rgb.shape[:2] for rgb in pixels.values()), key=lambda size: size[0] * size[1])
    scale = min(1.0, side / max(height, width))
    return max(1, round(width * scale)), max(1, round(height * scale))


def _version(relative: str, name: str, rgb: Image, size: tuple[int, int]) -> Version:
    if (rgb.shape[1], rgb.shape[0]) != size:
        rgb = np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), np.uint8)
    stream = io.BytesIO()
    PilImage.fromarray(rgb).save(stream, "JPEG", quality=QUALITY, subsampling=0)
    return Version(relative, None if name == TRUTH else name, stream.getvalue())


def _outline(hole: Mask, size: tuple[int, int]) -> bytes:
    """The hole's border in yellow on nothing, as a PNG of ``size``."""
    small = np.asarray(cv2.resize(hole.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST))
    contours, _ = cv2.findContours(small, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    canvas = np.zeros((size[1], size[0]), np.uint8)
    cv2.drawContours(canvas, contours, -1, 1, 2)
    picture = PilImage.fromarray(canvas)
    picture.putpalette([0, 0, 0, 255, 230, 60])
    stream = io.BytesIO()
    picture.save(stream, "PNG", transparency=bytes([0, 255]), optimize=True)
    return stream.getvalue()
