"""JPEG outputs keep the tables, subsampling, order and turn of their source."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PilImage

from autoremove.images import apply_patches, read, write
from tests import builders
from tests.builders import removal, scene

JPEGS: dict[str, Callable[[], bytes]] = {
    "4:4:4": lambda: builders.jpeg(subsampling=0),
    "4:2:2": lambda: builders.jpeg(subsampling=1),
    "4:2:0": lambda: builders.jpeg(subsampling=2),
    "finest": lambda: builders.jpeg(quality=100, subsampling=0),
    "coarse": lambda: builders.jpeg(quality=30),
    "progressive": lambda: builders.jpeg(progressive=True),
    "grey": lambda: builders.jpeg(mode="L"),
    "cmyk": lambda: builders.jpeg(mode="CMYK"),
    "rgb": lambda: builders.jpeg(keep_rgb=True),
    "noise": lambda: builders.jpeg(
        rgb=np.random.default_rng(0).integers(0, 256, (80, 112, 3), np.uint8), quality=100, subsampling=0
    ),
}


@pytest.mark.parametrize("name", JPEGS)
@pytest.mark.parametrize("orientation", [1, 6])
def test_jpeg_keeps_its_coding(tmp_path: Path, name: str, orientation: int) -> None:
    data = JPEGS[name]()
    data = data.replace(builders.exif_block(1)[:40], builders.exif_block(orientation)[:40])
    source, out = tmp_path / "in.jpg", tmp_path / "out.jpg"
    source.write_bytes(data)
    patch = removal() if orientation == 1 else _fitting(removal())
    write(source, out, [patch])
    with PilImage.open(source) as one, PilImage.open(out) as other:
        assert other.quantization == one.quantization
        assert [layer[1:3] for layer in other.layer] == [layer[1:3] for layer in one.layer]
        assert (other.mode, other.size) == (one.mode, one.size)
        assert other.info.get("progressive") == one.info.get("progressive")
        assert other.info.get("adobe_transform") == one.info.get("adobe_transform")
        assert other.getexif().get(0x0112) == orientation
    expected = apply_patches(read(source).rgb, [patch]).astype(int)
    if name == "grey":
        expected = np.asarray(PilImage.fromarray(expected.astype(np.uint8)).convert("L")).astype(int)[
            ..., None
        ]
    difference = np.abs(read(out).rgb.astype(int) - expected)
    assert difference.mean() < (6 if name in ("coarse", "noise") else 2)


def _fitting(patch: builders.Patch) -> builders.Patch:
    """The same patch where a picture is 80 wide and 112 high."""
    return type(patch)(
        (20, 60, 20 + patch.alpha.shape[1], 60 + patch.alpha.shape[0]), patch.pixels, patch.alpha
    )


@pytest.mark.parametrize("orientation", range(1, 9))
def test_jpeg_stays_turned(tmp_path: Path, orientation: int) -> None:
    source, out = tmp_path / "in.jpg", tmp_path / "out.jpg"
    source.write_bytes(builders.jpeg(orientation, quality=95))
    write(source, out, [removal()])
    picture = read(out)
    assert picture.orientation == orientation
    assert np.abs(picture.rgb.astype(int) - apply_patches(scene(), [removal()])).mean() < 2.5
    assert PilImage.open(out).size == PilImage.open(source).size
