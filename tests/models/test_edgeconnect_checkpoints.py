"""EdgeConnect weights as published: both files found, loaded, and refused in words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from autoremove.errors import WeightsError
from autoremove.models import edgeconnect
from autoremove.models.edgeconnect import (
    EdgeConnect,
    EdgeConnectConfig,
    from_checkpoint,
    from_file,
    recognises,
)
from autoremove.models.edgeconnect_checkpoints import PAIR

LAYERS = ["encoder.1", "encoder.4", "encoder.7", "decoder.0", "decoder.3"]


def blocks(count: int) -> list[str]:
    return [f"middle.{i}.conv_block.{j}" for i in range(count) for j in (1, 5)]


def published(network: EdgeConnect, part: str) -> dict[str, Tensor]:
    """A generator of ours under the authors' names, which are spelt out here."""
    own = network.get_submodule(part).state_dict()
    if part == "colours":
        return own
    depth = network.config.blocks
    found = {f"decoder.7.{kind}": own[f"decoder.7.{kind}"] for kind in ("weight", "bias")}
    for layer in [*LAYERS, *blocks(depth)]:
        found[f"{layer}.weight_orig"] = own[f"{layer}.parametrizations.weight.original"]
        for vector in ("u", "v"):
            found[f"{layer}.weight_{vector}"] = own[f"{layer}.parametrizations.weight.0._{vector}"]
    return found | {f"{layer}.bias": own[f"{layer}.bias"] for layer in LAYERS}


@pytest.fixture
def network() -> EdgeConnect:
    torch.manual_seed(0)
    return EdgeConnect(EdgeConnectConfig(base=4, blocks=2, merge=False)).eval()


@pytest.fixture
def files(network: EdgeConnect, tmp_path: Path) -> dict[str, Path]:
    for part, name in PAIR.items():
        torch.save({"iteration": 7, "generator": published(network, part)}, tmp_path / name)
    return {part: tmp_path / name for part, name in PAIR.items()}


def test_names_and_shapes_are_the_published_ones() -> None:
    network = EdgeConnect(EdgeConnectConfig(blocks=1))
    keys = published(network, "edges")
    assert len(network.edges.state_dict()) == len(keys) == 3 * 7 + 5 + 2
    assert tuple(keys["encoder.1.weight_orig"].shape) == (64, 3, 7, 7)
    assert tuple(keys["decoder.0.weight_orig"].shape) == (256, 128, 4, 4)
    assert (len(keys["decoder.0.weight_u"]), len(keys["decoder.0.weight_v"])) == (128, 4096)
    layers = [*LAYERS, "decoder.7", *blocks(1)]
    colours = network.colours.state_dict()
    assert set(colours) == {f"{layer}.{kind}" for layer in layers for kind in ("weight", "bias")}
    assert tuple(colours["encoder.1.weight"].shape) == (64, 4, 7, 7)


@pytest.mark.parametrize("part", ["edges", "colours"])
def test_either_file_brings_its_partner(network: EdgeConnect, files: dict[str, Path], part: str) -> None:
    loaded = from_file(files[part])
    assert (loaded.config.base, loaded.config.blocks, loaded.config.spectral) == (4, 2, False)
    image, mask = torch.rand(1, 3, 24, 24) * 2 - 1, torch.zeros(1, 1, 24, 24)
    mask[..., 4:12, 4:12] = 1
    torch.testing.assert_close(loaded.raw(image, mask), network.raw(image, mask))


def test_files_renamed_alike_still_belong_together(files: dict[str, Path], tmp_path: Path) -> None:
    for part, name in PAIR.items():
        files[part].rename(tmp_path / f"places2_{name}")
    assert from_file(tmp_path / "places2_EdgeModel_gen.pth").config.base == 4


@pytest.mark.parametrize(("part", "named"), [("edges", "Inpainting"), ("colours", "EdgeModel")])
def test_a_missing_partner_is_named(files: dict[str, Path], part: str, named: str) -> None:
    files["colours" if part == "edges" else "edges"].unlink()
    with pytest.raises(WeightsError, match=f"{named}.*_gen.pth is not beside it") as told:
        from_file(files[part])
    assert told.value.hint and all(name in told.value.hint for name in PAIR.values())
    with pytest.raises(WeightsError, match="alone"):
        from_checkpoint(torch.load(files[part]))


def broken(state: dict[str, Tensor], how: str) -> dict[str, Any]:
    if how == "missing":
        return {k: v for k, v in state.items() if k != "decoder.3.bias"}
    if how == "unexpected":
        return state | {"decoder.9.bias": torch.zeros(1)}
    return state | {"decoder.3.bias": torch.zeros(9)}


@pytest.mark.parametrize("part", ["edges", "colours"])
@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("missing", "missing: decoder.3.bias"),
        ("unexpected", "unexpected: decoder.9.bias"),
        ("shape", r"decoder.3.bias \(9,\) instead of"),
    ],
)
def test_what_does_not_fit_is_named(network: EdgeConnect, part: str, how: str, words: str) -> None:
    state = {name: published(network, name) for name in PAIR}
    state[part] = broken(state[part], how)
    with pytest.raises(WeightsError, match=words):
        from_checkpoint(state)


def test_other_checkpoints_are_not_recognised(network: EdgeConnect) -> None:
    assert recognises({"generator": published(network, "edges")})
    assert recognises({name: published(network, name) for name in PAIR})
    for other in ({}, {"x": torch.zeros(1)}, {"state_dict": {}}, None, {"generator": 3}):
        assert not recognises(other)
        with pytest.raises(WeightsError, match="neither"):
            from_checkpoint(other)
    assert edgeconnect.ARCHITECTURE == "autoremove/edgeconnect"
