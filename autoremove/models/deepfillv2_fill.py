"""Filling with DeepFillv2 without gradients: computes only what the pixels of the hole depend on."""

from __future__ import annotations

from contextlib import nullcontext
from typing import NamedTuple

import torch
from torch import Tensor

from autoremove.models import deepfillv2, gated_lines, windows
from autoremove.models.attention_sources import Sources, no_sources, uploaded
from autoremove.models.deepfillv2 import Generator, GeneratorConfig
from autoremove.models.precision import has_bfloat16
from autoremove.models.windows import Step, Window


class _How(NamedTuple):
    """``k`` sources to tell of (0: none), and what :func:`fill` says of the others."""

    k: int
    precision: str
    compiled: bool


class Plan(NamedTuple):
    """What the hole needs of each part of the network, in numbers that the host knows beforehand."""

    box: Window
    coarse: list[Step]
    convolution: list[Step]
    attention: list[Step]
    after_attention: list[Step]
    merge: list[Step]
    asking: Tensor


def plan(config: GeneratorConfig, mask: Tensor) -> Plan | None:
    """For an N x 1 x H x W mask on the CPU with H and W multiples of 8; None where nothing is hole.

    The boxes are those of all samples together; which positions ask the attention is settled for each.
    """
    box = windows.hole_box(mask)
    if box is None:
        return None
    height, width = mask.shape[-2:]
    full, quarter = (height, width), (height // 4, width // 4)
    table, same = deepfillv2.layer_table(config), config.padding == "same"
    merge = windows.steps(table["merge"], box, full, same)
    after = windows.steps(table["after_attention"], merge[0].takes, quarter, same)
    return Plan(
        box,
        windows.steps(table["coarse"], box, full, same),
        windows.steps(table["convolution"], merge[0].takes, quarter, same),
        # Every known position may be the source of any patch.
        windows.steps(table["attention"], windows.whole(quarter), quarter, same),
        after,
        merge,
        windows.asking(mask, [*table["after_attention"], *table["merge"]]),
    )


def lower_precision(device: torch.device) -> torch.dtype | None:
    """bfloat16 where the hardware of a device multiplies in it, or None."""
    return torch.bfloat16 if has_bfloat16(str(device)) else None


def fill(
    generator: Generator,
    image: Tensor,
    mask: Tensor,
    sketch: Tensor | None = None,
    *,
    precision: str = "full",
    compiled: bool = False,
) -> Tensor:
    """Picture with the hole filled, N x 3 x H x W; outside the mask it is ``image`` itself.

    image: N x 3 x H x W RGB in -1..1, on the device of the generator. mask: N x 1 x H x W, 1 = hole; best on
    the CPU, also for a generator on a GPU: what is computed is settled by looking at it, and a mask that has
    to be fetched first makes the host wait. Apart from that nothing waits for the device. sketch: as in
    :meth:`Generator.forward`. ``precision``: "full", or "lower" for bfloat16 where
    :func:`lower_precision` finds that the hardware has it. ``compiled``: let torch.compile make the gates of
    a network that is not on a CPU (slow once, faster afterwards).

    Inside the mask the result is that of ``generator(image, mask)[1]`` but for rounding (1e-4 in float32).
    """
    return _fill(generator, image, mask, sketch, _How(0, precision, compiled))[0]


def fill_with_sources(
    generator: Generator,
    image: Tensor,
    mask: Tensor,
    k: int = 4,
    sketch: Tensor | None = None,
    *,
    precision: str = "full",
    compiled: bool = False,
) -> tuple[Tensor, Sources]:
    """As :func:`fill`, and the ``k`` best sources of every 1/8 position the hole needs.

    The grid is that of the picture padded to a multiple of 8 (``Sources.size_hw``, at least
    ceil(H/8) x ceil(W/8)); positions with ``present`` are those that the fill depends on: all that touch the
    hole and about four round it.
    """
    if k < 1:
        raise ValueError(f"k={k} is not at least 1")
    filled, sources = _fill(generator, image, mask, sketch, _How(k, precision, compiled))
    assert sources is not None  # k was given
    return filled, sources


@torch.inference_mode()
def _fill(
    generator: Generator, image: Tensor, mask: Tensor, sketch: Tensor | None, how: _How
) -> tuple[Tensor, Sources | None]:
    if how.precision not in ("full", "lower"):
        raise ValueError(f"precision={how.precision!r} is neither 'full' nor 'lower'")
    if gated_lines.suits(image) and len(image) > 1:
        # A CPU gains nothing from a batch, but every sample has its own boxes.
        one = [slice(i, i + 1) for i in range(len(image))]
        drawn = [None if sketch is None else sketch[i] for i in one]
        done = [_fill(generator, image[i], mask[i], s, how) for i, s in zip(one, drawn, strict=True)]
        return torch.cat([filled for filled, _ in done]), _together([sources for _, sources in done])
    size_hw = (image.shape[-2], image.shape[-1])
    padded, hole, sketch = generator.padded(image.float(), mask.to("cpu", torch.float32), sketch)
    needs = plan(generator.config, hole)
    if needs is None:
        eighth = (hole.shape[-2] // 8, hole.shape[-1] // 8)
        return image.clone(), no_sources(len(image), how.k, eighth, image.device) if how.k else None
    hole = uploaded(hole, image.device)
    low = lower_precision(image.device) if how.precision == "lower" else None
    # Without a wish of its own it keeps to what the caller set.
    with nullcontext() if low is None else torch.autocast(image.device.type, low):
        refined, sources = _refined(generator, needs, padded, hole, sketch, how)
    return _composed(image, hole[..., : size_hw[0], : size_hw[1]], refined, needs.box), sources


def _refined(
    generator: Generator, needs: Plan, image: Tensor, mask: Tensor, sketch: Tensor | None, how: _How
) -> tuple[Tensor, Sources | None]:
    """The network's output in the box round the hole, N x 3 x ..., RGB in -1..1."""
    known = image * (1 - mask)
    full = windows.whole((image.shape[-2], image.shape[-1]))

    def through(part: str, planes: Tensor, have: Window) -> Tensor:
        return _through(generator, part, planes, have, getattr(needs, part), how.compiled)

    coarse = through("coarse", generator.coarse_input(known, mask, sketch), full)
    needs.box.of(known).add_(torch.tanh(coarse.float()) * needs.box.of(mask))
    picture = generator.refining_input(known, mask)
    features = through("attention", picture, full)
    attended, sources = generator.attended(features, mask, wanted=needs.asking, k=how.k)
    attended = through("after_attention", attended, full.scaled(down=4))
    convolved = through("convolution", picture, full)
    both = torch.cat([convolved, attended.to(convolved.dtype)], 1)
    refined = through("merge", both, needs.merge[0].takes)
    return generator.outward(torch.tanh(refined.float())), sources


def _through(
    generator: Generator, part: str, features: Tensor, have: Window, steps: list[Step], compiled: bool
) -> Tensor:
    """The output of a row of layers in the box that the last step gives."""
    if gated_lines.suits(features):
        features = features.contiguous(memory_format=torch.channels_last)
    for layer, step in zip(generator.layers(part), steps, strict=True):
        features, have = gated_lines.run(layer, features, have, step, compiled), step.gives
    return features


def _composed(image: Tensor, hole: Tensor, refined: Tensor, box: Window) -> Tensor:
    """The picture with the hole pasted in; ``box`` may reach past its edge, where it was padded."""
    height, width = image.shape[-2:]
    box = Window(min(box.top, height), min(box.bottom, height), min(box.left, width), min(box.right, width))
    result = image.clone()
    part = box.of(result)
    inside = refined[..., : box.bottom - box.top, : box.right - box.left].to(image.dtype)
    share = box.of(hole).to(image.dtype)
    part.copy_(inside * share + part * (1 - share))
    return result


def _together(sources: list[Sources | None]) -> Sources | None:
    found = [one for one in sources if one is not None]
    if not found:
        return None
    positions, weights, present, sizes = zip(*found, strict=True)
    return Sources(torch.cat(positions), torch.cat(weights), torch.cat(present), sizes[0])
