"""DeepFillv1: the two-stage network that brought contextual attention, with plain convolutions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from autoremove.models import deepfillv2_fill, gated_lines, memory, windows
from autoremove.models.contextual_attention import align_corners_indices, attend
from autoremove.models.deepfillv2 import GatedConv
from autoremove.models.deepfillv2_table import GeneratorConfig, Layer, layer_table
from autoremove.models.padded import padded
from autoremove.models.windows import Step, Window

ARCHITECTURE = "autoremove/deepfillv1"
MULTIPLE = 8


@dataclass(frozen=True)
class DeepFillv1Config:
    """Everything in which the published DeepFillv1 generators differ; the widths are the paper's.

    ``cnum``: channels of the first layer. ``padding``: "zeros" and "reflect" are symmetric, "same" is
    TensorFlow's. ``mask_resize``: one nearest step to 1/8 ("plain"), or two that keep the corners
    ("align_corners_twice"). ``attention_gain``: scores are so many times as steep as the paper's (one port
    trained with 255). Other fields: see :func:`autoremove.models.contextual_attention.contextual_attention`.
    """

    cnum: int = 32
    padding: str = "zeros"
    halving: str = "plain"
    mask_resize: str = "plain"
    fuse: bool = True
    masked_keys: str = "zero"
    paste_divisor: str = "four"
    attention_activation: str = "relu"
    attention_gain: float = 1.0
    channel_order: str = "rgb"

    def graph(self) -> GeneratorConfig:
        """The same layers in DeepFillv2's terms, whose widths count a gate as well.

        Raises ValueError for a choice that is not known.
        """
        if self.mask_resize not in ("plain", "align_corners_twice"):
            raise ValueError(f"mask_resize={self.mask_resize!r} is neither plain nor align_corners_twice")
        return GeneratorConfig(
            cnum=2 * self.cnum,
            stage2_channels=5,
            padding=self.padding,
            halving=self.halving,
            mask_resize=self.mask_resize,
            fuse=self.fuse,
            masked_keys=self.masked_keys,
            paste_divisor=self.paste_divisor,
            attention_activation=self.attention_activation,
            channel_order=self.channel_order,
        )


class PlainConv(GatedConv):
    """A row of DeepFillv2's table without the gate: a convolution, then ELU, ReLU or nothing."""

    def __init__(self, layer: Layer, padding: str) -> None:
        super().__init__(layer, padding, gated=False)

    def forward(self, features: Tensor) -> Tensor:
        return self.activated(super().forward(features))

    def activated(self, features: Tensor) -> Tensor:
        """The layer's activation of what the convolution gave."""
        if self.activation == "elu":
            return F.elu(features)
        return F.relu(features) if self.activation == "relu" else features


