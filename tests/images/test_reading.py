"""Every kind of picture is read upright; what cannot be read fails with a reason and a way out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PilImage
from PIL import ImageFile

from autoremove.errors import PictureError
from autoremove.images import read, write
from tests import builders
from tests.builders import save, scene


def _pil(mode: str = "RGB") -> PilImage.Image:
    return PilImage.fromarray(scene()).convert(mode)


def _rgba() -> PilImage.Image:
    return PilImage.fromarray(builders.with_alpha(scene()))


LOSSLESS: dict[str, tuple[Callable[[], bytes], str, str, int]] = {
    "png": (lambda: save(_pil(), "PNG"), "PNG", "RGB", 8),
    "png rgba": (lambda: save(_rgba(), "PNG"), "PNG", "RGBA", 8),
    "png 16": (lambda: builders.png_16(builders.deep(scene())), "PNG", "RGB", 16),
    "png 16 alpha": (lambda: builders.png_16(builders.deep(builders.with_alpha(scene()))), "PNG", "RGBA", 16),
    "webp lossless": (lambda: save(_pil(), "WEBP", lossless=True), "WEBP", "RGB", 8),
    "tiff": (lambda: save(_pil(), "TIFF", compression="tiff_lzw"), "TIFF", "RGB", 8),
    "bmp": (lambda: save(_pil(), "BMP"), "BMP", "RGB", 8),
}


@pytest.mark.parametrize("name", LOSSLESS)
def test_lossless_kinds(tmp_path: Path, name: str) -> None:
    build, kind, mode, depth = LOSSLESS[name]
    path = tmp_path / "wrong.jpg"
    path.write_bytes(build())
    picture = read(path)
    assert (picture.format, picture.mode, picture.bit_depth) == (kind, mode, depth)
    assert picture.size_hw == builders.SIZE_HW
    assert picture.has_alpha is (mode == "RGBA")
    assert np.abs(picture.rgb.astype(int) - scene()).max() <= (1 if depth == 16 else 0)


LOSSY: dict[str, Callable[[], bytes]] = {
    "jpeg": builders.jpeg,
    "jpeg progressive": lambda: builders.jpeg(progressive=True),
    "jpeg cmyk": lambda: builders.jpeg(mode="CMYK"),
    "webp": lambda: save(_pil(), "WEBP", quality=90),
    "webp alpha": lambda: save(_rgba(), "WEBP", quality=90),
    "heic": builders.heic,
    "heic 10": lambda: builders.heic(builders.deep(scene()), "RGB;16"),
    "avif": lambda: save(_pil(), "AVIF", quality=90),
    "gif": lambda: save(builders.palette_picture(colours=200), "GIF"),
    "png palette": lambda: save(builders.palette_picture(colours=200), "PNG"),
    "tiff jpeg": lambda: save(_pil(), "TIFF", compression="jpeg"),
}


@pytest.mark.parametrize("name", LOSSY)
def test_lossy_kinds(tmp_path: Path, name: str) -> None:
    path = tmp_path / "picture"
    path.write_bytes(LOSSY[name]())
    picture = read(path)
    assert picture.size_hw == builders.SIZE_HW
    assert np.abs(picture.rgb.astype(int) - scene()).mean() < 8


@pytest.mark.parametrize("mode", ["L", "1", "LA"])
def test_grey(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "grey.png"
    path.write_bytes(save(_pil(mode), "PNG"))
    rgb = read(path).rgb
    assert np.array_equal(rgb[..., 0], rgb[..., 2])
    assert np.array_equal(rgb[..., 0], np.asarray(_pil(mode).convert("L")))


def test_grey_of_16_bits(tmp_path: Path) -> None:
    grey = scene()[..., 0]
    (tmp_path / "grey.png").write_bytes(builders.png_16(builders.deep(grey)))
    assert np.abs(read(tmp_path / "grey.png").rgb[..., 0].astype(int) - grey).max() <= 1


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("order", ["<", ">"])
def test_orientation_is_applied(tmp_path: Path, orientation: int, order: str) -> None:
    path = tmp_path / "turned.jpg"
    path.write_bytes(builders.jpeg(orientation, order=order, quality=98, subsampling=0))
    picture = read(path)
    assert picture.orientation == orientation
    assert picture.size_hw == builders.SIZE_HW
    assert np.abs(picture.rgb.astype(int) - scene()).mean() < 2


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "AVIF", "TIFF"])
def test_orientation_outside_jpeg(tmp_path: Path, kind: str) -> None:
    exif = PilImage.Exif()
    exif[0x0112] = 6
    stored = PilImage.fromarray(builders.turned_back(scene(), 6))
    (tmp_path / "turned").write_bytes(save(stored, kind, exif=exif, quality=95))
    picture = read(tmp_path / "turned")
    assert picture.orientation == 6
    assert np.abs(picture.rgb.astype(int) - scene()).mean() < 4


def test_heic_orientation_is_taken_once(tmp_path: Path) -> None:
    stored = builders.turned_back(scene(), 6)
    (tmp_path / "turned").write_bytes(builders.heic(stored, exif=b"Exif\x00\x00" + builders.exif_block(6)))
    picture = read(tmp_path / "turned")
    assert picture.size_hw == builders.SIZE_HW
    assert np.abs(picture.rgb.astype(int) - scene()).mean() < 8


BROKEN: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty": (lambda: b"", "empty"),
    "text": (lambda: b"this is no picture", "not a picture"),
    "jpeg cut off": (lambda: builders.jpeg()[:-900], "damaged"),
    "jpeg head only": (lambda: builders.jpeg()[:30], "damaged"),
    "png cut off": (lambda: save(_pil(), "PNG")[:-4000], "damaged"),
    "png 16 cut off": (lambda: builders.png_16(builders.deep(scene()))[:-4000], "damaged"),
    "webp cut off": (lambda: save(_pil(), "WEBP")[:-200], "damaged"),
    "tiff cut off": (lambda: save(_pil(), "TIFF")[:4000], "damaged"),
    "bmp cut off": (lambda: save(_pil(), "BMP")[:-4000], "damaged"),
    "gif cut off": (lambda: save(builders.palette_picture(), "GIF")[:700], "damaged"),
    "heic cut off": (lambda: builders.heic()[:-300], "damaged"),
    "avif cut off": (lambda: save(_pil(), "AVIF")[:-300], "damaged"),
    "png noise": (lambda: save(_pil(), "PNG")[:60] + bytes(range(256)) * 4, "damaged"),
    "gif animated": (lambda: builders.animated("GIF"), "animated"),
    "webp animated": (lambda: builders.animated("WEBP"), "animated"),
    "png animated": (lambda: builders.animated("PNG"), "animated"),
    "avif animated": (lambda: builders.animated("AVIF"), "animated"),
    "tiff of pages": (builders.animation_of_pages, "several pages"),
    "tiff lab": (lambda: save(PilImage.new("LAB", (8, 8)), "TIFF"), r"jpg: Pixels of the kind LAB are not"),
    "raw": (lambda: b"II\x2a\x00\x10\x00\x00\x00CR\x02\x00" + bytes(500), "camera raw"),
    "jpeg xl": (lambda: b"\xff\x0a" + bytes(50), "JPEG XL"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_cannot_be_read(tmp_path: Path, name: str) -> None:
    build, words = BROKEN[name]
    path = tmp_path / "broken.jpg"
    path.write_bytes(build())
    with pytest.raises(PictureError, match=words) as caught:
        read(path)
    assert str(path) in caught.value.message
    assert caught.value.hint
    assert "video" not in caught.value.hint  # there is no command for one


def test_absent(tmp_path: Path) -> None:
    with pytest.raises(PictureError, match=r"gone\.jpg cannot be opened"):
        read(tmp_path / "gone.jpg")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "BMP", "AVIF"])
def test_the_pixel_limit(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "large"
    path.write_bytes(save(_pil(), kind))
    pixels = builders.SIZE_HW[0] * builders.SIZE_HW[1]
    assert read(path, max_pixels=pixels).size_hw == builders.SIZE_HW
    with pytest.raises(PictureError, match="112 x 80") as caught:
        read(path, max_pixels=pixels - 1)
    assert "--max-pixels" in (caught.value.hint or "")


def test_the_limit_is_told_before_decoding(tmp_path: Path) -> None:
    """A header that promises a billion pixels over no data at all is refused for its size."""
    data = bytearray(save(_pil(), "PNG"))
    head = (60_000).to_bytes(4, "big") * 2 + bytes(data[24:29])
    (tmp_path / "bomb.png").write_bytes(
        bytes(data[:8]) + builders.png_chunk(b"IHDR", head) + bytes(data[33:60])
    )
    with pytest.raises(PictureError, match="60000 x 60000"):
        read(tmp_path / "bomb.png")


def test_large_pictures_pass_without_pillows_own_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PilImage, "MAX_IMAGE_PIXELS", 10)
    for kind in ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF"):
        (tmp_path / "p").write_bytes(save(_pil(), kind))
        assert read(tmp_path / "p").size_hw == builders.SIZE_HW


def test_a_second_picture_in_a_jpeg_is_no_animation(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(builders.jpeg(trailer=builders.jpeg()))
    assert read(tmp_path / "a.jpg").format == "JPEG"


def test_the_profile_does_not_change_pixels(tmp_path: Path) -> None:
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    (tmp_path / "a.png").write_bytes(save(_pil(), "PNG", icc_profile=profile))
    assert np.array_equal(read(tmp_path / "a.png").rgb, scene())


@pytest.mark.parametrize("cut", [1, 12, 15])
def test_a_png_without_its_last_bytes_is_written_whole(tmp_path: Path, cut: int) -> None:
    """All pixels are there, so Pillow reads it; the output must not inherit the damage."""
    (tmp_path / "in.png").write_bytes(save(_pil(), "PNG")[:-cut])
    write(tmp_path / "in.png", tmp_path / "out.png", [])
    assert np.array_equal(read(tmp_path / "out.png").rgb, scene())


def test_pillow_is_not_asked_to_forgive() -> None:
    assert ImageFile.LOAD_TRUNCATED_IMAGES is False
