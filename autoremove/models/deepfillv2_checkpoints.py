"""DeepFillv2 weights as others publish them: four spellings of the names, told apart by their keys."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from autoremove.errors import WeightsError
from autoremove.models.deepfillv2 import (
    Generator,
    GeneratorConfig,
    layer_table,
    load_generator,
    save_generator,
)
from autoremove.models.spellings import Shape, verify

__all__ = ["from_checkpoint", "load_generator", "save_generator", "spelling_of"]


MARKS = {
    "ours": "conv1.weight",
    "tf": "conv1.conv.weight",
    "pt": "stage1.conv1.conv.weight",
    "mmagic": "stage1.encoder.enc1.conv.conv.weight",
    "csqiangwen": "coarse.0.conv2d.weight",
}
"""The key by which each spelling is known."""

WRAPPINGS = ("state_dict", "G", "generator")
PREFIXES = ("generator.", "module.")
IGNORED = ("contextual_attention.fuse_weight", "contextual_attention.fuse_kernel")
"""Endings of constant buffers that some checkpoints carry."""


def from_checkpoint(state_dict: Mapping[str, Any], *, fuse: bool | None = None) -> Generator:
    """Build the generator a checkpoint was made for and give it the weights (float32, CPU, evaluation mode).

    Known: "tf" and "pt" (the two PyTorch ports of the official weights), "mmagic", "csqiangwen" and our own
    names, also inside ``{"G": ...}`` or ``{"state_dict": ...}``. ``fuse`` overrides whether attention scores
    are fused; None means as the network was trained, which is on everywhere.
    Raises WeightsError for an unknown network, naming keys that are missing, unexpected or of another shape.
    """
    tensors = _unwrapped(state_dict)
    spelling = spelling_of(tensors)
    config = _config(spelling, tensors)
    generator = Generator(config if fuse is None else replace(config, fuse=fuse))
    sources = {
        key: dict(_sources(spelling, key, tuple(value.shape)))
        for key, value in generator.state_dict().items()
    }
    verify(
        f"DeepFillv2 ({spelling})",
        tensors,
        {name: shape for part in sources.values() for name, shape in part.items()},
    )
    generator.load_state_dict({key: _assembled(tensors, list(part)) for key, part in sources.items()})
    return generator.eval()


def spelling_of(state_dict: Mapping[str, Any]) -> str:
    """Which of ``MARKS`` a flat state dict follows; WeightsError if none."""
    for spelling, mark in MARKS.items():
        if mark in state_dict:
            return spelling
    some = ", ".join(sorted(map(str, state_dict))[:5]) or "nothing"
    raise WeightsError(
        f"These are not the weights of a known DeepFillv2 generator; they hold {some} ...",
        hint=f"Known are {', '.join(MARKS)}.",
    )


def _unwrapped(state_dict: Mapping[str, Any]) -> dict[str, Tensor]:
    for name in WRAPPINGS:
        if isinstance(state_dict.get(name), Mapping):
            return _unwrapped(state_dict[name])
    for prefix in PREFIXES:
        inner = {k[len(prefix) :]: v for k, v in state_dict.items() if k.startswith(prefix)}
        if inner:
            return _unwrapped(inner)
    return {k: v for k, v in state_dict.items() if isinstance(v, Tensor) and not k.endswith(IGNORED)}


def _config(spelling: str, tensors: Mapping[str, Tensor]) -> GeneratorConfig:
    """The spelling's preset with the widths that its free layers show."""
    if spelling in ("mmagic", "csqiangwen"):
        return GeneratorConfig.mmagic() if spelling == "mmagic" else GeneratorConfig.csqiangwen()
    config = GeneratorConfig.tf() if spelling == "tf" else GeneratorConfig.pt()
    first = tuple(tensors[MARKS[spelling]].shape)
    try:
        config = replace(config, cnum=first[0], in_channels=first[1])
        return _own_widths(config, tensors) if spelling == "ours" else config
    except (ValueError, IndexError) as error:
        raise WeightsError(
            f"{MARKS[spelling]} has the shape {first}, of no known network: {error}."
        ) from error


def _own_widths(config: GeneratorConfig, tensors: Mapping[str, Tensor]) -> GeneratorConfig:
    shapes = {
        k: tensors[k].shape for k in ("xconv1.weight", "allconv11.weight", "conv17.weight") if k in tensors
    }
    if len(shapes) < 3:
        return config
    merge_width = shapes["allconv11.weight"][0] // 2
    return replace(
        config,
        stage2_channels=shapes["xconv1.weight"][1],
        merge_width=0 if merge_width == 2 * config.cnum else merge_width,
        rgb_gate=shapes["conv17.weight"][0] == 6,
    )


