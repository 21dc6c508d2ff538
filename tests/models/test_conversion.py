"""Conversion: every published spelling becomes a file of ours with the same network in it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from autoremove.errors import OutputError, UsageError, WeightsError
from autoremove.models import yolo
from autoremove.models.checkpoints import header
from autoremove.models.conversion import convert, convert_detector, convert_network
from autoremove.models.deepfillv2 import Generator, GeneratorConfig, load_generator, save_generator
from autoremove.models.deepfillv2_checkpoints import _sources
from tests.models.test_deepfillv2_checkpoints import CONFIGS, PUBLISHED, checkpoint, weight


@pytest.mark.parametrize("spelling", PUBLISHED)
def test_every_published_spelling_is_converted(spelling: str, tmp_path: Path) -> None:
    state = checkpoint(spelling)
    source, target = tmp_path / "theirs.pth", tmp_path / "ours.safetensors"
    torch.save({"G": state, "n_iter": 5} if spelling in ("tf", "pt") else {"state_dict": state}, source)
    converted = convert(source, target)
    assert converted.config == CONFIGS[spelling]
    own = dict(converted.state_dict())
    for key in ("conv1.weight", "pmconv9.bias"):  # the mapping of every layer has tests of its own
        theirs, shape = next(iter(_sources(spelling, key, tuple(own[key].shape))))
        torch.testing.assert_close(own[key][: shape[0]], weight(theirs, shape), rtol=1e-3, atol=1e-6)
    assert header(target)["source"] == "theirs.pth"
    assert len(header(target)["source_sha256"]) == 64


def small(path: Path, **fields: object) -> Path:
    save_generator(Generator(GeneratorConfig(**{"cnum": 8, **fields})), path)
    return path


@torch.no_grad()
def test_the_order_of_colours_can_be_said(tmp_path: Path) -> None:
    source = small(tmp_path / "a.safetensors")
    plain = load_generator(source)
    swapped = convert(source, tmp_path / "b.safetensors", "bgr")
    assert swapped.config == replace(plain.config, channel_order="bgr")
    image, hole = torch.rand(1, 3, 16, 16) * 2 - 1, torch.ones(1, 1, 16, 16)
    hole[..., :8] = 0
    torch.testing.assert_close(swapped(image, hole)[1], plain(image.flip(1), hole)[1].flip(1))


def test_the_folder_is_made_and_others_may_read_the_file(tmp_path: Path) -> None:
    source, target = small(tmp_path / "a.safetensors"), tmp_path / "new" / "b.safetensors"
    convert(source, target)
    assert target.stat().st_mode & 0o777 == 0o644
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="file cannot be made") as told:
        convert(source, tmp_path / "file" / "b.safetensors")
    assert told.value.hint


def test_what_is_no_generator_is_refused(tmp_path: Path) -> None:
    save_file({"layer.weight": torch.zeros(2)}, tmp_path / "other.safetensors")
    with pytest.raises(WeightsError, match="not the weights of a known DeepFillv2"):
        convert(tmp_path / "other.safetensors", tmp_path / "out.safetensors")
    torch.save({"G": Path}, tmp_path / "code.pth")  # a pickle that wants more than tensors
    with pytest.raises(WeightsError, match=r"more than plain tensors.*--model deepfillv2 --trust"):
        convert(tmp_path / "code.pth", tmp_path / "out.safetensors")
    with pytest.raises(WeightsError, match=r"more than plain tensors.*--model partialconv --trust"):
        convert_network(tmp_path / "code.pth", tmp_path / "out.safetensors", "partialconv")
    assert not (tmp_path / "out.safetensors").exists()


def detector(told: str) -> dict[str, Any]:
    """What ultralytics would have saved of an untrained network that calls itself ``told``."""
    yolo.import_ultralytics()
    torch.manual_seed(0)
    model = yolo._build("yolo11n", 2)
    model.names = {0: "person", 1: "dog"}
    model.yaml["yaml_file"] = told
    return {"model": model.half(), "ema": None, "train_args": {}}


@pytest.mark.parametrize("told", ["yolo11n.yaml", "yolo11.yaml"])
def test_a_detector_of_ultralytics_becomes_our_form(tmp_path: Path, told: str) -> None:
    path, target = tmp_path / "best.pt", tmp_path / "best.safetensors"
    torch.save(detector(told), path)
    with pytest.raises(WeightsError, match="--model detector --trust"):
        convert_detector(path, target)
    assert convert_detector(path, target, trust=True) == "yolo11n"
    assert header(target)["source"] == "best.pt"
    ours, theirs = yolo.load_detector(target), yolo.load_detector(path, trust=True)
    assert ours.names == ("person", "dog")
    image = np.random.default_rng(0).integers(0, 256, (120, 200, 3), dtype=np.uint8)
    found, expected = (one.detect([image], confidence=1e-5, imgsz=128)[0] for one in (ours, theirs))
    assert len(found) and np.array_equal(found.score, expected.score)


def test_a_detector_that_our_form_cannot_hold_is_refused(tmp_path: Path) -> None:
    path, target = tmp_path / "best.pt", tmp_path / "best.safetensors"
    for told, words in (("yolo11s.yaml", "does not fit yolo11s"), ("mine.yaml", "no YOLO architecture")):
        torch.save(detector(told), path)
        with pytest.raises(WeightsError, match=words):
            convert_detector(path, target, trust=True)
    assert not target.exists()


def test_targets_that_cannot_be_meant_are_refused(tmp_path: Path) -> None:
    source = small(tmp_path / "a.safetensors")
    before = source.read_bytes()
    with pytest.raises(UsageError, match="is the input"):
        convert(source, source)
    with pytest.raises(UsageError, match=r"Name it out\.safetensors"):
        convert(source, tmp_path / "out.pth")
    assert source.read_bytes() == before
