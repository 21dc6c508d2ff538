"""Public Global&Local checkpoints: every spelling loads, and what does not fit is named."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from autoremove.errors import WeightsError
from autoremove.models import glcic
from autoremove.models.glcic import CompletionNetwork
from autoremove.models.glcic_checkpoints import CONFIGS, FIRST, MARKS, UNUSED, _published, from_checkpoint

UNBIASED = {f"layers.{i}.conv.bias" for i in range(16)}


def network_of(spelling: str) -> CompletionNetwork:
    torch.manual_seed(3)
    network = glcic.build({"base": 4, **CONFIGS[spelling]}).eval()
    for layer in network.layers[:-1]:
        torch.nn.init.uniform_(layer.norm.running_mean)
        torch.nn.init.uniform_(layer.norm.running_var, 0.5, 2.0)
    return network


def published(spelling: str, network: CompletionNetwork) -> dict[str, Tensor]:
    """The network's weights as the spelling writes them."""
    left_out = UNBIASED if spelling == "mmagic" else set()
    return {_published(spelling, k): v for k, v in network.state_dict().items() if k not in left_out}


@pytest.mark.parametrize("spelling", list(MARKS))
def test_a_published_file_gives_its_network(spelling: str) -> None:
    network = network_of(spelling)
    state = published(spelling, network)
    assert glcic.recognises(state)
    loaded = glcic.from_checkpoint(state)
    assert loaded.config == network.config
    assert not loaded.training
    for key, value in network.state_dict().items():
        assert torch.equal(loaded.state_dict()[key], value)


def test_files_older_than_the_counters_of_batches_load() -> None:
    state = published("nested", network_of("nested"))
    counters = {name for name in state if name.endswith(UNUSED)}
    assert len(counters) == 16
    glcic.from_checkpoint({name: value for name, value in state.items() if name not in counters})


@pytest.mark.parametrize(
    ("spelling", "key", "shape"),
    [
        ("otenim", "conv1.weight", (64, 4, 5, 5)),
        ("otenim", "deconv15.weight", (128, 64, 4, 4)),
        ("otenim", "bn16.running_mean", (32,)),
        ("nested", "9.1.running_var", (256,)),
        ("nested", "12.0.weight", (256, 128, 4, 4)),
        ("nested", "16.weight", (3, 32, 3, 3)),
        ("flat", "1.weight", (64,)),
        ("flat", "48.bias", (3,)),
        ("mmagic", "encoder.enc4.bn.bias", (256,)),
        ("mmagic", "dilation_neck.dilation_convs.3.conv.weight", (256, 256, 3, 3)),
        ("mmagic", "decoder.dec5.conv.weight", (128, 64, 4, 4)),
        ("mmagic", "decoder.dec7.conv.bias", (3,)),
    ],
)
def test_names_and_shapes_are_those_of_the_public_definitions(
    spelling: str, key: str, shape: tuple[int, ...]
) -> None:
    own = {k: v for k, v in CompletionNetwork().state_dict().items() if not k.endswith(UNUSED)}
    shapes = {_published(spelling, name): tuple(value.shape) for name, value in own.items()}
    assert shapes[key] == shape
    assert len(shapes) == len(own) == 98


def test_wrappings_are_taken_off() -> None:
    nested = published("nested", network_of("nested"))
    assert glcic.recognises({"model": nested})
    glcic.from_checkpoint({"model": {f"module.{name}": value for name, value in nested.items()}})
    mmagic = {f"generator.{name}": value for name, value in published("mmagic", network_of("mmagic")).items()}
    mmagic["disc.fc.weight"] = torch.zeros(1)
    glcic.from_checkpoint({"state_dict": mmagic})


def test_a_training_s_own_mean_can_be_given() -> None:
    state = published("otenim", network_of("otenim"))
    assert from_checkpoint(state, mean=(0.1, 0.2, 0.3)).config.mean == (0.1, 0.2, 0.3)


def test_what_does_not_fit_is_named() -> None:
    state = published("mmagic", network_of("mmagic"))
    state["decoder.extra"] = torch.zeros(1)
    state["encoder.enc2.bn.bias"] = torch.zeros(9)
    del state["decoder.dec7.conv.bias"]
    with pytest.raises(WeightsError) as raised:
        glcic.from_checkpoint(state)
    for part in ("missing: decoder.dec7.conv.bias", "unexpected: decoder.extra", "(9,) instead of (8,)"):
        assert part in str(raised.value)


def test_a_first_kernel_of_no_network_is_refused() -> None:
    state = published("otenim", network_of("otenim"))
    state[FIRST["otenim"]] = torch.zeros(5, 4, 5, 5)
    with pytest.raises(WeightsError, match="of no known Global&Local"):
        glcic.from_checkpoint(state)


def test_other_networks_are_not_taken_for_it() -> None:
    deepfill = {"generator.stage1.encoder.enc1.conv.weight": torch.zeros(1)}
    assert not glcic.recognises(deepfill)
    with pytest.raises(WeightsError, match="not the weights of a known Global&Local"):
        glcic.from_checkpoint(deepfill)
