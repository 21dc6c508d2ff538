"""The small commands: recipes, weights, cache, doctor, demo."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from click.testing import Result

from autoremove.cli import demo as demo_room
from autoremove.cli import doctor
from autoremove.cli.options import MAX_PIXELS, Amount
from autoremove.cli.weights import KINDS
from autoremove.models import weights
from autoremove.pipeline import MAX_PIXELS as LIMIT
from autoremove.recipe import load_recipe, recipe_names
from autoremove.store import Store
from tests import builders

Invoke = Callable[..., Result]


def test_recipes(invoke: Invoke, tmp_path: Path) -> None:
    listing = invoke("recipes", "list").output
    assert all(name in listing and load_recipe(name).about in listing for name in recipe_names())
    shown = invoke("recipes", "show", "people", "--set", "refine.grow=0.2").output
    fields = {stage: values for row in yaml.safe_load(shown)["stages"] for stage, values in row.items()}
    assert fields["refine"]["grow"] == 0.2
    saved = tmp_path / "mine.yaml"
    saved.write_text(shown)
    assert load_recipe(str(saved)).stages == load_recipe("people", ["refine.grow=0.2"]).stages
    assert invoke("recipes", "show", "peple").exit_code == 2


@pytest.fixture
def weights_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "weights"
    folder.mkdir()
    monkeypatch.setenv("AUTOREMOVE_WEIGHTS", str(folder))
    return folder


def test_weights_list(invoke: Invoke, weights_folder: Path) -> None:
    listing = invoke("weights", "list").output
    assert all(f"{entry.name} " in listing for entry in weights.TABLE)
    assert str(weights_folder) in listing
    assert "not for commercial use" in listing
    assert KINDS == weights.KINDS


def test_weights_verify_tells_damage(invoke: Invoke, weights_folder: Path) -> None:
    (weights_folder / "yolo11n.pt").write_bytes(b"not these")
    result = invoke("weights", "verify", "yolo11n")
    assert (result.exit_code, "damaged" in result.output) == (3, True)
    assert "yolo11n " in invoke("weights", "verify").output  # one that is here is checked with all
    missing = invoke("weights", "verify", "yolo11s")
    assert (missing.exit_code, "missing" in missing.output) == (3, True)
    assert invoke("weights", "verify", "yolo12").exit_code == 3


def test_weights_fetch(invoke: Invoke, weights_folder: Path) -> None:
    by_hand = invoke("weights", "fetch", "deepfillv2-csqiangwen")
    assert (by_hand.exit_code, "by hand" in by_hand.stderr) == (3, True)
    (weights_folder / "states_pt_places2.pth").write_bytes(b"x")
    there = invoke("weights", "fetch", "deepfillv2-pt-places2")
    assert there.exit_code == 0
    assert there.stdout.strip() == str(weights_folder / "states_pt_places2.pth")
    assert "may not be used commercially" in there.stderr
    assert invoke("weights", "fetch", "embedded").exit_code == 3  # of which kind?


def test_cache(invoke: Invoke, tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    for number in range(4):
        ref = store.put("composite", f"{number:064x}", "patches", [builders.removal()])
        os.utime(ref.path, (time.time() - 86400 * number,) * 2)
    size = ref.path.stat().st_size
    place = ("--cache", tmp_path / "store")
    assert "composite  4" in invoke("cache", "size", *place).output
    assert invoke("cache", "prune", *place).exit_code == 2
    assert "Deleted 1 artefact," in invoke("cache", "prune", *place, "--older-than", "2.5").output
    assert "Deleted 1 artefact," in invoke("cache", "prune", *place, "--max-size", f"{2 * size}B").output
    assert [path.stem[-1] for path in store.files()] == ["0", "1"]  # the oldest went
    assert "Deleted 2 artefacts," in invoke("cache", "prune", *place, "--max-size", "0").output


@pytest.mark.parametrize(
    ("text", "number"),
    [("500", 500), ("200M", 200_000_000), ("1.5k", 1500), ("2GB", 2 * 10**9), ("2 gb", 2 * 10**9)],
)
def test_amounts(text: str, number: int) -> None:
    assert Amount("size", unit="B").convert(text, None, None) == number


def test_the_default_limit_is_that_of_the_pipeline() -> None:
    assert Amount("pixels").convert(MAX_PIXELS, None, None) == LIMIT


def test_doctor_goes_through_everything(
    invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from autoremove import api

    by_network = api.fill
    monkeypatch.setattr(
        api, "fill", lambda rgb, hole, **how: by_network(rgb, hole, model="telea", device="cpu")
    )
    result = invoke("doctor", "--cache", tmp_path / "store")
    assert {line.split()[1] for line in result.output.splitlines()[:-1]} == {
        "versions",
        "device",
        "weights",
        "cache",
        "formats",
        "self-test",
    }
    assert (result.exit_code == 0) == ("All is well." in result.output)
    assert not (tmp_path / "store" / ".doctor").exists()


def test_doctor_names_what_is_wrong(invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(device: str) -> None:
        raise OSError("libGL is missing")

    monkeypatch.setattr(doctor, "_fill", broken)
    (tmp_path / "file").write_bytes(b"")
    result = invoke("doctor", "--device", "cuda", "--cache", tmp_path / "file" / "store")
    assert result.exit_code == 1
    problems = [line for line in result.output.splitlines() if line.startswith("problem")]
    assert any("There is no cuda" in line for line in problems)
    assert any("cache" in line and "Cannot write" in line for line in problems)
    assert any("OSError: libGL is missing" in line for line in problems)


def test_demo(invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, light: list[str]) -> None:
    assert sorted(path.name for path in demo_room.demo_photos()) == ["bus.jpg", "zidane.jpg"]
    photo = tmp_path / "one.jpg"
    photo.write_bytes(builders.jpeg())
    monkeypatch.setattr(demo_room, "demo_photos", lambda: [photo])
    output = tmp_path / "demo"
    result = invoke("demo", "-o", output, *light)
    assert result.exit_code == 0, result.output
    assert (output / "clean" / "one.jpg").exists()
    assert str(output / "clean" / "report.html") in result.stdout
