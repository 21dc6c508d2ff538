"""Stage inpaint: picture and mask in, new pixels for crops round the holes out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple

import cv2
import numpy as np

from autoremove.errors import RecipeError, ReviewNeeded
from autoremove.models import memory
from autoremove.models.families import INPAINTERS
from autoremove.models.precision import PRECISIONS
from autoremove.stages import network, residuals
from autoremove.stages.base import SHARE, SPEED_ONLY, Range, StageFields
from autoremove.stages.joining import joined, patch_box
from autoremove.stages.network import Answer, Asking, Seen
from autoremove.stages.plan import Box, Crop, part, plan
from autoremove.stages.quality import sharpness_at_most
from autoremove.stages.shrinking import BLANK, enlarged, fitted, shrink
from autoremove.stages.superresolved import with_super_resolution
from autoremove.types import Image, Mask, ObjectMask, Patch

PATCH_SIDE = 256
"""Longer side at which patches are searched for; smaller crops than this are never cut."""

FORMLESS, GUIDED = 24, 70
"""Shorter side at which patch synthesis starts: with a guide later, for its large forms are settled."""


class Scene(NamedTuple):
    """One picture, everything in it that is to be filled, and lines to follow there."""

    image: Image
    mask: Mask
    sketch: Mask | None = None


@dataclass(frozen=True)
class Inpaint(StageFields):
    """Fill the holes on crops round them.

    ``model``: a network (``families.INPAINTERS``: ``deepfillv2``, Yu et al. 2019, and its neighbours),
    ``patchmatch`` (Wexler et al. 2007 with Barnes et al. 2009), ``telea`` (2004) or ``ns`` (Navier-Stokes,
    Bertalmio et al. 2001). ``detail``: what makes a network's fill sharp at full size: ``patches`` (its
    forms, rebuilt from patches of the picture itself), ``residuals`` (the fine structure of the places its
    attention copied from, after Yi et al. 2020), ``srgan`` (enlarged by SRResNet, Ledig et al. 2017) or
    ``none``. ``soft_from``: a network's fill that is as it is so sharp beside its surroundings (1 = as sharp)
    gets no patches: what is out of focus has no texture to copy, and patches of it look like stains.
    ``side``: longer side of a crop as the network sees it, in pixels. ``context``: surroundings on each side
    of a hole, as a share of its longer side. ``max_share``: a mask that covers more of the picture is not
    filled but put up for review. ``radius``: of telea and ns, in pixels. ``crops``: at most so many at
    once. ``precision`` of the network: see :data:`~autoremove.models.precision.PRECISIONS`.

    What fits the free memory is planned before; where it runs out all the same, fewer crops go at once, then
    smaller ones, then the CPU takes over, with a warning each time.
    """

    model: str = "deepfillv2"
    weights: str = "embedded"
    detail: str = "patches"
    soft_from: float = 0.35
    side: int = 256
    context: float = 0.5
    max_share: float = 0.9
    radius: int = 4
    crops: int = field(default=4, metadata=SPEED_ONLY)
    precision: str = "auto"

    name: ClassVar[str] = "inpaint"
    version: ClassVar[int] = 5
    needs: ClassVar[tuple[str, ...]] = ("image", "mask")
    gives: ClassVar[str] = "patches"
    ranges: ClassVar[Mapping[str, Range]] = {
        "soft_from": Range(),
        "side": Range(16),
        "context": Range(),
        "max_share": SHARE,
        "radius": Range(1, 100),
        "crops": Range(1),
    }

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, words in (("model", MODELS), ("detail", DETAILS), ("precision", PRECISIONS)):
            if getattr(self, name) not in words:
                raise RecipeError(f"inpaint.{name}: {getattr(self, name)!r} is none of {', '.join(words)}.")
        family = INPAINTERS.get(self.model)
        if self.detail == "residuals" and family and not family.sources:
            raise RecipeError(
                f"inpaint.detail: {self.model} does not tell where it copied from, as residuals need.",
                hint="Set inpaint.detail to patches or none.",
            )

    @property
    def uses(self) -> tuple[str, ...]:
        """``sketch`` (H x W bool) is only ever there in memory, where no key is made."""
        return ("sketch",)

    def weights_digest(self) -> str | None:
        from autoremove.models import weights

        if self.model not in INPAINTERS:
            return None
        own = weights.digest(self.weights, INPAINTERS[self.model].kind)
        return f"{own}+{weights.digest('embedded', 'srgan')}" if self.detail == "srgan" else own

    def __call__(
        self, image: list[Image], mask: list[ObjectMask], sketch: list[Mask] | None = None
    ) -> list[list[Patch]]:
        drawn: Sequence[Mask | None] = sketch or [None] * len(image)
        rows = zip(image, mask, drawn, strict=True)
        return [self._one(Scene(pixels, objects.grown, lines)) for pixels, objects, lines in rows]

    def _one(self, scene: Scene) -> list[Patch]:
        if not scene.mask.any():
            return []
        share = np.count_nonzero(scene.mask) / scene.mask.size
        if share > self.max_share:
            raise ReviewNeeded(
                f"What is to be removed covers {share:.0%} of the picture.",
                hint=f"Look at it, and raise inpaint.max_share ({self.max_share:g}) to fill it all the same.",
            )
        crops = plan(scene.mask, context=self.context, least=PATCH_SIDE)
        return joined(crops, MODELS[self.model](self, scene, crops))


def by_network(stage: Inpaint, scene: Scene, crops: list[Crop]) -> list[Patch]:
    """The network, on crops of equal size together, and detail for what it gives."""
    shown = [_shown(scene, crop, stage.side) for crop in crops]
    if stage.detail == "residuals":
        shown = [_wider(seen) for seen in shown]
    answers = network.answers(_asking(stage, stage.detail), shown)
    if stage.detail == "srgan":
        rows = zip(crops, shown, answers, strict=True)
        return [with_super_resolution(scene, *row, stage.device) for row in rows]
    ways = [DETAILS[stage.detail]] * len(crops)
    if stage.detail == "patches":
        sharp = [_sharpness(scene, crop, answer) for crop, answer in zip(crops, answers, strict=True)]
        soft = [n for n, ratio in enumerate(sharp) if ratio >= stage.soft_from]
        again = network.answers(_asking(stage, "none"), [shown[n] for n in soft]) if soft else []
        for n, answer in zip(soft, again, strict=True):
            ways[n], answers[n] = without_detail, answer
    jobs = {id(crop): job for crop, job in zip(crops, zip(ways, shown, answers, strict=True), strict=True)}
    return _each(lambda crop: jobs[id(crop)][0](scene, crop, *jobs[id(crop)][1:]), crops)


def _asking(stage: Inpaint, detail: str) -> Asking:
    """How the network is asked where its fill is to get this detail."""
    return Asking(
        stage.weights,
        stage.device,
        stage.side,
        stage.model,
        # Where nothing else will, composite compares the network's own picture with what is known.
        raw=detail in ("none", "srgan"),
        sources=residuals.SOURCES if detail == "residuals" else 0,
        most=stage.crops,
        precision=stage.precision,
    )


def _sharpness(scene: Scene, crop: Crop, answer: Answer) -> float:
    """How sharp the network's fill is as it is, beside its surroundings; -1 where that cannot be told."""
    whole, holes = part(scene.image, crop.window).copy(), _holes(scene, crop.window)
    whole[holes] = enlarged(answer.fill, crop.window, crop.window)[holes]
    x1, y1, x2, y2 = crop.hole
    own = np.zeros_like(holes)
    own[y1 - crop.window[1] : y2 - crop.window[1], x1 - crop.window[0] : x2 - crop.window[0]] = crop.own
    ratio = sharpness_at_most(whole, own, holes & ~own)
    return -1.0 if ratio is None else ratio


