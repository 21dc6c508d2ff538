"""What a run leaves for people: its record, its sheets and its curve."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PilImage

from autoremove.training import record
from autoremove.training.record import some_of


def test_every_start_is_an_entry_of_the_record(tmp_path: Path) -> None:
    record.write_run_record(tmp_path, {"seed": 0})
    record.write_run_record(tmp_path, {"seed": 1, "path": tmp_path})
    starts = json.loads((tmp_path / "run.json").read_text())
    assert [start["settings"]["seed"] for start in starts] == [0, 1]
    assert starts[1]["settings"]["path"] == str(tmp_path)
    assert {"started", "command", "commit", "torch"} <= set(starts[0])


def test_outside_a_checkout_there_is_no_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "__file__", str(tmp_path / "record.py"))
    assert record._commit() is None
    monkeypatch.setenv("PATH", str(tmp_path))
    assert record._commit() is None


def test_the_digest_tells_data_sets_apart(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("a", "b")]
    for path in paths:
        path.write_bytes(b"12")
    first = record.data_digest(paths)
    assert record.data_digest(paths[::-1]) == first
    assert record.data_digest(paths[:1]) != first
    other = [tmp_path / "z" / "a", tmp_path / "c" / "b"]  # folders in another order
    for path in other:
        path.parent.mkdir()
        path.write_bytes(b"12")
    assert record.data_digest(other) == first
    paths[0].write_bytes(b"123")
    assert record.data_digest(paths) != first


def test_pictures_are_laid_out_in_rows_on_white() -> None:
    cells = [np.full((4, 6, 3), shade, np.uint8) for shade in (10, 20, 30)]
    sheet = record.tile([cells[:2], cells[2:]], gap=2)
    assert sheet.shape == (2 * 6 + 2, 2 * 8 + 2, 3)
    assert (sheet[2:6, 2:8] == 10).all()
    assert (sheet[2:6, 10:16] == 20).all()
    assert (sheet[8:12, 2:8] == 30).all()
    assert (sheet[8:12, 10:16] == 255).all()


def test_a_sheet_is_written_as_it_is(tmp_path: Path) -> None:
    grid = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    record.write_grid(tmp_path / "new" / "1.png", grid)
    with PilImage.open(tmp_path / "new" / "1.png") as picture:
        assert np.array_equal(np.asarray(picture), grid)


@pytest.mark.parametrize(
    "rows",
    [
        [
            {"step": 1, "seconds": 0.1, "loss": 2.0},
            {"step": 2, "seconds": 0.2, "loss": 1.0, "val_score": 0.5},
        ],
        [{"step": 1, "seconds": 0.1, "val_a": 1, "val_b": 2, "val_c": 3}],
    ],
)
def test_the_curve_of_any_log_can_be_drawn(tmp_path: Path, rows: list[dict[str, float]]) -> None:
    log = tmp_path / "log.jsonl"
    log.write_text("".join(json.dumps(row) + "\n" for row in rows))
    record.draw_curve(log, tmp_path / "curve.png")
    with PilImage.open(tmp_path / "curve.png") as picture:
        assert picture.width == 800


@pytest.mark.parametrize(
    ("share", "expected"), [(1.0, [0, 1, 2, 3, 4, 5, 6, 7]), (0.5, [0, 2, 5, 7]), (0.25, [0, 7]), (0.01, [0])]
)
def test_some_of_the_rows_are_spread_evenly(share: float, expected: list[int]) -> None:
    assert some_of(range(8), share) == expected
    assert some_of([], share) == []
