"""In memory: the kind that was given comes back, and nothing changes outside the mask."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as PilImage

import autoremove
from autoremove import api
from autoremove.errors import PictureError, RecipeError, ReviewNeeded, UsageError
from autoremove.recipe import Recipe
from tests import builders
from tests.cases import chain, photos

X1, Y1, X2, Y2 = builders.PERSON


@pytest.fixture(autouse=True)
def red_is_a_person(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The recipe of :func:`autoremove.remove` without networks; gives the overrides that were asked for."""
    asked: list[list[str]] = []

    def load(name: str, overrides: list[str], *, device: str) -> Recipe:
        asked.append(list(overrides))
        return chain.recipe()

    monkeypatch.setattr(api, "load_recipe", load)
    return asked


def remove(image: Any, **options: Any) -> Any:
    return autoremove.remove(image, device="cpu", **options)


def outside() -> np.ndarray:
    """Where nothing may change: further from the person than it is grown."""
    kept = np.ones(builders.SIZE_HW, bool)
    kept[Y1 - 6 : Y2 + 6, X1 - 6 : X2 + 6] = False
    return kept


def arrays() -> dict[str, np.ndarray]:
    rgb = builders.scene()
    return {
        "rgb": rgb,
        "rgba": builders.with_alpha(rgb),
        "uint16": builders.deep(rgb),
        "uint16 alpha": builders.deep(builders.with_alpha(rgb)),
        "float": (rgb / 255).astype(np.float32),
    }


@pytest.mark.parametrize("kind", list(arrays()))
def test_an_array_comes_back_as_its_own_kind(kind: str) -> None:
    given = arrays()[kind]
    before = given.copy()
    got = remove(given)
    assert (got.dtype, got.shape) == (given.dtype, given.shape)
    assert np.array_equal(got[outside()], given[outside()])
    assert not np.array_equal(got[Y1:Y2, X1:X2, :3], given[Y1:Y2, X1:X2, :3])
    assert np.array_equal(given, before)
    if given.shape[2] == 4:
        assert np.array_equal(got[..., 3], given[..., 3])


def test_the_person_is_gone() -> None:
    assert chain.red(builders.scene()).sum() > 500
    assert chain.red(remove(builders.scene())).sum() == 0


def test_a_picture_without_people_comes_back_as_it_is() -> None:
    for given in (builders.scene(person=False), builders.scene(person=False)[..., 0]):
        assert np.array_equal(remove(given), given)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "CMYK", "YCbCr", "P"])
def test_a_pillow_picture_comes_back_as_one(mode: str) -> None:
    rgb = PilImage.fromarray(builders.scene())
    given = rgb.quantize(64) if mode == "P" else rgb.convert(mode)
    got = remove(given)
    assert isinstance(got, PilImage.Image)
    assert got.size == given.size
    assert got.mode == {"P": "RGB"}.get(mode, mode)
    assert chain.red(np.asarray(got.convert("RGB"))).sum() < 30


def test_a_path_gives_an_upright_pillow_picture(tmp_path: Path) -> None:
    path = photos.write(tmp_path / "turned.jpg", builders.jpeg(6))
    for given in (path, str(path)):
        got = remove(given)
        assert isinstance(got, PilImage.Image)
        assert (got.height, got.width) == builders.SIZE_HW
        assert chain.red(np.asarray(got)).sum() == 0


def test_labels_and_settings_reach_the_recipe(red_is_a_person: list[list[str]]) -> None:
    remove(
        builders.scene(),
        remove=["car", "traffic light"],
        settings={"refine.grow": 0.1, "detect.sizes": (1, 2)},
    )
    assert red_is_a_person == [
        ["refine.grow=0.1", "detect.sizes=[1, 2]", 'select.labels=["car", "traffic light"]']
    ]
    remove(builders.scene(), keep="subject:2")
    assert red_is_a_person[1:] == [['select.keep="subject:2"']]


def test_settings_and_labels_are_understood_by_the_real_recipe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    settings = {
        "detect.sizes": (320, 640),
        "detect.mirror": False,
        "refine.method": "box",
        "select.thresholds": {"dog": 0.5},
        "select.keep_region": [(0, 0, 0.5, 1)],
        "refine.loose": 1e-5,
        "refine.grow": np.float32(0.25),
        "refine.grow_max": np.int64(7),
        "detect.calibrated": np.bool_(False),
        "detect.confidence": np.array(0.5),
    }
    stages = api.chosen_recipe("people", ("dog", "no: cat"), settings, "cpu", keep="subject").stages
    values = {stage.name: stage for stage in stages}
    assert values["select"].labels == ("dog", "no: cat")  # type: ignore[attr-defined]
    assert values["select"].keep == "subject"  # type: ignore[attr-defined]
    assert values["select"].thresholds == {"dog": 0.5}  # type: ignore[attr-defined]
    assert values["select"].keep_region == ((0.0, 0.0, 0.5, 1.0),)  # type: ignore[attr-defined]
    assert values["detect"].sizes == (320, 640)  # type: ignore[attr-defined]
    assert values["detect"].mirror is False  # type: ignore[attr-defined]
    assert values["refine"].loose == 0.00001  # type: ignore[attr-defined]
    assert values["refine"].grow == 0.25  # type: ignore[attr-defined]
    assert values["refine"].grow_max == 7  # type: ignore[attr-defined]
    assert values["detect"].confidence == 0.5  # type: ignore[attr-defined]
    with pytest.raises(RecipeError):
        api.chosen_recipe("people", None, {"refine.grwo": 1}, "cpu")


