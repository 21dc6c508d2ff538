"""What the tests of the trainings share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tests.cases.training import ramps


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Runs are compared bit for bit, and small networks lose more to threads than they win."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def scenes(tmp_path: Path) -> Path:
    """A folder of smooth colour ramps."""
    return ramps(tmp_path / "scenes")
