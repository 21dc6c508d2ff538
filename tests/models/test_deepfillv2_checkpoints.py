"""Published checkpoints: every spelling is known, mapped to the right layers and checked."""

from __future__ import annotations

import ast
import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from autoremove.errors import WeightsError
from autoremove.models import deepfillv2
from autoremove.models.deepfillv2 import Generator, GeneratorConfig
from autoremove.models.deepfillv2_checkpoints import _sources, from_checkpoint, spelling_of

CONFIGS = {
    "ours": GeneratorConfig(),
    "tf": GeneratorConfig.tf(),
    "pt": GeneratorConfig.pt(),
    "mmagic": GeneratorConfig.mmagic(),
    "csqiangwen": GeneratorConfig.csqiangwen(),
}
PUBLISHED = [name for name in CONFIGS if name != "ours"]
PREFIX = {"mmagic": "generator."}


def weight(key: str, shape: tuple[int, ...], seed: int = 11) -> Tensor:
    """Values that depend on the name alone, as the reference vectors were made with."""
    digest = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "little")
    values = np.random.Generator(np.random.PCG64([seed, digest])).standard_normal(shape).astype(np.float32)
    scale = 0.1 if key.endswith("bias") else 1.6 / np.sqrt(np.prod(shape[1:]))
    return torch.from_numpy(values * np.float32(scale))


def checkpoint(spelling: str) -> dict[str, Tensor]:
    """A flat state dict of one spelling with made-up weights."""
    own = Generator(CONFIGS[spelling]).state_dict()
    pairs = (pair for key, value in own.items() for pair in _sources(spelling, key, tuple(value.shape)))
    return {PREFIX.get(spelling, "") + name: weight(name, shape) for name, shape in pairs}


def listed(file: Path) -> dict[str, tuple[int, ...]]:
    pairs = (line.split(" ", 1) for line in file.read_text().splitlines() if line)
    return {key: ast.literal_eval(shape) for key, shape in pairs}


@pytest.mark.parametrize(
    ("spelling", "ours", "theirs"),
    [
        ("tf", "conv10_atrous.bias", "conv10_atrous.conv.bias"),
        ("tf", "allconv15_upsample.weight", "allconv15_upsample.conv.conv.weight"),
        ("pt", "conv5.weight", "stage1.down_block2.conv2.conv.weight"),
        ("pt", "conv7_atrous.weight", "stage1.conv_bn2.conv.weight"),
        ("pt", "conv15_upsample.weight", "stage1.up_block2.conv1_upsample.conv.conv.weight"),
        ("pt", "xconv4_downsample.weight", "stage2.conv_down_block2.conv1_downsample.conv.weight"),
        ("pt", "xconv10_atrous.bias", "stage2.conv_conv_bn5.conv.bias"),
        ("pt", "pmconv6.weight", "stage2.ca_conv_bn1.conv.weight"),
        ("pt", "pmconv9.weight", "stage2.ca_conv_bn4.conv.weight"),
        ("pt", "allconv11.weight", "stage2.conv_bn6.conv.weight"),
        ("pt", "allconv17.bias", "stage2.conv_to_rgb.conv.bias"),
        ("mmagic", "conv6.weight", "stage1.encoder.enc6.conv.conv.weight"),
        ("mmagic", "conv8_atrous.weight", "stage1.dilation_neck.dilation_convs.1.conv.conv.weight"),
        ("mmagic", "conv11.weight", "stage1.decoder.dec1.conv.conv.weight"),
        ("mmagic", "xconv5.weight", "stage2.encoder_conv.enc5.conv.conv.weight"),
        ("mmagic", "xconv7_atrous.bias", "stage2.dilation_neck.dilation_convs.0.conv.conv.bias"),
        ("mmagic", "pmconv6.weight", "stage2.encoder_attention.enc6.conv.conv.weight"),
        ("mmagic", "pmconv10.bias", "stage2.contextual_attention_neck.conv2.conv.conv.bias"),
        ("mmagic", "allconv17.weight", "stage2.decoder.dec7.conv.conv.weight"),
        ("csqiangwen", "xconv10_atrous.bias", "refine_conv.9.conv2d.bias"),
        ("csqiangwen", "pmconv9.weight", "refine_atten_2.0.conv2d.weight"),
        ("csqiangwen", "conv13_upsample.weight", "coarse.12.gated_conv2d.conv2d.module.weight_bar"),
        ("csqiangwen", "allconv15_upsample.bias", "refine_combine.4.gated_conv2d.conv2d.module.bias"),
    ],
)
def test_layers_are_known_by_their_foreign_names(spelling: str, ours: str, theirs: str) -> None:
    shape = tuple(Generator(CONFIGS[spelling]).state_dict()[ours].shape)
    assert next(_sources(spelling, ours, shape))[0] == theirs


