"""Masks out, edited by hand, and back in: `mask` and then `run --masks`."""

from __future__ import annotations

import filecmp
import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from PIL import Image as PilImage

from autoremove import journal
from tests import builders
from tests.cases.runs import files

Invoke = Callable[..., Result]
OURS = (journal.NAME, "recipe.yaml", "report.html")


@pytest.fixture
def photos(photos: Path) -> Path:
    """As everywhere, without the broken one and with one that is stored on its side."""
    (photos / "cut.jpg").unlink()
    (photos / "turned.jpg").write_bytes(builders.jpeg(6))
    return photos


@pytest.fixture
def masking(light: list[str]) -> list[str]:
    """The options for `mask`, which fills nothing."""
    place = light.index("inpaint.model=telea")
    return [*light[: place - 1], *light[place + 1 :]]


@pytest.fixture
def masks(invoke: Invoke, photos: Path, masking: list[str], tmp_path: Path) -> Path:
    result = invoke("mask", photos, "-o", tmp_path / "masks", *masking)
    assert result.exit_code == 0, result.output
    return tmp_path / "masks"


def rows_of(output: Path) -> dict[str, journal.Row]:
    return journal.read(output / journal.NAME)


def outputs(output: Path) -> dict[str, bytes]:
    return {name: data for name, data in files(output).items() if name not in OURS and "report" not in name}


def computed(row: journal.Row) -> list[str]:
    return [step["stage"] for step in row.steps if not step["cached"]]


def paint(path: Path, box: tuple[int, int, int, int], value: int) -> None:
    pixels = np.array(PilImage.open(path))
    pixels[box[1] : box[3], box[0] : box[2]] = value
    PilImage.fromarray(pixels).save(path)


def test_there_and_back_is_the_plain_run(
    invoke: Invoke, photos: Path, masks: Path, light: list[str], tmp_path: Path
) -> None:
    assert invoke("run", photos, "-o", tmp_path / "plain", *light).exit_code == 0
    result = invoke("run", photos, "-o", tmp_path / "own", "--masks", masks, *light)
    assert result.exit_code == 0, result.output
    assert "masks of your own: 5; 0 pictures without one" in result.stderr
    assert outputs(tmp_path / "own") == outputs(tmp_path / "plain")
    plain, own = rows_of(tmp_path / "plain"), rows_of(tmp_path / "own")
    for name, row in own.items():
        steps = [step["stage"] for step in row.steps]
        assert steps[:4] == ["own-objects", "own-mask", "inpaint", "composite"]
        assert (row.status, row.objects, row.share) == (
            plain[name].status,
            plain[name].objects,
            plain[name].share,
        )
        # The filling is the plain run's; only a second look that may not widen masks is another.
        assert set(computed(row)) <= {"own-objects", "own-mask", "audit"}


def test_an_edit_runs_only_what_follows(
    invoke: Invoke, photos: Path, masks: Path, light: list[str], tmp_path: Path
) -> None:
    arguments = ["run", photos, "-o", tmp_path / "clean", "--masks", masks, *light]
    invoke(*arguments)
    before = outputs(tmp_path / "clean")
    x0, _, x1, y1 = builders.PERSON
    paint(masks / "b.png", (x0, y1 + 8, x1, y1 + 16), 255)
    result = invoke(*arguments)
    assert result.exit_code == 0, result.output
    after, rows = outputs(tmp_path / "clean"), rows_of(tmp_path / "clean")
    assert {name for name in after if after[name] != before[name]} == {"b.jpg"}
    assert {name for name, row in rows.items() if computed(row)} == {"b.jpg"}
    assert computed(rows["b.jpg"])[:4] == ["own-objects", "own-mask", "inpaint", "composite"]
    assert [row["label"] for row in rows["b.jpg"].objects] == ["person", "object"]


def test_all_black_removes_nothing(
    invoke: Invoke, photos: Path, masks: Path, light: list[str], tmp_path: Path
) -> None:
    paint(masks / "a.png", (0, 0, 999, 999), 0)
    assert invoke("run", photos, "-o", tmp_path / "clean", "--masks", masks, *light).exit_code == 0
    assert filecmp.cmp(photos / "a.png", tmp_path / "clean" / "a.png", shallow=False)
    row = rows_of(tmp_path / "clean")["a.png"]
    assert (row.status, row.objects, row.share) == ("unchanged", [], 0)


