"""Losses on feature maps, against their formulas."""

from __future__ import annotations

import pytest
import torch

from autoremove.training.perceptual_losses import gram, perceptual, style, total_variation


def test_gram_is_the_products_of_channels() -> None:
    torch.manual_seed(0)
    features = torch.randn(2, 3, 4, 5)
    expected = torch.einsum("nchw,ndhw->ncd", features, features) / (3 * 4 * 5)
    torch.testing.assert_close(gram(features), expected)
    assert gram(features.half()).dtype == torch.float32


def test_layers_are_averaged_and_added() -> None:
    true = [torch.zeros(1, 2, 4, 4), torch.zeros(1, 8, 2, 2)]
    made = [torch.full((1, 2, 4, 4), 0.5), torch.full((1, 8, 2, 2), 2.0)]
    assert float(perceptual(made, true)) == pytest.approx(2.5)
    # Each product is value^2 H W / (C H W).
    assert float(style(made, true)) == pytest.approx(0.25 / 2 + 4 / 8)


def test_style_does_not_see_where_things_are() -> None:
    torch.manual_seed(0)
    features = torch.randn(1, 3, 6, 6)
    assert float(style([features.flip(-1)], [features])) == pytest.approx(0, abs=1e-6)
    assert float(perceptual([features.flip(-1)], [features])) > 0.5


def test_total_variation_sees_the_hole_and_one_pixel_round_it() -> None:
    hole = torch.zeros(1, 1, 8, 8)
    hole[..., 3:5, 3:5] = 1
    image = torch.zeros(1, 1, 8, 8)
    image[..., 0, :] = 9.0
    assert float(total_variation(image, hole)) == 0
    image = torch.arange(8.0).view(1, 1, 1, 8).expand(1, 1, 8, 8)
    assert float(total_variation(image, hole)) == pytest.approx(4 * 3 / 64)  # 4 rows, 3 steps of one
    assert float(total_variation(image, torch.zeros_like(hole))) == 0
