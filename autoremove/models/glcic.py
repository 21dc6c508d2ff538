"""Global&Local (GLCIC): the completion network of 2017, with batch normalisation and dilated layers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from autoremove.models.padded import padded

ARCHITECTURE = "autoremove/glcic"
MULTIPLE = 4

CHOICES = {
    "normalised": ("before", "after"),
    "input_form": ("centred", "unit", "signed"),
    "output": ("sigmoid", "clip"),
    "channel_order": ("rgb", "bgr"),
}


@dataclass(frozen=True)
class GLCICConfig:
    """Everything in which the published completion networks differ; the defaults are the paper's.

    ``base``: channels of the first layer. ``mean``: the colour, RGB in 0..1, that is put into holes; the
    default is that of Places2 in the authors' own file. ``input_form``: pictures in 0..1 less the mean
    ("centred"), in 0..1 ("unit") or in -1..1 ("signed"). ``output``: "sigmoid" gives 0..1, "clip" a linear
    layer in -1..1. ``normalised``: batch normalisation "before" or "after" ReLU. ``redraws``: the network was
    trained to redraw what is known too; the paper's loss looks at the hole alone.
    """

    base: int = 64
    normalised: str = "before"
    input_form: str = "centred"
    output: str = "sigmoid"
    mean: tuple[float, float, float] = (0.4560, 0.4472, 0.4155)
    channel_order: str = "rgb"
    redraws: bool = False

    def __post_init__(self) -> None:
        for name, allowed in CHOICES.items():
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name}={getattr(self, name)!r} is not one of {allowed}")
        if self.base < 2 or self.base % 2:
            raise ValueError(f"base={self.base} is not a positive even number")
        if len(self.mean) != 3:
            raise ValueError(f"mean={self.mean!r} is not three numbers")


class Row(NamedTuple):
    """One layer: ``kind`` "same", "half" (stride 2) or "double" (transposed, 4 x 4)."""

    outputs: int
    kind: str = "same"
    kernel: int = 3
    dilation: int = 1


def rows(base: int) -> list[Row]:
    """All 17 layers of the network; the last gives the picture."""
    full, half, deep = base, 2 * base, 4 * base
    return [
        Row(full, kernel=5),
        Row(half, "half"),
        Row(half),
        Row(deep, "half"),
        Row(deep),
        Row(deep),
        *(Row(deep, dilation=dilation) for dilation in (2, 4, 8, 16)),
        Row(deep),
        Row(deep),
        Row(half, "double"),
        Row(half),
        Row(full, "double"),
        Row(base // 2),
        Row(3),
    ]


class Layer(nn.Module):
    """A convolution with batch normalisation and ReLU, in either order; the last layer has neither."""

    def __init__(self, inputs: int, row: Row, normalised: str) -> None:
        super().__init__()
        self.conv: nn.Conv2d | nn.ConvTranspose2d
        if row.kind == "double":
            self.conv = nn.ConvTranspose2d(inputs, row.outputs, 4, stride=2, padding=1)
        else:
            reach = row.dilation * (row.kernel - 1) // 2
            stride = 2 if row.kind == "half" else 1
            self.conv = nn.Conv2d(inputs, row.outputs, row.kernel, stride, reach, row.dilation)
        self.normalised = normalised
        self.norm = nn.BatchNorm2d(row.outputs) if normalised else None
        nn.init.kaiming_normal_(self.conv.weight, nonlinearity="relu" if normalised else "linear")
        assert self.conv.bias is not None
        nn.init.zeros_(self.conv.bias)

    def forward(self, features: Tensor) -> Tensor:
        features = self.conv(features)
        if self.norm is None:
            return features
        if self.normalised == "after":
            features = self.norm(F.relu(features))
            return features
        return F.relu(self.norm(features))


class CompletionNetwork(nn.Module):
    """17 layers, four of them dilated at a quarter of the size (6,072,131 parameters at the paper's width).

    Iizuka et al., "Globally and Locally Consistent Image Completion" (2017). Names are ``layers.N.conv`` and
    ``layers.N.norm``, N = 0..16.
    """

    def __init__(self, config: GLCICConfig | None = None) -> None:
        super().__init__()
        self.config = config or GLCICConfig()
        self.layers = nn.ModuleList()
        table, inputs = rows(self.config.base), 4
        for row in table:
            self.layers.append(Layer(inputs, row, self.config.normalised if row is not table[-1] else ""))
            inputs = row.outputs

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        """The whole picture as the network draws it, N x 3 x H x W RGB in -1..1.

        image: N x 3 x H x W RGB in -1..1, not masked. mask: N x 1 x H x W, 1 = hole. Any size; what is no
        multiple of 4 is padded by reflection inside. With ``output`` "clip" it may reach beyond -1..1: a loss
        has a slope there, and a clip none.
        """
        height, width = image.shape[-2:]
        mask = padded(mask.to(image.dtype), MULTIPLE)
        features = torch.cat([self._given(padded(image, MULTIPLE), mask), mask], 1)
        for layer in self.layers:
            features = layer(features)
        features = features[..., :height, :width].float()
        picture = features.sigmoid() * 2 - 1 if self.config.output == "sigmoid" else features
        return self._ordered(picture)

    @torch.inference_mode()
    def raw(self, image: Tensor, mask: Tensor) -> Tensor:
        """The network's own picture, N x 3 x H x W in -1..1. Arguments as in :meth:`forward`.

        One that never learnt to redraw what is known (``redraws``) gives it back as it is.
        """
        return self(image, mask).clamp(-1, 1) if self.config.redraws else self.fill(image, mask)

    @torch.inference_mode()
    def fill(self, image: Tensor, mask: Tensor) -> Tensor:
        """The picture with its hole filled; elsewhere it is ``image`` bit for bit.

        Arguments as in :meth:`forward`.
        """
        mask = mask.to(image.device)
        drawn: Tensor = self(image.float(), mask).clamp(-1, 1)
        return torch.where(mask > 0, drawn.to(image.dtype), image)

    def peak_bytes(self, size_hw: tuple[int, int]) -> int:
        """About how many bytes filling one picture of a size takes, beside the weights."""
        return 30 * self.config.base * size_hw[0] * size_hw[1]

    def _given(self, image: Tensor, mask: Tensor) -> Tensor:
        """The picture with the mean colour in its hole, in the network's own range and channel order."""
        mean = image.new_tensor(self.config.mean)[:, None, None]
        picture = (image / 2 + 0.5) * (1 - mask) + mean * mask
        if self.config.input_form == "centred":
            picture = picture - mean
        elif self.config.input_form == "signed":
            picture = picture * 2 - 1
        return self._ordered(picture)

    def _ordered(self, image: Tensor) -> Tensor:
        return image.flip(1) if self.config.channel_order == "bgr" else image


def build(config: dict[str, Any]) -> CompletionNetwork:
    """The network of a configuration as JSON holds it, with random weights."""
    if "mean" in config:
        config = {**config, "mean": tuple(config["mean"])}
    return CompletionNetwork(GLCICConfig(**config))


def recognises(state: Mapping[str, Any]) -> bool:
    """Whether a checkpoint is one of Global&Local; see :mod:`autoremove.models.glcic_checkpoints`."""
    # The tables of foreign names are built on this file, so they can only be asked for here.
    from autoremove.models import glcic_checkpoints

    return glcic_checkpoints.recognises(state)


def from_checkpoint(state: Mapping[str, Any]) -> CompletionNetwork:
    """The network of a published checkpoint; see :mod:`autoremove.models.glcic_checkpoints`."""
    from autoremove.models import glcic_checkpoints

    return glcic_checkpoints.from_checkpoint(state)
