"""The inpainter from the command line: fine-tuned on a folder, converted from others, guided by a sketch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from PIL import Image as PilImage

from autoremove.models.deepfillv2 import Generator, GeneratorConfig, load_generator, save_generator
from tests import builders

Invoke = Callable[..., Result]
X1, Y1, X2, Y2 = builders.PERSON


@pytest.fixture
def invoke() -> Invoke:
    """Call the command line in this process, with networks as they are."""
    from autoremove.cli import cli

    return lambda *args: CliRunner().invoke(cli, [str(arg) for arg in args], prog_name="autoremove")


@pytest.fixture
def guided(tmp_path: Path) -> Path:
    """A network that paints its sketch channel white, on black."""
    generator = Generator(GeneratorConfig(cnum=8, in_channels=6))
    with torch.no_grad():
        for value in generator.parameters():
            value.zero_()
        for name, layer in generator.named_children():
            if name.startswith(("conv", "xconv", "allconv")):
                middle = layer.kernel_size[0] // 2
                layer.weight[0, 3 if name == "conv1" else 0, middle, middle] = 4.0
        generator.allconv17.weight[1:, 0] = generator.allconv17.weight[0, 0]
        generator.allconv17.bias.fill_(-1)
        generator.conv17.weight[1:, 0] = generator.conv17.weight[0, 0]
    path = tmp_path / "guided.safetensors"
    save_generator(generator, path)
    return path


@pytest.fixture
def hole(tmp_path: Path) -> Path:
    mask = np.zeros(builders.SIZE_HW, np.uint8)
    mask[Y1:Y2, X1:X2] = 255
    path = tmp_path / "hole.png"
    PilImage.fromarray(mask).save(path)
    return path


def drawing(path: Path, *, alpha: bool = False) -> Path:
    """A horizontal line through the hole, and one above it that must not count."""
    lines = np.full((*builders.SIZE_HW, 4), 255, np.uint8)
    lines[40:42, :, :3] = lines[4:6, :, :3] = 0
    if alpha:
        lines[..., 3] = 255 - lines[..., 0]
    PilImage.fromarray(lines if alpha else lines[..., :3]).save(path)
    return path


def filled(path: Path) -> np.ndarray:
    return np.asarray(PilImage.open(path).convert("RGB")).astype(int)


NO_DETAIL = ("--set", "detail=none", "--device", "cpu")


@pytest.mark.parametrize("alpha", [False, True])
def test_a_sketch_steers_the_fill(
    invoke: Invoke, photos: Path, hole: Path, guided: Path, tmp_path: Path, alpha: bool
) -> None:
    lines = drawing(tmp_path / "lines.png", alpha=alpha)
    common = ("inpaint", photos / "a.png", hole, "--weights", guided, *NO_DETAIL)
    plain = invoke(*common, "-o", tmp_path / "plain.png")
    steered = invoke(*common, "--sketch", lines, "-o", tmp_path / "steered.png")
    assert (plain.exit_code, steered.exit_code) == (0, 0), plain.output + steered.output
    difference = np.abs(filled(tmp_path / "steered.png") - filled(tmp_path / "plain.png")).max(2)
    assert difference[Y1:Y2, X1:X2].max() > 20
    outside = np.ones(builders.SIZE_HW, bool)
    outside[Y1:Y2, X1:X2] = False
    assert not difference[outside].any()


def test_sketches_in_folders(invoke: Invoke, photos: Path, hole: Path, guided: Path, tmp_path: Path) -> None:
    masks, lines, output = tmp_path / "masks", tmp_path / "lines", tmp_path / "out"
    for folder in (masks, lines):
        folder.mkdir()
    (photos / "cut.jpg").unlink()
    for name in ("a.png", "b.png", "empty street.png"):
        (masks / name).write_bytes(hole.read_bytes())
    (photos / "sub" / "a.png").unlink()
    drawing(lines / "a.png")
    PilImage.new("L", (9, 9)).save(lines / "empty street.png")
    arguments = (photos, masks, "--sketch", lines, "-o", output, "--weights", guided, *NO_DETAIL)
    result = invoke("inpaint", *arguments)
    assert result.exit_code == 1, result.output
    assert "2 pictures written" in result.stdout
    assert "The sketch is 9 x 9 pixels, the upright picture 112 x 80" in result.stderr


def test_sketches_that_cannot_be_used(
    invoke: Invoke, photos: Path, hole: Path, guided: Path, tmp_path: Path
) -> None:
    unguided = tmp_path / "unguided.safetensors"
    save_generator(Generator(GeneratorConfig(cnum=8)), unguided)
    lines, output = drawing(tmp_path / "lines.png"), tmp_path / "out.png"
    full = tmp_path / "full.png"
    noise = np.random.default_rng(0).integers(0, 255, (*builders.SIZE_HW, 3), dtype=np.uint8)
    PilImage.fromarray(noise).save(full)
    cases = [
        (("--sketch", lines, "--weights", unguided), 3, "sketch_share"),
        (("--sketch", lines, "--model", "telea"), 2, "follows no sketch"),
        (("--sketch", tmp_path / "none.png", "--weights", guided), 4, "no file or folder"),
        (("--sketch", photos, "--weights", guided), 2, "must all be"),
        (("--sketch", full, "--weights", guided), 2, "% of the sketch is line"),
    ]
    for options, code, words in cases:
        result = invoke("inpaint", photos / "a.png", hole, "-o", output, *options)
        assert (result.exit_code, words in result.stderr) == (code, True), (options, result.output)
    assert not output.exists()


def test_weights_convert(invoke: Invoke, tmp_path: Path) -> None:
    own = Generator(GeneratorConfig(cnum=8)).state_dict()
    names = {k: k.replace(".", ".conv.conv." if "upsample" in k else ".conv.") for k in own}
    torch.save({"G": {names[key]: value for key, value in own.items()}}, tmp_path / "theirs.pth")
    target = tmp_path / "ours.safetensors"
    result = invoke("weights", "convert", tmp_path / "theirs.pth", "-o", target, "--channel-order", "bgr")
    assert result.exit_code == 0, result.output
    assert "cnum 8, 5 input channels, same padding, bgr" in result.stdout
    assert load_generator(target).config.channel_order == "bgr"
    torch.save({"G": {names[key]: value for key, value in own.items()}, "by": Path}, tmp_path / "code.pth")
    trusting = ("weights", "convert", tmp_path / "code.pth", "-o", target)
    refused = invoke(*trusting)
    assert (refused.exit_code, "--model deepfillv2 --trust" in refused.stderr) == (3, True)
    assert invoke(*trusting, "--trust").exit_code == 0
    torch.save({"x": torch.zeros(1)}, tmp_path / "other.pth")
    refused = invoke("weights", "convert", tmp_path / "other.pth", "-o", tmp_path / "x.safetensors")
    assert (refused.exit_code, "known DeepFillv2" in refused.stderr) == (3, True)


def test_fine_tuning_is_one_command(invoke: Invoke, photos: Path, guided: Path, tmp_path: Path) -> None:
    (photos / "cut.jpg").unlink()
    output = tmp_path / "runs" / "street"
    settings = [
        f"start={guided}",
        "stages=[{until: 1, size: 16, batch: 1}]",
        "discriminator_base=4",
        "validation_size=16",
        "fill_size=0",
        "precision=float32",
    ]
    options = [part for text in settings for part in ("--set", text)]
    begin = ["train", "inpainter", "--data", photos, "-o", output, *options, "--steps", 1, "--device", "cpu"]
    result = invoke(*begin)
    assert result.exit_code == 0, result.output
    assert load_generator(output / "best.safetensors").config == load_generator(guided).config
    assert '"learning_rate": 0.0001' in (output / "run.json").read_text()
    anew = invoke(*begin)
    assert (anew.exit_code, "Add --resume" in anew.stderr) == (4, True), anew.output
    other = invoke("train", "detector", "--data", photos, "-o", output)
    assert (other.exit_code, "Add --resume" in other.stderr) == (4, True), other.output