def by_patchmatch(stage: Inpaint, scene: Scene, crops: list[Crop]) -> list[Patch]:
    """Patches of the picture alone, without a network."""
    return _each(lambda crop: _copied(scene, crop, _shown(scene, crop, PATCH_SIDE), None), crops)


def by_diffusion(stage: Inpaint, scene: Scene, crops: list[Crop]) -> list[Patch]:
    """OpenCV's diffusion methods, at full resolution."""
    flag = {"telea": cv2.INPAINT_TELEA, "ns": cv2.INPAINT_NS}[stage.model]
    return _each(lambda crop: _diffused(scene, crop, stage.radius, flag), crops)


def with_patches(scene: Scene, crop: Crop, seen: Seen, answer: Answer) -> Patch:
    """The network's forms, rebuilt from patches of the picture."""
    # Shrinking a large crop takes longer than it looks: what the network saw serves the patches too.
    same = max(seen.size_hw) in (PATCH_SIDE, max(_size_hw(crop.window)))
    return _copied(scene, crop, seen if same else _shown(scene, crop, PATCH_SIDE), answer.fill)


def with_residuals(scene: Scene, crop: Crop, seen: Seen, answer: Answer) -> Patch:
    """The network's forms, and fine structure from where its attention looked."""
    own, holes, box = part(scene.image, crop.window), _holes(scene, crop.window), patch_box(crop)
    return _patch(crop, box, residuals.detailed(own, holes, crop.window, box, seen, answer))


