"""The page of a study: pictures under names that say nothing, and what a browser needs to ask about them."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from autoremove.report.page import embedded

TASKS = ("real", "opinion", "pair")
"""Real or not (two alternatives), opinion score (1 to 5), which is real (just noticeable difference)."""

TITLE = "What do you see?"

_HERE = Path(__file__).parent


@dataclass(frozen=True)
class Version:
    """One picture as one model made it; ``model`` None: the true picture. ``data``: an encoded JPEG."""

    picture: str
    model: str | None
    data: bytes


@dataclass(frozen=True)
class Study:
    """What the page asks.

    ``tasks``: questions of each task for one person. ``seconds``: how long a picture is shown in the task
    real, 0 = until it is answered. ``outlines``: PNG of a picture's hole, by picture.
    """

    versions: Sequence[Version]
    tasks: Mapping[str, int]
    seconds: float
    program: str
    outlines: Mapping[str, bytes] = field(default_factory=dict)

    @cached_property
    def id(self) -> str:
        """Twelve letters: the same for the same pictures and questions."""
        digest = hashlib.sha256(json.dumps([dict(self.tasks), self.seconds]).encode())
        for version in self.versions:
            digest.update(json.dumps([version.picture, version.model]).encode())
            digest.update(hashlib.sha256(version.data).digest())
        return digest.hexdigest()[:12]


def render(study: Study) -> str:
    """One HTML text that needs no other file and no network; no name of a model or file can be read in it."""
    names = [_opaque(study.id, version) for version in study.versions]
    numbers = {picture: number for number, picture in enumerate(sorted(study.outlines))}
    about = {
        "id": study.id,
        "version": study.program,
        "tasks": dict(study.tasks),
        "seconds": study.seconds,
        "holes": {
            name: numbers[version.picture]
            for name, version in zip(names, study.versions, strict=True)
            if version.picture in numbers
        },
        "outlines": [data_uri(study.outlines[picture], "png") for picture in numbers],
    }
    pictures = sorted((name, data_uri(v.data)) for name, v in zip(names, study.versions, strict=True))
    return str(
        _template().render(
            study=study,
            title=TITLE,
            about=embedded(about),
            key=embedded(_hidden(key_of(study, names))),
            pictures=embedded(dict(pictures)),
            style=_text("study.css"),
            deck=_text("study_deck.js"),
            script=_text("study.js"),
        )
    )


def key_of(study: Study, names: Sequence[str]) -> dict[str, Any]:
    """Whose picture is whose: ``of`` gives the places of model (-1: the truth) and picture by opaque name."""
    models = sorted({version.model for version in study.versions if version.model is not None})
    pictures = sorted({version.picture for version in study.versions})
    places = [
        [-1 if version.model is None else models.index(version.model), pictures.index(version.picture)]
        for version in study.versions
    ]
    return {"models": models, "pictures": pictures, "of": dict(sorted(zip(names, places, strict=True)))}


def data_uri(data: bytes, kind: str = "jpeg") -> str:
    """A picture as an address that holds it."""
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def _opaque(study: str, version: Version) -> str:
    text = json.dumps([study, version.picture, version.model])
    return "p" + hashlib.sha256(text.encode()).hexdigest()[:12]


def _hidden(key: Mapping[str, Any]) -> str:
    """Not a secret, but nothing that is read in passing."""
    text = json.dumps(key, separators=(",", ":"))
    return base64.b64encode(text.encode()).decode()


def _text(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")


@lru_cache(maxsize=1)
def _template() -> Any:
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string(_text("study.html"))
