"""benchmarks/soup.py: the mean of weights keeps kinds and headers, and refuses other networks."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from autoremove.models.checkpoints import header
from benchmarks import soup


def test_shares_decide_how_much_each_counts(tmp_path: Path) -> None:
    for name, value in (("a", 1.0), ("b", 3.0)):
        state = {"kernel": torch.full((2, 2), value).half(), "count": torch.tensor([int(value)])}
        save_file(state, tmp_path / f"{name}.safetensors", {"own": name, "architecture": "x"})
    files = [str(tmp_path / f"{name}.safetensors") for name in "ab"]
    soup.main([*files, "-o", str(tmp_path / "even.safetensors")])
    soup.main([*files, "--shares", "3", "1", "-o", str(tmp_path / "uneven.safetensors")])
    even, uneven = (load_file(tmp_path / f"{name}.safetensors") for name in ("even", "uneven"))
    assert even["kernel"].dtype == torch.float16
    assert even["kernel"].unique().tolist() == [2.0]
    assert uneven["kernel"].unique().tolist() == [1.5]
    assert uneven["count"].tolist() == [1]  # counts are not weights
    assert header(tmp_path / "even.safetensors") == {"architecture": "x"}


def test_other_networks_and_shares_are_refused(tmp_path: Path) -> None:
    save_file({"kernel": torch.ones(2, 2)}, tmp_path / "a.safetensors")
    save_file({"kernel": torch.ones(3, 2)}, tmp_path / "b.safetensors")
    files = [str(tmp_path / f"{name}.safetensors") for name in "ab"]
    with pytest.raises(SystemExit, match="another network"):
        soup.main([*files, "-o", str(tmp_path / "c")])
    with pytest.raises(SystemExit):
        soup.main([*files, "--shares", "1", "-o", str(tmp_path / "c")])
    assert not (tmp_path / "c").exists()
