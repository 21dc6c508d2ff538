"""benchmarks/neighbours.py: which systems are measured, what is counted, and what the tables say."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from autoremove.evaluation.perceptual import Measures
from autoremove.models import cache

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "neighbours.py"


@pytest.fixture(scope="module")
def neighbours() -> ModuleType:
    """The script as a module."""
    spec = importlib.util.spec_from_file_location("neighbours_script", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def part(name: str) -> ModuleType:
    """One of the files that the script imports, once it was."""
    return sys.modules[f"neighbours_{name}"]


class Tiny(torch.nn.Module):
    """One convolution; what it fills with is grey."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Conv2d(4, 3, 3, padding=1)

    def raw(self, image: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        drawn: torch.Tensor = self.layer(torch.cat([image, mask], 1))
        return drawn * 0

    @torch.inference_mode()
    def fill(self, image: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return torch.where(mask > 0, self.raw(image, mask), image)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    (tmp_path / "data").mkdir()
    for number in range(3):
        small = rng.integers(0, 255, (6, 8, 3), np.uint8)
        picture = cv2.resize(small, (96, 72), interpolation=cv2.INTER_CUBIC)
        cv2.imwrite(str(tmp_path / "data" / f"{number}.png"), picture)
    return tmp_path / "data"


def test_systems_have_labels_models_and_weights(neighbours: ModuleType) -> None:
    rows = neighbours.systems_of(
        ["deepfillv2", "telea"], ["deepfillv2=a.safetensors"], ["as shipped=deepfillv2@embedded"]
    )
    assert [(s.label, s.model, s.weights) for s in rows] == [
        ("deepfillv2", "deepfillv2", "a.safetensors"),
        ("as shipped", "deepfillv2", "embedded"),
        ("telea", "telea", "embedded"),
    ]
    assert [s.text for s in rows] == [
        "deepfillv2+none@a.safetensors",
        "deepfillv2+none@embedded",
        "telea+none",
    ]
    for weights, also in ((["glcic=x"], []), (["deepfillv2"], []), ([], ["x=deepfillv2"])):
        with pytest.raises(SystemExit):
            neighbours.systems_of(["deepfillv2"], weights, also)


def test_what_has_no_weights_is_left_out_and_said(neighbours: ModuleType, tmp_path: Path) -> None:
    missing = neighbours.System("gone", "partialconv", str(tmp_path / "gone.safetensors"))
    there, left, about = neighbours.present([neighbours.System("telea", "telea"), missing])
    assert list(there) == ["telea"]
    assert "gone.safetensors" in left["gone"]
    assert about == {"telea": {"model": "telea", "parameters": None, "weights": None, "trained": None}}


def test_a_folder_of_runs_gives_weights_and_says_how_long_was_trained(
    neighbours: ModuleType, tmp_path: Path
) -> None:
    run = tmp_path / "glcic"
    run.mkdir()
    (run / "best.safetensors").write_bytes(b"")
    (run / "log.jsonl").write_text('{"step": 5, "seconds": 3.0}\n{"step": 90, "seconds": 66.0, "l1": 0.1}\n')
    rows = neighbours.systems_of(["glcic", "gain"], [], [], tmp_path)
    assert [row.weights for row in rows] == [str(run / "best.safetensors"), "embedded"]
    assert neighbours.training_of(rows[0].weights) == {"steps": 90, "minutes": 1.1}
    assert neighbours.training_of("embedded") is None
    named = neighbours.systems_of(["glcic"], ["glcic=other.safetensors"], [], tmp_path)
    assert named[0].weights == "other.safetensors"


def test_all_systems_fill_the_same_holes_and_stand_on_one_sheet(
    neighbours: ModuleType, folder: Path, tmp_path: Path
) -> None:
    there = {name: neighbours.System(name, name) for name in ("telea", "ns")}
    result = neighbours.judged(there, folder, "box", Measures(), size=48, shares=[(0.1, 0.2)])
    assert list(result["models"]) == ["telea", "ns"]
    telea, ns = (result["models"][name]["all"] for name in there)
    assert telea["fills"] == ns["fills"] == 3
    assert telea["share"] == ns["share"] and telea["hole_l1"] != ns["hole_l1"]
    neighbours.draw_sheet(there, folder, tmp_path / "sheet.png", rows=2, kind="box")
    sheet = cv2.imread(str(tmp_path / "sheet.png"))
    assert sheet.shape[1] == 4 * 260 + 4  # hole, two systems, truth
    assert 2 * 260 < sheet.shape[0] < 3 * 260


def test_costs_of_a_network_and_of_none(neighbours: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "load", lambda kind, weights, device: Tiny())
    row = part("costs").costs(neighbours.System("tiny", "partialconv"), 32, 2)
    assert row["gflop"] == pytest.approx(2 * 4 * 3 * 9 * 32 * 32 / 1e9, abs=5e-4)
    assert len(row["runs"]) == 2 and row["least"] <= row["median"] <= row["most"]
    assert row["peak_mb"] >= row["peak_before_mb"] > 50
    plain = part("costs").costs(neighbours.System("telea", "telea"), 32, 1)
    assert plain["gflop"] is None and len(plain["runs"]) == 1


def test_the_width_of_the_papers(neighbours: ModuleType) -> None:
    assert part("costs").full_width("deepfillv2") == 4_052_478
    assert part("costs").full_width("telea") is None


def figures(value: float) -> dict[str, Any]:
    return {"fills": 2, "hole_l1": value, "psnr": 20 + value, "fid": None}


RESULT: dict[str, Any] = {
    "systems": {
        "v2 long": {"model": "deepfillv2", "parameters": 1000, "costs": {}},
        "v2 equal": {
            "model": "deepfillv2",
            "parameters": 1000,
            "parameters_at_full_width": 4_052_478,
            "trained": {"steps": 1200, "minutes": 15.2},
            "costs": {
                "256": {
                    "median": 1.0,
                    "least": 0.9,
                    "most": 1.25,
                    "cpu_seconds": 0.8,
                    "peak_mb": 600,
                    "peak_before_mb": 500,
                    "gflop": 13.72,
                }
            },
        },
        "telea": {"model": "telea", "parameters": None, "costs": {"256": {"left_out": "it failed"}}},
    },
    "holes": {
        "brush": {
            "models": {
                "v2 long": {"all": figures(9.0), "10-20": figures(8.0)},
                "v2 equal": {"all": figures(9.5), "10-20": figures(8.5)},
                "telea": {"all": figures(11.0), "10-20": figures(10.0)},
            }
        }
    },
    "sides": [256],
    "left_out": {"gain": "no weights"},
}


def test_published_rows_stand_once_beneath_their_model(neighbours: ModuleType) -> None:
    whole, by_share, costs, judged, left = part("tables").tables(RESULT)
    assert whole[0] == ["free-form holes", "fills", "hole l1 %", "PSNR"]  # no column without a figure
    names = [row[0] for row in whole]
    assert names[1:3] == ["**v2 long**", "**v2 equal**"] and names[-1] == "**telea**"
    published = whole[3:-1]
    assert len(published) == 2 and all("published, other data" in row[0] for row in published)
    assert [row[2] for row in published] == ["9.10", "8.63"]
    assert [row[0] for row in by_share[1:]] == [f"**10-20 %: {name}**" for name in RESULT["systems"]]
    assert left == [["left out", "why"], ["gain", "no weights"]]
    assert len(judged) == 7
    assert costs[2] == [
        "v2 equal",
        "1,200 steps, 15 min",
        "1,000",
        "13.7",
        "1.000 (0.900 to 1.250)",
        "0.800",
        "600 (500)",
        "4,052,478 (published, other data: official code); 4,052,478 in our code",
    ]
    assert costs[3][4] == "it failed"
    text = part("tables").section(RESULT)
    assert text.count("| --- |") == 5


def test_every_row_is_as_wide_as_its_head(neighbours: ModuleType) -> None:
    for table in part("tables").tables(RESULT):
        assert {len(row) for row in table} == {len(table[0])}
