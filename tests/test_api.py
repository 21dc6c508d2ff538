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
    }
    stages = api.chosen_recipe("people", ("dog", "no: cat"), settings, "cpu", keep="subject").stages
    values = {stage.name: stage for stage in stages}
    assert values["select"].labels == ("dog", "no: cat")  # type: ignore[attr-defined]
    assert values["select"].keep == "subject"  # type: ignore[attr-defined]
    assert values["select"].thresholds == {"dog": 0.5}  # type: ignore[attr-defined]
    assert values["select"].keep_region == ((0.0, 0.0, 0.5, 1.0),)  # type: ignore[attr-defined]
    assert values["detect"].sizes == (320, 640)  # type: ignore[attr-defined]
    assert values["detect"].mirror is False  # type: ignore[attr-defined]
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


def masks() -> dict[str, Any]:
    mask = hole()
    soft = np.where(mask, 200, 60).astype(np.uint8)
    return {
        "bool": mask,
        "0 and 1": grey(mask, 1),
        "0 and 255": grey(mask),
        "int64": mask.astype(np.int64),
        "uint16": mask.astype(np.uint16) * 65535,
        "float": mask.astype(np.float32),
        "soft": soft,
        "soft float": soft.astype(np.float32) / 255,
        "one channel": grey(mask)[..., None],
        "rgb": np.dstack([grey(mask)] * 3),
        "one colour": np.dstack([grey(mask), 0 * grey(mask), 0 * grey(mask)]),
        "rgba, opaque": np.dstack([grey(mask)] * 3 + [np.full_like(grey(mask), 255)]),
        "white, erased": np.dstack([np.full_like(grey(mask), 255)] * 3 + [grey(mask)]),
        "grey with alpha": np.dstack([np.full_like(grey(mask), 255), grey(mask)]),
        "ones with alpha": np.dstack([grey(mask, 1)] * 3 + [np.ones_like(grey(mask))]),
        "pillow white, erased": PilImage.fromarray(
            np.dstack([np.full_like(grey(mask), 255)] * 3 + [grey(mask)])
        ),
        "pillow 16": PilImage.fromarray(mask.astype(np.uint16)),
        "pillow 1": PilImage.fromarray(mask),
        "pillow L": PilImage.fromarray(grey(mask)),
        "pillow of 0 and 1": PilImage.fromarray(grey(mask, 1)),
        "pillow RGBA": PilImage.fromarray(np.dstack([grey(mask)] * 3 + [np.full_like(grey(mask), 255)])),
    }


@pytest.mark.parametrize("kind", list(masks()))
def test_masks_of_every_kind_mean_the_same(kind: str) -> None:
    assert np.array_equal(api.read_mask(masks()[kind], builders.SIZE_HW), hole())


def test_a_mask_may_be_a_file(tmp_path: Path) -> None:
    path = photos.write(tmp_path / "mask.png", builders.save(PilImage.fromarray(grey(hole())), "PNG"))
    assert np.array_equal(api.read_mask(path, builders.SIZE_HW), hole())
    # Faint specks round the edges of a JPEG are no holes.
    rough = photos.write(
        tmp_path / "mask.jpg", builders.save(PilImage.fromarray(grey(hole())), "JPEG", quality=60)
    )
    wrong = api.read_mask(str(rough), builders.SIZE_HW) ^ hole()
    assert wrong.sum() < 30


def test_files_of_masks_are_read_with_their_alpha_and_depth(tmp_path: Path) -> None:
    for number, kind in enumerate(("white, erased", "pillow 16")):
        path, mask = tmp_path / f"{number}.png", masks()[kind]
        (mask if isinstance(mask, PilImage.Image) else PilImage.fromarray(mask)).save(path)
        assert np.array_equal(api.read_mask(path, builders.SIZE_HW), hole()), kind


@pytest.mark.parametrize(
    "mask",
    [
        hole().astype(np.uint16) * 255,
        hole().astype(np.int64) * 3,
        grey(hole(), 100),
        np.dstack([grey(hole(), 100)] * 3 + [grey(hole())]),
        hole() * np.float32(0.4),
        PilImage.fromarray(grey(hole(), 100)),
    ],
    ids=["uint16 of 255", "numbers", "grey", "grey with alpha", "float", "pillow"],
)
def test_a_mask_that_reaches_no_white_is_refused(mask: Any) -> None:
    given = builders.scene()
    with pytest.raises(UsageError, match="nowhere white") as told:
        inpaint(given, mask)
    assert told.value.hint == (
        "What is to be filled must be True, 1 or 255 (in 16 bits 65535), and all else 0."
    )


def test_a_mask_that_is_all_black_or_all_erased_fills_nothing() -> None:
    given, black = builders.scene(), 0 * grey(hole())
    for mask in (black, black.astype(np.float32), np.dstack([black + 255] * 3 + [black])):
        assert np.array_equal(inpaint(given, mask), given)


@pytest.mark.parametrize("shape", [(112, 80), (80, 111), (80,), (1, 80, 112, 1)])
def test_a_mask_of_another_size_is_refused_with_both_sizes(shape: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match="112 x 80"):
        api.read_mask(np.zeros(shape, bool), builders.SIZE_HW)


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
