"""Any kind of picture in, the same kind back, and nothing but the patches changed."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PilImage

from autoremove.errors import PictureError, UsageError
from autoremove.images import apply_patches, encode_preview, from_any
from tests import builders
from tests.builders import removal, scene

KEPT = builders.outside()
ARRAYS = {
    "rgb": scene(),
    "rgba": builders.with_alpha(scene()),
    "grey": scene()[..., 1],
    "grey of one channel": scene()[..., 1:2],
    "grey alpha": np.dstack([scene()[..., 1], builders.alpha_ramp()]),
    "rgb 16": builders.deep(scene()),
    "rgba 16": builders.deep(builders.with_alpha(scene())),
    "grey 16": builders.deep(scene()[..., 1]),
    "float": (scene() / 255).astype(np.float32),
    "double": scene() / 255,
}


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays(name: str) -> None:
    array = ARRAYS[name]
    before = array.copy()
    rgb, back = from_any(array)
    assert rgb.shape == (*builders.SIZE_HW, 3) and rgb.dtype == np.uint8
    after = back([removal()])
    assert after.shape == array.shape and after.dtype == array.dtype
    assert np.array_equal(after[KEPT], array[KEPT])
    assert not np.array_equal(after, array)
    assert np.array_equal(array, before)
    if "alpha" in name or "rgba" in name:
        assert np.array_equal(after[..., -1], array[..., -1])


def test_rgb_of_an_array_may_be_changed_without_changing_the_array() -> None:
    array = scene()
    rgb, _ = from_any(array)
    rgb[:] = 0
    assert array.max() > 0


MODES = ["RGB", "RGBA", "L", "LA", "1", "CMYK", "YCbCr", "HSV", "I;16"]


@pytest.mark.parametrize("mode", MODES)
def test_pillow_pictures(mode: str) -> None:
    if mode == "I;16":
        picture = PilImage.fromarray(builders.deep(scene()[..., 1]))
    else:
        picture = PilImage.fromarray(scene()).convert(mode)
    before = picture.tobytes()
    rgb, back = from_any(picture)
    assert rgb.shape == (*builders.SIZE_HW, 3)
    after = back([removal()])
    assert (after.mode, after.size) == (picture.mode, picture.size)
    assert np.array_equal(np.asarray(after)[KEPT], np.asarray(picture)[KEPT])
    assert after.tobytes() != before == picture.tobytes()


def test_pillow_palette_comes_back_as_colours() -> None:
    picture = builders.palette_picture()
    _, back = from_any(picture)
    after = back([removal()])
    assert after.mode == "RGB"
    assert np.array_equal(np.asarray(after)[KEPT], np.asarray(picture.convert("RGB"))[KEPT])


@pytest.mark.parametrize("orientation", [1, 3, 6, 7])
def test_a_turned_pillow_picture_stays_turned_and_shows_no_one(orientation: int) -> None:
    picture = PilImage.open(io.BytesIO(builders.jpeg(orientation)))
    rgb, back = from_any(picture)
    assert rgb.shape[:2] == builders.SIZE_HW
    after = back([removal()])
    assert after.size == picture.size
    assert after.getexif()[0x0112] == orientation
    expected = apply_patches(rgb, [removal()])
    assert np.array_equal(np.asarray(after), builders.turned_back(expected, orientation))
    block = after.info["exif"]
    thumbnail = PilImage.open(io.BytesIO(block[block.index(b"\xff\xd8\xff") :]))
    red = np.asarray(thumbnail).astype(int)
    assert not ((red[..., 0] > 150) & (red[..., 1] < 90)).any()


@pytest.mark.parametrize("kind", [str, Path])
@pytest.mark.parametrize("orientation", [1, 6])
def test_paths_come_back_as_upright_pillow_pictures(tmp_path: Path, kind: type, orientation: int) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(builders.jpeg(orientation))
    rgb, back = from_any(kind(path))
    after = back([removal()])
    assert after.mode == "RGB"
    assert np.array_equal(np.asarray(after), apply_patches(rgb, [removal()]))


def test_a_path_to_16_bits_with_alpha(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(builders.png_16(builders.deep(builders.with_alpha(scene()))))
    rgb, back = from_any(tmp_path / "a.png")
    after = back([])
    assert after.mode == "RGBA"
    assert np.array_equal(np.asarray(after)[..., :3], rgb)


def test_a_path_to_inks(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(builders.jpeg(mode="CMYK"))
    rgb, back = from_any(tmp_path / "a.jpg")
    assert np.array_equal(np.asarray(back([])), rgb)


@pytest.mark.parametrize(
    "given",
    [
        None,
        3,
        [[1, 2], [3, 4]],
        np.zeros((4, 4, 5), np.uint8),
        np.zeros(4, np.uint8),
        np.zeros((0, 4, 3), np.uint8),
        np.zeros((4, 4, 3), np.int32),
        np.full((4, 4, 3), 128.0),
        np.full((4, 4), np.nan),
        PilImage.new("F", (4, 4)),
        PilImage.new("I", (4, 4)),
    ],
)
def test_what_is_no_picture(given: object) -> None:
    with pytest.raises(UsageError) as caught:
        from_any(given)
    assert caught.value.hint


def test_a_path_to_nothing(tmp_path: Path) -> None:
    with pytest.raises(PictureError):
        from_any(tmp_path / "none.jpg")
    (tmp_path / "a.jpg").write_bytes(builders.jpeg())
    with pytest.raises(PictureError, match="limit"):
        from_any(tmp_path / "a.jpg", max_pixels=100)


@pytest.mark.parametrize(("longest", "size"), [(56, (56, 40)), (500, (112, 80))])
def test_preview(longest: int, size: tuple[int, int]) -> None:
    picture = PilImage.open(io.BytesIO(encode_preview(scene(), longest)))
    assert (picture.format, picture.size) == ("JPEG", size)
