"""Inpaint: every hole is blanked before any crop is taken, and patches hold the fill and nothing else."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from autoremove.errors import RecipeError, ReviewNeeded
from autoremove.models import cache, weights
from autoremove.stages import inpaint
from autoremove.stages.inpaint import MODELS, PATCH_SIDE, Inpaint, predict
from autoremove.stages.plan import plan
from autoremove.types import Image, ObjectMask
from tests import builders
from tests.cases.chain import red

GREEN = (0.0, 1.0, 0.0)


class Painter:
    """A generator that paints everything green, and keeps what it was shown."""

    def __init__(self) -> None:
        self.seen: list[tuple[np.ndarray, np.ndarray]] = []
        self.most = 99

    def __call__(self, image: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        if len(image) > self.most:
            raise torch.cuda.OutOfMemoryError("too many at once")
        assert image.shape[1] == 3
        assert mask.shape == (len(image), 1, *image.shape[2:])
        pixels = ((image.permute(0, 2, 3, 1) + 1) * 127.5).round().numpy().astype(np.uint8)
        self.seen += list(zip(pixels, mask[:, 0].numpy() > 0, strict=True))
        green = torch.tensor(GREEN)[None, :, None, None] * 2 - 1
        return image, green.expand_as(image)


@pytest.fixture
def painter(monkeypatch: pytest.MonkeyPatch) -> Painter:
    net = Painter()
    monkeypatch.setattr(cache, "load", lambda kind, name, device: net)
    return net


@pytest.fixture(autouse=True)
def quick_patches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Patch synthesis at its full side takes seconds a crop."""
    monkeypatch.setattr(inpaint, "PATCH_SIDE", 48)


def crowd() -> tuple[Image, ObjectMask]:
    """Four red people in a scene, far enough apart to be filled one by one, near enough to see each other."""
    picture = builders.scene((120, 170), person=False)
    ids, grown = np.zeros((120, 170), np.uint16), np.zeros((120, 170), bool)
    for number, x in enumerate((8, 48, 88, 128)):
        picture[36:76, x : x + 20] = builders.RED
        ids[36:76, x : x + 20] = number + 1
        grown[32:80, x - 4 : x + 24] = True
    return picture, ObjectMask(grown, ids)


@pytest.mark.parametrize("side", [256, 96, 48])
def test_the_network_never_sees_anybody(painter: Painter, side: int) -> None:
    picture, mask = crowd()
    Inpaint(side=side, detail="none")([picture], [mask])
    assert len(painter.seen) == 4
    for pixels, holes in painter.seen:
        assert not red(pixels).any()
        assert pixels[..., 0].max() < 180
        assert holes.any()
        assert max(pixels.shape[:2]) <= side


@pytest.mark.parametrize("model", [name for name in MODELS if name != "deepfillv2"])
def test_no_other_method_paints_people_either(model: str) -> None:
    picture, mask = crowd()
    (patches,) = Inpaint(model=model, side=24)([picture], [mask])
    assert len(patches) == 4
    for patch in patches:
        assert not red(patch.pixels).any()
        assert not red(picture_with(picture, patch)[patch.alpha > 0][None]).any()


def picture_with(picture: Image, patch: Any) -> Image:
    x1, y1, x2, y2 = patch.xyxy
    return np.where(patch.alpha[..., None] > 0, patch.pixels, picture[y1:y2, x1:x2])


@pytest.mark.parametrize("detail", ["none", "patches"])
def test_patches_share_out_the_mask_and_lie_in_the_picture(painter: Painter, detail: str) -> None:
    picture, mask = crowd()
    (patches,) = Inpaint(side=24, detail=detail)([picture], [mask])
    filled = np.zeros(mask.grown.shape, int)
    for patch in patches:
        x1, y1, x2, y2 = patch.xyxy
        assert 0 <= x1 < x2 <= 170
        assert 0 <= y1 < y2 <= 120
        assert patch.pixels.shape == (y2 - y1, x2 - x1, 3)
        assert patch.alpha.shape == (y2 - y1, x2 - x1)
        filled[y1:y2, x1:x2] += patch.alpha == 255
        assert set(np.unique(patch.alpha)) <= {0, 255}
    assert np.array_equal(filled, mask.grown.astype(int))


def test_the_fill_is_what_the_network_painted(painter: Painter) -> None:
    picture, mask = crowd()
    (patches,) = Inpaint(detail="none")([picture], [mask])
    for patch in patches:
        assert (patch.pixels == (0, 255, 0)).all()


