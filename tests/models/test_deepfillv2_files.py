"""Our own weights files: written whole, read back alike, refused when they hold something else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from autoremove.errors import OutputError, WeightsError
from autoremove.models.deepfillv2 import Generator, GeneratorConfig, load_generator, save_generator


def narrow() -> Generator:
    """A small network whose configuration differs from the default in several fields."""
    torch.manual_seed(0)
    config = GeneratorConfig(cnum=8, merge_width=16, padding="reflect", fuse=False, channel_order="bgr")
    return Generator(config).eval()


def test_saved_and_loaded_network_answers_alike(tmp_path: Path) -> None:
    network = narrow()
    path = tmp_path / "weights.safetensors"
    save_generator(network, path, {"licence": "MIT", "architecture": "cannot be changed"})
    loaded = load_generator(path)
    assert loaded.config == network.config
    assert not loaded.training and next(loaded.parameters()).dtype == torch.float32
    with safe_open(path, framework="pt") as file:
        assert file.metadata()["licence"] == "MIT"
        assert file.metadata()["architecture"] == "deepfillv2"
        assert file.get_tensor("conv1.weight").dtype == torch.float16
    image, mask = torch.rand(1, 3, 48, 64), torch.zeros(1, 1, 48, 64)
    mask[..., 8:30, 10:40] = 1
    with torch.no_grad():
        for a, b in zip(loaded(image, mask), network(image, mask), strict=True):
            assert (a - b).abs().max() < 0.02
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_saving_where_nothing_can_be_written(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="absent"):
        save_generator(narrow(), tmp_path / "absent" / "weights.safetensors")


CONFIG = json.dumps({"cnum": 8})


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        (None, "no named network"),
        ({"architecture": "masknet", "config": CONFIG}, "holds masknet, not deepfillv2"),
        ({"architecture": "deepfillv2"}, "config"),
        ({"architecture": "deepfillv2", "config": "{"}, "not a whole file"),
        ({"architecture": "deepfillv2", "config": '{"depth": 3}'}, "depth"),
        ({"architecture": "deepfillv2", "config": '{"cnum": 3}'}, "cnum=3"),
        ({"architecture": "deepfillv2", "config": CONFIG}, "conv2_downsample.weight"),
    ],
)
def test_loading_refuses_another_network(tmp_path: Path, metadata: dict | None, message: str) -> None:
    path = tmp_path / "weights.safetensors"
    save_file({"conv1.weight": torch.zeros(8, 5, 5, 5)}, path, metadata)
    with pytest.raises(WeightsError, match=message):
        load_generator(path)


def test_loading_refuses_a_damaged_file(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    with pytest.raises(WeightsError, match="no weights file"):
        load_generator(path)
    save_generator(narrow(), path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(WeightsError, match="not a whole file"):
        load_generator(path)
