"""The networks that `inpaint.model` and `train` know by name, and where each lives."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any


@dataclass(frozen=True)
class Family:
    """One kind of network.

    ``module``: where it is defined, with ``ARCHITECTURE``, ``build(config)``, ``recognises(state)`` and
    ``from_checkpoint(state)``. ``kind``: what its weights are called in the table of weights. ``lines``: it
    can be told which edges to put into the hole. ``sources``: it tells which places it copied from.
    """

    module: str
    paper: str
    kind: str
    lines: bool = False
    sources: bool = False

    def load(self) -> Any:
        """The module."""
        return import_module(self.module)


INPAINTERS: dict[str, Family] = {
    "deepfillv2": Family(
        "autoremove.models.deepfillv2",
        "Yu et al., Free-Form Image Inpainting with Gated Convolution (2019)",
        "inpainter",
        lines=True,
        sources=True,
    ),
    "edgeconnect": Family(
        "autoremove.models.edgeconnect",
        "Nazeri et al., EdgeConnect: Generative Image Inpainting with Adversarial Edge Learning (2019)",
        "edgeconnect",
        lines=True,
    ),
    "partialconv": Family(
        "autoremove.models.partialconv",
        "Liu et al., Image Inpainting for Irregular Holes Using Partial Convolutions (2018)",
        "partialconv",
    ),
    "gain": Family(
        "autoremove.models.gain",
        "Gradient-Aware Image Inpainting (ACM MM 2019, doi 10.1145/3343031.3350912)",
        "gain",
    ),
    "deepfillv1": Family(
        "autoremove.models.deepfillv1",
        "Yu et al., Generative Image Inpainting with Contextual Attention (2018)",
        "deepfillv1",
    ),
    "glcic": Family(
        "autoremove.models.glcic",
        "Iizuka et al., Globally and Locally Consistent Image Completion (2017)",
        "glcic",
    ),
}

UPSCALERS: dict[str, Family] = {
    "srgan": Family(
        "autoremove.models.srgan",
        "Ledig et al., Photo-Realistic Single Image Super-Resolution Using a GAN (2017)",
        "srgan",
    ),
}

NETWORKS: dict[str, Family] = {**INPAINTERS, **UPSCALERS}
"""All of them."""

NEIGHBOURS = tuple(name for name in NETWORKS if name != "deepfillv2")
"""Those beside DeepFillv2; their weights go by their own names."""
