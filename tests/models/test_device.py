"""The device is chosen as asked, with a reason, and never silently another."""

from __future__ import annotations

import pytest
import torch

from autoremove.errors import EXIT_USAGE, DeviceError
from autoremove.models import device


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch):
    def make(cuda: int = 0, mps: bool = False) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: cuda)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)

    return make


@pytest.mark.parametrize(
    ("cuda", "mps", "expected"), [(2, True, "cuda:0"), (0, True, "mps"), (0, False, "cpu")]
)
def test_auto_takes_the_best_there_is(machine, cuda: int, mps: bool, expected: str) -> None:
    machine(cuda, mps)
    assert device.choose("auto").torch_device == expected


def test_auto_says_why_it_is_the_cpu(machine) -> None:
    machine()
    chosen = device.choose()
    assert chosen.torch_device == "cpu"
    assert "no CUDA device seen by torch" in chosen.why
    assert str(torch.get_num_threads()) in chosen.why
    assert device.describe(chosen) == f"Device: cpu ({chosen.why})"


def test_a_cuda_device_is_taken_by_number(machine) -> None:
    machine(cuda=2)
    assert device.choose("cuda").torch_device == "cuda:0"
    assert device.choose("cuda:1").torch_device == "cuda:1"


def test_a_cuda_device_is_described_by_name(machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine(cuda=1)

    class Properties:
        name = "Some GPU"
        total_memory = 8 * 2**30

    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: Properties())
    assert device.describe(device.choose("cuda")).startswith("Device: cuda:0, Some GPU, 8 GiB")


@pytest.mark.parametrize("request_", ["cuda", "cuda:0", "mps"])
def test_what_is_not_there_is_refused(machine, request_: str) -> None:
    machine()
    with pytest.raises(DeviceError) as caught:
        device.choose(request_)
    assert caught.value.exit_code == EXIT_USAGE
    assert "--device cpu" in str(caught.value)


def test_a_number_too_high_names_those_there(machine) -> None:
    machine(cuda=2)
    with pytest.raises(DeviceError, match="cuda:0 to cuda:1"):
        device.choose("cuda:2")


@pytest.mark.parametrize("request_", ["gpu", "cuda:one", "cpu:0", ""])
def test_nonsense_is_refused(request_: str) -> None:
    with pytest.raises(DeviceError, match="Take auto, cpu, cuda"):
        device.choose(request_)
