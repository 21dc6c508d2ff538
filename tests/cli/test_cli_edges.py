"""`inpaint --edges`: lines of a drawing or edges of another picture go into the hole."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from PIL import Image as PilImage

import autoremove
from autoremove.errors import UsageError
from autoremove.models.edgeconnect import EdgeConnect, EdgeConnectConfig
from autoremove.models.network_files import save_network
from tests import builders

Invoke = Callable[..., Result]
X1, Y1, X2, Y2 = builders.PERSON
HEIGHT, WIDTH = builders.SIZE_HW


@pytest.fixture
def invoke() -> Invoke:
    from autoremove.cli import cli

    return lambda *args: CliRunner().invoke(cli, [str(arg) for arg in args], prog_name="autoremove")


@pytest.fixture
def network(tmp_path: Path) -> Path:
    """An untrained network whose picture shows its edges."""
    torch.manual_seed(0)
    net = EdgeConnect(EdgeConnectConfig(base=4, blocks=1))
    with torch.no_grad():
        net.colours.decoder[7].weight.mul_(20)
    save_network(net, tmp_path / "edgeconnect.safetensors")
    return tmp_path / "edgeconnect.safetensors"


@pytest.fixture
def hole(tmp_path: Path) -> Path:
    mask = np.zeros(builders.SIZE_HW, np.uint8)
    mask[Y1:Y2, X1:X2] = 255
    PilImage.fromarray(mask).save(tmp_path / "hole.png")
    return tmp_path / "hole.png"


def drawn(path: Path) -> Path:
    lines = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)
    lines[(Y1 + Y2) // 2] = 0
    PilImage.fromarray(lines).save(path)
    return path


def pictured(path: Path) -> Path:
    """Another picture, three times as large: a bright half above a dark one, in many tones."""
    rows, columns = np.mgrid[: 3 * HEIGHT, : 3 * WIDTH]
    tones = 30 + 80 * columns / columns.max() + 110 * (rows < 3 * (Y1 + Y2) / 2)
    PilImage.fromarray(np.repeat(tones[..., None], 3, 2).astype(np.uint8)).save(path)
    return path


def pixels(path: Path) -> np.ndarray:
    return np.asarray(PilImage.open(path).convert("RGB")).astype(int)


@pytest.mark.parametrize("make", [drawn, pictured])
def test_edges_steer_the_fill(
    invoke: Invoke, photos: Path, hole: Path, network: Path, tmp_path: Path, make: Callable[[Path], Path]
) -> None:
    edges = make(tmp_path / "edges.png")
    common = ("inpaint", photos / "a.png", hole, "--model", "edgeconnect", "--weights", network)
    options = (*common, "--set", "detail=none", "--device", "cpu")
    plain = invoke(*options, "-o", tmp_path / "plain.png")
    steered = invoke(*options, "--edges", edges, "-o", tmp_path / "steered.png")
    assert (plain.exit_code, steered.exit_code) == (0, 0), plain.output + steered.output
    difference = np.abs(pixels(tmp_path / "steered.png") - pixels(tmp_path / "plain.png")).max(2)
    assert difference[Y1:Y2, X1:X2].max() > 5
    difference[Y1:Y2, X1:X2] = 0
    assert not difference.any()


def test_a_drawing_is_the_same_to_both_options(
    invoke: Invoke, photos: Path, hole: Path, network: Path, tmp_path: Path
) -> None:
    edges = drawn(tmp_path / "edges.png")
    common = ("inpaint", photos / "a.png", hole, "--model", "edgeconnect", "--weights", network)
    for option in ("--edges", "--sketch"):
        result = invoke(*common, option, edges, "-o", tmp_path / f"{option}.png", "--device", "cpu")
        assert result.exit_code == 0, result.output
    np.testing.assert_array_equal(pixels(tmp_path / "--edges.png"), pixels(tmp_path / "--sketch.png"))


def test_edges_that_cannot_be_used(invoke: Invoke, photos: Path, hole: Path, tmp_path: Path) -> None:
    edges = drawn(tmp_path / "edges.png")
    PilImage.fromarray(np.zeros((9, 9), np.uint8)).save(tmp_path / "small.png")
    cases = [
        (("--edges", edges, "--sketch", edges), 2, "both given"),
        (("--edges", edges, "--model", "telea"), 2, "deepfillv2 or edgeconnect"),
        (("--edges", tmp_path / "none.png"), 4, "no file or folder"),
        (("--edges", photos), 2, "must all be"),
        (("--edges", tmp_path / "small.png"), 2, "9 x 9 pixels"),
    ]
    for options, code, words in cases:
        result = invoke("inpaint", photos / "a.png", hole, "-o", tmp_path / "out.png", *options)
        assert (result.exit_code, words in result.stderr) == (code, True), (options, result.output)
    assert not (tmp_path / "out.png").exists()


def test_edges_from_python(network: Path, tmp_path: Path) -> None:
    picture, holes = builders.scene(), np.zeros(builders.SIZE_HW, bool)
    holes[Y1:Y2, X1:X2] = True
    other = np.asarray(PilImage.open(pictured(tmp_path / "other.png")))
    how = {"model": "edgeconnect", "weights": str(network), "device": "cpu", "settings": {"detail": "none"}}
    plain = autoremove.inpaint(picture, holes, **how)
    steered = autoremove.inpaint(picture, holes, **how, edges=other)
    assert (steered != plain).any() and np.array_equal(steered[~holes], picture[~holes])
    with pytest.raises(UsageError, match="a sketch and edges"):
        autoremove.inpaint(picture, holes, **how, edges=other, sketch=other)
