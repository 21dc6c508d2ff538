"""benchmarks/large_photo.py: which stages it times, and what it tells of them."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import pytest

from autoremove.stages.base import StageFields

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "large_photo.py"


@pytest.fixture(scope="module")
def large_photo() -> ModuleType:
    """The script as a module."""
    spec = importlib.util.spec_from_file_location("large_photo_script", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_the_chain_ends_with_the_mask_and_has_the_speed(large_photo: ModuleType) -> None:
    chain = large_photo.masking("people", [], "fast", "cpu")
    assert chain[0].name == "detect" and chain[0].speed == "fast"
    assert chain[-1].gives == "mask"
    assert "inpaint" not in {stage.name for stage in chain}


@dataclass(frozen=True)
class Counting(StageFields):
    """Gives one more object at each call."""

    name: ClassVar[str] = "detect"
    version: ClassVar[int] = 1
    needs: ClassVar[tuple[str, ...]] = ("image",)
    gives: ClassVar[str] = "detections"
    calls: ClassVar[list[int]] = []

    def __call__(self, image: list[Any]) -> list[list[int]]:
        self.calls.append(1)
        return [self.calls]


def test_the_warm_up_is_not_told(large_photo: ModuleType) -> None:
    row = large_photo.measure(None, (Counting(),), 3)
    assert len(row["runs"]) == 3
    assert row["objects"] == 4, "three runs and the warm-up"
    assert row["least"] <= row["median"] <= row["most"]
    assert set(row["stages"]) == {"detect"}
