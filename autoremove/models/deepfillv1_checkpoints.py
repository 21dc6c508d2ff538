"""DeepFillv1 weights as others publish them: three spellings of the names, told apart by their keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from autoremove.errors import WeightsError
from autoremove.models.deepfillv1 import DeepFillv1, DeepFillv1Config
from autoremove.models.deepfillv2_checkpoints import mmagic_places
from autoremove.models.deepfillv2_table import layer_table
from autoremove.models.spellings import unknown, unwrapped, verify

MARKS = {
    "tf": "inpaint_net/conv1/kernel",
    "daa233": "coarse_generator.conv1.conv.weight",
    "mmagic": "stage1.encoder.enc1.conv.weight",
}
"""The key by which each spelling is known."""

CONFIGS: dict[str, dict[str, Any]] = {
    # The authors' code pads as TensorFlow does, halves by align_corners, and reads and writes BGR.
    "tf": {
        "padding": "same",
        "halving": "align_corners",
        "mask_resize": "align_corners_twice",
        "channel_order": "bgr",
    },
    "daa233": {"attention_gain": 255.0},
    "mmagic": {
        "padding": "reflect",
        "masked_keys": "exclude",
        "paste_divisor": "overlap",
        "attention_activation": "elu",
        "channel_order": "bgr",
    },
}
"""In which each differs from our defaults."""

IGNORED = ("contextual_attention.fuse_kernel",)
"""Endings of constant buffers that some checkpoints carry."""


def recognises(state: Any) -> bool:
    """Whether a checkpoint is DeepFillv1 in one of the known spellings."""
    return _spelling(_tensors(state)) is not None


def from_checkpoint(state: Any) -> DeepFillv1:
    """The network a checkpoint was made for, with its weights (float32, CPU, evaluation mode).

    Known: "tf", the authors' variables as a mapping of names to arrays (kernels as height x width x input x
    output), "daa233" (PyTorch, also their conversion of the authors' weights, which that repository reports
    to give grey borders), and "mmagic"; also inside ``{"state_dict": ...}``. The names are read from the
    public definitions; no published file was at hand to try.
    Raises WeightsError for an unknown network, naming keys that are missing, unexpected or of another shape.
    """
    tensors = _tensors(state)
    spelling = _spelling(tensors)
    if spelling is None:
        raise unknown("DeepFillv1", tensors, MARKS)
    network = DeepFillv1(_config(spelling, tensors[MARKS[spelling]]))
    own = network.state_dict()
    names = {key: _published(spelling, key) for key in own}
    shapes = {names[key]: _foreign_shape(spelling, value) for key, value in own.items()}
    verify(f"DeepFillv1 ({spelling})", tensors, shapes)
    network.load_state_dict({key: _as_ours(spelling, tensors[name]) for key, name in names.items()})
    return network.eval()


def _tensors(state: Any) -> dict[str, Tensor]:
    found = unwrapped(state, ("state_dict", "netG", "generator"))
    found = {name.removesuffix(":0"): value for name, value in found.items()}
    if MARKS["tf"] in found:
        # A training checkpoint of TensorFlow also holds the judges, the step and Adam's moments.
        return {k: v for k, v in found.items() if k.startswith("inpaint_net/") and "Adam" not in k}
    return {name: value for name, value in found.items() if not name.endswith(IGNORED)}


def _spelling(tensors: Mapping[str, Tensor]) -> str | None:
    spelling = next((name for name, mark in MARKS.items() if mark in tensors), None)
    if spelling != "tf":
        return spelling
    # DeepFillv2 has the same names; there the next layer takes half of what this one gives.
    second = tensors.get("inpaint_net/conv2_downsample/kernel")
    plain = second is None or second.shape[2:3] == tensors[MARKS["tf"]].shape[3:4]
    return "tf" if plain else None


def _config(spelling: str, first: Tensor) -> DeepFillv1Config:
    """The spelling's settings with the width that the first kernel shows."""
    width = _as_ours(spelling, first).shape[0] if first.ndim == 4 else 0
    if width < 2 or width % 2:
        shape = tuple(first.shape)
        raise WeightsError(f"{MARKS[spelling]} has the shape {shape}, of no known DeepFillv1 network.")
    return DeepFillv1Config(cnum=width, **CONFIGS[spelling])


def _published(spelling: str, key: str) -> str:
    """The foreign name of one of our own (``conv1.weight``)."""
    layer, kind = key.split(".")
    if spelling == "tf":
        within = f"{layer}/{layer}_conv" if layer.endswith("upsample") else layer
        return f"inpaint_net/{within}/{'kernel' if kind == 'weight' else kind}"
    return f"{_TABLES[spelling][layer]}.conv.{kind}"


def _as_ours(spelling: str, value: Tensor) -> Tensor:
    value = value.float()
    return value.permute(3, 2, 0, 1).contiguous() if spelling == "tf" and value.ndim == 4 else value


def _foreign_shape(spelling: str, value: Tensor) -> tuple[int, ...]:
    if spelling == "tf" and value.ndim == 4:
        value = value.permute(2, 3, 1, 0)
    return tuple(value.shape)


def _daa233() -> dict[str, str]:
    found = {}
    for part, layers in layer_table(DeepFillv1Config().graph()).items():
        stage = "coarse_generator" if part == "coarse" else "fine_generator"
        for layer in layers:
            name = layer.name.removesuffix("_upsample")
            found[layer.name] = f"{stage}.{name.removeprefix('x') if part == 'convolution' else name}"
    return found


_TABLES = {"daa233": _daa233(), "mmagic": mmagic_places()}
"""For each spelling: our layer's name -> the module that holds its convolution."""
