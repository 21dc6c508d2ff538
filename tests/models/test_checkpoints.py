"""Checkpoints are read without running what strangers put into them."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from autoremove.errors import WeightsError
from autoremove.models import checkpoints, weights
from autoremove.models.weights_table import Weights


def test_plain_tensors_are_read(tmp_path: Path) -> None:
    state = {"a": torch.arange(3.0)}
    torch.save({"G": state, "n_iter": 7}, tmp_path / "plain.pth")
    save_file(state, tmp_path / "plain.safetensors")
    assert torch.equal(weights.load_state(tmp_path / "plain.pth")["G"]["a"], state["a"])
    assert torch.equal(weights.load_state(tmp_path / "plain.safetensors")["a"], state["a"])


class Bomb:
    """A pickle that leaves a file behind when it is loaded as it wants to be."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.path,)


def test_a_pickle_with_code_runs_only_when_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, mark = tmp_path / "odd.pt", tmp_path / "mark"
    torch.save({"model": Bomb(mark)}, path)
    with pytest.raises(
        WeightsError, match=r"could run code.*convert .*odd\.pt --model detector --trust -o odd\.safetensors"
    ):
        weights.load_state(path, model="detector")
    with pytest.raises(WeightsError, match=r"could run code.*Only plain tensors"):
        weights.load_state(path)
    assert not mark.exists()
    weights.load_state(path, trust=True)
    assert mark.exists()
    mark.unlink()
    known = Weights("odd", "detector", "yolo", "odd.pt", sha256=weights.digest(path, "detector"))
    monkeypatch.setattr(checkpoints, "TABLE", (known,))
    weights.load_state(path)
    assert mark.exists()


@pytest.mark.parametrize("name", ["x.pth", "x.pt", "x.safetensors"])
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PK\x03\x04 cut off",
        b"<html>not found</html>",
        pickle.dumps(7, 2)[:-1],
        pickle.dumps(0.5, 2)[:-4],
    ],
)
def test_a_damaged_file_is_an_error_of_ours(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=name):
        weights.load_state(path, trust=True)


@pytest.mark.parametrize("trust", [False, True])
@pytest.mark.parametrize(
    "content", [b"\xff\xd8\xff\xe0 of a photo", b"notes: none of these are weights", b"GIF89a"]
)
def test_a_file_of_another_kind_is_no_weights_file(tmp_path: Path, content: bytes, trust: bool) -> None:
    path = tmp_path / "x.pt"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=r"x\.pt is no weights file\."):
        weights.load_state(path, trust=trust)


def test_a_file_that_is_not_there_is_an_error_of_ours(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="no weights file"):
        weights.load_state(tmp_path / "nowhere.pth")
