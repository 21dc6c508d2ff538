"""A real photo from a camera, of the size and coding that people have."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PilImage

from autoremove.images import apply_patches, encode_preview, read, write
from autoremove.types import Patch


def _photo(name: str) -> Path:
    """A photo that comes with ultralytics, found without importing it."""
    spec = importlib.util.find_spec("ultralytics")
    if spec is None or spec.origin is None:
        pytest.skip("ultralytics is not installed")
    return Path(spec.origin).parent / "assets" / name


@pytest.mark.parametrize("name", ["bus.jpg", "zidane.jpg"])
def test_photo(tmp_path: Path, name: str) -> None:
    source, out = _photo(name), tmp_path / name
    picture = read(source)
    with PilImage.open(source) as own:
        assert np.array_equal(picture.rgb, np.asarray(own.convert("RGB")))
    box = (100, 200, 300, 500)
    patch = Patch(box, np.full((300, 200, 3), (90, 120, 150), np.uint8), np.full((300, 200), 255, np.uint8))
    write(source, out, [patch])
    after = read(out)
    with PilImage.open(source) as one, PilImage.open(out) as other:
        assert other.quantization == one.quantization
        assert [layer[1:3] for layer in other.layer] == [layer[1:3] for layer in one.layer]
    assert 0.5 < out.stat().st_size / source.stat().st_size < 1.2
    expected = apply_patches(picture.rgb, [patch])
    assert np.abs(after.rgb.astype(int) - expected).mean() < 1.5
    assert np.abs(after.rgb[220:480, 120:280].astype(int) - (90, 120, 150)).max() <= 3
    assert len(encode_preview(after.rgb, 640)) < 200_000
