"""Turning and blending, as pure functions on arrays."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image as PilImage
from PIL import ImageOps

from autoremove.images import apply_patches
from autoremove.images.samples import Samples, blended, painted, to_rgb, upright
from autoremove.types import Patch
from tests import builders


@pytest.mark.parametrize("orientation", range(1, 9))
def test_upright_is_what_exif_asks(orientation: int) -> None:
    stored = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
    picture = PilImage.fromarray(stored)
    picture.getexif()[0x0112] = orientation
    expected = np.asarray(ImageOps.exif_transpose(picture))
    assert np.array_equal(upright(stored, orientation), expected)
    assert np.array_equal(builders.turned_back(expected, orientation), stored)


def test_upright_is_a_view() -> None:
    stored = np.zeros((4, 6, 3), np.uint8)
    for orientation in range(1, 9):
        assert np.shares_memory(upright(stored, orientation), stored)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_blending_rounds_to_the_nearest(dtype: type) -> None:
    top = np.iinfo(dtype).max
    rng = np.random.default_rng(0)
    own, new = (rng.integers(0, top + 1, (256, 9, 3)).astype(dtype) for _ in range(2))
    alpha = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 9, axis=1)
    share = alpha[..., None].astype(np.float64)
    exact = (own * (255 - share) + new * share) / 255
    mixed = blended(own, new, alpha)
    assert mixed.dtype == dtype
    assert np.abs(mixed - exact).max() <= 0.5
    assert np.array_equal(mixed[0], own[0]) and np.array_equal(mixed[255], new[255])


def test_patches_lie_on_each_other_in_order() -> None:
    rgb = np.zeros((4, 4, 3), np.uint8)
    full = np.full((2, 2), 255, np.uint8)
    first = Patch((0, 0, 2, 2), np.full((2, 2, 3), 50, np.uint8), full)
    second = Patch((1, 1, 3, 3), np.full((2, 2, 3), 200, np.uint8), full)
    out = apply_patches(rgb, [first, second])
    assert out[0, 0, 0] == 50 and out[1, 1, 0] == 200 and out[3, 3, 0] == 0
    assert rgb.max() == 0


@pytest.mark.parametrize("box", [(-1, 0, 3, 2), (0, 0, 5, 2), (0, 3, 2, 5), (2, 0, 0, 2)])
def test_a_patch_outside_is_an_error(box: tuple[int, int, int, int]) -> None:
    patch = Patch(box, np.zeros((2, 4, 3), np.uint8), np.zeros((2, 4), np.uint8))
    with pytest.raises(ValueError, match="outside"):
        apply_patches(np.zeros((4, 4, 3), np.uint8), [patch])


def test_a_patch_of_uneven_parts_is_an_error() -> None:
    patch = Patch((0, 0, 2, 2), np.zeros((2, 2, 3), np.uint8), np.zeros((2, 3), np.uint8))
    with pytest.raises(ValueError, match="alpha"):
        apply_patches(np.zeros((4, 4, 3), np.uint8), [patch])


@pytest.mark.parametrize(
    ("model", "channels", "dtype", "white"),
    [
        ("L", 1, np.uint8, 255),
        ("LA", 2, np.uint16, 65_535),
        ("RGB", 3, np.uint16, 65_535),
        ("RGBA", 4, np.uint8, 255),
        ("RGB", 3, np.float32, 1.0),
        ("CMYK", 4, np.uint8, 255),
        ("RGBA", 6, np.uint16, 65_535),
    ],
)
@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_every_model(model: str, channels: int, dtype: type, white: float, orientation: int) -> None:
    rng = np.random.default_rng(1)
    values = (rng.random((20, 20, channels)) * white).astype(dtype)
    samples = Samples(values, model, white, orientation)
    rgb = to_rgb(samples)
    assert rgb.shape == (20, 20, 3) and rgb.dtype == np.uint8
    new = np.full((6, 5, 3), (200, 200, 200) if channels < 3 else (10, 100, 200), np.uint8)
    patch = Patch((3, 8, 8, 14), new, np.full((6, 5), 255, np.uint8))
    after = painted(samples, [patch])
    assert np.array_equal(to_rgb(after)[8:14, 3:8], new)
    kept = np.ones((20, 20), bool)
    kept[8:14, 3:8] = False
    assert np.array_equal(upright(after.values, orientation)[kept], upright(values, orientation)[kept])
    assert np.array_equal(samples.values, values)
    if model in ("LA", "RGBA"):
        count = 1 if model == "LA" else 3
        assert np.array_equal(after.values[..., count:], values[..., count:])


def test_premultiplied_colours_stay_premultiplied() -> None:
    values = np.full((4, 4, 4), 100, np.uint8)
    patch = Patch((0, 0, 2, 2), np.full((2, 2, 3), 255, np.uint8), np.full((2, 2), 255, np.uint8))
    samples = Samples(values, "RGBA", premultiplied=True)
    assert (to_rgb(samples) == 255).all()
    assert (painted(samples, [patch]).values[:2, :2] == 100).all()