def without_detail(scene: Scene, crop: Crop, seen: Seen, answer: Answer) -> Patch:
    """The network's fill, enlarged."""
    box = patch_box(crop)
    return _patch(crop, box, enlarged(answer.fill, crop.window, box))


def _copied(scene: Scene, crop: Crop, small: Seen, guide: Image | None) -> Patch:
    """One crop made of the picture's own patches, after the forms of the guide if there is one.

    ``small``: the crop and its holes at PATCH_SIDE, where patches are searched for.
    Where the crop holds too little that is known to copy from, the guide (or diffusion) stands.
    """
    from autoremove.models import patchmatch

    if guide is not None and guide.shape[:2] != small.size_hw:
        size = (small.size_hw[1], small.size_hw[0])
        guide = np.asarray(cv2.resize(guide, size, interpolation=cv2.INTER_CUBIC), np.uint8)
    start = FORMLESS if guide is None else GUIDED
    field = patchmatch.fill(small.image, small.holes, guide=guide, start=start)
    box = patch_box(crop)
    if field is None:
        return (
            _diffused(scene, crop) if guide is None else _patch(crop, box, enlarged(guide, crop.window, box))
        )
    # Copying picks single pixels, for which both must lie in one piece.
    own = np.ascontiguousarray(part(scene.image, crop.window))
    whole = patchmatch.at_full_size(own, np.ascontiguousarray(_holes(scene, crop.window)), field)
    return _patch(crop, box, enlarged(whole, crop.window, box))


def _diffused(scene: Scene, crop: Crop, radius: int = 4, flag: int = cv2.INPAINT_TELEA) -> Patch:
    box = patch_box(crop, radius)
    own, holes = part(scene.image, box).copy(), _holes(scene, box)
    own[holes] = BLANK  # OpenCV lets a trace of what was there through where a hole meets the box's border
    pixels = cv2.inpaint(own, holes.astype(np.uint8), radius, flag)
    return _patch(crop, box, np.asarray(pixels, np.uint8))


def _shown(scene: Scene, crop: Crop, side: int) -> Seen:
    """A crop with its longer side at most ``side``.

    Every hole of the picture is blank in it: the rest of one person must not be the context from which
    another is filled.
    """
    size = fitted(crop.window, side)
    image, holes = shrink(part(scene.image, crop.window), _holes(scene, crop.window), size)
    lines = None if scene.sketch is None else network.shrunk(_inside(scene.sketch, crop.window), size)
    return Seen(image, holes, lines)


def _wider(seen: Seen) -> Seen:
    """A hole one pixel wider: what the network puts there tells composite how far its colours are off."""
    holes = cv2.dilate(seen.holes.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
    return seen._replace(image=np.where(holes[..., None], np.uint8(BLANK), seen.image), holes=holes)


def _each(work: Callable[[Crop], Patch], crops: list[Crop]) -> list[Patch]:
    """Fill the crops one by one, or several at once as far as there are threads, and memory for them."""
    largest = max((height * width for height, width in (_size_hw(crop.window) for crop in crops)), default=1)
    fitting = int(memory.SHARE * memory.free_bytes("cpu")) // memory.copying_bytes(largest, largest)
    workers = min(len(crops), cv2.getNumThreads(), fitting)
    if workers <= 1:
        return [work(crop) for crop in crops]
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(work, crops))


def _size_hw(box: Box) -> tuple[int, int]:
    return box[3] - box[1], box[2] - box[0]


def _holes(scene: Scene, box: Box) -> Mask:
    return _inside(scene.mask, box)


def _inside(mask: Mask, box: Box) -> Mask:
    return mask[box[1] : box[3], box[0] : box[2]]


def _patch(crop: Crop, box: Box, pixels: Image) -> Patch:
    """New pixels in a box round a crop's hole, opaque in the hole."""
    x1, y1, x2, y2 = crop.hole
    alpha = np.zeros(pixels.shape[:2], np.uint8)
    alpha[y1 - box[1] : y2 - box[1], x1 - box[0] : x2 - box[0]] = crop.own.astype(np.uint8) * 255
    return Patch(box, pixels, alpha)


DETAILS: dict[str, Callable[[Scene, Crop, Seen, Answer], Patch]] = {
    "patches": with_patches,
    "residuals": with_residuals,
    "srgan": with_super_resolution,
    "none": without_detail,
}

MODELS: dict[str, Callable[[Inpaint, Scene, list[Crop]], list[Patch]]] = {
    **dict.fromkeys(INPAINTERS, by_network),
    "patchmatch": by_patchmatch,
    "telea": by_diffusion,
    "ns": by_diffusion,
}
