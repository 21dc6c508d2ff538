"""Own masks as stages: what decides their key, what is read from the files, and which files do not fit."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PilImage

from autoremove.errors import PictureError, RecipeError
from autoremove.own_masks.finding import NOTHING, OwnMask
from autoremove.own_masks.stages import OwnMasks, chain, read_white
from autoremove.recipe import load_recipe
from tests.cases.chain import stages

SIZE_HW = (20, 30)
WHITE = np.zeros(SIZE_HW, np.uint8)
WHITE[5:15, 10:20] = 255


def saved(path: Path, pixels: np.ndarray | PilImage.Image) -> Path:
    picture = pixels if isinstance(pixels, PilImage.Image) else PilImage.fromarray(pixels)
    picture.save(path)
    return path


def white(path: Path) -> np.ndarray:
    return read_white(path, Path("photo.jpg"), SIZE_HW)


def names(own: OwnMask) -> list[str]:
    return [stage.name for stage in chain(stages(), own, Path("photo.jpg"), 1000)]


def test_kinds_of_masks(tmp_path: Path) -> None:
    grey, rgb = WHITE, np.dstack([WHITE] * 3)
    kinds = {
        "grey.png": grey,
        "rgb.png": rgb,
        "deep.png": grey.astype(np.uint16) * 257,
        "deep-ones.png": (grey > 0).astype(np.uint16),
        "ones.png": (grey > 0).astype(np.uint8),
        "bits.png": PilImage.fromarray(grey > 0),
        "palette.png": PilImage.fromarray(rgb).quantize(2),
        "faint.png": np.where(grey > 0, 200, 60).astype(np.uint8),
        "red.png": np.dstack([grey, 0 * grey, 0 * grey]),
        "lossy.jpg": rgb,
        "solid.png": np.dstack([rgb, np.full(SIZE_HW, 255, np.uint8)]),
        "erased.png": np.dstack([np.full_like(rgb, 255), grey]),
    }
    for name, pixels in kinds.items():
        assert (white(saved(tmp_path / name, pixels)) == (WHITE > 0)).all(), name


def test_a_turned_mask_is_read_upright(tmp_path: Path) -> None:
    exif = PilImage.Exif()
    exif[0x0112] = 6
    stored = np.ascontiguousarray(np.rot90(WHITE, 1))
    PilImage.fromarray(stored).save(tmp_path / "a.png", exif=exif)
    assert (white(tmp_path / "a.png") == (WHITE > 0)).all()


def test_masks_that_do_not_fit(tmp_path: Path) -> None:
    small = saved(tmp_path / "small.png", WHITE[:10])
    with pytest.raises(PictureError, match=r"small\.png is 30 x 10 .* photo\.jpg 30 x 20.*as a viewer"):
        white(small)
    sideways = saved(tmp_path / "sideways.png", np.ascontiguousarray(WHITE.T))
    with pytest.raises(PictureError, match=r"sideways\.png .* photo\.jpg .*EXIF.*90 degrees"):
        white(sideways)
    labels = saved(tmp_path / "labels.png", np.minimum(WHITE, 7))
    with pytest.raises(PictureError, match="nowhere white"):
        white(labels)
    assert not white(saved(tmp_path / "black.png", 0 * WHITE)).any()


def test_what_replaces_what() -> None:
    assert names(NOTHING) == ["own-objects", "own-mask", "inpaint", "composite"]
    assert names(OwnMask(recorded="{}")) == ["own-objects", "refine", "inpaint", "composite"]
    refine = chain(stages(), OwnMask(recorded="{}"), Path("a"), 1)[1]
    assert refine.params()["method"] == "detector" and refine.params()["grow_min"] == 2
    with pytest.raises(RecipeError, match="no masks"):
        chain(stages()[:2], NOTHING, Path("a"), 1)


def test_a_second_look_does_not_widen_what_a_person_drew(tmp_path: Path) -> None:
    recipe = tmp_path / "looked.yaml"
    recipe.write_text("about: x\nstages: [detect, refine, inpaint, composite, audit]\n")
    audit = load_recipe(str(recipe)).stages[-1]
    assert audit.params()["redo"] is True
    assert chain(load_recipe(str(recipe)).stages, NOTHING, Path("a"), 1)[-1].params()["redo"] is False


def test_the_key_is_the_content_not_the_place(tmp_path: Path) -> None:
    one, two = saved(tmp_path / "one.png", WHITE), saved(tmp_path / "two.png", WHITE)

    def params(own: OwnMask) -> list[dict[str, object]]:
        return [stage.params() for stage in chain(stages(), own, Path("a"), 1)]

    assert params(OwnMask(one)) == params(OwnMask(two))
    assert params(OwnMask(one, two))[:2] != params(OwnMask(one))[:2]
    assert params(OwnMask(one, recorded="{}"))[:2] != params(OwnMask(one))[:2]
    with pytest.raises(PictureError, match="three"):
        chain(stages(), OwnMask(tmp_path / "three.png"), Path("a"), 1)


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    """Both stages share what was read last: it must not outlive the file's content."""
    path = saved(tmp_path / "a.png", WHITE)
    image = [np.zeros((*SIZE_HW, 3), np.uint8)]

    def mask() -> np.ndarray:
        stage = chain(stages(), OwnMask(path), Path("a"), 10**6)[1]
        assert isinstance(stage, OwnMasks)
        return stage(image=image)[0].grown

    assert mask().sum() == (WHITE > 0).sum()
    saved(path, 255 - WHITE)
    assert mask().sum() == (WHITE == 0).sum()


def test_objects_of_another_size_are_refused(tmp_path: Path) -> None:
    path, ids = saved(tmp_path / "a.png", WHITE), saved(tmp_path / "a.objects.png", WHITE[:9])
    stage = chain(stages(), OwnMask(path, ids), Path("photo.jpg"), 10**6)[1]
    with pytest.raises(PictureError, match=r"a\.objects\.png is 30 x 9"):
        stage(image=[np.zeros((*SIZE_HW, 3), np.uint8)])
    with pytest.raises(PictureError, match=r"coco\.json does not fit"):
        replace(stage, own=OwnMask(path, path, '{"grown": 3}'), mask="x")(  # type: ignore[type-var]
            image=[np.zeros((*SIZE_HW, 3), np.uint8)]
        )


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="needs a user who can be refused")
def test_a_mask_that_may_not_be_read(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.png", WHITE)
    path.chmod(0)
    with pytest.raises(PictureError, match="cannot be opened"):
        chain(stages(), OwnMask(path), Path("a"), 1)
