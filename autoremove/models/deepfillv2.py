"""DeepFillv2: the gated-convolution generator that fills holes, in all its published spellings."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from autoremove.errors import OutputError, WeightsError
from autoremove.models.contextual_attention import align_corners_indices, contextual_attention

ARCHITECTURE = "deepfillv2"
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


class GatedConv(nn.Conv2d):
    """A convolution whose second half of channels gates the first: act(a) * sigmoid(b).

    N x in x H x W -> N x out x H' x W'. Yu et al., "Free-Form Image Inpainting with Gated Convolution".
    """

    def __init__(self, layer: Layer, padding: str, gated: bool = True) -> None:
        reach = layer.dilation * (layer.kernel - 1) // 2
        # TensorFlow pads an even size after, not before, when the stride is two.
        self.pad_after = layer.stride == 2 and padding == "same"
        super().__init__(
            layer.inputs,
            layer.outputs * (2 if gated else 1),
            layer.kernel,
            stride=layer.stride,
            padding=0 if self.pad_after else reach,
            dilation=layer.dilation,
            padding_mode="reflect" if padding == "reflect" else "zeros",
        )
        self.gated = gated
        self.upsample = layer.upsample
        self.activation = layer.activation
        self._start()

    @torch.no_grad()
    def _start(self) -> None:
        """Random weights that keep the spread of what passes: a gate halves it, ELU takes its part."""
        spread = self.weight[0].numel() ** -0.5
        nn.init.normal_(self.weight, std=spread)
        if self.bias is not None:
            nn.init.zeros_(self.bias)
        if self.gated:
            self.weight[: self.out_channels // 2] *= 2.5

    def forward(self, features: Tensor) -> Tensor:
        if self.upsample:
            features = F.interpolate(features, scale_factor=2, mode="nearest")
        if self.pad_after:
            features = F.pad(features, (0, 1, 0, 1))
        out = super().forward(features)
        if not self.gated:
            return out
        feature, gate = out.chunk(2, dim=1)
        if self.activation == "elu":
            feature = F.elu(feature)
        elif self.activation == "relu":
            feature = F.relu(feature)
        return feature * torch.sigmoid(gate)


class Generator(nn.Module):
    """Coarse fill, then refinement by dilated convolutions beside contextual attention.

    Parameter names are flat: ``conv1.weight``, ``pmconv6.bias``, ``allconv17.weight`` ...
    """

    def __init__(self, config: GeneratorConfig | None = None) -> None:
        super().__init__()
        self.config = config or GeneratorConfig()
        self._parts: dict[str, list[str]] = {}
        for part, layers in layer_table(self.config).items():
            self._parts[part] = [layer.name for layer in layers]
            for layer in layers:
                gated = self.config.rgb_gate or not layer.name.endswith("conv17")
                self.add_module(layer.name, GatedConv(layer, self.config.padding, gated))

    def forward(self, image: Tensor, mask: Tensor, sketch: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Fill the hole twice: (coarse, refined), both N x 3 x H x W, raw outputs over the whole picture.

        image: N x 3 x H x W RGB in -1..1, not masked. mask: N x 1 x H x W, 1 = hole. sketch: N x 1 x H x W
        lines in 0..1, only for a network of 6 input channels. Any size; what is no multiple of 8 is padded
        by reflection inside. Paste with ``refined * mask + image * (1 - mask)``.
        """
        mask = mask.to(image.dtype)
        if (sketch is not None) != (self.config.in_channels == 6):
            raise ValueError(f"sketch does not fit a network of {self.config.in_channels} input channels")
        height, width = image.shape[-2:]
        smallest = 72 if self.config.padding == "reflect" else 8
        image, mask = _padded(image, smallest), _padded(mask, smallest)
        sketch = None if sketch is None else _padded(sketch, smallest)
        coarse, refined = self._fill(self._inward(image), mask, sketch)
        return (
            self._outward(coarse)[..., :height, :width],
            self._outward(refined)[..., :height, :width],
        )

    def _fill(self, image: Tensor, mask: Tensor, sketch: Tensor | None) -> tuple[Tensor, Tensor]:
        known = image * (1 - mask)
        ones = torch.ones_like(mask)
        masked = known + mask if self.config.input_form == "unit" else known
        planes = [masked, ones, mask] if self.config.in_channels > 4 else [masked, mask]
        if sketch is not None:
            planes.insert(1, sketch * mask)
        coarse = torch.tanh(self._run("coarse", torch.cat(planes, 1)).float())
        merged = coarse * mask + known
        second = {3: [merged], 4: [merged, mask], 5: [merged, ones, mask]}[self.config.stage2_channels]
        refined = self._refine(torch.cat(second, 1), mask)
        return coarse, torch.tanh(refined.float())

    def _refine(self, picture: Tensor, mask: Tensor) -> Tensor:
        convolved = self._run("convolution", picture)
        attended = contextual_attention(
            self._run("attention", picture),
            _eighth(mask, self.config.mask_resize),
            fuse=self.config.fuse,
            halving=self.config.halving,
            masked_keys=self.config.masked_keys,
            paste_divisor=self.config.paste_divisor,
            key_norm=self.config.key_norm,
        )
        attended = self._run("after_attention", attended)
        return self._run("merge", torch.cat([convolved, attended], 1))

    def _run(self, part: str, features: Tensor) -> Tensor:
        for name in self._parts[part]:
            features = self.get_submodule(name)(features)
        return features

    def _inward(self, image: Tensor) -> Tensor:
        if self.config.channel_order == "bgr":
            image = image.flip(1)
        return image / 2 + 0.5 if self.config.input_form == "unit" else image

    def _outward(self, image: Tensor) -> Tensor:
        if self.config.input_form == "unit":
            image = image * 2 - 1
        return image.flip(1) if self.config.channel_order == "bgr" else image


