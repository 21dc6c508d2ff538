"""Weights by name or path: found, fetched, verified, hashed and read."""

from __future__ import annotations

import difflib
import logging
import os
from dataclasses import dataclass
from pathlib import Path

from autoremove.errors import WeightsError
from autoremove.models.checkpoints import load_state, sha256_of, trusted
from autoremove.models.download import Resumable, locked, why_not
from autoremove.models.weights_table import KINDS, TABLE, Weights

__all__ = [
    "KINDS",
    "TABLE",
    "Status",
    "Weights",
    "digest",
    "fetch",
    "find",
    "folder",
    "listing",
    "load_state",
    "resolve",
    "trusted",
    "verify",
]

EMBEDDED = Path(__file__).resolve().parent.parent / "weights"
"""Where the shipped weights lie; ``SHA256SUMS`` beside them, if there, holds their hashes."""

_log = logging.getLogger("autoremove")


@dataclass(frozen=True)
class Status:
    """How one entry of the table stands on this machine.

    ``state``: ``ok`` (hash agrees), ``first use`` (as when first fetched; no full hash is published),
    ``unverified`` (there, nothing to compare with), ``present`` (there, not hashed), ``missing`` or
    ``damaged`` (``detail`` says how).
    """

    weights: Weights
    path: Path
    state: str
    detail: str = ""


def folder() -> Path:
    """Where fetched weights lie: ``AUTOREMOVE_WEIGHTS``, or ``weights`` in the platform's cache folder."""
    chosen = os.environ.get("AUTOREMOVE_WEIGHTS")
    if chosen:
        return Path(chosen).expanduser()
    import pooch

    return Path(pooch.os_cache("autoremove")) / "weights"


def find(name: str, kind: str | None = None) -> Weights:
    """The table's entry for ``name``; networks that segment serve as detectors too.

    Raises WeightsError for an unknown name (with the nearest known ones), or for a name that needs a kind.
    """
    fitting = [entry for entry in TABLE if kind is None or _serves(entry, kind)]
    found = [entry for entry in fitting if entry.name == name]
    if len(found) == 1:
        return found[0]
    if found:
        kinds = ", ".join(entry.kind for entry in found)
        raise WeightsError(f"The weights {name!r} exist for {kinds}.", hint="Say which kind.")
    near = difflib.get_close_matches(name, [entry.name for entry in fitting], n=3, cutoff=0.5)
    meant = f"Did you mean {' or '.join(near)}?" if near else "See `autoremove weights list`."
    what = "file or name" if Path(name).suffix or os.sep in name else "name"
    raise WeightsError(f"No {kind or 'known'} weights {name!r}: no such {what}.", hint=meant)


def resolve(name_or_path: str | Path, kind: str, *, download: bool = True) -> Path:
    """The file of the weights meant; the path of an existing file wins over a name.

    Named weights that are not on this machine are fetched unless ``download`` is False. Raises WeightsError
    when there is no such name or file, or when it cannot be had.
    """
    if Path(name_or_path).is_file():
        return Path(name_or_path)
    entry = find(str(name_or_path), kind)
    path = _location(entry)
    if path.is_file():
        return path
    if entry.embedded or entry.url is None or not download:
        raise _absent(entry, path)
    return fetch(entry.name, kind=kind)


