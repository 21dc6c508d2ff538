"""Public DeepFillv1 checkpoints: every spelling loads, and what does not fit is named."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from autoremove.errors import WeightsError
from autoremove.models import deepfillv1
from autoremove.models.deepfillv1 import DeepFillv1
from autoremove.models.deepfillv1_checkpoints import CONFIGS, MARKS, _foreign_shape, _published


def network_of(spelling: str) -> DeepFillv1:
    torch.manual_seed(3)
    return deepfillv1.build({"cnum": 4, **CONFIGS[spelling]}).eval()


def published(spelling: str, network: DeepFillv1) -> dict[str, Any]:
    """The network's weights as the spelling writes them."""
    state: dict[str, Any] = {}
    for key, value in network.state_dict().items():
        kernel = spelling == "tf" and value.ndim == 4
        foreign = value.permute(2, 3, 1, 0).numpy() if kernel else value
        state[_published(spelling, key)] = foreign
    return state


@pytest.mark.parametrize("spelling", list(MARKS))
def test_a_published_file_gives_its_network(spelling: str) -> None:
    network = network_of(spelling)
    state = published(spelling, network)
    assert deepfillv1.recognises(state)
    loaded = deepfillv1.from_checkpoint(state)
    assert loaded.config == network.config
    for mine, theirs in zip(loaded.parameters(), network.parameters(), strict=True):
        assert torch.equal(mine, theirs)


@pytest.mark.parametrize(
    ("spelling", "key", "shape"),
    [
        ("tf", "inpaint_net/conv1/kernel", (5, 5, 5, 32)),
        ("tf", "inpaint_net/conv13_upsample/conv13_upsample_conv/kernel", (3, 3, 128, 64)),
        ("tf", "inpaint_net/allconv17/bias", (3,)),
        ("daa233", "coarse_generator.conv10_atrous.conv.weight", (128, 128, 3, 3)),
        ("daa233", "coarse_generator.conv13.conv.weight", (64, 128, 3, 3)),
        ("daa233", "fine_generator.conv2_downsample.conv.weight", (32, 32, 3, 3)),
        ("daa233", "fine_generator.pmconv6.conv.bias", (128,)),
        ("daa233", "fine_generator.allconv11.conv.weight", (128, 256, 3, 3)),
        ("mmagic", "stage1.dilation_neck.dilation_convs.3.conv.weight", (128, 128, 3, 3)),
        ("mmagic", "stage2.contextual_attention_neck.conv2.conv.weight", (128, 128, 3, 3)),
        ("mmagic", "stage2.decoder.dec7.conv.weight", (3, 16, 3, 3)),
    ],
)
def test_names_and_shapes_are_those_of_the_public_definitions(
    spelling: str, key: str, shape: tuple[int, ...]
) -> None:
    own = DeepFillv1().state_dict()
    shapes = {_published(spelling, name): _foreign_shape(spelling, value) for name, value in own.items()}
    assert shapes[key] == shape
    assert len(shapes) == len(own) == 84


def test_wrappings_and_what_belongs_to_training_are_taken_off() -> None:
    tf = published("tf", network_of("tf"))
    extra = {
        "global_step": np.zeros(()),
        "discriminator/discriminator_local/conv1/kernel": np.zeros((5, 5, 3, 64)),
        "inpaint_net/conv1/kernel/Adam_1": np.zeros((5, 5, 5, 4)),
    }
    assert deepfillv1.recognises({f"{name}:0": value for name, value in (tf | extra).items()})
    deepfillv1.from_checkpoint(tf | extra)
    mmagic = {f"generator.{name}": value for name, value in published("mmagic", network_of("mmagic")).items()}
    mmagic["disc.global_disc.conv1.conv.weight"] = torch.zeros(1)
    mmagic["generator.stage2.contextual_attention_neck.contextual_attention.fuse_kernel"] = torch.zeros(1)
    deepfillv1.from_checkpoint({"state_dict": mmagic, "meta": {}})


def test_what_does_not_fit_is_named() -> None:
    state: dict[str, Tensor] = published("daa233", network_of("daa233"))
    state["fine_generator.extra"] = torch.zeros(1)
    state["fine_generator.allconv16.conv.bias"] = torch.zeros(9)
    del state["coarse_generator.conv3.conv.weight"]
    with pytest.raises(WeightsError) as raised:
        deepfillv1.from_checkpoint(state)
    for part in ("missing: coarse_generator.conv3", "unexpected: fine_generator.extra", "(9,) instead of"):
        assert part in str(raised.value)


@pytest.mark.parametrize("shape", [(4,), (3, 5, 5, 5)])
def test_a_first_kernel_of_no_network_is_refused(shape: tuple[int, ...]) -> None:
    state = published("daa233", network_of("daa233"))
    state[MARKS["daa233"]] = torch.zeros(shape)
    with pytest.raises(WeightsError, match="of no known DeepFillv1"):
        deepfillv1.from_checkpoint(state)


def test_the_gated_successor_is_not_taken_for_it() -> None:
    gated = {
        "inpaint_net/conv1/kernel": np.zeros((5, 5, 5, 48)),
        "inpaint_net/conv2_downsample/kernel": np.zeros((3, 3, 24, 96)),
    }
    assert not deepfillv1.recognises(gated)
    with pytest.raises(WeightsError, match="not the weights of a known DeepFillv1"):
        deepfillv1.from_checkpoint(gated)
    assert not deepfillv1.recognises({"conv1.weight": torch.zeros(1)})
    assert not deepfillv1.recognises([1, 2])