def _sources(spelling: str, key: str, shape: Shape) -> Iterator[tuple[str, Shape]]:
    """Names and shapes of the tensors that make up one of our own (``conv1.weight``)."""
    layer, kind = key.split(".")
    if spelling == "ours":
        yield key, shape
    elif spelling != "csqiangwen":
        yield f"{_TABLES[spelling][layer]}.{kind}", shape
    else:
        for branch in ("conv2d", "mask_conv2d"):
            yield from _half(layer, branch, kind, (shape[0] // 2, *shape[1:]))


def _half(layer: str, branch: str, kind: str, shape: Shape) -> Iterator[tuple[str, Shape]]:
    place = _TABLES["csqiangwen"][layer]
    if not layer.endswith("upsample"):
        yield f"{place}.{branch}.{kind}", shape
        return
    place = f"{place}.gated_conv2d.{branch}.module"
    if kind == "bias":
        yield f"{place}.bias", shape
        return
    yield f"{place}.weight_bar", shape
    yield f"{place}.weight_u", shape[:1]
    yield f"{place}.weight_v", (shape[1] * shape[2] * shape[3],)


def _assembled(tensors: Mapping[str, Tensor], names: list[str]) -> Tensor:
    parts = []
    for name in names:
        if name.endswith("weight_bar"):
            start = tensors[name.replace("weight_bar", "weight_u")].float()
            parts.append(_spectrally_normed(tensors[name].float(), start))
        elif not name.endswith(("weight_u", "weight_v")):
            parts.append(tensors[name].float())
    return torch.cat(parts)


def _spectrally_normed(weight: Tensor, start: Tensor) -> Tensor:
    """Weight over its largest singular value, found as that network does: one power iteration per call."""
    matrix = weight.flatten(1)
    right = F.normalize(matrix.T @ start, dim=0)
    left = F.normalize(matrix @ right, dim=0)
    return weight / (left @ matrix @ right)


def _order() -> dict[str, list[str]]:
    return {part: [layer.name for layer in layers] for part, layers in layer_table(GeneratorConfig()).items()}


def _tf() -> dict[str, str]:
    layers = [layer for part in _order().values() for layer in part]
    return {
        layer: f"{layer}.conv.conv" if layer.endswith("upsample") else f"{layer}.conv" for layer in layers
    }


def _pt() -> dict[str, str]:
    down = [f"down_block{i}.{name}" for i in (1, 2) for name in ("conv1_downsample", "conv2")]
    up = [f"up_block{i}.{name}" for i in (1, 2) for name in ("conv1_upsample.conv", "conv2")]
    deep = [f"conv_bn{i}" for i in range(1, 8)]
    places = {
        "coarse": [f"stage1.{n}" for n in ("conv1", *down, *deep, *up, "conv_to_rgb")],
        "convolution": [f"stage2.conv_{n}" for n in ("conv1", *down, *deep[:5])],
        "attention": [f"stage2.ca_{n}" for n in ("conv1", *down, "conv_bn1")],
        "after_attention": ["stage2.ca_conv_bn4", "stage2.ca_conv_bn5"],
        "merge": [f"stage2.{n}" for n in ("conv_bn6", "conv_bn7", *up, "conv_to_rgb")],
    }
    return {ours: f"{theirs}.conv" for ours, theirs in _paired(places)}


def mmagic_places() -> dict[str, str]:
    """Our layer's name -> the module of MMagic's DeepFill networks, of both versions, that stands for it."""
    encoder, decoder = [f"enc{i}" for i in range(1, 7)], [f"decoder.dec{i}" for i in range(1, 8)]
    dilated = [f"dilation_neck.dilation_convs.{i}" for i in range(4)]
    places = {
        "coarse": [f"stage1.{n}" for n in (*(f"encoder.{e}" for e in encoder), *dilated, *decoder)],
        "convolution": [f"stage2.{n}" for n in (*(f"encoder_conv.{e}" for e in encoder), *dilated)],
        "attention": [f"stage2.encoder_attention.{e}" for e in encoder],
        "after_attention": [f"stage2.contextual_attention_neck.conv{i}" for i in (1, 2)],
        "merge": [f"stage2.{n}" for n in decoder],
    }
    return dict(_paired(places))


def _csqiangwen() -> dict[str, str]:
    names = {
        "coarse": "coarse",
        "convolution": "refine_conv",
        "attention": "refine_atten_1",
        "after_attention": "refine_atten_2",
        "merge": "refine_combine",
    }
    order = _order()
    return dict(
        _paired({part: [f"{name}.{i}" for i in range(len(order[part]))] for part, name in names.items()})
    )


def _paired(places: Mapping[str, list[str]]) -> Iterator[tuple[str, str]]:
    for part, layers in _order().items():
        yield from zip(layers, places[part], strict=True)


_TABLES = {
    "tf": _tf(),
    "pt": _pt(),
    "mmagic": {k: f"{v}.conv.conv" for k, v in mmagic_places().items()},
    "csqiangwen": _csqiangwen(),
}
"""For each spelling: our layer's name -> the module that holds its weight and bias."""
