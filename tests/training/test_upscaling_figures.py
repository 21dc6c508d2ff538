"""The figures of enlarged pictures, where they can be worked out by hand or by another's code."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image as PilImage

from autoremove.training.upscaling_figures import (
    bicubic_pixels,
    compared,
    degraded,
    figures,
    luma,
    pair_of,
    sheet,
)
from tests import builders


def smooth(size_hw: tuple[int, int] = (64, 80)) -> np.ndarray:
    y, x = np.mgrid[: size_hw[0], : size_hw[1]]
    waves = [np.sin(x / 7), np.cos(y / 9), np.sin((x + y) / 11)]
    return (127 + 90 * np.stack(waves, 2)).astype(np.uint8)


def test_luma_is_that_of_television() -> None:
    colours = np.array([[[0, 0, 0], [255, 255, 255], [255, 0, 0], [0, 255, 0], [0, 0, 255]]], np.uint8)
    assert luma(colours)[0] == pytest.approx([16, 235, 81.481, 144.553, 40.966])


@pytest.mark.parametrize("difference", [1, 10])
def test_psnr_of_a_constant_difference(difference: int) -> None:
    a = np.full((40, 40, 3), 100, np.uint8)
    step = difference * 219 / 255
    assert compared(a + np.uint8(difference), a)["psnr"] == pytest.approx(20 * np.log10(255 / step), abs=1e-6)
    assert compared(a, a) == {"psnr": 100.0, "ssim": pytest.approx(1.0)}


def test_the_border_counts_for_nothing() -> None:
    a = smooth()
    b = a.copy()
    b[:4], b[-4:], b[:, :4], b[:, -4:] = 0, 0, 0, 0
    assert compared(a, b)["psnr"] == 100.0
    b[4, 4] = 0
    assert compared(a, b)["psnr"] < 70


def test_ssim_is_the_mean_over_whole_windows() -> None:
    """Written out window by window, with the weights of Wang et al."""
    a, b = (luma(x)[4:-4, 4:-4] for x in (builders.scene((40, 44)), smooth((40, 44))))
    line = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 1.5**2))
    weight = np.outer(line, line) / line.sum() ** 2
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    values = []
    for top in range(a.shape[0] - 10):
        for left in range(a.shape[1] - 10):
            x, y = (plane[top : top + 11, left : left + 11] for plane in (a, b))
            mx, my = (weight * x).sum(), (weight * y).sum()
            vx, vy = (weight * (x - mx) ** 2).sum(), (weight * (y - my) ** 2).sum()
            both = (weight * (x - mx) * (y - my)).sum()
            values.append((2 * mx * my + c1) * (2 * both + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2)))
    own = compared(builders.scene((40, 44)), smooth((40, 44)))["ssim"]
    assert own == pytest.approx(float(np.mean(values)), abs=1e-6)


def test_pictures_that_cannot_be_compared() -> None:
    with pytest.raises(ValueError, match="cannot be compared"):
        compared(smooth(), smooth((64, 76)))
    with pytest.raises(ValueError, match="cannot be compared"):
        compared(smooth((18, 40)), smooth((18, 40)))


def test_small_pictures_are_pillows() -> None:
    truth = builders.scene((66, 83))
    high, low = pair_of(truth)
    assert (high.shape, low.shape) == ((64, 80, 3), (16, 20, 3))
    assert (high == truth[:64, :80]).all()
    for made, true, size in ((low, high, (20, 16)), (bicubic_pixels(low), low, (80, 64))):
        theirs = np.asarray(PilImage.fromarray(true).resize(size, PilImage.Resampling.BICUBIC))
        assert np.abs(made.astype(int) - theirs).max() <= 1


def test_degrading_gives_whole_levels_and_no_gradient() -> None:
    import torch

    image = torch.rand(2, 3, 32, 48, requires_grad=True) * 2 - 1
    low = degraded(image)
    assert low.shape == (2, 3, 8, 12) and not low.requires_grad
    levels = (low + 1) * 127.5
    assert torch.allclose(levels, levels.round(), atol=1e-4)


def test_figures_beside_bicubic() -> None:
    pictures = [smooth(), builders.scene((64, 80))]
    own = figures(bicubic_pixels, pictures)
    assert own["gain"] == 0 and own["score"] == own["psnr"] == own["bicubic_psnr"]
    worse = figures(lambda low: np.repeat(np.repeat(low, 4, 0), 4, 1), pictures)
    assert worse["gain"] < -1 and worse["ssim"] < worse["bicubic_ssim"]
    assert worse["bicubic_psnr"] == own["bicubic_psnr"]


def test_the_sheet_shows_four_of_each() -> None:
    drawn = sheet(bicubic_pixels, [smooth(), smooth()])
    assert drawn.dtype == np.uint8 and drawn.shape[0] >= 2 * 64 and drawn.shape[1] >= 4 * 80
