"""Masks in memory: every kind means the same, and one that would fill nothing by mistake is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as PilImage

from autoremove import api
from autoremove.errors import UsageError
from tests import builders
from tests.cases import photos
from tests.test_api import grey, hole, inpaint


def masks() -> dict[str, Any]:
    mask = hole()
    soft = np.where(mask, 200, 60).astype(np.uint8)
    return {
        "bool": mask,
        "0 and 1": grey(mask, 1),
        "0 and 255": grey(mask),
        "int64": mask.astype(np.int64),
        "uint16": mask.astype(np.uint16) * 65535,
        "float": mask.astype(np.float32),
        "soft": soft,
        "soft float": soft.astype(np.float32) / 255,
        "one channel": grey(mask)[..., None],
        "rgb": np.dstack([grey(mask)] * 3),
        "one colour": np.dstack([grey(mask), 0 * grey(mask), 0 * grey(mask)]),
        "rgba, opaque": np.dstack([grey(mask)] * 3 + [np.full_like(grey(mask), 255)]),
        "white, erased": np.dstack([np.full_like(grey(mask), 255)] * 3 + [grey(mask)]),
        "grey with alpha": np.dstack([np.full_like(grey(mask), 255), grey(mask)]),
        "ones with alpha": np.dstack([grey(mask, 1)] * 3 + [np.ones_like(grey(mask))]),
        "pillow white, erased": PilImage.fromarray(
            np.dstack([np.full_like(grey(mask), 255)] * 3 + [grey(mask)])
        ),
        "pillow 16": PilImage.fromarray(mask.astype(np.uint16)),
        "pillow 1": PilImage.fromarray(mask),
        "pillow L": PilImage.fromarray(grey(mask)),
        "pillow of 0 and 1": PilImage.fromarray(grey(mask, 1)),
        "pillow RGBA": PilImage.fromarray(np.dstack([grey(mask)] * 3 + [np.full_like(grey(mask), 255)])),
    }


@pytest.mark.parametrize("kind", list(masks()))
def test_masks_of_every_kind_mean_the_same(kind: str) -> None:
    assert np.array_equal(api.read_mask(masks()[kind], builders.SIZE_HW), hole())


def test_a_mask_may_be_a_file(tmp_path: Path) -> None:
    path = photos.write(tmp_path / "mask.png", builders.save(PilImage.fromarray(grey(hole())), "PNG"))
    assert np.array_equal(api.read_mask(path, builders.SIZE_HW), hole())
    # Faint specks round the edges of a JPEG are no holes.
    rough = photos.write(
        tmp_path / "mask.jpg", builders.save(PilImage.fromarray(grey(hole())), "JPEG", quality=60)
    )
    wrong = api.read_mask(str(rough), builders.SIZE_HW) ^ hole()
    assert wrong.sum() < 30


def test_files_of_masks_are_read_with_their_alpha_and_depth(tmp_path: Path) -> None:
    for number, kind in enumerate(("white, erased", "pillow 16")):
        path, mask = tmp_path / f"{number}.png", masks()[kind]
        (mask if isinstance(mask, PilImage.Image) else PilImage.fromarray(mask)).save(path)
        assert np.array_equal(api.read_mask(path, builders.SIZE_HW), hole()), kind


@pytest.mark.parametrize(
    "mask",
    [
        hole().astype(np.uint16) * 255,
        hole().astype(np.int64) * 3,
        grey(hole(), 100),
        np.dstack([grey(hole(), 100)] * 3 + [grey(hole())]),
        PilImage.fromarray(grey(hole(), 100)),
    ],
    ids=["uint16 of 255", "numbers", "grey", "grey with alpha", "pillow"],
)
def test_a_mask_that_reaches_no_white_is_refused(mask: Any) -> None:
    given = builders.scene()
    with pytest.raises(UsageError, match="nowhere white") as told:
        inpaint(given, mask)
    assert told.value.hint == (
        "What is to be filled must be True, 1 or 255 (in 16 bits 65535), and all else 0."
    )


def test_probabilities_that_are_low_everywhere_are_told_with_the_way_out() -> None:
    low = hole() * np.float32(0.4)
    with pytest.raises(UsageError, match=r"nowhere white.* highest value is 0\.4\.") as told:
        inpaint(builders.scene(), low)
    assert told.value.hint and "over 0.5 is filled" in told.value.hint and "`mask > 0.3`" in told.value.hint
    assert np.array_equal(api.read_mask(low > 0.3, builders.SIZE_HW), hole())
    with pytest.raises(UsageError, match=r"highest value is 1\.02\."):  # as bicubic interpolation makes them
        inpaint(builders.scene(), hole() * np.float64(1.02))
    low[0, 0] = np.nan
    with pytest.raises(UsageError, match="NaN"):
        inpaint(builders.scene(), low)


def test_a_mask_that_is_all_black_or_all_erased_fills_nothing() -> None:
    given, black = builders.scene(), 0 * grey(hole())
    for mask in (black, black.astype(np.float32), np.dstack([black + 255] * 3 + [black])):
        assert np.array_equal(inpaint(given, mask), given)


@pytest.mark.parametrize("shape", [(112, 80), (80, 111), (80,), (1, 80, 112, 1)])
def test_a_mask_of_another_size_is_refused_with_both_sizes(shape: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match="112 x 80"):
        api.read_mask(np.zeros(shape, bool), builders.SIZE_HW)
