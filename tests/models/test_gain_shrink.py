"""Which pixels GAIN opens: the plain rule, priority against a slow reference, and what ends the shrinking."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from torch import Tensor

from autoremove.models.gain_gradient import gradient, gradient_of_picture, where_valid
from autoremove.models.gain_shrink import (
    completed,
    known_in_window,
    opened_by_priority,
    plainly_opened,
    priority,
)


def drawn(*rows: str) -> Tensor:
    """A mask from text: # is hole, everything else known."""
    return torch.tensor([[[[float(c != "#") for c in row] for row in rows]]])


HOLE = drawn("........", "..####..", "..####..", "..###...", ".#......", "........")


def random_gradients(channels: int, known: Tensor) -> Tensor:
    generator = torch.Generator().manual_seed(3)
    return torch.randn(len(known), channels, *known.shape[-2:], generator=generator) * known


def at(plane: Tensor, y: int, x: int, *, repeat: bool) -> float:
    """A value of an H x W plane; outside it 0, or that of the nearest pixel."""
    height, width = plane.shape
    if repeat:
        y, x = min(max(y, 0), height - 1), min(max(x, 0), width - 1)
    return float(plane[y, x]) if 0 <= y < height and 0 <= x < width else 0.0


AROUND = [(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]


def slow_priority(gradients: Tensor, known: Tensor, y: int, x: int, dilation: int) -> float:
    """P of one pixel as the paper has it, step by step."""

    def mean(y: int, x: int) -> float:
        """Of the mask, whose edge is repeated."""
        return sum(at(known, y + dy, x + dx, repeat=True) for dy, dx in AROUND) / 9

    count = sum(at(known, y + dilation * dy, x + dilation * dx, repeat=False) for dy, dx in AROUND)
    near = [(y + dy, x + dx) for dy, dx in AROUND if at(known, y + dy, x + dx, repeat=False)]
    half = len(gradients) // 2
    gx = sum(float(gradients[:half, i, j].mean()) for i, j in near) / max(1, len(near))
    gy = sum(float(gradients[half:, i, j].mean()) for i, j in near) / max(1, len(near))
    nx, ny = mean(y, x + 1) - mean(y, x - 1), mean(y + 1, x) - mean(y - 1, x)
    length = math.hypot(nx, ny)
    return 0.0 if length < 1e-4 else count * abs((nx * -gy + ny * gx) / length)


@pytest.mark.parametrize("dilation", [1, 2, 4])
def test_priority_is_that_of_the_slow_reference(dilation: int) -> None:
    gradients = random_gradients(6, HOLE)
    count = known_in_window(HOLE, dilation=dilation)
    found = priority(gradients, HOLE, count)[0, 0]
    for y, x in (HOLE[0, 0] == 0).nonzero().tolist():
        assert float(found[y, x]) == pytest.approx(
            slow_priority(gradients[0], HOLE[0, 0], y, x, dilation), abs=1e-5
        )
    assert float(found.max()) > 0.1


def test_a_window_counts_what_is_known() -> None:
    assert known_in_window(HOLE)[0, 0, 0].tolist() == [4, 5, 4, 3, 3, 4, 5, 4]
    assert float(known_in_window(HOLE, dilation=2)[0, 0, 2, 3]) == 3 + 1 + 2


@pytest.mark.parametrize("dilation", [1, 2, 4])
def test_delta_zero_is_the_plain_rule(dilation: int) -> None:
    count = known_in_window(HOLE, dilation=dilation)
    opened = opened_by_priority(random_gradients(4, HOLE), HOLE, count, 0.0)
    assert torch.equal(opened, plainly_opened(count))
    assert opened.sum() > HOLE.sum()


def test_more_delta_opens_less_and_never_what_the_plain_rule_keeps_closed() -> None:
    gradients, count = random_gradients(4, HOLE), known_in_window(HOLE)
    opened = [opened_by_priority(gradients, HOLE, count, delta) for delta in (0.0, 0.4, 0.8, 1.0)]
    for more, fewer in itertools.pairwise(opened):
        assert (fewer <= more).all() and (fewer >= HOLE).all()
    shares = [float(mask.sum() - HOLE.sum()) for mask in opened]
    assert shares[0] > shares[1] > shares[3] >= 1


def test_an_edge_that_runs_into_the_hole_is_followed_first() -> None:
    """Left of x = 6 black, right of it white, and a hole over the lower half."""
    known = torch.ones(1, 1, 12, 12)
    known[..., 6:, :] = 0
    picture = torch.full((1, 3, 12, 12), -1.0)
    picture[..., 6:] = 1
    sound = where_valid(known)
    opened = opened_by_priority(gradient_of_picture(picture) * sound, sound, known_in_window(sound), 0.4)
    assert (opened - sound)[0, 0].nonzero()[:, 1].unique().tolist() == [4, 5, 6, 7]
    assert float(opened.sum() - sound.sum()) == 4


def test_flat_surroundings_open_by_the_plain_rule() -> None:
    count = known_in_window(HOLE)
    opened = opened_by_priority(torch.zeros(1, 4, 6, 8), HOLE, count, 0.4)
    assert torch.equal(opened, plainly_opened(count))


def test_every_sample_has_its_own_highest_priority() -> None:
    known = torch.cat([HOLE, HOLE])
    gradients = random_gradients(4, known) * torch.tensor([1.0, 1000.0]).view(2, 1, 1, 1)
    count = known_in_window(known)
    together = opened_by_priority(gradients, known, count, 0.4)
    alone = opened_by_priority(gradients[:1], HOLE, count[:1], 0.4)
    assert torch.equal(together[:1], alone)


def test_what_stays_closed_is_completed_from_around() -> None:
    known = torch.ones(2, 1, 60, 70)
    known[:, :, 2:58, 3:66] = 0
    known[1] = 0
    features = torch.full((2, 3, 60, 70), 2.5) * known
    (done,) = completed([features], known)
    assert torch.allclose(done[0], torch.full((3, 60, 70), 2.5))
    assert torch.equal(done[1], torch.zeros(3, 60, 70))
    noise = torch.randn(2, 3, 60, 70) * known
    assert torch.equal(completed([noise], known)[0] * known, noise)


def test_gradient_of_ramps() -> None:
    x = torch.arange(6.0).expand(5, 6)
    planes = torch.stack([3 * x, 2 * torch.arange(5.0)[:, None].expand(5, 6)])[None]
    found = gradient(planes)[0, :, 1:-1, 1:-1]
    for channel, slope in enumerate((3, 0, 0, 2)):
        assert torch.equal(found[channel], torch.full((3, 4), float(slope)))


def test_a_gradient_is_valid_where_no_hole_is_within_a_pixel() -> None:
    assert torch.equal(
        where_valid(drawn("......", "......", "..#...", "......", "......")),
        drawn("......", ".###..", ".###..", ".###..", "......"),
    )
