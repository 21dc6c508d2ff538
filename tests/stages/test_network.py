"""The network is asked in batches that fit the memory, and on when the memory is full after all."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from autoremove.errors import PictureError
from autoremove.models import cache, memory
from autoremove.models.deepfillv2 import Generator, GeneratorConfig
from autoremove.stages.network import Answer, Asking, Seen, answers, planned

SIDE = 128


class Greedy:
    """Paints what it sees, a level brighter, as long as there are few enough pixels on its device."""

    config = SimpleNamespace(cnum=24, in_channels=5)

    def __init__(self, device: str, log: list[tuple[str, tuple[int, ...]]], most: float) -> None:
        self.device, self.log, self.most = device, log, most

    def fill(self, image: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        self.log.append((self.device, tuple(mask.shape[:1] + mask.shape[2:])))
        if image.numel() / 3 > self.most:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return image + 2 / 255

    def raw(self, image: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return self.fill(image, mask)


Log = list[tuple[str, tuple[int, ...]]]


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Asks a network that can take so many pixels per device; the GPU is played by the CPU."""

    def asked(crops: list[Seen], most: dict[str, float], **more: Any) -> tuple[list[Answer], Log]:
        log: Log = []
        monkeypatch.setattr(cache, "load", lambda kind, name, device: Greedy(device, log, most[device]))
        free = more.pop("free", {})
        monkeypatch.setattr(memory, "free_bytes", lambda device: free.get(device, 1 << 40))
        monkeypatch.setattr(torch.Tensor, "to", _stays(torch.Tensor.to))
        return answers(Asking("embedded", more.pop("device", "cpu"), SIDE, **more), crops), log

    return asked


def _stays(original: Any) -> Any:
    def to(self: torch.Tensor, where: Any, *more: Any) -> torch.Tensor:
        return self if where == "gpu" else original(self, where, *more)

    return to


def crop(height: int, width: int, level: int = 90) -> Seen:
    holes = np.zeros((height, width), bool)
    holes[height // 3 : -height // 3, width // 3 : -width // 3] = True
    return Seen(np.full((height, width, 3), level, np.uint8), holes)


def test_crops_of_unlike_shapes_share_a_few_sizes(ask: Any) -> None:
    crops = [crop(128, width) for width in (128, 127, 121, 113, 128, 97, 100)]
    found, log = ask(crops, {"cpu": 1e9})
    assert [one.fill.shape for one in found] == [one.image.shape for one in crops]
    assert all((one.fill == 91).all() for one in found)
    assert sorted(shape for _, shape in log) == [(1, 128, 128), (2, 128, 112), (4, 128, 128)]


@pytest.mark.parametrize("raw", [True, False])
def test_the_batch_is_halved_first(ask: Any, caplog: pytest.LogCaptureFixture, raw: bool) -> None:
    crops = [crop(128, 128, level) for level in (10, 20, 30, 40)]
    with caplog.at_level(logging.WARNING, "autoremove"):
        found, log = ask(crops, {"cpu": 2 * 128 * 128}, raw=raw)
    assert [int(one.fill[0, 0, 0]) for one in found] == [11, 21, 31, 41]
    assert [shape[0] for _, shape in log] == [4, 2, 2]
    assert "full with 4 crops at once: trying 2" in caplog.text


def test_then_the_tile(ask: Any, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "autoremove"):
        (found,), log = ask([crop(128, 96)], {"cpu": 64 * 64})
    assert [shape for _, shape in log] == [(1, 128, 96), (1, 64, 48)]
    assert found.fill.shape == (128, 96, 3)
    assert "half the size" in caplog.text


def test_then_the_processor(ask: Any, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "autoremove"):
        (found,), log = ask([crop(128, 128)], {"gpu": 0, "cpu": 1e9}, device="gpu", precision="float32")
    assert log == [("gpu", (1, 128, 128)), ("gpu", (1, 64, 64)), ("cpu", (1, 128, 128))]
    assert (found.fill == 91).all()
    assert "on the CPU" in caplog.text


def test_and_then_the_picture_fails_with_advice(ask: Any) -> None:
    with pytest.raises(PictureError, match=r"not enough memory.*telea"):
        ask([crop(128, 128)], {"cpu": 0})


def test_another_error_is_no_full_memory(ask: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("shapes do not match")

    monkeypatch.setattr(Greedy, "fill", broken)
    with pytest.raises(RuntimeError, match="shapes"):
        ask([crop(128, 128)], {"cpu": 1e9})


def test_what_fits_is_planned_before_anything_is_asked(ask: Any, caplog: pytest.LogCaptureFixture) -> None:
    two = memory.generator_bytes(2, (128, 128), 24) / memory.SHARE
    crops = [crop(128, 128)] * 4
    _, log = ask(crops, {"cpu": 2 * 128 * 128}, free={"cpu": int(two) + 9})
    assert [shape[0] for _, shape in log] == [2, 2]
    assert not caplog.records


def test_too_little_for_one_crop_is_seen_before_it_is_tried(
    ask: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "autoremove"):
        _, log = ask([crop(128, 128)], {"cpu": 1e9}, free={"cpu": 6 << 20})
        assert log == [("cpu", (1, 64, 64))]
        assert "coarser" in caplog.text
        _, log = ask([crop(128, 128)], {"gpu": 1e9, "cpu": 1e9}, free={"gpu": 6 << 20}, device="gpu")
        assert log == [("cpu", (1, 128, 128))]
    assert "filling on the CPU" in caplog.text


def test_a_plan_never_asks_for_less_than_one_crop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "load", lambda *_: Greedy("cpu", [], 0))
    monkeypatch.setattr(memory, "free_bytes", lambda _: 0)
    plan = planned(Asking("embedded", "cpu", SIDE), (128, 128))
    assert plan.most == 1
    assert plan.tiles == 1


@pytest.mark.parametrize("channels", [5, 6])
def test_lines_reach_a_network_that_follows_them_and_no_other(
    monkeypatch: pytest.MonkeyPatch, channels: int
) -> None:
    torch.manual_seed(0)
    net = Generator(GeneratorConfig(cnum=8, in_channels=channels)).eval()
    monkeypatch.setattr(cache, "load", lambda *_: net)
    plain = crop(64, 64)
    drawn = plain._replace(lines=np.eye(64, dtype=bool))
    without, following = answers(Asking("embedded", "cpu", 64), [plain, drawn])
    assert np.array_equal(without.fill, following.fill) == (channels == 5)


@pytest.mark.parametrize(("tiles", "cell"), [(0, 8), (1, 16)])
def test_sources_come_as_a_grid_over_the_crop(monkeypatch: pytest.MonkeyPatch, tiles: int, cell: int) -> None:
    torch.manual_seed(0)
    net = Generator(GeneratorConfig(cnum=8)).eval()
    monkeypatch.setattr(cache, "load", lambda *_: net)
    one = crop(128, 128)
    (answer,) = answers(Asking("embedded", "cpu", 128, sources=3, tiles=tiles), [one])
    grid = answer.grid
    assert grid is not None
    assert grid.cell == cell
    size = (128 // cell, 128 // cell)
    assert grid.positions.shape == grid.weights.shape == (3, *size)
    assert grid.present.shape == size
    holes = one.holes.reshape(size[0], cell, size[1], cell).any((1, 3))
    assert grid.present[holes].all()
    assert not holes.ravel()[grid.positions[:, grid.present]].any()
    assert answer.fill.shape == one.image.shape
