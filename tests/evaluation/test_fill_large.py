"""benchmarks/fill_large.py: what its pictures hold, and how runs become figures."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "fill_large.py"


@pytest.fixture(scope="module")
def fill_large() -> ModuleType:
    """The script as a module."""
    spec = importlib.util.spec_from_file_location("fill_large_script", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_everybody_stands_in_the_picture_and_apart(fill_large: ModuleType) -> None:
    assert fill_large.SIZES_HW["photo"][0] * fill_large.SIZES_HW["photo"][1] > 12e6
    assert fill_large.SIZES_HW["panorama"][0] * fill_large.SIZES_HW["panorama"][1] > 99.9e6
    for name, count in (("photo", 3), ("panorama", 5)):
        places, (height, width) = fill_large.PLACES[name], fill_large.SIZES_HW[name]
        assert len(places) == count
        taken = np.zeros((height // 10, width // 10), int)
        for who, left, top, tall in places:
            x1, y1, x2, y2 = fill_large.PEOPLE[who]
            wide = tall * (x2 - x1) / (y2 - y1)
            assert top + tall <= height and left + wide <= width
            taken[top // 10 : (top + tall) // 10, left // 10 : int(left + wide) // 10] += 1
        assert taken.max() == 1


def test_a_picture_is_drawn_at_its_size_the_same_each_time(fill_large: ModuleType) -> None:
    one = fill_large.drawn((90, 120), ((0, 20, 10, 60),))
    assert one.shape == (90, 120, 3)
    assert one.dtype == np.uint8
    assert np.array_equal(one, fill_large.drawn((90, 120), ((0, 20, 10, 60),)))
    empty = fill_large.drawn((90, 120), ())
    changed = (one != empty).any(2)
    assert changed[10:70, 20:40].mean() > 0.9
    assert not changed[:, 60:].any()
    assert 10 < empty.std() < 60


def test_runs_become_a_median_with_its_spread_and_the_largest_peak(fill_large: ModuleType) -> None:
    rows = [
        fill_large.Run(9.0, 12.0, 700, {"detect": 4.0, "inpaint": 3.0}, 3),
        fill_large.Run(7.0, 11.0, 900, {"detect": 3.0, "inpaint": 2.0}, 3),
        fill_large.Run(8.0, 16.0, 800, {"detect": 5.0, "inpaint": 1.0}, 3),
    ]
    row = fill_large.summary(rows, (30, 40))
    assert (row["median"], row["least"], row["most"]) == (8.0, 7.0, 9.0)
    assert row["cpu_seconds"] == 12.0
    assert row["stages"] == {"detect": 4.0, "inpaint": 2.0}
    assert row["peak_memory_mb"] == 900
    assert row["size_hw"] == [30, 40]
    line = fill_large.told("photo", row)
    assert "8.0 s (7.0 to 9.0)" in line
    assert "inpaint 2.00" in line