@pytest.mark.parametrize("spelling", CONFIGS)
def test_every_spelling_loads_into_its_network(spelling: str) -> None:
    state = checkpoint(spelling)
    network = from_checkpoint(state)
    assert network.config == CONFIGS[spelling]
    assert not network.training
    assert from_checkpoint(state, fuse=False).config == replace(CONFIGS[spelling], fuse=False)
    name, shape = next(
        iter(_sources(spelling, "conv1.weight", tuple(network.state_dict()["conv1.weight"].shape)))
    )
    torch.testing.assert_close(network.state_dict()["conv1.weight"][: shape[0]], weight(name, shape))


@pytest.mark.parametrize(
    ("spelling", "file"),
    [("tf", "keys_tf"), ("pt", "keys_pt"), ("mmagic", "keys_mmagic"), ("csqiangwen", "keys_cs")],
)
def test_published_key_lists_load(spelling: str, file: str, reference_dir: Path) -> None:
    shapes = listed(reference_dir / "keys" / f"{file}.txt")
    if spelling == "mmagic":  # its list names the weights alone
        shapes |= {key.replace("weight", "bias"): shape[:1] for key, shape in shapes.items()}
    if spelling == "csqiangwen":
        assert sum(int(np.prod(shape)) for shape in shapes.values()) == 16_185_900
    network = from_checkpoint({key: weight(key, shape) for key, shape in shapes.items()})
    assert network.config == CONFIGS[spelling]


def test_the_two_ports_map_onto_the_same_layers(reference_dir: Path) -> None:
    lines = (reference_dir / "keys" / "map.txt").read_text().splitlines()
    pairs = [(line.split(" -> ")[0], line.split(" -> ")[1].split(" ")[0]) for line in lines if line]
    tf = checkpoint("tf")
    a = from_checkpoint(tf).state_dict()
    b = from_checkpoint({theirs: tf[ours] for ours, theirs in pairs}).state_dict()
    assert len(pairs) == len(a) == 84
    for key in a:
        assert torch.equal(a[key], b[key]), key


@pytest.mark.parametrize(("spelling", "file", "fuse"), [("pt", "torch", None), ("tf", "tf", False)])
def test_outputs_equal_the_reference_vectors(
    spelling: str, file: str, fuse: bool | None, reference_dir: Path
) -> None:
    vectors = np.load(reference_dir / "deepfillv2" / f"{file}_variant.npz")
    image, mask = (torch.from_numpy(vectors[name])[None] for name in ("image", "mask"))
    with torch.no_grad():
        coarse, refined = from_checkpoint(checkpoint(spelling), fuse=fuse)(image, mask)
    assert np.abs(coarse[0].numpy() - vectors["coarse"]).max() < 1e-5
    assert np.abs(refined[0].numpy() - vectors["refined"]).max() < 1e-5


@pytest.mark.parametrize("spelling", CONFIGS)
def test_wrappings_come_off(spelling: str) -> None:
    flat = checkpoint(spelling)
    bare = {key.removeprefix("generator."): value for key, value in flat.items()}
    discriminator = {"disc.conv1.weight": torch.zeros(1), "step": 3}
    wrapped = [
        {"G": flat, "D": {"conv1.conv_sn.weight": torch.zeros(1)}, "n_iter": 5},
        {
            "state_dict": {f"generator.{key}": value for key, value in bare.items()} | discriminator,
            "meta": {},
        },
        {"state_dict": {f"module.{key}": value for key, value in bare.items()}},
    ]
    wanted = from_checkpoint(flat).state_dict()["allconv17.weight"]
    for state in wrapped:
        assert torch.equal(from_checkpoint(state).state_dict()["allconv17.weight"], wanted)


@pytest.mark.parametrize(
    ("spelling", "buffer"),
    [
        ("pt", "stage2.contextual_attention.fuse_weight"),
        ("mmagic", "generator.stage2.contextual_attention_neck.contextual_attention.fuse_kernel"),
    ],
)
def test_constant_buffers_are_left_out(spelling: str, buffer: str) -> None:
    state = checkpoint(spelling) | {buffer: torch.eye(3)[None, None]}
    assert from_checkpoint(state).config == CONFIGS[spelling]


