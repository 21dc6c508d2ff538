"""`evaluate upscale`: figures of enlargers beside bicubic, on folders that hold what folders hold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image as PilImage

from autoremove.errors import InputError, WeightsError
from autoremove.evaluation.upscaling import evaluate_enlargers, evaluate_upscale, upscale_table
from autoremove.models.network_files import save_network
from autoremove.models.srgan import SRGANConfig, SRResNet
from autoremove.training.upscaling_figures import bicubic_pixels
from tests import builders


def waves(size_hw: tuple[int, int]) -> np.ndarray:
    """Smooth, so that interpolation does better than repeating pixels."""
    y, x = np.mgrid[: size_hw[0], : size_hw[1]]
    return (127 + 90 * np.stack([np.sin(x / 5), np.cos(y / 6), np.sin((x + y) / 7)], 2)).astype(np.uint8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "pictures"
    place.mkdir()
    for number, size_hw in enumerate([(64, 80), (50, 61)]):
        PilImage.fromarray(waves(size_hw)).save(place / f"{number}.png")
    PilImage.fromarray(builders.scene((20, 90))).save(place / "thin.png")
    whole = builders.jpeg()
    (place / "cut.jpg").write_bytes(whole[: len(whole) - 700])
    return place


def plain(low: np.ndarray) -> np.ndarray:
    return np.repeat(np.repeat(low, 4, 0), 4, 1)


def test_models_stand_beside_bicubic(folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    sheet = tmp_path / "sheet.png"
    result = evaluate_enlargers(folder, {"plain": plain, "same": bicubic_pixels}, sheet=sheet)
    models = result["models"]
    assert list(models) == ["bicubic", "plain", "same"]
    assert models["same"]["psnr"] == models["bicubic"]["psnr"]
    assert (models["same"]["gain"], models["same"]["better"], models["plain"]["better"]) == (0, 0, 0)
    assert models["plain"]["gain"] == pytest.approx(models["plain"]["psnr"] - models["bicubic"]["psnr"])
    assert models["plain"]["gain"] < 0
    assert (result["pictures"], result["skipped"]) == (2, 2)
    assert [row.getMessage().split(" is a ")[0] for row in caplog.records] == [
        f"Left out: {folder / 'cut.jpg'}"
    ]
    assert set(result["each"]) == {"0.png", "1.png"}
    with PilImage.open(sheet) as opened:
        assert opened.width > 4 * 256
    table = upscale_table(result)
    assert [row[0] for row in table] == ["model", "bicubic", "plain", "same"]


def test_weights_are_measured_by_name_or_file(folder: Path, tmp_path: Path) -> None:
    network = SRResNet(SRGANConfig(4, 1, 3, False, True, True))
    with torch.no_grad():
        network.conv3.weight.zero_()
    save_network(network, tmp_path / "net.safetensors")
    result = evaluate_upscale(folder, str(tmp_path / "net.safetensors"), limit=4)
    assert abs(result["models"]["srgan"]["gain"]) < 0.05
    assert result["about"]["config"]["width"] == 4
    assert result["about"]["parameters"] == sum(value.numel() for value in network.parameters())
    with pytest.raises(WeightsError):
        evaluate_upscale(folder, str(tmp_path / "none.safetensors"))


def test_a_folder_with_nothing_to_measure(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        evaluate_enlargers(tmp_path, {"plain": plain})
    PilImage.fromarray(builders.scene((20, 20))).save(tmp_path / "small.png")
    with pytest.raises(InputError, match="at least 32 pixels"):
        evaluate_enlargers(tmp_path, {"plain": plain})
