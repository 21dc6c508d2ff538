"""Outputs are the source with patches: same format, size and depth; untouched pixels are the same."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image as PilImage

from autoremove.images import apply_patches, read, write
from autoremove.images.reading import decoded
from autoremove.images.samples import COLOURS, upright
from autoremove.types import Patch
from tests import builders
from tests.builders import removal, save, scene


def _pil(mode: str = "RGB") -> PilImage.Image:
    return PilImage.fromarray(scene()).convert(mode)


def _rgba() -> PilImage.Image:
    return PilImage.fromarray(builders.with_alpha(scene()))


def _la(values: np.ndarray) -> np.ndarray:
    return np.dstack([values, builders.alpha_ramp()])


def _turned(orientation: int, kind: str, **options: object) -> bytes:
    exif = PilImage.Exif()
    exif[0x0112] = orientation
    return save(
        PilImage.fromarray(builders.turned_back(scene(), orientation)), kind, exif=exif.tobytes(), **options
    )


def _cv_tiff(values: np.ndarray, compression: int) -> bytes:
    order = values if values.ndim == 2 else np.ascontiguousarray(values[..., ::-1])
    return bytes(cv2.imencode(".tif", order, [cv2.IMWRITE_TIFF_COMPRESSION, compression])[1].tobytes())


def _tifffile(values: np.ndarray, **options: object) -> bytes:
    import io

    import tifffile

    stream = io.BytesIO()
    tifffile.imwrite(stream, values, metadata=None, **options)
    return stream.getvalue()


def _bmp_32() -> bytes:
    height, width = builders.SIZE_HW
    pixels = np.dstack([scene()[..., ::-1], builders.alpha_ramp()])[::-1]
    head = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 32, 0, pixels.size, 2835, 2835, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54 + pixels.size, 0, 0, 54) + head + pixels.tobytes()


grey = scene()[..., 1]
LOSSLESS: dict[str, Callable[[], bytes]] = {
    "png": lambda: save(_pil(), "PNG"),
    "png grey": lambda: save(_pil("L"), "PNG"),
    "png grey alpha": lambda: save(_pil("LA"), "PNG"),
    "png bilevel": lambda: save(_pil("1"), "PNG"),
    "png rgba": lambda: save(_rgba(), "PNG"),
    "png palette": lambda: save(builders.palette_picture(), "PNG"),
    "png full palette": lambda: save(builders.palette_picture(colours=256), "PNG"),
    "png clear palette": lambda: save(builders.palette_picture(), "PNG", transparency=3),
    "png palette with alphas": lambda: save(
        builders.palette_picture(colours=8), "PNG", transparency=bytes(range(8))
    ),
    "png 16": lambda: builders.png_16(builders.deep(scene())),
    "png 16 grey": lambda: builders.png_16(builders.deep(grey)),
    "png 16 grey alpha": lambda: builders.png_16(builders.deep(_la(grey))),
    "png 16 rgba": lambda: builders.png_16(builders.deep(builders.with_alpha(scene()))),
    "png turned": lambda: _turned(6, "PNG"),
    "webp lossless": lambda: save(_pil(), "WEBP", lossless=True),
    "webp lossless alpha": lambda: save(_rgba(), "WEBP", lossless=True, exact=True),
    "webp lossless turned": lambda: _turned(8, "WEBP", lossless=True),
    "bmp": lambda: save(_pil(), "BMP"),
    "bmp odd": lambda: save(_pil().crop((0, 0, 111, 80)), "BMP"),
    "bmp 32": _bmp_32,
    "bmp palette": lambda: save(builders.palette_picture(), "BMP"),
    "bmp grey": lambda: save(_pil("L"), "BMP"),
    "bmp bilevel": lambda: save(_pil("1"), "BMP"),
    "gif": lambda: save(builders.palette_picture(), "GIF"),
    "gif clear": lambda: save(builders.palette_picture(), "GIF", transparency=3),
    "gif full": lambda: save(builders.palette_picture(colours=256), "GIF"),
    "tiff": lambda: save(_pil(), "TIFF"),
    "tiff lzw": lambda: save(_pil(), "TIFF", compression="tiff_lzw"),
    "tiff lzw predictor": lambda: save(_pil(), "TIFF", compression="tiff_lzw", tiffinfo={317: 2}),
    "tiff deflate": lambda: save(_pil(), "TIFF", compression="tiff_adobe_deflate"),
    "tiff packbits": lambda: save(_pil(), "TIFF", compression="packbits"),
    "tiff zstd": lambda: save(_pil(), "TIFF", compression="zstd"),
    "tiff grey": lambda: save(_pil("L"), "TIFF"),
    "tiff rgba": lambda: save(_rgba(), "TIFF", compression="tiff_lzw"),
    "tiff cmyk": lambda: save(_pil("CMYK"), "TIFF", compression="tiff_lzw"),
    "tiff fax": lambda: save(_pil("1"), "TIFF", compression="group4"),
    "tiff palette": lambda: save(builders.palette_picture(), "TIFF", compression="tiff_lzw"),
    "tiff palette turned": lambda: save(builders.palette_picture(), "TIFF", tiffinfo={274: 3}),
    "tiff turned": lambda: _turned(5, "TIFF", compression="tiff_lzw"),
    "tiff 16": lambda: _cv_tiff(builders.deep(scene()), 1),
    "tiff 16 lzw": lambda: _cv_tiff(builders.deep(scene()), 5),
    "tiff 16 deflate": lambda: _cv_tiff(builders.deep(scene()), 8),
    "tiff 16 grey": lambda: _cv_tiff(builders.deep(grey), 5),
    "tiff 16 big-endian": lambda: _tifffile(builders.deep(scene()), photometric="rgb", byteorder=">"),
    "tiff 16 planes": lambda: _tifffile(
        np.moveaxis(builders.deep(scene()), 2, 0),
        photometric="rgb",
        planarconfig="separate",
        compression="zlib",
    ),
    "tiff tiles": lambda: _tifffile(
        scene(), photometric="rgb", tile=(32, 48), compression="zlib", predictor=True
    ),
    "tiff big": lambda: _tifffile(scene(), photometric="rgb", bigtiff=True, rowsperstrip=7),
    "tiff white is zero": lambda: _tifffile(255 - grey, photometric="miniswhite"),
    "tiff float": lambda: _tifffile((scene() / 255).astype(np.float32), photometric="rgb"),
    "tiff spot channel": lambda: _tifffile(
        np.dstack([builders.with_alpha(scene()), grey]), photometric="rgb", extrasamples=(2, 0)
    ),
}


@pytest.mark.parametrize("name", LOSSLESS)
def test_lossless(tmp_path: Path, name: str) -> None:
    source, out = tmp_path / "in.dat", tmp_path / "deep" / "er" / "out.dat"
    source.write_bytes(LOSSLESS[name]())
    write(source, out, [removal()])
    before, after = decoded(source), decoded(out)
    assert after.kind == before.kind
    assert (after.header.bit_depth, after.header.size_hw) == (before.header.bit_depth, before.header.size_hw)
    one, other = (
        upright(file.samples.values, file.samples.orientation).astype(np.float64) for file in (before, after)
    )
    kept = builders.outside(one.shape[:2])
    channels = min(one.shape[2], other.shape[2])
    assert np.array_equal(one[kept][:, :channels], other[kept][:, :channels])
    count = COLOURS[before.samples.model]
    assert np.array_equal(one[..., count:], other[..., count:]), "alpha changed"
    _assert_removed(read(out).rgb, read(source).rgb, before.samples.model, before.header.mode)


def _assert_removed(after: np.ndarray, before: np.ndarray, model: str, mode: str) -> None:
    """Inside, the colours are those of the patch, as near as the picture's kind allows."""
    expected = apply_patches(before, [removal()])
    x0, y0, x1, y1 = builders.PERSON
    inside = (slice(y0, y1), slice(x0, x1))
    if model in ("L", "LA"):
        blue = round(0.299 * builders.BLUE[0] + 0.587 * builders.BLUE[1] + 0.114 * builders.BLUE[2])
        assert after[inside].max() <= blue + 1
    elif mode == "P":
        assert (after[inside][..., 0] < 150).all()
    else:
        assert np.abs(after[inside].astype(int) - expected[inside]).max() <= 2


