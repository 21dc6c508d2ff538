"""Enlarged outputs: every format keeps its depth, alpha, turn and metadata, and tells its new size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PilImage

from autoremove.errors import PictureError
from autoremove.images import read
from autoremove.images.enlarging import LONGEST, write_enlarged
from autoremove.images.reading import decoded
from autoremove.images.samples import COLOURS
from tests import builders
from tests.builders import save, scene
from tests.images.test_writing import LOSSLESS

INEXACT = {"gif full", "gif", "gif clear"}
"""GIF has 256 colours at most, and these are chosen anew."""


def doubled(rgb: np.ndarray) -> np.ndarray:
    """Each pixel as four: what comes out can be told exactly."""
    return np.repeat(np.repeat(rgb, 2, 0), 2, 1)


def written(tmp_path: Path, data: bytes) -> tuple[Path, Path, tuple[int, int]]:
    source, out = tmp_path / "in.dat", tmp_path / "sub" / "out.dat"
    source.write_bytes(data)
    return source, out, write_enlarged(source, out, 2, doubled)


@pytest.mark.parametrize("name", LOSSLESS)
def test_every_lossless_format(tmp_path: Path, name: str) -> None:
    source, out, size_hw = written(tmp_path, LOSSLESS[name]())
    before, after = decoded(source), decoded(out)
    assert after.kind == before.kind
    if name not in ("tiff fax",):  # which comes out in grey
        assert after.samples.values.dtype == before.samples.values.dtype
    own, large = read(source).rgb, read(out).rgb
    assert large.shape[:2] == size_hw == (2 * own.shape[0], 2 * own.shape[1])
    error = np.abs(doubled(own).astype(int) - large)
    # Grey passes through the weights of its channels, which may round.
    assert error.max() <= 1 if name not in INEXACT else error.mean() < 4
    assert after.samples.orientation == before.samples.orientation


@pytest.mark.parametrize(
    "name", ["png rgba", "png 16 rgba", "png grey alpha", "webp lossless alpha", "tiff rgba"]
)
def test_alpha_is_enlarged_smoothly(tmp_path: Path, name: str) -> None:
    source, out, _ = written(tmp_path, LOSSLESS[name]())
    before, after = decoded(source).samples, decoded(out).samples
    assert after.model == before.model
    planes = [s.values[..., COLOURS[s.model]].astype(float) / s.white for s in (before, after)]
    inner = np.abs(doubled(planes[0]) - planes[1])[4:-4, 4:-4]
    assert inner.mean() < 0.02


@pytest.mark.parametrize("orientation", [1, 6])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF", "TIFF", "HEIC"])
def test_metadata_stays_and_its_sizes_are_true(tmp_path: Path, kind: str, orientation: int) -> None:
    stored = builders.turned_back(scene(), orientation)
    exif = PilImage.Exif()
    exif[0x010F], exif[0x0112] = "Testcamera", orientation
    exif.get_ifd(0x8769).update({0xA002: stored.shape[1], 0xA003: stored.shape[0], 0x829A: 0.008})
    if kind == "HEIC":
        import pillow_heif

        pillow_heif.register_heif_opener()
    own = exif.tobytes()
    if kind == "TIFF":
        exif = PilImage.Exif()
        exif.load(own)  # Pillow writes into a TIFF what it has read from a file, and nothing else
        data = save(PilImage.fromarray(stored), kind, exif=exif)
    else:
        data = save(PilImage.fromarray(stored), {"HEIC": "HEIF"}.get(kind, kind), exif=own, quality=90)
    source, out, size_hw = written(tmp_path, data)
    assert size_hw == read(out).size_hw == (160, 224)
    with PilImage.open(out) as opened:
        found = opened.getexif()
        below = found.get_ifd(0x8769)
    assert found[0x010F] == "Testcamera"
    assert below[0x829A] == pytest.approx(0.008)
    assert (below[0xA003], below[0xA002]) == (2 * stored.shape[0], 2 * stored.shape[1])
    assert np.abs(read(out).rgb.astype(int) - doubled(read(source).rgb)).mean() < 8


def test_sizes_that_were_wrong_before_are_left_alone(tmp_path: Path) -> None:
    exif = PilImage.Exif()
    exif.get_ifd(0x8769).update({0xA002: 4000, 0xA003: 3000})
    _, out, _ = written(tmp_path, save(PilImage.fromarray(scene()), "JPEG", exif=exif.tobytes()))
    with PilImage.open(out) as opened:
        assert opened.getexif().get_ifd(0x8769)[0xA002] == 4000


def test_the_thumbnail_shows_the_new_picture(tmp_path: Path) -> None:
    source, out = tmp_path / "a.jpg", tmp_path / "b.jpg"
    source.write_bytes(builders.jpeg())
    write_enlarged(source, out, 2, lambda rgb: np.full((160, 224, 3), (20, 60, 220), np.uint8))
    data = out.read_bytes()
    small = data[data.index(b"\xff\xd8\xff", 4) :]
    (tmp_path / "small.jpg").write_bytes(small)
    with PilImage.open(tmp_path / "small.jpg") as thumbnail:
        assert max(thumbnail.size) <= 160
        assert np.abs(np.asarray(thumbnail.convert("RGB")).mean((0, 1)) - (20, 60, 220)).max() < 12


def test_one_transparent_colour_becomes_alpha(tmp_path: Path) -> None:
    rgb = scene()
    rgb[10:20, 10:30] = (1, 2, 3)
    data = save(PilImage.fromarray(rgb), "PNG", transparency=(1, 2, 3))
    _, out, _ = written(tmp_path, data)
    with PilImage.open(out) as opened:
        assert opened.mode == "RGBA"
        alpha = np.asarray(opened)[..., 3]
    assert (alpha[24:36, 24:56] == 0).all() and (alpha[60:] == 255).all()


def test_deep_pictures_are_enlarged_at_full_depth(tmp_path: Path) -> None:
    shown: list[np.dtype] = []
    source, out = tmp_path / "a.png", tmp_path / "b.png"
    source.write_bytes(builders.png_16(builders.deep(scene())))

    def enlarge(rgb: np.ndarray) -> np.ndarray:
        shown.append(rgb.dtype)
        return doubled(rgb)

    write_enlarged(source, out, 2, enlarge)
    assert shown == [np.dtype(np.uint16)]
    assert np.array_equal(decoded(out).samples.values, doubled(decoded(source).samples.values))


def test_what_would_be_too_large_is_refused_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, out = tmp_path / "a.jpg", tmp_path / "b.jpg"
    source.write_bytes(builders.jpeg())

    def never(rgb: np.ndarray) -> np.ndarray:
        raise AssertionError("enlarged all the same")

    with pytest.raises(PictureError, match=r"a\.jpg: 224 x 160 .* would come out"):
        write_enlarged(source, out, 2, never, max_pixels=20_000)
    monkeypatch.setitem(LONGEST, "JPEG", 200)
    with pytest.raises(PictureError, match="JPEG has room for sides of 200"):
        write_enlarged(source, out, 2, never)
    assert not out.exists()
