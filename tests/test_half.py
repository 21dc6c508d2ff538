"""benchmarks/half.py rebuilds finished runs and measures them in three precisions."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from autoremove.training import boxmask, detector, rescorer
from autoremove.training.boxmask import BoxMaskConfig
from autoremove.training.detector import DetectorConfig
from autoremove.training.loop import LoopConfig
from autoremove.training.rescorer import RescorerConfig
from benchmarks import half
from tests.cases import labelled

LOOP = LoopConfig(steps=1)


def test_runs_are_known_by_their_settings(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # The order of finds by an untrained rescorer is chance, and hangs on the last digit.
    monkeypatch.setattr(rescorer, "LEAN", 0.0)
    data = str(labelled.instances(tmp_path / "data"))
    held_out = str(labelled.instances(tmp_path / "held-out", labelled.PICTURES[:2]))
    detector.run(
        DetectorConfig((data,), held_out, sizes=(64,), validation_size=64, batch=2), tmp_path / "a", loop=LOOP
    )
    boxmask.run(BoxMaskConfig((data,), held_out, side=32, batch=2), tmp_path / "b", loop=LOOP)
    finder = str(tmp_path / "a" / "last.safetensors")
    config = RescorerConfig((data,), held_out, finder=finder, least=1e-4, side=32, batch=2)
    rescorer.run(config, tmp_path / "c", loop=LOOP)
    runs = [str(tmp_path / name) for name in ("a", "b", "c", "gone")]
    half.main([*runs, "--json", str(tmp_path / "half.json")])
    rows = json.loads((tmp_path / "half.json").read_text())["networks"]
    assert [row["network"] for row in rows] == ["detector", "masknet", "rescorer"]
    for row in rows:
        assert row["half"] == pytest.approx(row["float32"], abs=0.02)
        assert row["bfloat16"] == pytest.approx(row["float32"], abs=0.1)
    assert "| masknet | iou_person |" in capsys.readouterr().out


def test_a_folder_that_is_no_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=f"{tmp_path} is no run"):
        half.main([str(tmp_path)])