@pytest.mark.parametrize("name", ["png 16", "png 16 grey", "png 16 rgba", "tiff 16 lzw"])
def test_new_pixels_of_16_bits_are_blended_at_full_depth(tmp_path: Path, name: str) -> None:
    source, out = tmp_path / "in.dat", tmp_path / "out.dat"
    source.write_bytes(LOSSLESS[name]())
    write(source, out, [removal()])
    ring = ~builders.outside()
    x0, y0, x1, y1 = builders.PERSON
    ring[y0:y1, x0:x1] = False
    values = decoded(out).samples.values[ring][:, 0]
    assert (values % 257 != 0).mean() > 0.9


def test_a_palette_keeps_its_kind_where_the_colours_fit(tmp_path: Path) -> None:
    source, out = tmp_path / "in.png", tmp_path / "out.png"
    source.write_bytes(save(builders.palette_picture(), "PNG"))
    patch = removal()
    hard = type(patch)(patch.xyxy, patch.pixels, np.where(patch.alpha == 255, 255, 0).astype(np.uint8))
    write(source, out, [hard])
    assert PilImage.open(out).mode == "P"


def test_the_one_transparent_colour_stays_and_is_not_hit_by_chance(tmp_path: Path) -> None:
    source, out = tmp_path / "in.png", tmp_path / "out.png"
    source.write_bytes(save(_pil(), "PNG", transparency=builders.BLUE))
    write(source, out, [removal()])
    picture = PilImage.open(out)
    assert picture.info["transparency"] == builders.BLUE
    assert np.asarray(picture.convert("RGBA"))[..., 3].min() == 255


