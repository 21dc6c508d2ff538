"""Masks out (`mask`) and masks in (`inpaint`), one by one and in folders; what one writes the other reads."""

from __future__ import annotations

import filecmp
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from PIL import Image as PilImage

from autoremove import journal
from autoremove.own_masks.coco import run_lengths
from autoremove.own_masks.names import mask_files, mask_of
from tests import builders

Invoke = Callable[..., Result]


@pytest.fixture
def hole() -> np.ndarray:
    mask = np.zeros(builders.SIZE_HW, np.uint8)
    x0, y0, x1, y1 = builders.PERSON
    mask[y0 - 2 : y1 + 2, x0 - 2 : x1 + 2] = 255
    return mask


def pixels(path: Path) -> np.ndarray:
    return np.asarray(PilImage.open(path))


def redness(path: Path) -> int:
    x0, y0, x1, y1 = builders.PERSON
    return int(np.asarray(PilImage.open(path).convert("RGB"))[y0:y1, x0:x1, 0].max())


def test_mask_writes_masks_objects_and_coco(
    invoke: Invoke, photos: Path, light: list[str], tmp_path: Path
) -> None:
    output = tmp_path / "masks"
    settings = light[: light.index("inpaint.model=telea") - 1] + light[light.index("--cache") :]
    result = invoke("mask", photos, "-o", output, *settings)
    assert result.exit_code == 1
    assert "3 objects in 4 pictures, 1 failed" in result.stdout
    grown, ids = pixels(output / "sub" / "a.png"), pixels(output / "sub" / "a.objects.png")
    x0, y0, x1, y1 = builders.PERSON
    assert set(np.unique(grown)) == {0, 255} and grown[y0:y1, x0:x1].min() == 255
    assert ids.dtype == np.uint16 and set(np.unique(ids)) == {0, 1}
    assert (grown > 0).sum() > (ids > 0).sum() > 0
    body = json.loads((output / "coco.json").read_text())
    assert [row["file_name"] for row in body["images"]] == ["a.png", "b.jpg", "empty street.png", "sub/a.png"]
    assert [(row["id"], row["name"]) for row in body["categories"]] == [(1, "person")]
    first = body["annotations"][0]
    assert first["bbox"] == [x0, y0, x1 - x0, y1 - y0]
    assert first["area"] == (ids > 0).sum() == sum(first["segmentation"]["counts"][1::2])


def test_masks_of_some_pictures_leave_the_others_known(
    invoke: Invoke, photos: Path, light: list[str], tmp_path: Path
) -> None:
    (photos / "cut.jpg").unlink()
    output, store = tmp_path / "masks", tmp_path / "store"
    settings = light[: light.index("inpaint.model=telea") - 1] + light[light.index("--cache") :]
    assert invoke("mask", photos, "-o", output, *settings).exit_code == 0
    whole, rows = json.loads((output / "coco.json").read_text()), journal.read(output / journal.NAME)
    shutil.rmtree(store)  # what tells of the others is then in the old file alone
    output = output.rename(tmp_path / "moved")
    PilImage.fromarray(np.zeros(builders.SIZE_HW, np.uint8)).save(output / "sub" / "a.png")  # edited
    result = invoke("mask", photos / "a.png", "-o", output, *settings)
    assert result.exit_code == 0, result.output
    assert "1 object in 1 picture, 0 failed" in result.stdout
    assert "note:" not in result.stderr
    assert json.loads((output / "coco.json").read_text()) == whole
    assert list(journal.read(output / journal.NAME)) == list(rows)
    (output / "empty street.png").unlink()
    wider = invoke("mask", photos, "-o", output, *settings, "--set", "refine.grow=0.3")
    assert wider.exit_code == 0, wider.output
    assert "Edited by hand and left as they are: 1" in wider.stdout
    grown = {
        row["file_name"]: row["grown"] for row in json.loads((output / "coco.json").read_text())["images"]
    }
    assert grown["b.jpg"] == run_lengths(pixels(output / "b.png") > 0)
    assert grown["b.jpg"] != next(row["grown"] for row in whole["images"] if row["file_name"] == "b.jpg")