class DeepFillv1(nn.Module):
    """Coarse fill, then refinement by dilated convolutions beside contextual attention.

    3,601,542 parameters at the paper's width, 1,448,227 of them in the coarse stage. Names are flat, as in
    DeepFillv2: ``conv1.weight``, ``pmconv6.bias``, ``allconv17.weight`` ...
    Yu et al., "Generative Image Inpainting with Contextual Attention" (2018).
    """

    def __init__(self, config: DeepFillv1Config | None = None) -> None:
        super().__init__()
        self.config = config or DeepFillv1Config()
        self._parts: dict[str, list[str]] = {}
        for part, layers in layer_table(self.config.graph()).items():
            self._parts[part] = [layer.name for layer in layers]
            for layer in layers:
                self.add_module(layer.name, PlainConv(layer, self.config.padding))

    def forward(self, image: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Fill the hole twice: (coarse, refined), both N x 3 x H x W, over the whole picture.

        image: N x 3 x H x W RGB in -1..1, not masked. mask: N x 1 x H x W, 1 = hole. Any size; what is no
        multiple of 8 is padded by reflection inside. The last layer is linear and the paper's code clips
        what it gives to -1..1: here that is left to the caller, as a loss has a slope beyond and a clip none.
        """
        height, width = image.shape[-2:]
        image, mask = self._inward(image, mask.to(image.dtype))
        known = image * (1 - mask)
        coarse = self._run("coarse", _planes(known, mask))
        merged = _planes(coarse.clamp(-1, 1) * mask + known, mask)
        attended = self._run("after_attention", self._attended(self._run("attention", merged), mask))
        refined = self._run("merge", torch.cat([self._run("convolution", merged), attended], 1))
        return self._ordered(coarse)[..., :height, :width], self._ordered(refined)[..., :height, :width]

    @torch.inference_mode()
    def raw(self, image: Tensor, mask: Tensor) -> Tensor:
        """The refined picture everywhere, N x 3 x H x W in -1..1. Arguments as in :meth:`forward`."""
        refined: Tensor = self(image, mask)[1]
        return refined.clamp(-1, 1)

    @torch.inference_mode()
    def fill(self, image: Tensor, mask: Tensor) -> Tensor:
        """The picture with its hole filled, N x 3 x H x W; elsewhere it is ``image`` bit for bit.

        Arguments as in :meth:`forward`. Only what the hole depends on is computed, for each sample by itself.
        """
        samples = zip(image[:, None], mask[:, None], strict=True)
        return torch.cat([self._filled(picture, hole) for picture, hole in samples])

    def peak_bytes(self, size_hw: tuple[int, int]) -> int:
        """About how many bytes filling one picture of a size takes, beside the weights."""
        return memory.generator_bytes(1, size_hw, 2 * self.config.cnum, whole=True)

    def layers(self, part: str) -> list[PlainConv]:
        """Of one row of :func:`autoremove.models.deepfillv2_table.layer_table`."""
        return [cast(PlainConv, self.get_submodule(name)) for name in self._parts[part]]

    def _filled(self, image: Tensor, mask: Tensor) -> Tensor:
        height, width = image.shape[-2:]
        picture, hole = self._inward(image.float(), mask.to(image.device, torch.float32))
        needs = deepfillv2_fill.plan(self.config.graph(), hole.cpu())
        if needs is None:
            return image.clone()
        refined = torch.zeros_like(picture)
        needs.box.of(refined).copy_(self._refined(needs, picture * (1 - hole), hole))
        refined = self._ordered(refined)[..., :height, :width].to(image.dtype)
        return torch.where(mask.to(image.device) > 0, refined, image)

    def _refined(self, needs: deepfillv2_fill.Plan, known: Tensor, mask: Tensor) -> Tensor:
        """The output in the box round the hole, from a picture without its hole; ``known`` is written to."""
        full = windows.whole((known.shape[-2], known.shape[-1]))
        coarse = self._within("coarse", _planes(known, mask), full, needs.coarse)
        needs.box.of(known).add_(coarse.clamp(-1, 1) * needs.box.of(mask))
        merged = _planes(known, mask)
        features = self._within("attention", merged, full, needs.attention)
        attended = self._attended(features, mask, needs.asking)
        attended = self._within("after_attention", attended, full.scaled(down=4), needs.after_attention)
        convolved = self._within("convolution", merged, full, needs.convolution)
        both = torch.cat([convolved, attended.to(convolved.dtype)], 1)
        return self._within("merge", both, needs.merge[0].takes, needs.merge).float().clamp(-1, 1)

    def _within(self, part: str, features: Tensor, have: Window, steps: list[Step]) -> Tensor:
        """The output of a row of layers in the box that the last step gives."""
        for layer, step in zip(self.layers(part), steps, strict=True):
            by_strips = gated_lines.suits(features)  # then the activation is done with them
            features, have = gated_lines.run(layer, features, have, step), step.gives
            features = features if by_strips else layer.activated(features)
        return features

    def _run(self, part: str, features: Tensor) -> Tensor:
        for layer in self.layers(part):
            features = layer(features)
        return features

    def _attended(self, features: Tensor, mask: Tensor, wanted: Tensor | None = None) -> Tensor:
        # Keys are normalised and queries are not: features so many times as large make scores as steep.
        gain, config = self.config.attention_gain, self.config
        attended, _ = attend(
            features * gain if gain != 1 else features,
            _eighth(mask, config.mask_resize),
            fuse=config.fuse,
            halving=config.halving,
            masked_keys=config.masked_keys,
            paste_divisor=config.paste_divisor,
            wanted=wanted,
        )
        return attended / gain if gain != 1 else attended

    def _inward(self, image: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """As the network sees them: multiples of 8 and its own channel order."""
        # Half of the height is reflected at a quarter of the size, by up to 16 pixels.
        smallest = 72 if self.config.padding == "reflect" else MULTIPLE
        return self._ordered(padded(image, MULTIPLE, smallest)), padded(mask, MULTIPLE, smallest)

    def _ordered(self, image: Tensor) -> Tensor:
        return image.flip(1) if self.config.channel_order == "bgr" else image


def _planes(picture: Tensor, mask: Tensor) -> Tensor:
    """What both stages see: the picture, ones (their border tells of the picture's) and the hole."""
    return torch.cat([picture, torch.ones_like(mask), mask], 1)


def _eighth(mask: Tensor, form: str) -> Tensor:
    """N x 1 x H x W mask -> N x 1 x H/8 x W/8."""
    if form == "plain":
        return mask[..., ::8, ::8]
    for factor in (4, 2):
        rows, columns = (align_corners_indices(n, n // factor, mask.device) for n in mask.shape[-2:])
        mask = mask.index_select(-2, rows).index_select(-1, columns)
    return mask


def build(config: dict[str, Any]) -> DeepFillv1:
    """The network of a configuration as JSON holds it, with random weights."""
    return DeepFillv1(DeepFillv1Config(**config))


def recognises(state: Mapping[str, Any]) -> bool:
    """Whether a checkpoint is one of DeepFillv1; see :mod:`autoremove.models.deepfillv1_checkpoints`."""
    # The tables of foreign names are built on this file, so they can only be asked for here.
    from autoremove.models import deepfillv1_checkpoints

    return deepfillv1_checkpoints.recognises(state)


def from_checkpoint(state: Mapping[str, Any]) -> DeepFillv1:
    """The network of a published checkpoint; see :mod:`autoremove.models.deepfillv1_checkpoints`."""
    from autoremove.models import deepfillv1_checkpoints

    return deepfillv1_checkpoints.from_checkpoint(state)
