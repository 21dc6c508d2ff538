"""One file per artefact, named by the hash of everything that decided it; its presence is the whole truth."""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autoremove.codecs import CODECS, FORMAT
from autoremove.errors import OutputError
from autoremove.types import Ref

PART = ".part-"
"""How the name of a file begins while it is being written."""

_EXTENSIONS = "|".join(sorted({codec.extension for codec in CODECS.values()}))
_OURS = re.compile(
    rf"([0-9a-f]{{2}})/(?:\1[0-9a-f]{{62}}\.(?:{_EXTENSIONS})|{re.escape(PART)}[0-9a-f]{{16}})"
)


def default_root() -> Path:
    """AUTOREMOVE_CACHE, or the platform's cache folder."""
    chosen = os.environ.get("AUTOREMOVE_CACHE")
    if chosen:
        return Path(chosen).expanduser()
    import pooch

    return Path(pooch.os_cache("autoremove")) / "store"


def artefact_key(
    stage: str, version: int, params: dict[str, Any], weights: str | None, inputs: dict[str, str]
) -> str:
    """sha256 over the content of the inputs and every setting that decides the output."""
    decided = {
        "format": FORMAT,
        "stage": stage,
        "version": version,
        "params": params,
        "weights": weights,
        "inputs": inputs,
    }
    return hashlib.sha256(json.dumps(decided, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class Store:
    """A folder ``<root>/<stage>/<key[:2]>/<key>.<ext>``; safe for several processes at once."""

    root: Path

    def path(self, stage: str, key: str, slot: str) -> Path:
        return self.root / stage / key[:2] / f"{key}.{CODECS[slot].extension}"

    def find(self, stage: str, key: str, slot: str) -> Ref | None:
        path = self.path(stage, key, slot)
        return Ref(path) if path.exists() else None

    def put(self, stage: str, key: str, slot: str, value: Any) -> Ref:
        """Write beside, then rename: a killed run never leaves half an artefact under its name."""
        path = self.path(stage, key, slot)
        write_atomically(path, CODECS[slot].encode(value))
        return Ref(path)

    def discard(self, ref_path: Path) -> None:
        """Forget an artefact that cannot be decoded; pictures outside the store are never touched."""
        if self.root in ref_path.parents:
            ref_path.unlink(missing_ok=True)

    def files(self) -> Iterator[Path]:
        """Artefacts and what killed runs left of them; whatever else lies in the folder is not ours."""
        if self.root.is_dir():
            ours = (path for path in sorted(self.root.glob("*/*/*")) if _is_ours(path))
            yield from (path for path in ours if path.is_file() and not _in_writing(path))

    def sizes(self) -> dict[str, tuple[int, int]]:
        """Stage -> (number of artefacts, bytes)."""
        totals: dict[str, tuple[int, int]] = {}
        for path in self.files():
            stage = path.relative_to(self.root).parts[0]
            count, size = totals.get(stage, (0, 0))
            totals[stage] = (count + 1, size + path.stat().st_size)
        return totals

    def prune(self, *, max_bytes: int | None = None, older_than_days: float | None = None) -> tuple[int, int]:
        """Delete the oldest artefacts until both limits hold; (number, bytes) deleted."""
        rows = sorted((path.stat().st_mtime, path.stat().st_size, path) for path in self.files())
        total = sum(size for _, size, _ in rows)
        limit = time.time() - older_than_days * 86_400 if older_than_days is not None else float("-inf")
        count = freed = 0
        for changed, size, path in rows:
            if changed >= limit and (max_bytes is None or total - freed <= max_bytes):
                continue
            path.unlink(missing_ok=True)
            count, freed = count + 1, freed + size
        return count, freed


def _is_ours(path: Path) -> bool:
    """Whether a file is named as an artefact of its folder, or as the beginning of one."""
    return _OURS.fullmatch(f"{path.parent.name}/{path.name}") is not None


def _in_writing(path: Path) -> bool:
    """A file that another process is writing now; after a day it is a leftover of a killed run."""
    return path.name.startswith(PART) and time.time() - path.stat().st_mtime < 86_400


def write_atomically(path: Path, data: bytes) -> None:
    """Write ``data`` beside ``path`` and rename; raises OutputError with the way out."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f"{PART}{secrets.token_hex(8)}")
        try:
            with beside.open("xb") as stream:  # not tempfile, whose files only their owner may read
                stream.write(data)
            os.replace(beside, path)
        except BaseException:
            beside.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise OutputError(
            f"Cannot write {path}: {error.strerror or error}.",
            hint="Free some space or choose another folder (--cache, --output), then run again: "
            "what is finished is kept.",
        ) from error
