"""Windows: what a box of a layer's output takes of its input, checked by what moves the output."""

from __future__ import annotations

import pytest
import torch

from autoremove.models import windows
from autoremove.models.deepfillv2_table import GeneratorConfig, Layer, layer_table
from autoremove.models.windows import Window


def test_scaled_boxes_cover() -> None:
    box = Window(3, 9, 4, 5)
    assert box.scaled(down=4) == Window(0, 3, 1, 2)
    assert box.scaled(up=2) == Window(6, 18, 8, 10)
    assert box.inside(Window(1, 20, 2, 30)) == Window(2, 8, 2, 3)


def test_box_of_all_samples() -> None:
    mask = torch.zeros(2, 1, 9, 12)
    assert windows.hole_box(mask) is None
    mask[0, 0, 2, 3] = 1
    mask[1, 0, 7, 11] = 0.5
    assert windows.hole_box(mask) == Window(2, 8, 3, 12)


@pytest.mark.parametrize(
    ("layer", "same", "takes", "pads"),
    [
        (Layer("a", 1, 1), False, Window(0, 4, 4, 8), (0, 2, 1, 0)),
        (Layer("a", 1, 1, kernel=5), False, Window(0, 5, 3, 8), (0, 3, 2, 0)),
        (Layer("a", 1, 1, dilation=4), False, Window(0, 7, 1, 8), (0, 5, 4, 0)),
        (Layer("a", 1, 1, stride=2), False, Window(0, 6, 9, 16), (0, 2, 1, 0)),
        (Layer("a", 1, 1, stride=2), True, Window(0, 7, 10, 16), (0, 3, 0, 0)),
    ],
    ids=str,
)
def test_a_step_of_each_kind(layer: Layer, same: bool, takes: Window, pads: tuple[int, ...]) -> None:
    """Lines 0 to 3 and columns 5 to 9 of an output of 20 x 8, which ends before the last column asked for."""
    (step,) = windows.steps([layer], Window(0, 3, 5, 9), (20, 8), same)
    assert step.takes == takes and step.pads == pads


def test_upsampling_gives_whole_pixels_of_the_smaller_map() -> None:
    (step,) = windows.steps([Layer("a", 1, 1, upsample=True)], Window(3, 5, 0, 1), (16, 16))
    assert step.gives == Window(2, 6, 0, 2)
    assert step.takes == Window(0, 4, 0, 2) and step.pads == (1, 0, 0, 0)


def test_positions_that_ask_follow_the_reach_of_the_table() -> None:
    """One pixel: 3 on each side at full size, halved, 2 more, halved, 4 more, and the patch."""
    table = layer_table(GeneratorConfig())
    mask = torch.zeros(1, 1, 160, 160)
    mask[..., 80, 80] = 1
    asking = windows.asking(mask, [*table["after_attention"], *table["merge"]])
    assert asking.shape == (1, 1, 20, 20)
    # 77..83 -> half 38..41 -> 36..43 -> quarter 18..21 -> 14..25; position i covers 2i - 1 .. 2i + 2.
    lines = asking[0, 0].any(1).nonzero().flatten().tolist()
    assert lines == list(range(6, 14))
    assert asking.sum() == 64
