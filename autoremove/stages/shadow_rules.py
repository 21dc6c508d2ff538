"""Shadows and mirror images by rules: ground that keeps its colour and texture and loses some light."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np

from autoremove.stages.ground import CROSS, LUMA, Ground, Plane, distance, smooth
from autoremove.types import Mask

DARKEST = float(np.log(0.2))
"""Ground keeps at least this share of its light in a shadow; what is darker is a thing of its own."""

LEAST = 0.07
"""Darkening, as a logarithm, below which nothing is called a shadow however even the ground."""

UNEVEN = 0.3
"""On ground that differs this much from place to place nothing can be told."""

CLEAR = -0.25
"""Darkening, as a logarithm, from which a shadow is clear."""

SKY = 0.6
"""The share of a bluish tint that a clear sky explains."""

PAD = 0.1
"""Next to the feet (in lengths of the object) nearly everything casts a shadow: less evidence will do."""

DEPTHS = (0.45, 0.3, 0.2)
"""How deep a mirror image is looked for, in lengths of the object."""

LEAST_MIRRORED = 60
"""Pixels of mirror image, at the ground's scale, in which it can be told from chance."""

LEAST_STRUCTURE = 0.15
"""Standard deviation of the figure's logarithms below which it has no features."""

BARE_ENOUGH = 100
"""Pixels of bare ground to compare with; fewer say nothing."""


def region(ground: Ground, strength: float, most: float, reach: float, *, reflection: bool) -> Mask:
    """What joins the object, at the ground's scale; empty where evidence is poor, or it is too much.

    The test is that of Horprasert et al. (1999) in video; here the ground around stands for the empty view:
    what is darker is connected to the line on which the object stands, and closed all round unless it is a
    clear shadow. ``most``: share of the object's area; ``reach`` in its lengths.
    """
    nothing = np.zeros_like(ground.own)
    if ground.bare.sum() < BARE_ENOUGH or ground.noise > UNEVEN:
        return nothing
    reflected = mirrored(ground) if reflection else nothing
    core = cast(ground, strength) | reflected
    if not (core & ~ground.hole).any():
        return nothing
    for tried in ever_less(ground, core, reflected, strength):
        joined = tried & ~ground.hole
        if joined.any() and joined.sum() <= most * ground.area:
            return tried & (ground.near(ground.own) <= reach)
    return nothing


def ever_less(ground: Ground, core: Mask, reflected: Mask, strength: float) -> Iterator[Mask]:
    """Rather without its soft edge than not at all, and rather what is next to the feet alone."""
    yield with_penumbra(ground, core, strength)
    yield core
    yield feet_alone(ground, strength) | reflected


def least_change(ground: Ground, strength: float) -> float:
    """The darkening that stands out from this ground."""
    return max(LEAST, 2 * ground.noise) / strength


def cast(ground: Ground, strength: float) -> Mask:
    """The shadow's core, its part below the object's own grown mask included."""
    level = least_change(ground, strength)
    likely = likely_shade(ground)
    # The nearer to the feet, the likelier a shadow: from half the darkening on.
    level_there = level * (0.5 + 0.5 * np.minimum(1, ground.feet / 0.25))
    dark = opened(likely & (ground.luma < -level_there))
    standing = (ground.feet < 0.12) & (ground.hole | ground.own)
    reached = connected(dark | standing, standing & ground.own) & dark
    core = np.zeros_like(reached)
    count, labels = cv2.connectedComponents((reached & ~ground.hole).astype(np.uint8), connectivity=4)
    for number in range(1, count):
        part = labels == number
        if is_shadow(ground, part, dark, level):
            core |= part
    core |= pad(ground, likely, level)
    return core | (reached & ground.hole) if core.any() else core


def feet_alone(ground: Ground, strength: float) -> Mask:
    """The shade next to the feet, with its soft edge."""
    shade = pad(ground, likely_shade(ground), least_change(ground, strength))
    return with_penumbra(ground, shade, strength) if shade.any() else shade


def likely_shade(ground: Ground) -> Mask:
    """Free ground whose colour stays, and which is no black thing of its own."""
    tinted = tint_of(ground.change) > 0.08 + 0.35 * np.abs(ground.luma)
    return ground.free & ~tinted & (ground.luma > DARKEST)


def tint_of(change: Plane) -> Plane:
    """How unlike the colours change (... x 3, logarithms); what a clear sky lights stays blue, so less of it
    counts where blue keeps more than green, and green than red.
    """
    red, green, blue = change[..., 0], change[..., 1], change[..., 2]
    sky = np.minimum(green - red, blue - green).clip(0)
    return np.asarray(change.max(-1) - change.min(-1) - SKY * 2 * sky, np.float32)


