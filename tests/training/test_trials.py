"""benchmarks/trials.py: short trainings that differ in one thing, none done twice."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from benchmarks import trials
from tests.cases import labelled

COMMON = {
    "detector": ("labels=[person]", "sizes=[64]", "validation_size=64", "batch=2"),
    "masknet": ("side=32", "batch=2"),
    "inpainter": (
        "cnum=8",
        "discriminator_base=4",
        "stages=[{until: 1, size: 32, batch: 2}]",
        "validation_pictures=2",
        "validation_size=32",
        "fill_size=0",
        "silhouettes=null",
        "instances=null",
        "gan_from=1.0",
    ),
}

MORE = {"detector": "batch=3", "masknet": "side=48", "inpainter": "cnum=16"}


@pytest.fixture
def data(scenes: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    labelled.yolo(folder / "person_boxes")
    labelled.instances(folder / "instances" / "train")
    shutil.copytree(scenes, folder / "scenes" / "train")
    return folder


def test_every_trial_runs_once_and_is_told(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(trials, "COMMON", COMMON)
    few = {
        network: {trials.BASE: (), "a half": ("share=0.5",), "more": (setting,)}
        for network, setting in MORE.items()
    }
    monkeypatch.setattr(trials, "TRIALS", few)
    words = ["--data", str(data), "-o", str(tmp_path / "out"), "--minutes", "0.001"]
    words += ["--json", str(tmp_path / "trials.json"), "--plot", str(tmp_path / "trials.png")]
    trials.main(words)
    first = json.loads((tmp_path / "trials.json").read_text())
    for network, own in first["networks"].items():
        rows = own["trials"]
        assert list(rows) == [trials.BASE, "a half", "more"]
        assert rows["a half"]["pictures"] < rows[trials.BASE]["pictures"] == rows["more"]["pictures"]
        assert all(row["steps"] >= 1 and row["curve"][-1][1] == row["last"] for row in rows.values())
        settings = json.loads((tmp_path / "out" / network / "more" / "run.json").read_text())[-1]["settings"]
        key, _, value = MORE[network].partition("=")
        assert {**settings, **settings.get("config", {})}[key] == int(value)
    assert (tmp_path / "trials.png").stat().st_size > 1000
    shown = capsys.readouterr().out
    assert "| masknet | pictures | steps | minutes | half-way | val_iou_all | over the first |" in shown

    monkeypatch.setattr(trials, "train", lambda *_: pytest.fail("trained again"))
    trials.main(words)
    assert json.loads((tmp_path / "trials.json").read_text()) == first
    (tmp_path / "out" / "detector" / "a-half" / "done").unlink()
    monkeypatch.setattr(trials, "train", lambda *_: None)  # as one that was stopped at once
    with pytest.raises(SystemExit, match="a-half was stopped"):
        trials.main([*words[:-4], "--minutes", "9"])


def test_every_trial_has_a_folder_of_its_own_and_settings_that_exist(tmp_path: Path) -> None:
    from autoremove.training.boxmask import BoxMaskConfig
    from autoremove.training.detector import DetectorConfig
    from autoremove.training.inpainter_config import InpainterConfig
    from autoremove.training.settings import read_config, read_values

    where = trials.Where(tmp_path, tmp_path, 1.0, tmp_path)
    places = [where.run(network, name) for network, rows in trials.TRIALS.items() for name in rows]
    assert len(set(places)) == len(places)
    for network, rows in trials.TRIALS.items():
        for settings in rows.values():
            words = (*trials.COMMON[network], *settings)
            if network == "inpainter":
                InpainterConfig.of(read_values(network, None, words))
            else:
                kind = DetectorConfig if network == "detector" else BoxMaskConfig
                read_config(kind, network, None, words)
