"""The figures, on arrays whose answers can be worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from autoremove.evaluation import metrics
from autoremove.stages import quality


def flat(value: int, side: int = 32) -> np.ndarray:
    return np.full((side, side, 3), value, np.uint8)


def middle(side: int = 64, margin: int = 16) -> np.ndarray:
    hole = np.zeros((side, side), bool)
    hole[margin:-margin, margin:-margin] = True
    return hole


def noise(side: int = 64, spread: float = 20.0) -> np.ndarray:
    values = np.random.default_rng(5).normal(128, spread, (side, side, 1))
    return np.repeat(values, 3, 2).clip(0, 255).astype(np.uint8)


def test_errors_are_per_cent_of_the_range():
    l1, l2 = metrics.errors(flat(151), flat(100))
    assert l1 == pytest.approx(20.0)
    assert l2 == pytest.approx(4.0)


def test_errors_count_only_the_region():
    truth, result = flat(100, 64), flat(100, 64)
    result[middle()] = 151
    assert metrics.errors(result, truth, middle())[0] == pytest.approx(20.0)
    assert metrics.errors(result, truth)[0] == pytest.approx(5.0)
    assert math.isnan(metrics.errors(result, truth, np.zeros((64, 64), bool))[0])
    assert math.isnan(metrics.psnr(result, truth, np.zeros((64, 64), bool)))


@pytest.mark.parametrize(("difference", "expected"), [(255, 0.0), (51, 13.979), (1, 48.131), (0, 100.0)])
def test_psnr_of_a_constant_difference(difference, expected):
    assert metrics.psnr(flat(0), flat(difference)) == pytest.approx(expected, abs=1e-3)


def test_ssim_of_two_flat_pictures_is_their_luminance_term():
    a, b, c1 = 100.0, 150.0, (0.01 * 255) ** 2
    assert metrics.ssim(flat(100), flat(150)) == pytest.approx(
        (2 * a * b + c1) / (a * a + b * b + c1), abs=1e-9
    )
    assert metrics.ssim(noise(), noise()) == pytest.approx(1.0)
    other = noise()
    other[middle()] = 0
    inside, everywhere = metrics.ssim(other, noise(), middle()), metrics.ssim(other, noise())
    assert inside < everywhere < metrics.ssim(other, noise(), ~middle())
    assert math.isnan(metrics.ssim(other, noise(), np.zeros((64, 64), bool)))


def test_ssim_agrees_with_torchmetrics_inside():
    import torch
    from torchmetrics.functional.image import structural_similarity_index_measure

    a, b = noise(96), noise(96, 10.0)
    planes = [torch.from_numpy(x.astype(np.float64)).permute(2, 0, 1)[None] for x in (a, b)]
    theirs = float(structural_similarity_index_measure(*planes, data_range=255.0, sigma=1.5, kernel_size=11))
    # They leave out a border of five pixels that we judge too.
    assert metrics.ssim(a, b) == pytest.approx(theirs, abs=0.02)


def test_mask_iou():
    a, b = np.zeros((4, 4), bool), np.zeros((4, 4), bool)
    a[:2], b[1:3] = True, True
    assert metrics.mask_iou(a, b) == pytest.approx(1 / 3)
    ignore = np.zeros((4, 4), bool)
    ignore[2] = True
    assert metrics.mask_iou(a, b, ignore) == pytest.approx(1 / 2)
    assert metrics.mask_iou(~a & a, ~b & b) == 1.0


def test_seam_ratio_of_noise_is_one_and_of_a_step_high():
    image = noise()
    assert quality.seam_ratio(image, middle()) == pytest.approx(1.0, abs=0.15)
    image[middle()] = (image[middle()].astype(int) + 60).clip(0, 255).astype(np.uint8)
    assert quality.seam_ratio(image, middle()) > 1.8


def test_seam_ratio_of_a_step_in_a_flat_picture_is_exact():
    image = flat(100, 64)
    image[middle()] = 109
    assert quality.seam_ratio(image, middle()) == pytest.approx((9 + 1) / (0 + 1))


def test_seam_ratio_of_a_slope_is_one():
    slope = np.repeat(np.arange(64, dtype=np.uint8)[:, None] * 2, 64, 1)
    image = np.repeat((slope + slope.T)[..., None], 3, 2)
    assert quality.seam_ratio(image, middle()) == pytest.approx(1.0)


def test_seam_ratio_without_a_border_is_unknown():
    assert math.isnan(quality.seam_ratio(flat(0), np.zeros((32, 32), bool)))
    assert math.isnan(quality.seam_ratio(flat(0), np.ones((32, 32), bool)))


def test_sharpness_ratio_tells_a_blur():
    image = noise()
    assert quality.sharpness_ratio(image, middle()) == pytest.approx(1.0, abs=0.15)
    image[middle()] = 128
    assert quality.sharpness_ratio(image, middle()) < 0.05


def test_sharpness_ratio_scales_with_contrast():
    image, hole = noise(spread=8), middle()
    image[hole] = ((image[hole].astype(float) - 128) * 2 + 128).clip(0, 255).astype(np.uint8)
    assert quality.sharpness_ratio(image, hole) == pytest.approx(2.0, abs=0.3)


def test_a_seam_is_no_detail():
    image, hole = flat(100, 64), middle()
    image[hole] = 200
    assert quality.sharpness_ratio(image, hole) == pytest.approx(1.0)


def test_within_leaves_out_what_is_unknown():
    values = np.array([0.8, 1.0, 2.0, np.nan])
    assert metrics.within(values, (0.9, 1.15)) == pytest.approx(1 / 3)
    assert math.isnan(metrics.within(np.array([np.nan]), (0, 1)))
