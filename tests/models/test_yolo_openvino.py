"""OpenVINO runs a detector as PyTorch does, tells nobody, and is done without where it cannot."""

from __future__ import annotations

import gc
import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from autoremove.errors import UsageError
from autoremove.models import signal_stack, yolo_openvino
from autoremove.models.yolo import load_detector, save_detector
from autoremove.models.yolo_openvino import Runners, compiled, fits
from autoremove.training.yolo_network import build_network
from tests import builders

pytest.importorskip("openvino")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(yolo_openvino, "cache_folder", lambda: tmp_path / "openvino")
    return tmp_path / "openvino"


@pytest.fixture(scope="module")
def network() -> Any:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    net = build_network("yolo11n", 3)
    with torch.no_grad():  # scores of an untrained head are all alike
        for branch in list(net.model)[-1].cv3:
            branch[-1].bias.uniform_(-4, 1)
    net = net.eval().fuse(verbose=False)
    list(net.model)[-1].export = True
    return net


def of_torch(network: Any, batch: torch.Tensor) -> torch.Tensor:
    with torch.inference_mode():
        found = network(batch)
    return found[0] if isinstance(found, tuple) else found


def test_it_gives_what_pytorch_gives_at_any_size(network: Any) -> None:
    run = compiled(network, "net", threads=1)
    for size in ((2, 3, 64, 96), (1, 3, 160, 128), (2, 3, 64, 96)):
        batch = torch.rand(size)
        own, theirs = run(batch), of_torch(network, batch)
        assert own.shape == theirs.shape
        assert torch.allclose(own[:, :4], theirs[:, :4], atol=0.02)  # pixels
        assert torch.allclose(own[:, 4:], theirs[:, 4:], atol=1e-4)
    assert float(theirs[:, 4:].std()) > 0.01


def test_it_is_converted_once(network: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    batch = torch.rand(1, 3, 64, 64)
    first = compiled(network, "net", threads=1)(batch)

    def never(_: Any) -> Any:
        raise AssertionError("converted again")

    monkeypatch.setattr(yolo_openvino, "_converted", never)
    assert torch.equal(compiled(network, "net", threads=1)(batch), first)
    with pytest.raises(AssertionError, match="again"):
        compiled(network, "other", threads=1)
    assert len(list(folder.iterdir())) == 1, "nothing half done is left"


def test_where_nothing_can_be_kept_it_runs_all_the_same(
    network: Any, folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    folder.write_text("a file where the folder should be")
    batch = torch.rand(1, 3, 64, 64)
    with caplog.at_level(logging.WARNING, "autoremove"):
        run = compiled(network, "net", threads=1)
    assert torch.allclose(run(batch)[:, 4:], of_torch(network, batch)[:, 4:], atol=1e-4)
    assert "cannot be written" in caplog.text


def test_auto_takes_pytorch_where_openvino_cannot(network: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Runners(network, "net", "cpu").of("float32", "auto") is not None
    assert Runners(network, "net", "cpu").of("float32", "torch") is None
    for key, device in (("", "cpu"), ("net", "cuda:0")):
        assert Runners(network, key, device).of("float32", "auto") is None
        with pytest.raises(UsageError, match=r"runtime: openvino is not possible"):
            Runners(network, key, device).of("float32", "openvino")
    monkeypatch.setattr(yolo_openvino, "available", lambda: False)
    assert Runners(network, "net", "cpu").of("float32", "auto") is None
    with pytest.raises(UsageError, match="not installed"):
        Runners(network, "net", "cpu").of("float32", "openvino")


def test_a_failure_of_openvino_is_told_once_and_harms_nothing(
    network: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise RuntimeError("no such operation")

    monkeypatch.setattr(yolo_openvino, "compiled", broken)
    runners = Runners(network, "net", "cpu")
    with caplog.at_level(logging.WARNING, "autoremove"):
        assert [runners.of("float32", "auto") for _ in range(3)] == [None] * 3
    assert caplog.text.count("no such operation") == 1
    with pytest.raises(RuntimeError):
        Runners(network, "net", "cpu").of("float32", "openvino")


def test_segmenters_and_other_heads_are_left_to_pytorch(network: Any) -> None:
    from autoremove.models.yolo import _build

    assert fits(network)
    assert not fits(_build("yolo11n-seg", 3))


def test_a_detector_finds_the_same_through_either(tmp_path: Path, folder: Path) -> None:
    torch.manual_seed(0)
    net = build_network("yolo11n", 2)
    path = tmp_path / "detector.safetensors"
    save_detector(net.state_dict(), ("person", "dog"), path, imgsz=64)
    found = load_detector(path)
    picture = builders.scene()
    how: dict[str, Any] = {"confidence": 1e-5, "mirror": True, "max_det": 5}
    (one,) = found.detect([picture], runtime="torch", **how)
    assert not folder.exists()
    (other,) = found.detect([picture], runtime="openvino", **how)
    assert folder.exists()
    assert len(one) == len(other) == 5
    assert np.allclose(one.score, other.score, atol=1e-4)


def test_it_sends_nothing_and_writes_nothing_into_the_home_folder(tmp_path: Path) -> None:
    code = (
        "import sys; from autoremove.models.yolo_openvino import import_openvino; "
        "print(import_openvino().Core is not None, 'openvino_telemetry' in sys.modules)"
    )
    environment = {**os.environ, "HOME": str(tmp_path), "USERPROFILE": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["True", "False"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the stack is told on Linux only")
def test_signals_are_handled_as_before_when_networks_come_and_go(network: Any) -> None:
    """Of two networks OpenVINO leaves the signal stack of the one that went first."""
    before = signal_stack.current()
    assert before is not None
    one, other = (compiled(network, "net", threads=1) for _ in range(2))
    for run in (one, other):
        run(torch.rand(1, 3, 64, 64))
    for _ in range(3):
        now = signal_stack.current()
        assert now is not None
        assert (now.sp, now.flags, now.size) == (before.sp, before.flags, before.size)
        one, other = other, None  # the older one goes first
        gc.collect()