def test_masks_that_are_gone_or_another_pictures_are_told_no_more(
    invoke: Invoke, photos: Path, light: list[str], tmp_path: Path
) -> None:
    (photos / "cut.jpg").unlink()
    output = tmp_path / "masks"
    settings = light[: light.index("inpaint.model=telea") - 1] + light[light.index("--cache") :]
    assert invoke("mask", photos, "-o", output, *settings).exit_code == 0
    (output / "sub" / "a.png").unlink()
    renamed = (photos / "b.jpg").rename(photos / "b.jpeg")
    assert invoke("mask", renamed, "-o", output, *settings).exit_code == 0
    assert list(journal.read(output / journal.NAME)) == ["a.png", "b.jpeg", "empty street.png"]
    body = json.loads((output / "coco.json").read_text())
    assert [row["file_name"] for row in body["images"]] == ["a.png", "b.jpeg", "empty street.png"]


def test_run_lengths_are_those_of_coco() -> None:
    coco = pytest.importorskip("pycocotools.mask")
    random = np.random.default_rng(3)
    for mask in (random.random((7, 5)) > 0.5, np.ones((3, 4), bool), np.zeros((3, 4), bool)):
        ours = run_lengths(mask)
        compressed = coco.frPyObjects(ours, *mask.shape)
        assert (coco.decode(compressed).astype(bool) == mask).all()
        assert sum(ours["counts"]) == mask.size


def test_two_pictures_of_one_stem(invoke: Invoke, photos: Path, light: list[str], tmp_path: Path) -> None:
    (photos / "cut.jpg").unlink()
    PilImage.fromarray(builders.scene()).save(photos / "a.jpg")
    settings = light[: light.index("inpaint.model=telea") - 1] + light[light.index("--cache") :]
    assert invoke("mask", photos, "-o", tmp_path / "masks", *settings).exit_code == 0
    assert {path.name for path in (tmp_path / "masks").glob("a.*")} == {
        "a.png.png",
        "a.png.objects.png",
        "a.jpg.png",
        "a.jpg.objects.png",
    }
    result = invoke("inpaint", photos, tmp_path / "masks", "-o", tmp_path / "filled", "--model", "telea")
    assert result.exit_code == 0, result.output
    assert redness(tmp_path / "filled" / "a.png") < 180
    assert redness(tmp_path / "filled" / "a.jpg") < 190
    assert filecmp.cmp(photos / "empty street.png", tmp_path / "filled" / "empty street.png", shallow=False)


