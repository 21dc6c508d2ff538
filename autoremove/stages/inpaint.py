"""Stage inpaint: picture and mask in, new pixels for crops round the holes out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

import cv2
import numpy as np

from autoremove.errors import RecipeError, ReviewNeeded
from autoremove.stages.base import SPEED_ONLY, StageFields
from autoremove.stages.plan import Crop, grown_box, net_size, part, plan, shrink
from autoremove.types import Image, Mask, ObjectMask, Patch

PATCH_SIDE = 256
"""Longer side at which patches are searched for; smaller crops than this are never cut."""

FORMLESS, GUIDED = 24, 70
"""Shorter side at which patch synthesis starts: with a guide later, for its large forms are settled."""


@dataclass(frozen=True)
class Inpaint(StageFields):
    """Fill the holes on crops round them.

    ``model``: ``deepfillv2`` (Yu et al. 2019), ``patchmatch`` (Wexler et al. 2007 with Barnes et al. 2009),
    ``telea`` (2004) or ``ns`` (Navier-Stokes, Bertalmio et al. 2001). ``detail``: what makes a network's fill
    sharp at full size: ``patches`` (its forms, rebuilt from patches of the picture itself) or ``none``.
    ``side``: longer side of a crop as the network sees it, in pixels. ``context``: surroundings on each side
    of a hole, as a share of its longer side. ``max_share``: a mask that covers more of the picture is not
    filled but put up for review. ``radius``: of telea and ns, in pixels. ``crops``: at most so many at
    once.
    """

    model: str = "deepfillv2"
    weights: str = "embedded"
    detail: str = "patches"
    side: int = 256
    context: float = 0.5
    max_share: float = 0.9
    radius: int = 4
    crops: int = field(default=4, metadata=SPEED_ONLY)

    name: ClassVar[str] = "inpaint"
    version: ClassVar[int] = 1
    needs: ClassVar[tuple[str, ...]] = ("image", "mask")
    gives: ClassVar[str] = "patches"

    def __post_init__(self) -> None:
        if self.model not in MODELS:
            raise RecipeError(f"inpaint.model: {self.model!r} is none of {', '.join(MODELS)}.")
        if self.detail not in DETAILS:
            raise RecipeError(f"inpaint.detail: {self.detail!r} is none of {', '.join(DETAILS)}.")
        if self.crops < 1 or self.side < 16:
            raise RecipeError("inpaint: crops must be at least 1 and side at least 16 pixels.")

    def weights_digest(self) -> str | None:
        from autoremove.models import weights

        return weights.digest(self.weights, "inpainter") if self.model == "deepfillv2" else None

    def __call__(self, image: list[Image], mask: list[ObjectMask]) -> list[list[Patch]]:
        return [self._one(pixels, objects.grown) for pixels, objects in zip(image, mask, strict=True)]

    def _one(self, image: Image, mask: Mask) -> list[Patch]:
        if not mask.any():
            return []
        share = float(mask.mean())
        if share > self.max_share:
            raise ReviewNeeded(
                f"What is to be removed covers {share:.0%} of the picture.",
                hint=f"Look at it, and raise inpaint.max_share ({self.max_share:g}) to fill it all the same.",
            )
        # Every hole is blanked before any crop is taken: the rest of one person must not be the
        # context from which another is filled.
        blank = image.copy()
        blank[mask] = 127
        crops = plan(mask, context=self.context, least=PATCH_SIDE)
        return [
            patch
            for start in range(0, len(crops), self.crops)
            for patch in MODELS[self.model](self, blank, mask, crops[start : start + self.crops])
        ]


def by_deepfillv2(stage: Inpaint, blank: Image, mask: Mask, crops: list[Crop]) -> list[Patch]:
    """The network, on crops of equal size together."""
    from autoremove.models import cache

    net = cache.load("inpainter", stage.weights, stage.device)
    inputs = [_shrunk(blank, mask, crop, stage.side) for crop in crops]
    filled: dict[int, Image] = {}
    for shape in {image.shape for image, _ in inputs}:
        rows = [i for i, (image, _) in enumerate(inputs) if image.shape == shape]
        outputs = predict(net, [inputs[i] for i in rows], stage.device)
        filled.update(zip(rows, outputs, strict=True))
    if stage.detail == "patches":
        # Shrinking a large crop takes longer than it looks: what the network saw serves the patches too.
        same = inputs if stage.side == PATCH_SIDE else [_shrunk(blank, mask, c, PATCH_SIDE) for c in crops]
        return [by_patches(blank, mask, crop, same[i], filled[i]) for i, crop in enumerate(crops)]
    return [patch_of(crop, enlarged(filled[i], crop)) for i, crop in enumerate(crops)]


def by_patchmatch(stage: Inpaint, blank: Image, mask: Mask, crops: list[Crop]) -> list[Patch]:
    """Patches of the picture alone, without a network."""
    return [by_patches(blank, mask, crop, _shrunk(blank, mask, crop, PATCH_SIDE), None) for crop in crops]


def by_patches(
    blank: Image, mask: Mask, crop: Crop, shrunk: tuple[Image, Mask], guide: Image | None
) -> Patch:
    """One crop made of the picture's own patches, after the forms of the guide if there is one.

    ``shrunk``: the crop and its holes at PATCH_SIDE, where patches are searched for.
    Where the crop holds too little that is known to copy from, the guide (or diffusion) stands.
    """
    from autoremove.models import patchmatch

    small, small_holes = shrunk
    if guide is not None:
        size = (small.shape[1], small.shape[0])
        guide = np.asarray(cv2.resize(guide, size, interpolation=cv2.INTER_CUBIC), np.uint8)
    start = FORMLESS if guide is None else GUIDED
    field = patchmatch.fill(small, small_holes, guide=guide, start=start)
    own, holes = part(blank, crop.window), _part(mask, crop)
    if field is None:
        return patch_of(crop, enlarged(guide, crop) if guide is not None else _diffused(own, holes, 4))
    return patch_of(crop, patchmatch.at_full_size(own, holes, field))


def _shrunk(blank: Image, mask: Mask, crop: Crop, side: int) -> tuple[Image, Mask]:
    """A crop with its longer side at most ``side``."""
    return shrink(part(blank, crop.window), _part(mask, crop), net_size(crop.window, side))


def predict(net: Any, inputs: list[tuple[Image, Mask]], device: str) -> list[Image]:
    """Raw fills of equally large crops; halves the batch when the GPU's memory is full."""
    import torch

    images = torch.from_numpy(np.stack([image for image, _ in inputs])).permute(0, 3, 1, 2)
    masks = torch.from_numpy(np.stack([mask for _, mask in inputs]))[:, None]
    try:
        with torch.inference_mode():
            _, refined = net(images.to(device).float() / 127.5 - 1, masks.to(device).float())
    except torch.cuda.OutOfMemoryError:
        if len(inputs) == 1:
            raise
        half = len(inputs) // 2
        return predict(net, inputs[:half], device) + predict(net, inputs[half:], device)
    pixels = ((refined.float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
    return list(pixels.permute(0, 2, 3, 1).cpu().numpy())


def enlarged(fill: Image, crop: Crop) -> Image:
    """A network's output at the resolution of the crop's window."""
    size = (crop.window[2] - crop.window[0], crop.window[3] - crop.window[1])
    if fill.shape[1::-1] == size:
        return fill
    return np.asarray(cv2.resize(fill, size, interpolation=cv2.INTER_CUBIC), np.uint8)


def by_diffusion(stage: Inpaint, blank: Image, mask: Mask, crops: list[Crop]) -> list[Patch]:
    """OpenCV's diffusion methods, at full resolution."""
    flag = {"telea": cv2.INPAINT_TELEA, "ns": cv2.INPAINT_NS}[stage.model]
    pairs = ((crop, part(blank, crop.window), _part(mask, crop)) for crop in crops)
    return [patch_of(crop, _diffused(own, holes, stage.radius, flag)) for crop, own, holes in pairs]


def _diffused(own: Image, holes: Mask, radius: int, flag: int = cv2.INPAINT_TELEA) -> Image:
    pixels = cv2.inpaint(np.ascontiguousarray(own), holes.astype(np.uint8), radius, flag)
    return np.asarray(pixels, np.uint8)


def _part(mask: Mask, crop: Crop) -> Mask:
    x1, y1, x2, y2 = crop.window
    return mask[y1:y2, x1:x2]


def patch_of(crop: Crop, pixels: Image) -> Patch:
    """The hole with a margin, in which composite compares the fill with the picture."""
    x1, y1, x2, y2 = crop.hole
    margin = 16 + max(x2 - x1, y2 - y1) // 16
    box = grown_box(crop.hole, margin, crop.window)
    left, top = crop.window[:2]
    inner = pixels[box[1] - top : box[3] - top, box[0] - left : box[2] - left]
    alpha = np.zeros(inner.shape[:2], np.uint8)
    alpha[y1 - box[1] : y2 - box[1], x1 - box[0] : x2 - box[0]] = crop.own.astype(np.uint8) * 255
    return Patch(box, np.ascontiguousarray(inner), alpha)


DETAILS = ("patches", "none")

MODELS: dict[str, Callable[[Inpaint, Image, Mask, list[Crop]], list[Patch]]] = {
    "deepfillv2": by_deepfillv2,
    "patchmatch": by_patchmatch,
    "telea": by_diffusion,
    "ns": by_diffusion,
}
