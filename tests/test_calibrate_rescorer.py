"""How much the rescorer's verdicts count: what helps is taken, and the file carries it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from autoremove.evaluation.labelled import Boxed
from autoremove.models.calibration import Line, Weighing
from autoremove.models.checkpoints import header, sha256_of
from autoremove.models.rescorer import Rescorer, load_rescorer, save_rescorer
from autoremove.models.yolo import save_detector
from autoremove.stages import rescore
from autoremove.training.yolo_network import build_network
from autoremove.types import Detections
from benchmarks import calibrate_rescorer
from benchmarks.calibrate_rescorer import Looked, Told, chosen, leaning, told_of
from tests.cases import labelled

SIDE = 20


def looked(scores: np.ndarray, logit: np.ndarray, right: np.ndarray) -> list[Looked]:
    """Pictures with a person each and one find that is right or stands beside it."""
    rows = []
    for score, verdict, good in zip(scores, logit, right, strict=True):
        true = np.array([[10, 10, 10 + SIDE, 50]], np.float32)
        box = true if good else true + np.array([40, 0, 40, 0], np.float32)
        found = Detections(box, np.array([score], np.float32), ("person",))
        rows.append(Looked(boxed(true), found, found, np.array([verdict], np.float32)))
    return rows


def boxed(true: np.ndarray) -> Boxed:
    image = np.zeros((60, 100, 3), np.uint8)
    return Boxed("picture", image, true, ("person",), frozenset({"person"}))


def test_the_better_judge_is_leant_on() -> None:
    rng = np.random.default_rng(0)
    right = rng.random(300) < 0.5
    noise, sign = rng.normal(0, 1, 300), np.where(right, 1.5, -1.5)
    blind = 1 / (1 + np.exp(-noise))
    knows = looked(blind, sign + rng.normal(0, 1, 300), right)
    shares = [told_of(knows, "person", share) for share in (0.0, 0.5, 1.0)]
    assert shares[0].ap50 < shares[1].ap50 < shares[2].ap50
    assert chosen(shares) == Weighing(0.0, shares[2].line.slope, shares[2].line.offset)
    assert all(one.error is not None and one.error < 0.15 for one in shares)
    both = looked(1 / (1 + np.exp(-(sign + noise))), sign + rng.normal(0, 1, 300), right)
    alone, together = (told_of(both, "person", share).ap50 for share in (0.0, 0.5))
    assert together > alone


def test_the_weighing_is_the_line_of_the_sum() -> None:
    found = Detections(np.array([[0, 0, 9, 9]], np.float32), np.array([0.7], np.float32), ("person",))
    logit = np.array([-0.4], np.float32)
    (score,) = leaning(found, logit, 0.25).score
    line = Line(1.3, -0.6)
    weighing = chosen([Told(0.25, 0.9, None, line), Told(0.5, 0.8, None, Line(1.0, 0.0))])
    assert weighing(found.score, logit) == pytest.approx(line(np.array([score], np.float32)), abs=1e-5)


def test_the_command_writes_what_the_stage_reads(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    monkeypatch.setattr(rescore, "SEEN", 0.0)  # an untrained detector is sure of nothing
    data = labelled.instances(tmp_path / "data")
    detector, plain, output = (tmp_path / f"{name}.safetensors" for name in ("detector", "plain", "new/out"))
    save_detector(build_network("yolo11n", 1).state_dict(), ("person",), detector, imgsz=64)
    save_rescorer(Rescorer(("person",), 32), plain, {"step": "7"})
    arguments = ["--data", str(data), "--weights", str(detector), "--rescorer", str(plain), "-o", str(output)]
    calibrate_rescorer.main(arguments)
    told = capsys.readouterr().out
    assert "AP50 of the detector alone" in told
    assert told.count("share") == len(calibrate_rescorer.SHARES)
    net = load_rescorer(output)
    assert net.finder == sha256_of(detector)
    assert set(net.weighings) == {"person"}
    assert header(output)["step"] == "7"
    assert json.loads(header(output)["weighings"])["person"] == list(net.weighings["person"])
