"""Where the tests find pictures and reference vectors that are too large for the repository."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# Networks this small lose more to threads waiting for each other than they win; set before torch is imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")


def _shared(variable: str, folder: str) -> Path:
    default = Path(__file__).resolve().parents[2] / "shared" / folder
    path = Path(os.environ.get(variable) or default)
    if not path.is_dir():
        pytest.skip(f"no {path}; set {variable} to the folder")
    return path


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Folder of labelled pictures; the test is skipped where there is none."""
    return _shared("AUTOREMOVE_DATA", "data")


@pytest.fixture(scope="session")
def reference_dir() -> Path:
    """Folder of reference vectors and key lists; the test is skipped where there is none."""
    return _shared("AUTOREMOVE_REFERENCE", "reference")