def test_a_class_that_the_detector_does_not_know_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    with pytest.raises(UsageError, match="know no 'persn'") as told:
        remove(builders.scene(), remove=["person", "persn"])
    assert "person" in str(told.value.hint)
    with pytest.raises(RecipeError, match="biggest"):
        remove(builders.scene(), keep="biggest")


def test_labels_that_are_no_list_or_name_nothing_are_refused() -> None:
    for wrong in ("person", [], ()):
        with pytest.raises(UsageError):
            remove(builders.scene(), remove=wrong)


def test_what_is_no_picture_is_refused(tmp_path: Path) -> None:
    for wrong in (None, 7, np.zeros((2, 2, 7), np.uint8), np.zeros(5, np.uint8)):
        with pytest.raises(UsageError):
            remove(wrong)
    with pytest.raises(PictureError, match="nowhere"):
        remove(tmp_path / "nowhere.jpg")
    with pytest.raises(PictureError):
        remove(photos.write(tmp_path / "letter.jpg", b"Dear all"))


def test_too_much_to_fill_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "load_recipe", lambda *_, **__: chain.recipe(grow=9.0, grow_max=500))
    with pytest.raises(ReviewNeeded, match="covers 100%"):
        remove(builders.scene())


def hole() -> np.ndarray:
    mask = np.zeros(builders.SIZE_HW, bool)
    mask[Y1 - 2 : Y2 + 2, X1 - 2 : X2 + 2] = True
    return mask


def grey(mask: np.ndarray, white: int = 255) -> np.ndarray:
    return (mask * white).astype(np.uint8)


def inpaint(image: Any, mask: Any, **settings: Any) -> Any:
    return autoremove.inpaint(image, mask, model="telea", device="cpu", settings=settings)


@pytest.mark.parametrize("kind", list(arrays()))
def test_inpaint_fills_the_hole_and_nothing_else(kind: str) -> None:
    given = arrays()[kind]
    got = inpaint(given, hole())
    assert (got.dtype, got.shape) == (given.dtype, given.shape)
    assert np.array_equal(got[~hole()], given[~hole()])
    if kind == "rgb":
        assert chain.red(got).sum() == 0


def test_inpaint_with_an_empty_or_a_full_mask() -> None:
    given = builders.scene()
    assert np.array_equal(inpaint(given, np.zeros(builders.SIZE_HW, bool)), given)
    full = inpaint(given, np.ones(builders.SIZE_HW, bool))
    assert chain.red(full).sum() == 0
    with pytest.raises(ReviewNeeded):
        inpaint(given, np.ones(builders.SIZE_HW, bool), max_share=0.5)


def test_numbers_of_numpy_are_settings_of_inpaint() -> None:
    one, other = (inpaint(builders.scene(), hole(), context=kind(0.5)) for kind in (float, np.float32))
    assert np.array_equal(one, other)


def test_inpaint_refuses_settings_that_do_not_exist() -> None:
    with pytest.raises(RecipeError) as told:
        inpaint(builders.scene(), hole(), contxt=0.3)
    assert told.value.hint == "Did you mean context?"
    with pytest.raises(RecipeError, match="lama"):
        autoremove.inpaint(builders.scene(), hole(), model="lama", device="cpu")


def test_grey_and_pillow_pictures_can_be_inpainted() -> None:
    plain = builders.scene()[..., 1]
    got = inpaint(plain, hole())
    assert got.shape == plain.shape
    assert np.array_equal(got[~hole()], plain[~hole()])
    picture = inpaint(PilImage.fromarray(plain), PilImage.fromarray(grey(hole())))
    assert (picture.mode, picture.size) == ("L", plain.shape[::-1])


def test_the_package_offers_what_it_says() -> None:
    assert set(autoremove.__all__) == {"__version__", "inpaint", "remove"}
    for name in autoremove.__all__:
        assert getattr(autoremove, name)
    with pytest.raises(AttributeError, match="no attribute 'removal'"):
        _ = autoremove.removal