def test_a_recipe_without_masks_is_refused(invoke: Invoke, photos: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "only.yaml"
    recipe.write_text("about: boxes\nstages: [detect, select]\n")
    result = invoke("mask", photos, "-o", tmp_path / "masks", "--recipe", recipe)
    assert (result.exit_code, "makes no masks" in result.stderr) == (2, True)


def test_inpaint_one(invoke: Invoke, photos: Path, hole: np.ndarray, tmp_path: Path) -> None:
    PilImage.fromarray(hole).save(tmp_path / "hole.png")
    output = tmp_path / "filled.png"
    result = invoke("inpaint", photos / "a.png", tmp_path / "hole.png", "-o", output, "--model", "ns")
    assert result.exit_code == 0, result.output
    assert redness(output) < 180
    assert (pixels(output)[hole == 0] == builders.scene()[hole == 0]).all()
    assert (
        invoke("inpaint", photos / "b.jpg", tmp_path / "hole.png", "-o", tmp_path, "--model", "ns").exit_code
        == 0
    )
    assert PilImage.open(tmp_path / "b.jpg").format == "JPEG"


def test_a_mask_for_inpaint_is_read_as_run_reads_it(
    invoke: Invoke, photos: Path, hole: np.ndarray, tmp_path: Path
) -> None:
    erased, output = np.dstack([np.full_like(hole, 255)] * 3 + [hole]), tmp_path / "out.png"
    PilImage.fromarray(erased).save(tmp_path / "hole.png")
    result = invoke("inpaint", photos / "a.png", tmp_path / "hole.png", "-o", output, "--model", "ns")
    assert result.exit_code == 0, result.output
    assert redness(output) < 180
    assert (pixels(output)[hole == 0] == builders.scene()[hole == 0]).all()


def test_inpaint_refusals(invoke: Invoke, photos: Path, hole: np.ndarray, tmp_path: Path) -> None:
    good, small = tmp_path / "hole.png", tmp_path / "small.png"
    PilImage.fromarray(hole).save(good)
    PilImage.fromarray(hole[:40]).save(small)
    faint = tmp_path / "faint.png"
    PilImage.new("L", hole.shape[::-1], 100).save(faint)
    picture, output = photos / "a.png", tmp_path / "out.png"
    cases = [
        ((picture, small, "-o", output), 2, "112 x 40"),
        ((picture, faint, "-o", output, "--model", "ns"), 2, f"{faint}: The mask is nowhere white"),
        ((picture, good, "-o", tmp_path / "out.jpg"), 2, "Name it out.png"),
        ((picture, good, "-o", picture), 4, "is the input."),
        ((picture, good, "-o", good), 4, f"{good} is the input."),
        ((picture, good, "--edges", faint, "-o", faint), 4, f"{faint} is the input."),
        ((picture, tmp_path / "none.png", "-o", output), 4, "no file or folder"),
        ((photos, good, "-o", output), 2, "both"),
        ((picture, good, "-o", output, "--model", "magic"), 2, "magic"),
        ((picture, good, "-o", output, "--set", "sid=3"), 2, "Did you mean"),
        ((picture, good, "-o", output, "--set", "side"), 2, "field=value"),
        ((picture, good, "-o", output, "--device", "cuda"), 2, "There is no cuda"),
        ((picture, good, "-o", output, "--weights", "nowhere.pth"), 3, "nowhere.pth"),
        ((photos / "cut.jpg", good, "-o", tmp_path / "out.jpg", "--model", "ns"), 1, "damaged"),
    ]
    for arguments, code, words in cases:
        result = invoke("inpaint", *arguments)
        assert (result.exit_code, words in result.stderr) == (code, True), (arguments, result.output)
    assert not output.exists() and (pixels(good)[hole > 0] == 255).all()


def test_inpaint_does_not_write_over_other_masks(
    invoke: Invoke, photos: Path, hole: np.ndarray, tmp_path: Path
) -> None:
    masks, others = tmp_path / "masks", tmp_path / "others"
    for path in (masks / "a.png", others / "a.png", others / "a.objects.png"):
        path.parent.mkdir(exist_ok=True)
        PilImage.fromarray(hole).save(path)
    before = (others / "a.png").read_bytes()
    for arguments in [(photos, masks, "-o", others), (photos / "a.png", masks / "a.png", "-o", others)]:
        result = invoke("inpaint", *arguments, "--model", "telea")
        assert (result.exit_code, "holds masks of" in result.stderr) == (4, True), result.output
    assert (others / "a.png").read_bytes() == before


def test_inpaint_refuses_folders_in_one_another(
    invoke: Invoke, photos: Path, hole: np.ndarray, tmp_path: Path
) -> None:
    masks, output = tmp_path / "masks", tmp_path / "out"
    masks.mkdir()
    PilImage.fromarray(hole).save(masks / "a.png")
    before = sorted(tmp_path.rglob("*"))
    cases = [
        ((photos, masks, "-o", photos), "photos is, or lies in, the output folder"),
        ((photos, masks, "-o", tmp_path), "lies in, the output folder"),
        ((photos, masks, "-o", masks), "masks is, or lies in, the output folder"),
        ((photos, photos, "-o", output), "which is no folder of inputs"),
        ((photos, tmp_path, "-o", output), "which is no folder of inputs"),
        ((photos, masks, "-o", output, "--edges", photos), "which is no folder of inputs"),
    ]
    for arguments, words in cases:
        result = invoke("inpaint", *arguments, "--model", "telea")
        assert (result.exit_code, words in result.stderr) == (4, True), (arguments, result.output)
        assert "hint:" in result.stderr
    assert sorted(tmp_path.rglob("*")) == before


def test_inpaint_takes_no_mask_for_two_pictures(
    invoke: Invoke, photos: Path, hole: np.ndarray, tmp_path: Path
) -> None:
    masks, output = tmp_path / "masks", tmp_path / "out"
    masks.mkdir()
    PilImage.fromarray(builders.scene()).save(photos / "a.jpg")
    for name in ("a.jpg.png", "a.png.png"):
        PilImage.fromarray(hole).save(masks / name)
    lines = shutil.copytree(masks, tmp_path / "lines")
    (masks / "a.png.png").rename(masks / "a.png")
    arguments = ["inpaint", photos, masks, "-o", output, "--model", "edgeconnect"]
    (masks / "a.jpg.png").rename(tmp_path / "kept.png")
    result = invoke(*arguments)
    assert (result.exit_code, "may be of a.jpg or of a.png" in result.stderr) == (4, True), result.output
    assert "a.jpg.png" in result.stderr.split("hint:")[1]
    (tmp_path / "kept.png").rename(masks / "a.jpg.png")
    (lines / "a.png.png").rename(lines / "a.png")
    (lines / "a.jpg.png").unlink()
    result = invoke(*arguments, "--edges", lines)
    assert (result.exit_code, "The sketch" in result.stderr) == (4, True), result.output
    assert not output.exists()


def test_inpaint_folder_goes_on(invoke: Invoke, photos: Path, hole: np.ndarray, tmp_path: Path) -> None:
    masks, output = tmp_path / "masks", tmp_path / "filled"
    (masks / "sub").mkdir(parents=True)
    PilImage.fromarray(hole).save(masks / "b.bmp")
    PilImage.fromarray(hole).save(masks / "sub" / "a.png")
    PilImage.fromarray(hole[:40]).save(masks / "a.png")
    result = invoke("inpaint", photos, masks, "-o", output, "--model", "telea")
    assert result.exit_code == 1
    assert "2 pictures written" in result.stdout and "3 failed" in result.stdout
    assert {str(p.relative_to(output)) for p in output.rglob("*") if p.is_file()} == {"b.jpg", "sub/a.png"}
    assert result.stderr.count("has no mask") == 2


def test_where_a_mask_is_looked_for(tmp_path: Path) -> None:
    for name in ("a.png", "b.jpg.png", "b.png", "c.objects.png"):
        (tmp_path / name).write_bytes(b"")
    files = mask_files(tmp_path)
    assert mask_of(Path("a.jpg"), files) == tmp_path / "a.png"
    assert mask_of(Path("b.jpg"), files) == tmp_path / "b.jpg.png"
    assert mask_of(Path("c.jpg"), files) is None


def test_names_too_long_for_masks_fail_alone_and_stop_no_run(
    invoke: Invoke, photos: Path, light: list[str], tmp_path: Path
) -> None:
    (photos / "cut.jpg").unlink()
    place = light.index("inpaint.model=telea")
    masking = [*light[: place - 1], *light[place + 1 :]]  # without what only fills
    long = "x" * 250 + ".png"
    (photos / "a.png").rename(photos / long)
    for _ in range(2):  # neither is stopped by what the first one wrote
        assert invoke("run", photos, "-o", tmp_path / "clean", "--no-report", *light).exit_code == 0
        result = invoke("mask", photos, "-o", tmp_path / "masks", *masking)
        assert result.exit_code == 1, result.output
        assert "1 failed" in result.stdout
        assert "File name too long. Give the picture a shorter name." in result.stderr
    assert not (tmp_path / "masks" / long).exists() and (tmp_path / "masks" / "b.png").exists()
    (tmp_path / "masks" / long).write_bytes((tmp_path / "masks" / "b.png").read_bytes())
    given = ["run", photos, "-o", tmp_path / "again", "--masks", tmp_path / "masks", "--no-report", *light]
    assert invoke(*given).exit_code == 0