def _padded(planes: Tensor, smallest: int) -> Tensor:
    """Grow right and bottom to a multiple of 8, at least ``smallest``, by reflection where it reaches."""
    height, width = planes.shape[-2:]
    down, right = (max(smallest, -(-n // 8) * 8) - n for n in (height, width))
    if not down and not right:
        return planes
    mode = "reflect" if down < height and right < width else "replicate"
    return F.pad(planes, (0, right, 0, down), mode=mode)


def _eighth(mask: Tensor, form: str) -> Tensor:
    """N x 1 x H x W mask -> N x 1 x H/8 x W/8."""
    if form == "plain":
        return mask[..., ::8, ::8]
    if form == "any":
        return F.max_pool2d(mask, 8)
    for factor in (4, 2) if form == "align_corners_twice" else (8,):
        rows, columns = (align_corners_indices(n, n // factor, mask.device) for n in mask.shape[-2:])
        mask = mask.index_select(-2, rows).index_select(-1, columns)
    return mask


def from_checkpoint(state_dict: Mapping[str, Any], *, fuse: bool | None = None) -> Generator:
    """Generator from a published checkpoint; see :mod:`autoremove.models.deepfillv2_checkpoints`."""
    # The tables of foreign names are built on this file, so they can only be asked for here.
    from autoremove.models import deepfillv2_checkpoints

    return deepfillv2_checkpoints.from_checkpoint(state_dict, fuse=fuse)


def save_generator(
    generator: Generator, path: str | Path, extra_metadata: Mapping[str, str] | None = None
) -> None:
    """Write weights in half precision and the configuration to a safetensors file, whole or not at all.

    Raises OutputError if the file cannot be written.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    path = Path(path)
    tensors = {k: v.detach().half().cpu().contiguous() for k, v in generator.state_dict().items()}
    config = json.dumps(asdict(generator.config))
    metadata = {**(extra_metadata or {}), "architecture": ARCHITECTURE, "config": config}
    aside = path.with_name(f".{path.name}.part")
    try:
        save_file(tensors, aside, metadata)
        aside.replace(path)
    except (OSError, SafetensorError) as error:
        aside.unlink(missing_ok=True)
        raise OutputError(f"The weights cannot be written to {path}: {error}.") from error


def load_generator(path: str | Path) -> Generator:
    """Read what :func:`save_generator` wrote: float32 weights on the CPU, in evaluation mode.

    Raises WeightsError for a file that is missing, damaged or of another network.
    """
    from safetensors import SafetensorError, safe_open

    if not Path(path).is_file():
        raise WeightsError(f"There is no weights file {path}.")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118
        found = metadata.get("architecture", "no named network")
        if found != ARCHITECTURE:
            raise WeightsError(f"{path} holds {found}, not {ARCHITECTURE}.")
        generator = Generator(GeneratorConfig(**json.loads(metadata["config"])))
        generator.load_state_dict(tensors)
    except (OSError, SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:300]
        raise WeightsError(f"{path} is not a whole file of DeepFillv2 weights: {reason}") from error
    return generator.eval()
