"""The same inputs give the same outputs as ever, or the stage's version says that they do not.

A store keeps artefacts under the version of their stage: who changes what a stage gives and forgets to raise
its version, serves old artefacts as new ones. When one of these tests fails, raise ``version`` in the stage
(or ``FORMAT`` in codecs), then renew ``tests/cases/golden.json``: ``python -m tests.stages.test_golden``.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from autoremove.codecs import CODECS, FORMAT
from autoremove.stages.composite import Composite
from autoremove.stages.inpaint import Inpaint
from autoremove.stages.plan import plan
from autoremove.stages.refine import Refine
from autoremove.stages.select import Select
from autoremove.types import Detections, Image, ObjectMask, Patch

GOLDEN = Path(__file__).parent.parent / "cases" / "golden.json"

FOUND = Detections(
    np.array([[40, 24, 64, 56], [5, 50, 30.5, 79], [100, 2, 112, 20]], np.float32),
    np.array([0.5, 0.75, 0.25], np.float32),
    ("person", "dog", "person"),
)


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


def picture() -> Image:
    """80 x 112, smooth, and made of whole numbers alone."""
    y, x = np.mgrid[:80, :112]
    return np.dstack([60 + x, 80 + 2 * y, 40 + x + y // 2]).astype(np.uint8)


def mask() -> ObjectMask:
    return Refine(method="box", grow=0.1)([picture()], [FOUND])[0]


def levels(patches: list[Patch]) -> list[list[int]]:
    """Where each patch is, its mean colour and opacity in 4 x 4 cells: other libraries round otherwise."""
    rows = []
    for patch in patches:
        cells = [
            cv2.resize(plane.astype(np.float32), (4, 4), interpolation=cv2.INTER_AREA).ravel()
            for plane in (*cv2.split(patch.pixels), patch.alpha)
        ]
        rows.append([*patch.xyxy, *np.rint(np.concatenate(cells)).astype(int).tolist()])
    return rows


def telea() -> list[Patch]:
    return Inpaint(model="telea", side=64)([picture()], [mask()])[0]


def outcomes() -> dict[str, dict[str, Any]]:
    chosen = Select(labels=("person",), max_count=5)([picture()], [FOUND])[0]
    crops = plan(mask().grown, context=0.5, least=48)
    geometry = [[*crop.window, *crop.hole, int(crop.own.sum())] for crop in crops]
    loud = [Patch(p.xyxy, p.pixels // 2 + 90, p.alpha) for p in telea()]
    composed = Composite()([picture()], [mask()], [loud])[0]
    encoded = {slot: CODECS[slot].encode for slot in ("detections", "mask")}
    return {
        "select": {"version": Select.version, "digest": digest(encoded["detections"](chosen))},
        "refine": {
            "version": Refine.version,
            "digest": digest(np.packbits(mask().grown).tobytes() + mask().ids.tobytes()),
        },
        "plan": {"version": Inpaint.version, "digest": digest(json.dumps(geometry).encode())},
        "inpaint": {"version": Inpaint.version, "levels": levels(telea())},
        "composite": {"version": Composite.version, "levels": levels(composed)},
        "format": {"version": FORMAT, "digest": digest(encoded["detections"](FOUND))},
    }


def golden() -> dict[str, dict[str, Any]]:
    return json.loads(GOLDEN.read_text()) if GOLDEN.exists() else {}


@pytest.mark.parametrize("name", list(golden()))
def test_an_outcome_changes_only_with_its_version(name: str) -> None:
    now, then = outcomes()[name], golden()[name]
    message = f"{name} gives something else: raise its version, then python -m tests.stages.test_golden"
    assert now["version"] == then["version"], message
    assert now.get("digest") == then.get("digest"), message
    if "levels" in then:
        assert np.abs(np.subtract(now["levels"], then["levels"])).max() <= 2, message


def test_every_stage_that_runs_without_a_network_is_watched() -> None:
    assert set(golden()) == set(outcomes())


if __name__ == "__main__":
    lines = [f" {json.dumps(name)}: {json.dumps(row)}" for name, row in outcomes().items()]
    GOLDEN.write_text("{\n" + ",\n".join(lines) + "\n}\n")
