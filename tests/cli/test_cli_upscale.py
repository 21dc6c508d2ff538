"""`autoremove upscale`: files and folders, formats and metadata kept, failures named, exit codes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from PIL import Image as PilImage

from autoremove.cli.lazy import Entry, LazyGroup
from autoremove.models.network_files import save_network
from autoremove.models.srgan import SRGANConfig, SRResNet
from tests import builders

Invoke = Callable[..., Result]


@pytest.fixture
def invoke() -> Invoke:
    """The command behind the border at which errors become exit codes."""
    group = LazyGroup("autoremove", entries=(Entry("upscale", "Enlarge."),), package="autoremove.cli")
    return lambda *args: CliRunner().invoke(group, ["upscale", *map(str, args), "--device", "cpu"])


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """A network that does what bicubic interpolation does."""
    network = SRResNet(SRGANConfig(4, 1, 3, False, True, True))
    with torch.no_grad():
        network.conv3.weight.zero_()
    save_network(network, tmp_path / "net.safetensors")
    return tmp_path / "net.safetensors"


def test_one_picture(invoke: Invoke, photos: Path, weights: Path, tmp_path: Path) -> None:
    result = invoke(photos / "a.png", "-o", tmp_path / "large.png", "--weights", weights)
    assert result.exit_code == 0, result.output
    assert "1 picture written" in result.stdout
    with PilImage.open(tmp_path / "large.png") as opened, PilImage.open(photos / "a.png") as small:
        assert opened.size == (4 * small.width, 4 * small.height)
        wanted = small.resize(opened.size, PilImage.Resampling.BICUBIC)
        assert np.abs(np.asarray(opened).astype(int) - np.asarray(wanted)).max() <= 2


def test_the_format_and_the_exif_of_a_photo_stay(invoke: Invoke, weights: Path, tmp_path: Path) -> None:
    source = tmp_path / "photo.jpg"
    source.write_bytes(builders.jpeg(6))
    (tmp_path / "out").mkdir()
    result = invoke(source, "-o", tmp_path / "out", "--weights", weights, "--quiet")
    assert (result.exit_code, result.stdout) == (0, ""), result.output
    with PilImage.open(tmp_path / "out" / "photo.jpg") as opened:
        assert (opened.format, opened.size) == ("JPEG", (4 * 80, 4 * 112))
        assert (opened.getexif()[0x0112], opened.getexif()[0x010F]) == (6, "Testcamera1")


def test_a_folder_goes_on_after_a_failure(
    invoke: Invoke, photos: Path, weights: Path, tmp_path: Path
) -> None:
    result = invoke(photos, "-o", photos / "large", "--weights", weights)
    assert result.exit_code == 1, result.output
    assert "cut.jpg" in result.stderr and "4 pictures written" in result.stdout
    made = {path.relative_to(photos / "large").as_posix() for path in (photos / "large").rglob("*.*")}
    assert made == {"a.png", "b.jpg", "sub/a.png", "empty street.png"}
    again = invoke(photos, "-o", photos / "large", "--weights", weights)
    assert "4 pictures written" in again.stdout  # what was made is not enlarged once more


def test_what_cannot_be_done(invoke: Invoke, photos: Path, weights: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "other.bin").write_bytes(b"not weights")
    good, out = photos / "a.png", tmp_path / "out.png"
    cases = [
        ((photos / "none.png", "-o", out, "--weights", weights), 4, "no file or folder"),
        ((tmp_path / "empty", "-o", out, "--weights", weights), 4, "No pictures"),
        ((photos, "-o", photos, "--weights", weights), 4, "choose another output folder"),
        ((photos, "-o", tmp_path, "--weights", weights), 4, "lies in, the output folder"),
        ((good, "-o", good, "--weights", weights), 4, "is the input"),
        ((good, "-o", tmp_path / "out.jpg", "--weights", weights), 2, "keeps the format"),
        ((photos / "cut.jpg", "-o", tmp_path / "o.jpg", "--weights", weights), 1, "cut.jpg"),
        ((good, "-o", out, "--weights", tmp_path / "nothing.pth"), 3, "nothing.pth"),
        ((good, "-o", out, "--weights", tmp_path / "other.bin"), 3, "other.bin"),
    ]
    for arguments, code, words in cases:
        result = invoke(*arguments)
        assert (result.exit_code, words in result.stderr) == (code, True), (arguments, result.output)
    assert not out.exists()


def test_masks_are_not_written_over(invoke: Invoke, photos: Path, weights: Path, tmp_path: Path) -> None:
    masks = tmp_path / "masks"
    (masks / "sub").mkdir(parents=True)
    for name in ("a.png", "a.objects.png", "sub/a.png", "sub/a.objects.png"):
        (masks / name).write_bytes(b"edited")
    (masks / "coco.json").write_text('{"info": {"description": "Written by autoremove 1."}}')
    for source, output in [
        (photos, masks),
        (photos / "sub", masks / "sub"),
        (photos / "a.png", masks),
        (photos / "sub" / "a.png", masks / "sub" / "a.png"),
    ]:
        result = invoke(source, "-o", output, "--weights", weights)
        assert (result.exit_code, "holds masks of" in result.stderr) == (4, True), (output, result.output)
    assert {path.read_bytes() for path in masks.rglob("*.png")} == {b"edited"}


def test_masks_are_enlarged_as_any_picture(
    invoke: Invoke, photos: Path, weights: Path, tmp_path: Path
) -> None:
    masks = tmp_path / "masks"
    masks.mkdir()
    for name in ("a.png", "a.objects.png"):
        (masks / name).write_bytes((photos / "a.png").read_bytes())
    again = [invoke(masks, "-o", tmp_path / "large", "--weights", weights).exit_code for _ in range(2)]
    assert again == [0, 0]


def test_full_memory_is_told_by_the_picture(
    invoke: Invoke, photos: Path, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise RuntimeError("[enforce fail at alloc_cpu.cpp:114] . DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr(SRResNet, "forward", full)
    result = invoke(photos / "a.png", "-o", tmp_path / "out.png", "--weights", weights)
    assert result.exit_code == 1
    assert "a.png: there is not enough memory" in result.stderr