def test_masks_of_the_wrong_size(
    invoke: Invoke, photos: Path, masks: Path, light: list[str], tmp_path: Path
) -> None:
    PilImage.fromarray(np.zeros((40, 112), np.uint8)).save(masks / "a.png")
    upright = PilImage.open(masks / "turned.png")
    upright.rotate(90, expand=True).save(masks / "turned.png")
    result = invoke("run", photos, "-o", tmp_path / "clean", "--masks", masks, *light)
    assert result.exit_code == 1
    rows = rows_of(tmp_path / "clean")
    assert {name for name, row in rows.items() if row.status == "failed"} == {"a.png", "turned.jpg"}
    reason = str(rows["a.png"].reason)
    assert str(masks / "a.png") in reason and str(photos / "a.png") in reason and "112 x 40" in reason
    assert "EXIF" in str(rows["turned.jpg"].reason)
    assert not (tmp_path / "clean" / "a.png").exists()


@pytest.mark.parametrize("only", [False, True])
def test_some_pictures_only(
    invoke: Invoke, photos: Path, masks: Path, light: list[str], tmp_path: Path, only: bool
) -> None:
    for name in ("a.png", "b.png", "coco.json", "b.objects.png"):
        (masks / name).unlink()
    (masks / "typo.png").write_bytes((masks / "sub" / "a.png").read_bytes())
    more = ["--only-masks"] if only else []
    result = invoke("run", photos, "-o", tmp_path / "clean", "--masks", masks, *more, *light)
    assert result.exit_code == 0, result.output
    assert "no picture for 1 mask in" in result.stderr and "masks: typo.png\n" in result.stderr
    assert f"2 pictures without one {'left as they are' if only else 'done as usual'}" in result.stderr
    rows = rows_of(tmp_path / "clean")
    assert rows["sub/a.png"].status == "done" and rows["sub/a.png"].objects[0]["label"] == "object"
    for name in ("a.png", "b.jpg"):
        assert rows[name].status == ("unchanged" if only else "done")
        assert filecmp.cmp(photos / name, tmp_path / "clean" / name, shallow=False) == only
        assert any(step["stage"] == "detect" for step in rows[name].steps) != only


def test_a_coco_file_alone_is_grown_as_the_recipe_says(
    invoke: Invoke, photos: Path, masks: Path, light: list[str], tmp_path: Path
) -> None:
    body = json.loads((masks / "coco.json").read_text())
    gone = next(row["id"] for row in body["images"] if row["file_name"] == "b.jpg")
    body["annotations"] = [row for row in body["annotations"] if row["image_id"] != gone]
    path = tmp_path / "exported.json"
    path.write_text(json.dumps(body))
    result = invoke("run", photos, "-o", tmp_path / "clean", "--masks", path, *light)
    assert result.exit_code == 0, result.output
    assert invoke("run", photos, "-o", tmp_path / "plain", *light).exit_code == 0
    clean, plain = outputs(tmp_path / "clean"), outputs(tmp_path / "plain")
    assert {name for name in plain if clean[name] != plain[name]} == {"b.jpg"}
    assert filecmp.cmp(photos / "b.jpg", tmp_path / "clean" / "b.jpg", shallow=False)


def test_edited_masks_are_never_replaced(
    invoke: Invoke, photos: Path, masks: Path, masking: list[str]
) -> None:
    paint(masks / "a.png", (0, 0, 10, 10), 255)
    (masks / "b.png").unlink()
    kept = (masks / "a.png").read_bytes()
    recorded = json.loads((masks / "coco.json").read_text())
    wider = ["--set", "refine.grow=0.3"]
    for settings in (wider, wider, []):
        result = invoke("mask", photos, "-o", masks, *masking, *settings)
        assert result.exit_code == 0, result.output
        assert "Edited by hand and left as they are: 1" in result.stdout
        assert (masks / "a.png").read_bytes() == kept
        body = json.loads((masks / "coco.json").read_text())
        assert body["images"][0] == recorded["images"][0]  # what it was made of, not what it would be now
        assert (body["images"][1] == recorded["images"][1]) == (settings == [])
    (masks / "a.png").unlink()
    assert "left as" not in invoke("mask", photos, "-o", masks, *masking).stdout
    assert np.asarray(PilImage.open(masks / "a.png"))[0, 0] == 0


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_killed_and_taken_up_again_in_several_processes(
    start: Callable[..., subprocess.Popen[str]],
    photos: Path,
    masks: Path,
    masking: list[str],
    tmp_path: Path,
) -> None:
    again = tmp_path / "again"
    arguments = ["mask", photos, "-o", again, *masking[:-1], tmp_path / "other"]
    running = start(*arguments, seconds=0.3)
    for _ in range(600):
        if len(rows_of(again)) >= 2:
            break
        assert running.poll() is None, running.communicate()
        time.sleep(0.05)
    running.kill()
    running.communicate(timeout=60)
    done = rows_of(again)
    assert 2 <= len(done) < 5 and not (again / "coco.json").exists()
    out, err = start(*arguments, "--workers", 2).communicate(timeout=120)
    assert "4 objects in 5 pictures, 0 failed" in out, err
    assert outputs(again) == outputs(masks)
    rows = rows_of(again)
    assert len(rows) == 5 and all(not computed(rows[name]) for name in done)


