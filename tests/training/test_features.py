"""Features to compare pictures by: VGG's from its file, or the embedded detector's in its place."""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from autoremove.errors import UsageError, WeightsError
from autoremove.training import features
from autoremove.training.features import extractor


@pytest.fixture(autouse=True)
def no_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of weights with nothing in it, and a torch hub without any."""
    monkeypatch.setenv("AUTOREMOVE_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "hub"))
    return tmp_path


def pictures() -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.rand(2, 3, 64, 48, generator=generator) * 2 - 1


def test_the_detector_stands_in_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger="autoremove"):
        found = extractor("vgg16", ("pool1", "pool2", "pool3"))
    assert found.origin == "detector"
    assert [record.message for record in caplog.records if "No VGG weights" in record.message]
    maps = found(pictures())
    assert [tuple(m.shape) for m in maps] == [(2, 16, 32, 24), (2, 64, 16, 12), (2, 128, 8, 6)]


def test_layers_come_in_the_order_asked_for() -> None:
    maps = extractor("vgg19", ("relu5_1", "relu1_1", "conv5_4", "relu2_1"))(pictures())
    assert [m.shape[-1] for m in maps] == [2, 24, 2, 12]
    assert not torch.equal(maps[0], maps[2])


def test_only_the_picture_gets_a_gradient() -> None:
    found = extractor("vgg16", ("pool1", "pool3")).train()
    assert not any(module.training for module in found.modules())
    image = pictures().requires_grad_()
    sum(m.abs().mean() for m in found(image)).backward()
    assert image.grad is not None and (image.grad != 0).float().mean() > 0.9
    assert all(p.grad is None and not p.requires_grad for p in found.parameters())


def weights_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Tensor]:
    """The first convolution of a VGG with random weights, in a file whose name has the right digits."""
    generator = torch.Generator().manual_seed(1)
    state = {
        "features.0.weight": torch.randn(64, 3, 3, 3, generator=generator),
        "features.0.bias": torch.randn(64, generator=generator),
        "classifier.0.bias": torch.zeros(1),
    }
    folder.mkdir(parents=True)
    torch.save(state, folder / "new.pth")
    name = f"vgg19-{hashlib.sha256((folder / 'new.pth').read_bytes()).hexdigest()[:8]}.pth"
    (folder / "new.pth").rename(folder / name)
    monkeypatch.setitem(features.FILES, "vgg19", name)
    return state


@pytest.mark.parametrize("place", ["weights", "hub/hub/checkpoints"])
@pytest.mark.parametrize("scale", ["unit", "imagenet"])
def test_vgg_where_its_weights_are(
    no_weights: Path, monkeypatch: pytest.MonkeyPatch, place: str, scale: str
) -> None:
    state = weights_file(no_weights / place, monkeypatch)
    found = extractor("vgg19", ("relu1_1", "conv1_1"), scale=scale)
    assert found.origin == "vgg19"
    seen = pictures() / 2 + 0.5
    if scale == "imagenet":
        mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
        seen = (seen - mean.view(3, 1, 1)) / deviation.view(3, 1, 1)
    expected = F.conv2d(seen, state["features.0.weight"], state["features.0.bias"], padding=1)
    after, before = found(pictures())
    torch.testing.assert_close(before, expected)
    torch.testing.assert_close(after, expected.relu())


def test_a_file_without_a_layer_that_is_asked_for(no_weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights_file(no_weights / "weights", monkeypatch)
    with pytest.raises(WeightsError, match=r"features\.2\.weight"):
        extractor("vgg19", ("relu1_2",))


def test_a_damaged_file_is_not_passed_over(no_weights: Path) -> None:
    folder = no_weights / "weights"
    folder.mkdir()
    (folder / features.FILES["vgg16"]).write_bytes(b"half a file")
    with pytest.raises(WeightsError, match="397923af"):
        extractor("vgg16", ("pool1",))


def test_names_and_places_are_torchvisions() -> None:
    from torchvision.models.vgg import cfgs, make_layers

    for network, letter in (("vgg16", "D"), ("vgg19", "E")):
        theirs = [(type(part), getattr(part, "out_channels", 0)) for part in make_layers(cfgs[letter])]
        ours = [(type(p), getattr(p, "out_channels", 0)) for _, p in features._vgg_parts(network)]
        assert ours == theirs


@pytest.mark.parametrize("layer", ["relu3_4", "relu6_1", "pool0", "fc6", ""])
def test_layers_that_vgg16_has_not(layer: str) -> None:
    with pytest.raises(UsageError, match="vgg16 has no layer"):
        extractor("vgg16", (layer,))


def test_other_networks_and_scales_are_refused() -> None:
    with pytest.raises(UsageError, match="resnet"):
        extractor("resnet", ("pool1",))
    with pytest.raises(UsageError, match="scale"):
        extractor("vgg16", ("pool1",), scale="bytes")
