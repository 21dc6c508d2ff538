"""LPIPS and distances between sets: against torchmetrics, with made weights, and what is said without any."""

from __future__ import annotations

import hashlib
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import torch

from autoremove.errors import UsageError, WeightsError
from autoremove.evaluation import perceptual
from autoremove.evaluation.perceptual import Published, frechet

NOWHERE = Published("LPIPS", "alexnet-01234567.pth", "https://example.org/alexnet-01234567.pth")


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Empty folders for our weights and torch's."""
    monkeypatch.setenv("AUTOREMOVE_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    monkeypatch.setattr(perceptual, "ALEXNET", NOWHERE)
    monkeypatch.setattr(
        perceptual, "INCEPTION", Published("FID", "inception-01234567.pth", "https://example.org/i")
    )
    return tmp_path


def published(state: dict[str, torch.Tensor], folder: Path, figure: str) -> Published:
    """Weights in a file whose name ends in the start of its hash."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(state, folder / "new")
    name = f"made-{hashlib.sha256((folder / 'new').read_bytes()).hexdigest()[:8]}.pth"
    (folder / "new").rename(folder / name)
    return Published(figure, name, "https://example.org/" + name)


def noise(seed: int, side: int = 64) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (side, side, 3)).astype(np.uint8)


def test_lpips_is_that_of_torchmetrics(folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from torchmetrics.functional.image import lpips as theirs

    sizes = {0: (3, 64, 11), 3: (64, 192, 5), 6: (192, 384, 3), 8: (384, 256, 3), 10: (256, 256, 3)}
    torch.manual_seed(0)
    layers = {i: torch.nn.Conv2d(a, b, k, *perceptual._CONVS[i]) for i, (a, b, k) in sizes.items()}
    state = {f"features.{i}.{key}": value for i, c in layers.items() for key, value in c.state_dict().items()}
    monkeypatch.setattr(perceptual, "ALEXNET", published(state, folders / "hub" / "checkpoints", "LPIPS"))
    relu, pool = torch.nn.ReLU(), torch.nn.MaxPool2d(3, 2)
    features = [layers.get(i, pool if i in (2, 5) else relu) for i in range(12)]
    monkeypatch.setattr(theirs, "_get_tv_model_features", lambda *_: torch.nn.Sequential(*features))
    reference = theirs._LPIPS(pretrained=True, net="alex", pnet_rand=True)
    a, b = noise(1), noise(2)
    planes = [torch.from_numpy(x).permute(2, 0, 1)[None].float() / 127.5 - 1 for x in (a, b)]
    distance = perceptual.lpips()
    assert distance(a, b) == pytest.approx(float(reference(*planes)), rel=1e-5)
    assert distance(a, a) == 0.0


def test_the_distance_of_two_sets_is_that_of_torchmetrics() -> None:
    from torchmetrics.image.fid import FrechetInceptionDistance

    class Given(torch.nn.Module):
        num_features = 5

        def forward(self, rows: torch.Tensor) -> torch.Tensor:
            return rows

    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(60, 5)), rng.normal(size=(40, 5)) @ rng.normal(size=(5, 5)) + 1
    metric = FrechetInceptionDistance(Given())
    for rows, real in ((first, True), (second, False)):
        metric.update(torch.from_numpy(rows), real=real)
    assert frechet(first, second) == pytest.approx(float(metric.compute()), rel=1e-9)


def test_the_distance_with_fewer_pictures_than_features() -> None:
    rows = np.random.default_rng(0).normal(size=(30, 200))
    assert frechet(rows, rows) == pytest.approx(0.0, abs=1e-8)
    assert frechet(rows, rows + 0.5) == pytest.approx(200 * 0.25)
    assert np.isnan(frechet(rows[:19], rows))


def test_nothing_at_hand_is_told_and_not_fetched() -> None:
    chosen, left_out = perceptual.measures(None, None)
    assert (chosen.lpips, chosen.features) == (None, None)
    assert "https://example.org/alexnet-01234567.pth" in left_out[0] and "torch-fidelity" in left_out[1]
    assert perceptual.measures(False, False) == (perceptual.NOTHING_MORE, [])
    for wanted in ((True, False), (False, True)):
        with pytest.raises(WeightsError) as caught:
            perceptual.measures(*wanted)
        assert caught.value.hint is not None and "Fetch https://example.org" in caught.value.hint


def test_weights_that_are_not_what_their_name_says_are_refused(folders: Path) -> None:
    (folders / "weights").mkdir()
    (folders / "weights" / NOWHERE.file).write_bytes(b"else")
    with pytest.raises(WeightsError, match="damaged"):
        perceptual.lpips()


def test_inception_needs_its_package(folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = published({"weight": torch.ones(1)}, folders / "weights", "FID")
    monkeypatch.setattr(perceptual, "INCEPTION", made)
    monkeypatch.setattr(perceptual, "_has_torch_fidelity", lambda: False)
    with pytest.raises(UsageError, match="torch-fidelity"):
        perceptual.inception()
    chosen, left_out = perceptual.measures(False, None)
    assert chosen.features is None and len(left_out) == 1


def test_inception_is_given_the_checked_file(folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = published({"weight": torch.full((1,), 3.0)}, folders / "weights", "FID")
    monkeypatch.setattr(perceptual, "INCEPTION", made)
    monkeypatch.setattr(perceptual, "_has_torch_fidelity", lambda: True)

    class Extractor(torch.nn.Module):
        def __init__(self, name: str, features: list[str], feature_extractor_weights_path: str) -> None:
            super().__init__()
            assert features == ["2048"]
            self.weight = torch.load(feature_extractor_weights_path)["weight"]

        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor]:
            assert x.dtype == torch.uint8
            return (x.float().mean((2, 3)) * self.weight,)

    stand_in = types.ModuleType("torch_fidelity.feature_extractor_inceptionv3")
    stand_in.FeatureExtractorInceptionV3 = Extractor  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torch_fidelity", types.ModuleType("torch_fidelity"))
    monkeypatch.setitem(sys.modules, stand_in.__name__, stand_in)
    chosen, left_out = perceptual.measures(False, None)
    assert chosen.features is not None and not left_out and chosen.fid == "fid"
    np.testing.assert_allclose(chosen.features(noise(0)), 3 * noise(0).mean((0, 1)), rtol=1e-5)


def test_own_features_tell_blurred_from_sharp_pictures() -> None:
    import cv2

    chosen, _ = perceptual.measures(False, None, "embedded")
    assert chosen.features is not None and chosen.fid == "fid_embedded"
    sharp = np.stack([chosen.features(noise(i)) for i in range(perceptual.LEAST)])
    other = np.stack([chosen.features(noise(100 + i)) for i in range(perceptual.LEAST)])
    blurred = np.stack([chosen.features(cv2.blur(noise(i), (5, 5))) for i in range(perceptual.LEAST)])
    assert sharp.ndim == 2 and frechet(blurred, sharp) > 3 * frechet(other, sharp)
    assert chosen.features(noise(0, 50)).shape == sharp[0].shape, "any size"