def _clear_gif(colours: int, clear: tuple[slice, slice]) -> bytes:
    """A GIF of so many colours and a transparent one, which fills ``clear``."""
    picture = builders.palette_picture(_busy(), colours)
    places = np.asarray(picture).copy()
    assert places.max() == colours - 1
    places[clear] = colours
    own = PilImage.fromarray(places)
    own.putpalette([*(picture.getpalette() or [])[: 3 * colours], 1, 2, 3])
    return save(own, "GIF", transparency=colours, optimize=False)


def _busy() -> np.ndarray:
    """The scene with hundreds of colours in the outer parts, which stay."""
    noise = np.random.default_rng(3).integers(0, 256, scene().shape, dtype=np.uint8)
    return np.where(builders.outside()[..., None], noise, scene()).astype(np.uint8)


@pytest.mark.parametrize("colours", [100, 255])
def test_a_hole_across_transparent_pixels_of_a_gif_leaves_them_transparent(
    tmp_path: Path, colours: int
) -> None:
    source, out = tmp_path / "in.gif", tmp_path / "out.gif"
    _, y0, x1, _ = builders.PERSON
    source.write_bytes(_clear_gif(colours, (slice(y0, y0 + 9), slice(0, x1 - 4))))
    noise = np.random.default_rng(4).integers(0, 256, removal().pixels.shape, dtype=np.uint8)
    write(source, out, [Patch(removal().xyxy, noise, removal().alpha)])
    before, after = (np.asarray(PilImage.open(path).convert("RGBA")) for path in (source, out))
    assert np.array_equal(after[..., 3], before[..., 3])
    assert (after[..., 3] == 0).sum() == 9 * (x1 - 4)
    kept = builders.outside() | (before[..., 3] == 0)
    assert np.array_equal(after[kept], before[kept])
    assert (after[~kept] != before[~kept]).any(axis=1).mean() > 0.5


