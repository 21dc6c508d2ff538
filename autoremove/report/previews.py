"""Small pictures for the page, in a folder beside it; what is up to date is not made again."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from pathlib import Path

from autoremove import images
from autoremove.journal import UNCHANGED, Row
from autoremove.report.overlay import encode_overlay
from autoremove.report.views import Loader
from autoremove.store import write_atomically

FOLDER = "report_files"
MAX_SIDE = 960
THUMB_SIDE = 480
LOOK = 1
"""Raised when the same pictures would give other previews."""

_OURS = re.compile(r"[0-9a-f]{20}-(before\.jpg|after\.jpg|thumb\.jpg|mask\.png)")


def names(row: Row) -> dict[str, str]:
    """Which previews a row has (before, after, mask, thumb), and their file names.

    A name holds the hash of what the preview is made from, so its presence means that it is up to date.
    """
    kinds: dict[str, str] = {}
    if row.status == UNCHANGED:
        kinds = {"thumb": "jpg"}
    elif row.cleaned:
        kinds = {"before": "jpg", "after": "jpg", "mask": "png"}
    elif row.artefacts:  # it could be read, so it can be shown
        kinds = {"before": "jpg", "mask": "png"}
    if "mask" not in row.artefacts:
        kinds.pop("mask", None)
    stem = _stem(row)
    return {kind: f"{stem}-{kind}.{ending}" for kind, ending in kinds.items()}


def _stem(row: Row) -> str:
    artefacts = sorted(Path(path).name for path in row.artefacts.values())
    made_from = [LOOK, row.relative, row.status, row.made_from, row.output_sha256, artefacts]
    return hashlib.sha256(json.dumps(made_from).encode()).hexdigest()[:20]


def make(row: Row, output: Path, load: Loader) -> None:
    """Write the previews of a row that are not there yet. Raises OutputError."""
    missing = {kind: output / FOLDER / name for kind, name in names(row).items()}
    missing = {kind: path for kind, path in missing.items() if not path.exists()}
    if not missing:
        return
    views = load(row)
    for kind, path in missing.items():
        if kind == "mask":
            data = None if views.mask is None else encode_overlay(views.mask, MAX_SIDE)
        else:
            pixels = views.after if kind == "after" else views.before
            data = (
                None
                if pixels is None
                else images.encode_preview(pixels, THUMB_SIDE if kind == "thumb" else MAX_SIDE)
            )
        if data is not None:
            write_atomically(path, data)


def there(row: Row, output: Path) -> dict[str, str]:
    """The previews of a row that can be shown: kind -> address relative to the page."""
    return {
        kind: f"{FOLDER}/{name}" for kind, name in names(row).items() if (output / FOLDER / name).exists()
    }


def sweep(rows: Iterable[Row], output: Path) -> None:
    """Delete previews that no row shows any more; files of other names are not ours."""
    wanted = {name for row in rows for name in names(row).values()}
    folder = output / FOLDER
    for path in folder.iterdir() if folder.is_dir() else ():
        if _OURS.fullmatch(path.name) and path.name not in wanted:
            path.unlink(missing_ok=True)