@pytest.mark.parametrize(("crops", "calls"), [(1, 1), (4, 4), (99, 4)])
def test_at_most_so_many_crops_at_once(monkeypatch: pytest.MonkeyPatch, crops: int, calls: int) -> None:
    counts: list[int] = []

    def net(image: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        counts.append(len(image))
        return image, image

    monkeypatch.setattr(cache, "load", lambda *_: net)
    picture, mask = crowd()
    Inpaint(crops=crops, detail="none")([picture], [mask])
    assert max(counts) == calls
    assert sum(counts) == 4


def test_a_full_memory_halves_the_batch_and_changes_nothing(painter: Painter) -> None:
    picture, mask = crowd()
    whole = Inpaint(detail="none")([picture], [mask])[0]
    painter.most = 1
    halved = Inpaint(detail="none")([picture], [mask])[0]
    for one, other in zip(whole, halved, strict=True):
        assert np.array_equal(one.pixels, other.pixels)
    painter.most = 0
    with pytest.raises(torch.cuda.OutOfMemoryError):
        predict(painter, [(picture, mask.grown)], "cpu")


def test_crops_of_unlike_shapes_go_together(painter: Painter) -> None:
    picture = builders.scene((300, 420))
    grown = np.zeros((300, 420), bool)
    grown[10:20, 10:20] = grown[100:290, 150:400] = True
    (patches,) = Inpaint(side=64, detail="none")([picture], [ObjectMask(grown, grown.astype(np.uint16))])
    assert len({pixels.shape for pixels, _ in painter.seen}) == 2
    assert [patch.xyxy[0] < 100 for patch in patches] == [
        crop.hole[0] < 100 for crop in plan(grown, context=0.5, least=PATCH_SIDE)
    ]


def test_nothing_to_remove_is_no_patch_and_loads_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(*_: object) -> None:
        raise AssertionError("loaded")

    monkeypatch.setattr(cache, "load", load)
    empty = ObjectMask(np.zeros((20, 30), bool), np.zeros((20, 30), np.uint16))
    assert Inpaint()([np.zeros((20, 30, 3), np.uint8)], [empty]) == [[]]


@pytest.mark.parametrize(("share", "refused"), [(0.89, False), (0.91, True), (1.0, True)])
def test_too_much_is_for_a_person_to_decide(share: float, refused: bool) -> None:
    grown = np.zeros((100, 100), bool)
    grown[: round(share * 100)] = True
    mask = ObjectMask(grown, grown.astype(np.uint16))
    stage = Inpaint(model="telea")
    if refused:
        with pytest.raises(ReviewNeeded, match=f"{share:.0%}"):
            stage([np.zeros((100, 100, 3), np.uint8)], [mask])
        stage = Inpaint(model="telea", max_share=1.0)
    assert len(stage([np.zeros((100, 100, 3), np.uint8)], [mask])[0]) == 1


@pytest.mark.parametrize("size_hw", [(1, 1), (3, 200), (17, 5), (64, 64)])
@pytest.mark.parametrize("model", list(MODELS))
def test_small_and_narrow_pictures_are_filled(painter: Painter, model: str, size_hw: tuple[int, int]) -> None:
    grown = np.ones(size_hw, bool)
    grown[0, 0] = size_hw == (1, 1)
    mask = ObjectMask(grown, grown.astype(np.uint16))
    (patches,) = Inpaint(model=model, max_share=1.0)([np.zeros((*size_hw, 3), np.uint8)], [mask])
    assert sum(int((patch.alpha > 0).sum()) for patch in patches) == grown.sum()


def test_the_picture_given_is_left_alone(painter: Painter) -> None:
    picture, mask = crowd()
    before = picture.copy()
    picture.flags.writeable = False
    for settings in ({"detail": "none"}, {"model": "telea"}):
        Inpaint(**settings)([picture], [mask])
    assert np.array_equal(picture, before)


def test_unknown_words_are_refused_with_those_there_are() -> None:
    with pytest.raises(RecipeError, match="telea"):
        Inpaint(model="lama")
    with pytest.raises(RecipeError, match="none"):
        Inpaint(detail="lots")


def test_only_the_network_has_weights_in_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "digest", lambda name, kind: f"{kind} {name}")
    for model in MODELS:
        expected = "inpainter embedded" if model == "deepfillv2" else None
        assert Inpaint(model=model).weights_digest() == expected
