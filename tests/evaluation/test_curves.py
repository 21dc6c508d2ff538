"""benchmarks/curves.py: the power law through points whose law is known, and run folders."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "curves.py"


@pytest.fixture(scope="module")
def curves() -> ModuleType:
    """The script as a module."""
    spec = importlib.util.spec_from_file_location("curves_script", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def run_folder(path: Path, figures: list[tuple[int, float]], pictures: int = 100) -> Path:
    path.mkdir(parents=True)
    rows = [{"step": 1, "seconds": 1.0, "box": 2.0}]
    rows += [{"step": step, "seconds": 1.0 * step, "val_ap50": figure} for step, figure in figures]
    (path / "log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    starts = [{"settings": {"pictures": pictures, "config": {"batch": 8}}}]
    (path / "run.json").write_text(json.dumps(starts))
    return path


def test_a_known_law_is_found_again(curves: ModuleType) -> None:
    n = np.array([100.0, 200, 400, 800, 1600])
    law = curves.fitted(n, 0.2 + 3.0 * n**-0.5)
    assert (law.floor, law.scale, law.exponent) == pytest.approx((0.2, 3.0, 0.5), abs=1e-3)
    assert law.miss < 1e-6
    assert law.at(6400.0) == pytest.approx(0.2 + 3.0 / 80)


def test_a_floor_below_nothing_is_not_believed(curves: ModuleType) -> None:
    n = np.array([100.0, 200, 400])
    assert curves.fitted(n, np.array([0.5, 0.3, 0.05])).floor == 0.0


def test_a_rising_error_promises_nothing(curves: ModuleType) -> None:
    law = curves.fitted(np.array([1.0, 2, 4]), np.array([0.2, 0.3, 0.4]))
    assert law.at(100.0) == pytest.approx(0.3)


def test_one_run_gives_a_point_a_validation(curves: ModuleType, tmp_path: Path) -> None:
    run = run_folder(tmp_path / "run", [(10, 0.1), (100, 0.3), (200, 0.4)])
    n, values = curves.gathered([run], "val_ap50", "seen", 0.1)
    assert n.tolist() == [800, 1600], "step times batch; the first is left out"
    assert values.tolist() == [0.3, 0.4]


def test_several_runs_give_their_best_over_the_data(curves: ModuleType, tmp_path: Path) -> None:
    runs = [
        run_folder(tmp_path / "all", [(10, 0.5), (20, 0.45)], 400),
        run_folder(tmp_path / "half", [(10, 0.3)], 200),
    ]
    n, values = curves.gathered(runs, "val_ap50", "data", 0.1)
    assert (n.tolist(), values.tolist()) == ([200, 400], [0.3, 0.5])


def test_the_whole_script(curves: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    steps = [100, 200, 400, 800, 1600]
    run = run_folder(tmp_path / "run", [(n, 1 - 0.2 - 3.0 * (8 * n) ** -0.5) for n in steps])
    out = ["--figure", "val_ap50", "--after", "0", "--json", str(tmp_path / "o.json")]
    curves.main([str(run), *out, "--plot", str(tmp_path / "o.png")])
    result = json.loads((tmp_path / "o.json").read_text())
    ten = result["times"]["10"]
    assert ten["figure"] == pytest.approx(0.8 - 3.0 * (8 * 16000) ** -0.5, abs=1e-3)
    assert ten["least"] <= ten["figure"] <= ten["most"]
    assert "10 times more" in capsys.readouterr().out
    assert (tmp_path / "o.png").read_bytes().startswith(b"\x89PNG")


def test_a_psnr_over_time(curves: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hours = np.array([1.0, 2, 4, 8])
    psnr = -20 * np.log10(0.3 * hours**-0.2)
    run = run_folder(tmp_path / "run", [(int(3600 * n), float(v)) for n, v in zip(hours, psnr, strict=True)])
    log = (run / "log.jsonl").read_text().replace("val_ap50", "val_psnr")
    (run / "log.jsonl").write_text(log)
    out = ["--figure", "val_psnr", "--over", "time", "--after", "0"]
    curves.main([str(run), *out, "--json", str(tmp_path / "o.json"), "--plot", str(tmp_path / "o.png")])
    result = json.loads((tmp_path / "o.json").read_text())
    assert [point["n"] for point in result["points"]] == hours.tolist()
    assert result["times"]["2"]["figure"] == pytest.approx(-20 * np.log10(0.3 * 16**-0.2), abs=0.01)
    assert result["limit"]["figure"] is None or result["limit"]["figure"] > 40
    said = capsys.readouterr().out
    assert "hours of training" in said and "without end" in said


def test_what_is_missing_is_told(curves: ModuleType, tmp_path: Path) -> None:
    run = run_folder(tmp_path / "run", [(10, 0.1)])
    with pytest.raises(SystemExit, match="val_recall"):
        curves.main([str(run), "--figure", "val_recall"])
    with pytest.raises(SystemExit, match="at least three"):
        curves.main([str(run), "--figure", "val_ap50"])
