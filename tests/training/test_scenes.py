"""Training pictures: decoded once, cropped by seed, and holes that keep off labelled objects."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PillowImage

from autoremove.errors import InputError
from autoremove.training.holes import HoleMix
from autoremove.training.scenes import (
    Batches,
    SceneCache,
    boxed_scenes,
    labelled_scenes,
    pictures_in,
    plain_scenes,
)


def write(path: Path, pixels: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    PillowImage.fromarray(pixels).save(path)
    return path


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 255, (height, width, 3), dtype=np.uint8)


@pytest.fixture
def scenes(tmp_path: Path) -> Path:
    for i, (name, height, width) in enumerate([("a.png", 80, 120), ("b.webp", 100, 70), ("c.JPG", 64, 64)]):
        write(tmp_path / "scenes" / name, noise(height, width, i))
    return tmp_path / "scenes"


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    """Red people on green: `coco_a` has one at the left, `coco_full` is covered, `main_a` is excluded."""
    folder = tmp_path / "instances"
    rows = []
    for name, right in (("coco_a", 30), ("coco_full", 90), ("main_a", 30)):
        ids = np.zeros((80, 100), np.uint8)
        ids[:, :right] = 1
        picture = np.where(ids[..., None] > 0, np.uint8([255, 0, 0]), np.uint8([0, 255, 0]))
        write(folder / "images" / f"{name}.png", picture)
        write(folder / "masks" / f"{name}.png", ids)
        rows.append({"name": name, "instances": [{"id": 1, "label": "person"}]})
    (folder / "instances.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def test_pictures_of_any_extension_are_found(scenes: Path) -> None:
    (scenes / "notes.txt").write_text("no picture")
    assert [path.name for path in pictures_in(scenes)] == ["a.png", "b.webp", "c.JPG"]


def test_a_folder_without_pictures_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No pictures"):
        pictures_in(tmp_path / "absent")


def test_the_cache_holds_the_pictures_at_the_short_side(scenes: Path, tmp_path: Path) -> None:
    cache = SceneCache.of(plain_scenes([scenes]), tmp_path / "cache", short_side=70)
    assert [cache[i].shape for i in range(3)] == [(70, 105, 4), (100, 70, 4), (64, 64, 4)]
    np.testing.assert_array_equal(cache[1][..., :3], np.asarray(PillowImage.open(scenes / "b.webp")))
    assert not cache[0][..., 3].any()


def test_a_scene_that_is_stored_turned_is_learnt_upright(tmp_path: Path) -> None:
    turned = PillowImage.Exif()
    turned[0x0112] = 6
    (tmp_path / "scenes").mkdir()
    PillowImage.fromarray(noise(64, 80)).save(tmp_path / "scenes" / "a.png", exif=turned)
    cache = SceneCache.of(plain_scenes([tmp_path / "scenes"]), tmp_path / "cache", short_side=70)
    np.testing.assert_array_equal(cache[0][..., :3], np.rot90(noise(64, 80), -1))


def test_a_second_start_decodes_nothing(scenes: Path, tmp_path: Path) -> None:
    sources = plain_scenes([scenes])
    first = SceneCache.of(sources, tmp_path / "cache", short_side=70)
    written = {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").iterdir()}
    again = SceneCache.of(sources, tmp_path / "cache", short_side=70)
    assert written == {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").iterdir()}
    np.testing.assert_array_equal(first[2], again[2])


def test_other_pictures_get_another_cache(scenes: Path, tmp_path: Path) -> None:
    SceneCache.of(plain_scenes([scenes]), tmp_path / "cache", short_side=70)
    write(scenes / "d.png", noise(90, 90))
    assert len(SceneCache.of(plain_scenes([scenes]), tmp_path / "cache", short_side=70)) == 4


def test_crowded_and_half_labelled_pictures_are_left_out(labelled: Path) -> None:
    found = labelled_scenes(labelled, ["coco_"])
    assert [source.picture.stem for source in found] == ["coco_a"]
    with pytest.raises(InputError, match=r"instances\.jsonl"):
        labelled_scenes(labelled / "images", ["coco_"])


def test_holes_keep_off_labelled_objects(labelled: Path, tmp_path: Path) -> None:
    cache = SceneCache.of(labelled_scenes(labelled, ["coco_"]), tmp_path / "cache", short_side=80)
    batch = Batches(cache, HoleMix(), seed=3).at(0, 64, 32)
    red = batch.images[..., 0] > 100
    assert red.any() and batch.objects.any()
    assert not (batch.holes & red).any()
    assert not (batch.holes & batch.objects).any()
    assert batch.objects[red].all()


@pytest.mark.parametrize("workers", [0, 2])
def test_a_batch_follows_from_seed_and_step_alone(scenes: Path, tmp_path: Path, workers: int) -> None:
    cache = SceneCache.of(plain_scenes([scenes]), tmp_path / "cache", short_side=70)
    running = Batches(cache, HoleMix(), seed=5, workers=workers)
    for step in range(4):
        batch = running.at(step, 32, 3)
    resumed = Batches(cache, HoleMix(), seed=5).at(3, 32, 3)
    np.testing.assert_array_equal(batch.images, resumed.images)
    np.testing.assert_array_equal(batch.holes, resumed.holes)
    assert not np.array_equal(batch.images, running.at(4, 32, 3).images)


def test_weights_decide_which_pictures_are_drawn(scenes: Path, tmp_path: Path) -> None:
    for i, value in enumerate((10, 200)):
        write(tmp_path / "flat" / f"{i}.png", np.full((80, 80, 3), value, np.uint8))
    cache = SceneCache.of(plain_scenes([tmp_path / "flat"]), tmp_path / "cache", short_side=80)
    batch = Batches(cache, HoleMix(), weights=np.array([0.25, 0.75])).at(0, 16, 200)
    assert (batch.images[:, 0, 0, 0] == 200).mean() == pytest.approx(0.75, abs=0.1)


@pytest.fixture
def boxed(tmp_path: Path) -> Path:
    """White people on black in the YOLO form: one at the left, one who fills the picture, and nobody."""
    folder = tmp_path / "boxed"
    (folder / "labels").mkdir(parents=True)
    for name, width in (("left", 0.3), ("full", 0.9), ("none", 0.0)):
        picture = np.zeros((80, 100, 3), np.uint8)
        picture[:, : round(100 * width)] = 255
        write(folder / "images" / f"{name}.png", picture)
        (folder / "labels" / f"{name}.txt").write_text(f"0 {width / 2} 0.5 {width} 1\n" if width else "\n")
    return folder


def test_boxes_are_objects_too(boxed: Path, tmp_path: Path) -> None:
    sources = boxed_scenes(boxed)
    assert sorted(source.picture.stem for source in sources) == ["left", "none"]
    batch = Batches(SceneCache.of(sources, tmp_path / "cache", short_side=80), HoleMix(), vary=1.0).at(
        0, 64, 32
    )
    white = batch.images.max(axis=-1) > 60
    assert white.any() and batch.objects[white].mean() > 0.99
    assert not (batch.holes & batch.objects).any()
    with pytest.raises(InputError, match="No labels"):
        boxed_scenes(boxed / "images")


def test_a_polygon_keeps_its_extent_out(boxed: Path, tmp_path: Path) -> None:
    (boxed / "labels" / "left.txt").write_text("0 0 0 0.3 0.5 0.3 0.9 0 1\n")
    sources = [source for source in boxed_scenes(boxed) if source.picture.stem == "left"]
    cache = SceneCache.of(sources, tmp_path / "cache", short_side=80)
    assert cache[0][:, :30, 3].all()
    assert not cache[0][:, 32:, 3].any()