def fetch(name: str, folder: Path | None = None, progress: bool = True, *, kind: str | None = None) -> Path:
    """Download the weights ``name`` unless they are there already, check their hash, return the file.

    An interrupted download is continued. Weights with no full hash published are recorded in a ``.sha256``
    file beside them, and held to it from then on. Raises WeightsError with no connection or a wrong hash.
    """
    entry = find(name, kind)
    path = _location(entry, folder)
    if entry.url is None:
        if path.is_file():
            return path
        raise _absent(entry, path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with locked(path.parent):
            if not path.is_file() or _fault(entry, path):
                path.unlink(missing_ok=True)
                _download(entry, path, progress)
    except OSError as error:
        hint = "Set AUTOREMOVE_WEIGHTS to a folder with room that can be written."
        raise WeightsError(f"Cannot store {entry.name} at {path}: {error}.", hint=hint) from error
    return path


def _download(entry: Weights, path: Path, progress: bool) -> None:
    import pooch
    import requests

    # pooch reports each address and hash at INFO on standard error; our own bar and errors are enough.
    pooch.get_logger().setLevel("WARNING")
    hand = f"Fetch it by hand, put it at {path}, or give the path of a file instead of a name."
    part = path.with_name(path.name + ".part")
    try:
        pooch.retrieve(
            str(entry.url),
            known_hash=f"sha256:{entry.sha256}" if entry.sha256 else None,
            # With no full hash pooch checks nothing: the file gets its own name only when we have checked it.
            fname=path.name if entry.sha256 else path.name + ".new",
            path=path.parent,
            downloader=Resumable(part, progress),
        )
    except requests.RequestException as error:
        kept = f" {part.stat().st_size} bytes are kept for the next try." if part.is_file() else ""
        why = why_not(error)
        raise WeightsError(f"Cannot fetch {entry.name} from {entry.url}: {why}.{kept}", hint=hand) from error
    except ValueError as error:  # pooch's word for a wrong hash; it has removed the file
        raise WeightsError(_refusal(entry, "its sha256 is not the published one"), hint=hand) from error
    if not entry.sha256:
        _admit(entry, path, hand)


def _admit(entry: Weights, path: Path, hint: str) -> None:
    """Give a fetched file with no full hash its name, if it is what little is known of it."""
    new = path.with_name(path.name + ".new")
    fault = _fault(entry, path, new)
    if fault:
        new.unlink()
        raise WeightsError(_refusal(entry, fault), hint=hint)
    os.replace(new, path)
    if _recorded(entry, path) is None:
        _record(path)
        _log.warning("%s: no full hash is published; what came is noted in %s.sha256.", entry.name, path)


def _refusal(entry: Weights, why: str) -> str:
    return f"What came from {entry.url} is not {entry.name} ({why}); it was removed."


def verify(name: str, kind: str | None = None) -> Status:
    """Hash the file of one entry and compare; ``embedded`` needs its kind. Fetches nothing."""
    entry = find(name, kind)
    path = _location(entry)
    if not path.is_file():
        return Status(entry, path, "missing")
    fault = _fault(entry, path)
    if fault:
        return Status(entry, path, "damaged", fault)
    if entry.sha256:
        return Status(entry, path, "ok")
    if _recorded(entry, path) is None:
        return Status(entry, path, "unverified", "no hash to compare with")
    return Status(entry, path, "ok" if entry.embedded else "first use")


def listing() -> list[Status]:
    """Every entry of the table with ``present`` or ``missing``; nothing is hashed or fetched."""
    return [
        Status(entry, path, "present" if path.is_file() else "missing")
        for entry in TABLE
        for path in [_location(entry)]
    ]


def digest(name_or_path: str | Path, kind: str) -> str:
    """sha256 of the weights meant, as 64 hex digits; remembered until the file changes.

    Raises WeightsError when they cannot be had, or when named weights are not what the table says.
    """
    path = resolve(name_or_path, kind)
    if path != Path(name_or_path):
        entry = find(str(name_or_path), kind)
        fault = _fault(entry, path)
        if fault:
            hint = f"Delete {path} and run `autoremove weights fetch {entry.name}`."
            raise WeightsError(
                f"The weights {entry.name} are damaged: {fault}.", hint=None if entry.embedded else hint
            )
    return sha256_of(path)


def _serves(entry: Weights, kind: str) -> bool:
    return entry.kind == kind or (kind == "detector" and entry.network == "yolo")


def _location(entry: Weights, chosen: Path | None = None) -> Path:
    return (EMBEDDED if entry.embedded else chosen or folder()) / entry.file


def _absent(entry: Weights, path: Path) -> WeightsError:
    if entry.embedded:
        return WeightsError(
            f"The embedded {entry.kind} weights are not in this installation: {path} is missing.",
            hint="Install autoremove anew, or name other weights (`autoremove weights list`).",
        )
    if entry.url is None:
        return WeightsError(
            f"The weights {entry.name} cannot be fetched automatically.",
            hint=f"Fetch {entry.file} by hand from {entry.page}; put it at {path} or give its path.",
        )
    return WeightsError(
        f"The weights {entry.name} are not at {path}.", hint=f"Run `autoremove weights fetch {entry.name}`."
    )


def _fault(entry: Weights, path: Path, file: Path | None = None) -> str | None:
    """What is wrong with ``file`` (default ``path`` itself) as the file of ``entry``; None if nothing."""
    file = file or path
    size = file.stat().st_size
    if entry.size is not None and size != entry.size:
        return f"{file} has {size} bytes instead of {entry.size}"
    expected = entry.sha256 or _recorded(entry, path) or entry.sha256_prefix
    if expected and not sha256_of(file).startswith(expected):
        return f"the sha256 of {file} is {sha256_of(file)[:16]}... instead of {expected[:16]}..."
    return None


def _recorded(entry: Weights, path: Path) -> str | None:
    """The hash noted beside the file as sha256sum writes it: ours all in one note, others one each."""
    sums = EMBEDDED / "SHA256SUMS" if entry.embedded else path.with_name(path.name + ".sha256")
    lines = sums.read_text().splitlines() if sums.is_file() else []
    known = {name.lstrip(" *"): value for value, _, name in (line.partition(" ") for line in lines)}
    return known.get(path.name)


def _record(path: Path) -> None:
    path.with_name(path.name + ".sha256").write_text(f"{sha256_of(path)}  {path.name}\n")