@pytest.mark.parametrize("spelling", PUBLISHED)
def test_every_misfit_is_named(spelling: str) -> None:
    state = checkpoint(spelling)
    prefix = PREFIX.get(spelling, "")
    first, second, third = list(state)[4:7]
    del state[first]
    state[second] = state[second][:1]
    state[f"{prefix}stage3.extra"] = torch.zeros(2)
    with pytest.raises(WeightsError) as caught:
        from_checkpoint(state)
    text = str(caught.value)
    assert f"missing: {first.removeprefix(prefix)}" in text
    assert f"of another shape: {second.removeprefix(prefix)} (1," in text
    assert "unexpected: stage3.extra" in text
    assert third.removeprefix(prefix) not in text


def test_many_missing_keys_are_counted() -> None:
    state = checkpoint("tf")
    with pytest.raises(WeightsError, match="and 75 more"):
        from_checkpoint({"conv1.conv.weight": state["conv1.conv.weight"]})


@pytest.mark.parametrize("state", [{}, {"layer.weight": torch.zeros(2)}, {"G": {}}, {"conv1.weight": 3}])
def test_another_network_is_refused(state: dict) -> None:
    with pytest.raises(WeightsError, match="not the weights of a known DeepFillv2"):
        from_checkpoint(state)


@pytest.mark.parametrize("shape", [(3,), (7, 5, 5, 5), (48, 9, 5, 5)])
def test_a_first_layer_of_no_known_width_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(WeightsError, match="of no known network"):
        from_checkpoint({"conv1.weight": torch.zeros(shape)})


@pytest.mark.parametrize(
    "config",
    [
        GeneratorConfig(cnum=24),
        GeneratorConfig(cnum=8, in_channels=6),
        GeneratorConfig(cnum=8, in_channels=4, stage2_channels=5, merge_width=24, rgb_gate=True),
    ],
)
def test_own_widths_are_read_from_the_weights(config: GeneratorConfig) -> None:
    network = Generator(config)
    loaded = from_checkpoint(network.half().state_dict())
    assert loaded.config == config
    assert loaded.state_dict()["pmconv9.bias"].dtype == torch.float32


def test_guided_official_weights_are_recognised() -> None:
    state = checkpoint("tf")
    state["conv1.conv.weight"] = torch.zeros(48, 6, 5, 5)
    assert from_checkpoint(state).config == replace(GeneratorConfig.tf(), in_channels=6)


@torch.no_grad()
def test_separate_feature_and_gate_convolutions_become_one() -> None:
    state = checkpoint("csqiangwen")
    network = from_checkpoint(state)
    inputs = torch.randn(1, 96, 6, 6)
    feature, gate = (
        F.conv2d(inputs, state[f"coarse.2.{b}.weight"], state[f"coarse.2.{b}.bias"], padding=1)
        for b in ("conv2d", "mask_conv2d")
    )
    torch.testing.assert_close(network.get_submodule("conv3")(inputs), F.elu(feature) * gate.sigmoid())


@torch.no_grad()
def test_spectral_norm_is_folded_with_one_more_iteration() -> None:
    state = checkpoint("csqiangwen")
    place = "refine_combine.2.gated_conv2d.mask_conv2d.module"
    # A start close to the truth, as training leaves it, gives the largest singular value.
    matrix = state[f"{place}.weight_bar"].flatten(1)
    left, values, _ = torch.linalg.svd(matrix, full_matrices=False)
    state[f"{place}.weight_u"] = left[:, 0]
    folded = from_checkpoint(state).state_dict()["allconv13_upsample.weight"][96:]
    torch.testing.assert_close(folded.flatten(1), matrix / values[0])
    # Far from it, one iteration counts, not the converged value.
    state[f"{place}.weight_u"] = torch.randn(96)
    other = from_checkpoint(state).state_dict()["allconv13_upsample.weight"][96:].flatten(1)
    assert 0 < torch.linalg.matrix_norm(other, ord=2) - 1 < 3


def test_spelling_of() -> None:
    assert spelling_of({"stage1.conv1.conv.weight": 0}) == "pt"


def test_also_reached_through_the_generator_file() -> None:
    assert deepfillv2.from_checkpoint(checkpoint("pt"), fuse=False).config.fuse is False
