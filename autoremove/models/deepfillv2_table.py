"""DeepFillv2 in figures: what its published spellings differ in, and the table of its layers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

CHOICES = {
    "padding": ("zeros", "same", "reflect"),
    "halving": ("plain", "align_corners"),
    "mask_resize": ("plain", "align_corners", "align_corners_twice", "any"),
    "masked_keys": ("zero", "exclude"),
    "paste_divisor": ("four", "overlap"),
    "key_norm": ("max", "sum"),
    "attention_activation": ("relu", "elu"),
    "input_form": ("signed", "unit"),
    "channel_order": ("rgb", "bgr"),
    "in_channels": (4, 5, 6),
    "stage2_channels": (3, 4, 5),
}


@dataclass(frozen=True)
class GeneratorConfig:
    """Everything in which the published DeepFillv2 generators differ; the defaults are our own.

    Ours is the official graph with symmetric zero padding and plain halving: what the TensorFlow
    forms add (a half-pixel shift per stride, unlike halves) helps nobody who trains anew.

    ``cnum``: convolution width of the first layer before the gate halves it. ``merge_width``: width of the
    first merged layer after the gate (0: twice ``cnum``). ``in_channels``: 4 = picture and mask,
    5 = also a plane of ones, 6 = also a sketch. ``stage2_channels``: 3 = coarse composite, 4 = also the mask,
    5 = also ones and mask. ``padding``: "zeros" and "reflect" are symmetric, "same" is TensorFlow's.
    ``mask_resize``: one nearest step to 1/8 ("plain", "align_corners"), two of them ("align_corners_twice"),
    or hole where "any" pixel is. ``input_form``: "signed" = -1..1 with holes 0, "unit" = 0..1 with holes 1.
    Other fields: see :func:`autoremove.models.contextual_attention.contextual_attention`.
    """

    cnum: int = 48
    merge_width: int = 0
    in_channels: int = 5
    stage2_channels: int = 3
    padding: str = "zeros"
    halving: str = "plain"
    mask_resize: str = "plain"
    fuse: bool = True
    masked_keys: str = "zero"
    paste_divisor: str = "four"
    key_norm: str = "max"
    attention_activation: str = "relu"
    rgb_gate: bool = False
    input_form: str = "signed"
    channel_order: str = "rgb"

    def __post_init__(self) -> None:
        for name, allowed in CHOICES.items():
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name}={getattr(self, name)!r} is not one of {allowed}")
        if self.cnum < 4 or self.cnum % 4:
            raise ValueError(f"cnum={self.cnum} is not a positive multiple of 4")
        if self.merge_width < 0 or self.merge_width % 8:
            raise ValueError(f"merge_width={self.merge_width} is not 0 or a multiple of 8")

    @classmethod
    def official(cls) -> GeneratorConfig:
        """The graph of the paper's own TensorFlow code, which reads and writes BGR."""
        return replace(cls.tf(), mask_resize="align_corners_twice", channel_order="bgr")

    @classmethod
    def tf(cls) -> GeneratorConfig:
        """The PyTorch port that keeps TensorFlow's padding and resizing, with fuse as in the paper."""
        return cls(padding="same", halving="align_corners", mask_resize="align_corners")

    @classmethod
    def pt(cls) -> GeneratorConfig:
        """The PyTorch port with symmetric padding."""
        return cls()

    @classmethod
    def mmagic(cls) -> GeneratorConfig:
        """OpenMMLab's form: reflect padding, 5 channels in both stages, a wider last decoder, BGR."""
        return cls(
            merge_width=128,
            stage2_channels=5,
            padding="reflect",
            masked_keys="exclude",
            paste_divisor="overlap",
            attention_activation="elu",
            rgb_gate=True,
            channel_order="bgr",
        )

    @classmethod
    def csqiangwen(cls) -> GeneratorConfig:
        """A port of double width that works on 0..1 pictures with white holes."""
        return cls(
            cnum=96, in_channels=4, stage2_channels=4, key_norm="sum", rgb_gate=True, input_form="unit"
        )


class Layer(NamedTuple):
    """One row of the network's table; ``outputs`` counts channels after the gate."""

    name: str
    inputs: int
    outputs: int
    kernel: int = 3
    stride: int = 1
    dilation: int = 1
    upsample: bool = False
    activation: str = "elu"


def _encoder(prefix: str, widths: tuple[int, ...]) -> list[Layer]:
    """Five layers, two of them halving; ``widths`` are the input's and theirs."""
    kinds = ((5, 1), (3, 2), (3, 1), (3, 2), (3, 1))
    names = ("1", "2_downsample", "3", "4_downsample", "5")
    return [
        Layer(f"{prefix}conv{name}", widths[i], widths[i + 1], kernel, stride)
        for i, (name, (kernel, stride)) in enumerate(zip(names, kinds, strict=True))
    ]


def _dilated(prefix: str, width: int) -> list[Layer]:
    return [Layer(f"{prefix}conv{7 + i}_atrous", width, width, dilation=2 << i) for i in range(4)]


def _decoder(prefix: str, inputs: int, width: int) -> list[Layer]:
    """Two layers at 1/4, two at 1/2, three at full size; the last gives the raw picture."""
    half, quarter, eighth = width // 2, width // 4, width // 8
    return [
        Layer(f"{prefix}conv11", inputs, width),
        Layer(f"{prefix}conv12", width, width),
        Layer(f"{prefix}conv13_upsample", width, half, upsample=True),
        Layer(f"{prefix}conv14", half, half),
        Layer(f"{prefix}conv15_upsample", half, quarter, upsample=True),
        Layer(f"{prefix}conv16", quarter, eighth),
        Layer(f"{prefix}conv17", eighth, 3, activation="none"),
    ]


def layer_table(config: GeneratorConfig) -> dict[str, list[Layer]]:
    """The rows of the five parts: coarse, convolution, attention, after_attention, merge."""
    c = config.cnum // 2
    x, deep = config.stage2_channels, 4 * c
    pm6 = Layer("pmconv6", deep, deep, activation=config.attention_activation)
    return {
        "coarse": [
            *_encoder("", (config.in_channels, c, 2 * c, 2 * c, deep, deep)),
            Layer("conv6", deep, deep),
            *_dilated("", deep),
            *_decoder("", deep, deep),
        ],
        "convolution": [
            *_encoder("x", (x, c, c, 2 * c, 2 * c, deep)),
            Layer("xconv6", deep, deep),
            *_dilated("x", deep),
        ],
        "attention": [*_encoder("pm", (x, c, c, 2 * c, deep, deep)), pm6],
        "after_attention": [Layer("pmconv9", deep, deep), Layer("pmconv10", deep, deep)],
        "merge": _decoder("all", 2 * deep, config.merge_width or deep),
    }