def is_shadow(ground: Ground, part: Mask, dark: Mask, level: float) -> bool:
    """Whether a dark part touching the feet is closed, and its rim the same ground in better light."""
    if part.sum() < 0.001 * ground.length**2 + 2:
        return False
    # A clear shadow that lies, as no post does, may go on beyond what is looked at; of another it must be
    # seen where it ends.
    lies = int(part.any(0).sum()) >= int(part.any(1).sum())
    clear = lies and float(np.median(ground.luma[part])) < CLEAR
    if (part & ground.brink).sum() > (0.3 if clear else 0.02) * ground.length:
        return False
    if np.median(np.nonzero(part)[0]) < ground.low - 0.2 * ground.length:
        return False  # beside the body, not at the feet: a wall, a hedge, somebody's coat
    off = distance(part)
    around = ground.free & ~ground.hole & ~dark & (off > 1) & (off <= max(6.0, 0.06 * ground.length))
    rim = ground.free & ~ground.hole & (off > 0) & (off <= 1.5)
    if around.sum() < 8 or rim.sum() < 4:
        return False
    blur = max(1.2, 0.03 * ground.length)
    step = (smooth(ground.log, around, blur) - smooth(ground.log, part, blur))[rim]
    brighter = step @ LUMA
    tint = np.median(tint_of(-step) - 0.35 * np.abs(brighter))
    texture = (roughness(ground, part) + 0.01) / (roughness(ground, around) + 0.01)
    return bool(
        (brighter > 0.25 * level).mean() > 0.75
        and tint < 0.08
        and 1 / 2.2 < texture < (4.5 if clear else 2.2)
    )


def roughness(ground: Ground, part: Mask) -> float:
    """Median difference of a part from itself smoothed: its texture, without its edges if it is wide."""
    away = ground.near(~part)
    inner = (part & (away > margin) for margin in (0.05, 0.025))
    side = next((mask for mask in inner if mask.sum() >= 30), part)
    fine = np.abs(ground.log - smooth(ground.log, side, 0.02 * ground.length)).mean(2)
    return float(np.median(fine[side]))


def pad(ground: Ground, likely: Mask, level: float) -> Mask:
    """Darkened ground next to the feet, where all of it is darker than the ground differs anyway."""
    band = ground.free & ~ground.hole & (ground.feet < PAD + 0.03)
    if band.sum() <= 8 or float(ground.luma[band].mean()) > -max(0.05, 1.5 * ground.noise):
        return np.zeros_like(band)
    dark = likely & (ground.feet < PAD) & (ground.luma < -max(0.03, 0.4 * level))
    return opened(dark | (ground.hole & (ground.feet < 0.15))) & ~ground.hole


def with_penumbra(ground: Ground, core: Mask, strength: float) -> Mask:
    """The core with its soft edge, or a halo stays and the fill continues the dark."""
    near = ground.near(core)
    soft = ground.free & (near < 0.06) & (ground.luma < -0.3 * least_change(ground, strength))
    return core | soft | (near < 0.015)


def mirrored(ground: Ground) -> Mask:
    """The object's mirror image below its feet, as deep as it can be made out."""
    rows = np.arange(ground.low + 1, min(ground.own.shape[0], 2 * ground.low + 2))
    source = 2 * ground.low + 1 - rows
    image, upside = np.zeros_like(ground.own), np.zeros_like(ground.log)
    image[rows], upside[rows] = ground.own[source], ground.log[source]
    seen = image & ground.free & ~ground.hole
    below = np.arange(len(image))[:, None] - ground.low
    for deep in DEPTHS:
        part = seen & (below <= deep * ground.length)
        if explains(upside[part], ground.log[part] - ground.reference[part]):
            return part | (image & ground.hole & ~ground.own & (below <= deep * ground.length))
    return np.zeros_like(ground.own)


def explains(wanted: Plane, got: Plane) -> bool:
    """Whether N x 3 differences of a floor from its surroundings look like ``wanted``, weaker.

    By the covariance over all pixels and colours. The means are taken out, so that a plain shadow does not
    pass; a figure of one colour has no structure to know it by.
    """
    if len(wanted) < LEAST_MIRRORED:
        return False
    wanted, got = wanted - wanted.mean(0), got - got.mean(0)
    power = float((wanted**2).mean())
    together = float((wanted * got).mean())
    alike = together / np.sqrt(max(power * float((got**2).mean()), 1e-9))
    return bool(power > LEAST_STRUCTURE**2 and alike > 0.6 and 0.05 < together / power < 0.95)


def connected(mask: Mask, seeds: Mask) -> Mask:
    """The parts of a mask that hold one of the seeds."""
    _, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=4)
    wanted = np.unique(labels[seeds & mask])
    return np.isin(labels, wanted[wanted > 0])


def opened(mask: Mask) -> Mask:
    """Without specks and threads of under three pixels."""
    return np.asarray(cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, CROSS) > 0)
