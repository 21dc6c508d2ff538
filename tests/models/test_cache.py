"""Each network is loaded once a process, by what its weights are, and anew when they change."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from autoremove.errors import WeightsError
from autoremove.models import cache, masknet, yolo
from autoremove.models.deepfillv2 import Generator, save_generator


@pytest.fixture(autouse=True)
def emptied() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


def test_a_network_is_loaded_once_and_anew_when_its_file_changes(tmp_path: Path) -> None:
    path = tmp_path / "masknet.safetensors"
    masknet.save_masknet(masknet.MaskNet(), path)
    first = cache.load("masknet", str(path))
    assert isinstance(first, masknet.MaskNet)
    assert cache.load("masknet", str(path)) is first
    os.utime(path, ns=(1, 1))
    assert cache.load("masknet", str(path)) is not first


def test_an_inpainter_is_loaded_from_our_form_and_from_tensors(tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = Generator()
    save_generator(net, tmp_path / "ours.safetensors")
    torch.save(net.state_dict(), tmp_path / "tensors.pth")
    for name in ("ours.safetensors", "tensors.pth"):
        loaded = cache.load("inpainter", str(tmp_path / name))
        assert isinstance(loaded, Generator)
        assert not loaded.training


def test_a_detector_is_loaded_by_path(tmp_path: Path) -> None:
    path = tmp_path / "detector.safetensors"
    yolo.import_ultralytics()
    yolo.save_detector(yolo._build("yolo11n", 1).state_dict(), ["person"], path)
    assert cache.load("detector", str(path)).names == ("person",)


def test_a_segmenting_detector_is_no_segmenter_of_boxes(tmp_path: Path) -> None:
    path = tmp_path / "yolo11n-seg.pt"
    path.write_bytes(b"")
    with pytest.raises(WeightsError, match="Give yolo11n-seg to the detector"):
        cache.load("segmenter", str(path))


def test_an_unknown_kind_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.pt"
    path.write_bytes(b"")
    with pytest.raises(ValueError, match="no kind"):
        cache.load("upscaler", str(path))
