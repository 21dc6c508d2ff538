"""DeepFillv2: the gated-convolution generator that fills holes, in all its published spellings."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from autoremove.errors import OutputError, WeightsError
from autoremove.models.attention_sources import Sources
from autoremove.models.contextual_attention import align_corners_indices, attend
from autoremove.models.deepfillv2_table import GeneratorConfig, Layer, layer_table
from autoremove.models.gated_lines import gate
from autoremove.models.padded import padded

ARCHITECTURE = "deepfillv2"
__all__ = [
    "ARCHITECTURE",
    "GatedConv",
    "Generator",
    "GeneratorConfig",
    "Layer",
    "from_checkpoint",
    "layer_table",
    "load_generator",
    "save_generator",
]


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
        self.gate: Callable[[Tensor, Tensor, str], Tensor] = gate
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
        feature, gates = out.chunk(2, dim=1)
        return self.gate(feature, gates, self.activation)


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
        lines in 0..1, for a network of 6 input channels alone, which may go without. Any size; what is no
        multiple of 8 is padded by reflection inside. Paste with ``refined * mask + image * (1 - mask)``.
        """
        height, width = image.shape[-2:]
        image, mask, sketch = self.padded(image, mask.to(image.dtype), sketch)
        known = image * (1 - mask)
        coarse = torch.tanh(self._run("coarse", self.coarse_input(known, mask, sketch)).float())
        refined = self._refine(self.refining_input(coarse * mask + known, mask), mask)
        return (
            self.outward(coarse)[..., :height, :width],
            self.outward(torch.tanh(refined.float()))[..., :height, :width],
        )

    def raw(self, image: Tensor, mask: Tensor, sketch: Tensor | None = None) -> Tensor:
        """The refined picture everywhere, N x 3 x H x W, as :meth:`forward` gives it."""
        refined: Tensor = self(image, mask, sketch)[1]
        return refined

    def fill(self, image: Tensor, mask: Tensor, sketch: Tensor | None = None, **how: Any) -> Tensor:
        """Picture with its hole filled, N x 3 x H x W, computing only what the hole depends on.

        See :func:`autoremove.models.deepfillv2_fill.fill`, also for ``how`` (precision, compiled).
        """
        from autoremove.models import deepfillv2_fill

        return deepfillv2_fill.fill(self, image, mask, sketch, **how)

    def fill_with_sources(
        self, image: Tensor, mask: Tensor, k: int = 4, sketch: Tensor | None = None, **how: Any
    ) -> tuple[Tensor, Sources]:
        """As :meth:`fill`, and from where the attention drew each position of the 1/8 grid.

        See :func:`autoremove.models.deepfillv2_fill.fill_with_sources`.
        """
        from autoremove.models import deepfillv2_fill

        return deepfillv2_fill.fill_with_sources(self, image, mask, k, sketch, **how)

    def padded(
        self, image: Tensor, mask: Tensor, sketch: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """As the network sees them: multiples of 8, its own channel order and range."""
        if sketch is not None and self.config.in_channels != 6:
            raise ValueError(f"sketch does not fit a network of {self.config.in_channels} input channels")
        smallest = 72 if self.config.padding == "reflect" else 8
        image = self._inward(padded(image, 8, smallest))
        return image, padded(mask, 8, smallest), None if sketch is None else padded(sketch, 8, smallest)

    def coarse_input(self, known: Tensor, mask: Tensor, sketch: Tensor | None) -> Tensor:
        """Planes of the first stage from a picture without its hole."""
        masked = known + mask if self.config.input_form == "unit" else known
        planes = [masked, torch.ones_like(mask), mask] if self.config.in_channels > 4 else [masked, mask]
        if self.config.in_channels == 6:  # nothing drawn is what training shows it too
            planes.insert(1, torch.zeros_like(mask) if sketch is None else sketch * mask)
        return torch.cat(planes, 1)

    def refining_input(self, merged: Tensor, mask: Tensor) -> Tensor:
        """Planes of the second stage from a picture with the coarse fill."""
        planes = {3: [merged], 4: [merged, mask], 5: [merged, torch.ones_like(mask), mask]}
        return torch.cat(planes[self.config.stage2_channels], 1)

    def outward(self, image: Tensor) -> Tensor:
        """RGB in -1..1 from what the last layer gives after tanh."""
        if self.config.input_form == "unit":
            image = image * 2 - 1
        return image.flip(1) if self.config.channel_order == "bgr" else image

    def layers(self, part: str) -> list[GatedConv]:
        """Of one row of :func:`layer_table`."""
        return [cast(GatedConv, self.get_submodule(name)) for name in self._parts[part]]

    def attended(self, features: Tensor, mask: Tensor, **only: Any) -> tuple[Tensor, Sources | None]:
        """Contextual attention in this network's form; see :func:`attend` for the rest."""
        return attend(
            features,
            _eighth(mask, self.config.mask_resize),
            fuse=self.config.fuse,
            halving=self.config.halving,
            masked_keys=self.config.masked_keys,
            paste_divisor=self.config.paste_divisor,
            key_norm=self.config.key_norm,
            **only,
        )

    def _refine(self, picture: Tensor, mask: Tensor) -> Tensor:
        convolved = self._run("convolution", picture)
        attended, _ = self.attended(self._run("attention", picture), mask)
        attended = self._run("after_attention", attended)
        return self._run("merge", torch.cat([convolved, attended], 1))

    def _run(self, part: str, features: Tensor) -> Tensor:
        for layer in self.layers(part):
            features = layer(features)
        return features

    def _inward(self, image: Tensor) -> Tensor:
        if self.config.channel_order == "bgr":
            image = image.flip(1)
        return image / 2 + 0.5 if self.config.input_form == "unit" else image


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
        aside.chmod(0o644)  # safetensors lets only its owner read it
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
