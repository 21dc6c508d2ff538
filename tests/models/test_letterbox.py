"""A picture lies in the input where it should, and masks come back to where they were."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from autoremove.models.letterbox import as_planes, fit_to, letterbox, masks_in_boxes


def test_a_picture_lies_in_the_middle_of_whole_strides() -> None:
    fit = fit_to((300, 1000), 640)
    assert fit.size_hw == (192, 640)
    assert fit.input_hw == (192, 640)
    fit = fit_to((1000, 310), 640)
    assert fit.size_hw == (640, 198)
    assert fit.input_hw == (640, 224)
    assert (fit.left, fit.top) == (13, 0)


def test_the_letterbox_is_grey_round_the_whole_picture() -> None:
    image = np.full((1000, 310, 3), (10, 20, 30), np.uint8)
    fit = fit_to(image.shape[:2], 640)
    canvas = letterbox(image, fit)
    assert canvas.shape == (640, 224, 3)
    assert (canvas[:, 13 : 13 + 198] == (10, 20, 30)).all()
    assert (canvas[:, :13] == 114).all()
    assert (canvas[:, 13 + 198 :] == 114).all()


def test_a_large_picture_is_shrunk_as_in_one_step() -> None:
    rng = np.random.default_rng(2)
    for size_hw in ((1600, 2400), (1601, 2399)):
        image = cv2.resize(rng.integers(0, 256, (8, 12, 3), np.uint8), size_hw[::-1])
        canvas = letterbox(image, fit_to(size_hw, 96))
        direct = cv2.resize(image, (96, 64), interpolation=cv2.INTER_AREA)
        assert canvas.shape == direct.shape
        assert np.abs(canvas.astype(int) - direct).max() <= 3


def test_masks_agree_with_a_resize_of_the_whole_plane() -> None:
    rng = np.random.default_rng(1)
    plane = cv2.GaussianBlur(rng.normal(size=(160, 160)).astype(np.float32), (0, 0), 4)
    fit = fit_to((512, 512), 640)
    box = np.array([[100.3, 50.7, 401.2, 480.5]], np.float32)
    (window, part), nothing = masks_in_boxes(
        np.stack([plane, plane]), np.vstack([box, [[9, 9, 9, 20]]]).astype(np.float32), fit, (512, 512)
    )
    assert window == (100, 50, 402, 481)
    assert nothing[1].size == 0
    mask = np.zeros((512, 512), bool)
    mask[50:481, 100:402] = part
    whole = cv2.resize(plane, (512, 512), interpolation=cv2.INTER_LINEAR) > 0
    inside = np.zeros_like(whole)
    inside[50:481, 100:402] = True
    assert (mask != (whole & inside)).mean() < 0.002
    assert not mask[~inside].any()


def test_pictures_become_planes_in_the_layout_that_processors_are_fastest_with() -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (2, 8, 6, 3), np.uint8)
    planes = as_planes(torch.from_numpy(pictures))
    assert planes.shape == (2, 3, 8, 6)
    assert planes.dtype == torch.float32
    assert planes.is_contiguous(memory_format=torch.channels_last)
    assert planes[1, 2, 7, 5].item() == pytest.approx(pictures[1, 7, 5, 2] / 255)
    assert float(as_planes(torch.full((1, 1, 1, 3), 255, dtype=torch.uint8)).max()) == 1.0