def test_masks_once_more(invoke: Invoke, photos: Path, masks: Path, masking: list[str]) -> None:
    times = {path: path.stat().st_mtime_ns for path in masks.rglob("*.png")}
    assert invoke("mask", photos, "-o", masks, *masking).exit_code == 0
    assert {path: path.stat().st_mtime_ns for path in masks.rglob("*.png")} == times
    assert all(step["cached"] for row in rows_of(masks).values() for step in row.steps)


def test_refusals(invoke: Invoke, photos: Path, masks: Path, light: list[str], tmp_path: Path) -> None:
    clean = tmp_path / "clean"
    assert invoke("run", photos, "-o", clean, *light).exit_code == 0
    inside = shutil.copytree(masks, clean / "masks")
    only = tmp_path / "boxes.yaml"
    only.write_text("about: boxes\nstages: [detect, select]\n")
    cases = [
        (["-o", clean, "--masks", inside], 4, "lie in the output folder"),
        (["-o", masks, "--masks", masks], 4, "lie in the output folder"),
        (["-o", tmp_path / "x", "--masks", photos], 4, "lies in, the folder of masks"),
        (["-o", tmp_path / "x", "--masks", tmp_path / "none"], 4, "no file or folder"),
        (["-o", tmp_path / "x", "--masks", tmp_path / "store"], 4, "belongs to any of the 5"),
        (["-o", tmp_path / "x", "--only-masks"], 2, "without --masks"),
    ]
    for arguments, code, words in cases:
        result = invoke("run", photos, *arguments, *light)
        assert (result.exit_code, words in result.stderr) == (code, True), (arguments, result.output)
    recipe = ["--recipe", only, *light[:2], "--cache", tmp_path / "store"]
    result = invoke("run", photos, "-o", tmp_path / "x", "--masks", masks, *recipe)
    assert (result.exit_code, "makes no masks" in result.stderr) == (2, True), result.output
    assert not (tmp_path / "x").exists()


def test_masks_do_not_go_where_cleaned_pictures_are(
    invoke: Invoke, photos: Path, light: list[str], masking: list[str], tmp_path: Path
) -> None:
    assert invoke("run", photos, "-o", tmp_path / "clean", *light).exit_code == 0
    before = outputs(tmp_path / "clean")
    result = invoke("mask", photos, "-o", tmp_path / "clean", *masking)
    assert (result.exit_code, "holds cleaned pictures" in result.stderr) == (4, True), result.output
    assert outputs(tmp_path / "clean") == before


def test_cleaned_pictures_do_not_go_where_masks_are(
    invoke: Invoke, photos: Path, masks: Path, light: list[str], tmp_path: Path
) -> None:
    paint(masks / "a.png", (0, 0, 999, 999), 0)
    before = files(masks)
    result = invoke("run", photos, "-o", masks, *light)
    assert (result.exit_code, "holds masks of" in result.stderr) == (4, True), result.output
    assert f"add --masks {masks}" in result.stderr.split("hint:")[1].replace("\n", "")
    assert files(masks) == before
    (masks / "coco.json").unlink()  # as where `mask` was stopped
    assert invoke("run", photos, "-o", masks, *light).exit_code == 4


def test_what_only_looks_like_masks_does_not_stop_a_run(
    invoke: Invoke, photos: Path, masks: Path, light: list[str], masking: list[str], tmp_path: Path
) -> None:
    again = ["run", photos, "-o", tmp_path / "copies", "--recipe", "masks-only", "--no-report", *masking]
    assert [invoke(*again).exit_code for _ in range(2)] == [0, 0]
    masks_as_pictures = ["run", masks, "-o", tmp_path / "dataset", "--no-report", *light]
    (tmp_path / "dataset").mkdir()
    (tmp_path / "dataset" / "coco.json").write_text('{"info": {"description": "Mine"}, "images": []}')
    assert [invoke(*masks_as_pictures).exit_code for _ in range(2)] == [0, 0]
    assert (tmp_path / "dataset" / "a.objects.png").exists()


def test_masks_may_lie_below_the_photos(
    invoke: Invoke, photos: Path, masks: Path, light: list[str], tmp_path: Path
) -> None:
    below = Path(shutil.move(str(masks), photos / "masks"))
    result = invoke("run", photos, "-o", tmp_path / "clean", "--masks", below, *light)
    assert result.exit_code == 0, result.output
    assert len(rows_of(tmp_path / "clean")) == 5