def test_a_gif_whose_transparent_colour_is_nowhere_is_written(tmp_path: Path) -> None:
    source, out = tmp_path / "in.gif", tmp_path / "out.gif"
    source.write_bytes(_clear_gif(40, (slice(0, 0), slice(0, 0))))
    write(source, out, [removal()])
    assert decoded(source).samples.model == "RGBA"
    kept = builders.outside()
    assert np.array_equal(read(out).rgb[kept], read(source).rgb[kept])


LOSSY: dict[str, Callable[[], bytes]] = {
    "webp": lambda: save(_pil(), "WEBP", quality=90),
    "webp alpha": lambda: save(_rgba(), "WEBP", quality=90),
    "avif": lambda: save(_pil(), "AVIF", quality=90),
    "avif alpha": lambda: save(_rgba(), "AVIF", quality=90),
    "avif grey": lambda: save(_pil("L"), "AVIF", quality=90),
    "avif turned": lambda: _turned(6, "AVIF", quality=90),
    "heic": builders.heic,
    "heic 4:2:0": lambda: builders.heic(chroma=420),
    "heic alpha": lambda: builders.heic(builders.with_alpha(scene()), "RGBA"),
    "heic 10": lambda: builders.heic(builders.deep(scene()), "RGB;16"),
    "heic 12": lambda: builders.heic(builders.deep(scene()), "RGB;16", bit_depth=12),
    "tiff jpeg": lambda: save(_pil(), "TIFF", compression="jpeg"),
}


@pytest.mark.parametrize("name", LOSSY)
def test_lossy(tmp_path: Path, name: str) -> None:
    source, out = tmp_path / "in.dat", tmp_path / "out.dat"
    source.write_bytes(LOSSY[name]())
    write(source, out, [removal()])
    before, after = decoded(source), decoded(out)
    assert (after.kind, after.header) == (before.kind, before.header)
    assert after.samples.model == before.samples.model
    expected = apply_patches(read(source).rgb, [removal()]).astype(int)
    if before.samples.model == "L":
        expected = np.repeat(
            np.asarray(PilImage.fromarray(expected.astype(np.uint8)).convert("L"))[..., None], 3, 2
        )
    # Subsampled colour bleeds at the edges of red and blue; elsewhere the pictures agree closely.
    difference = np.abs(read(out).rgb.astype(int) - expected)
    assert difference.mean() < 6
    assert difference[builders.outside()].mean() < 4
    if "alpha" in name:
        alphas = [file.samples.values[..., 3].astype(int) for file in (before, after)]
        assert np.abs(alphas[0] - alphas[1]).max() <= 6


def test_nothing_to_change_is_nothing_changed(tmp_path: Path) -> None:
    source, out = tmp_path / "in.png", tmp_path / "out.png"
    source.write_bytes(builders.png_16(builders.deep(scene())))
    write(source, out, [])
    assert np.array_equal(decoded(source).samples.values, decoded(out).samples.values)


def test_a_strip_without_a_change_stays_to_the_byte(tmp_path: Path) -> None:
    source, out = tmp_path / "in.tif", tmp_path / "out.tif"
    source.write_bytes(_tifffile(scene(), photometric="rgb", rowsperstrip=8, compression="zlib"))
    write(source, out, [removal()])
    import tifffile

    with tifffile.TiffFile(source) as one, tifffile.TiffFile(out) as other:
        strips = [
            [file.filehandle.read_segments(page.dataoffsets, page.databytecounts) for page in file.pages]
            for file in (one, other)
        ]
        pairs = list(zip(*(list(strip[0]) for strip in strips), strict=True))
    same = [a[0] == b[0] for a, b in pairs]
    assert same == [True] * 2 + [False] * 6 + [True] * 2
