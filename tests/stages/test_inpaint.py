"""Inpaint: every hole is blanked before any crop is taken, and patches hold the fill and nothing else."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from autoremove.errors import RecipeError, ReviewNeeded
from autoremove.models import cache, memory, weights
from autoremove.models.attention_sources import Sources
from autoremove.models.deepfillv2 import Generator, GeneratorConfig
from autoremove.models.families import INPAINTERS
from autoremove.stages import inpaint
from autoremove.stages.inpaint import DETAILS, MODELS, PATCH_SIDE, Inpaint
from autoremove.stages.plan import plan
from autoremove.types import Image, ObjectMask
from tests import builders
from tests.cases.chain import red

GREEN = (0.0, 1.0, 0.0)


class Painter:
    """A generator that paints everything green, and keeps what it was shown."""

    def __init__(self) -> None:
        self.seen: list[tuple[np.ndarray, np.ndarray]] = []
        self.counts: list[int] = []

    def raw(self, image: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        self.counts.append(len(image))
        assert image.shape[1] == 3
        assert mask.shape == (len(image), 1, *image.shape[2:])
        pixels = ((image.permute(0, 2, 3, 1) + 1) * 127.5).round().numpy().astype(np.uint8)
        self.seen += list(zip(pixels, mask[:, 0].numpy() > 0, strict=True))
        green = torch.tensor(GREEN)[None, :, None, None] * 2 - 1
        return green.expand_as(image)

    def fill(self, image: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return torch.where(mask > 0, self.raw(image, mask), image)

    def fill_with_sources(
        self, image: torch.Tensor, mask: torch.Tensor, k: int
    ) -> tuple[torch.Tensor, Sources]:
        """The hole is copied from the corner, wherever it is."""
        size = image.shape[2] // 8, image.shape[3] // 8
        shape = (len(image), k, size[0] * size[1])
        present = torch.nn.functional.max_pool2d(mask, 8).flatten(1) > 0
        nowhere = torch.zeros(shape, dtype=torch.long)
        return self.fill(image, mask), Sources(nowhere, torch.ones(shape) / k, present, size)


@pytest.fixture
def painter(monkeypatch: pytest.MonkeyPatch) -> Painter:
    net, load = Painter(), cache.load

    def painting(kind: str, name: str, device: str) -> Any:
        return load(kind, name, device) if kind == "srgan" else net

    monkeypatch.setattr(cache, "load", painting)
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


@pytest.mark.parametrize("model", [name for name in MODELS if name not in INPAINTERS])
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


@pytest.mark.parametrize("detail", list(DETAILS))
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


@pytest.mark.parametrize(
    ("noise", "soft_from", "kept"), [(0, 0.35, True), (40, 0.35, False), (0, 9.0, False)]
)
def test_what_is_out_of_focus_gets_no_patches(
    painter: Painter, noise: int, soft_from: float, kept: bool
) -> None:
    rng = np.random.default_rng(0)
    picture = (100 + rng.integers(-noise, noise + 1, (90, 120, 1)) + np.zeros((1, 1, 3))).astype(np.uint8)
    grown = np.zeros((90, 120), bool)
    grown[30:60, 40:70] = True
    mask = ObjectMask(grown, grown.astype(np.uint16))
    ((patch,),) = Inpaint(soft_from=soft_from)([picture], [mask])
    green = (patch.pixels[patch.alpha > 0] == (0, 255, 0)).all(1)
    assert green.all() if kept else not green.any()  # patches are copies of what is there, and grey
    if kept:  # the network's own picture goes beyond the hole, for composite to compare
        assert (patch.pixels == (0, 255, 0)).all()


@pytest.mark.parametrize(("crops", "calls"), [(1, 1), (3, 3), (99, 4)])
def test_at_most_so_many_crops_at_once(painter: Painter, crops: int, calls: int) -> None:
    picture, mask = crowd()
    Inpaint(crops=crops, detail="none")([picture], [mask])
    assert max(painter.counts) == calls
    assert sum(painter.counts) == 4


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("detail", list(DETAILS))
def test_threads_change_nothing(
    painter: Painter, monkeypatch: pytest.MonkeyPatch, detail: str, threads: int
) -> None:
    picture, mask = crowd()
    one = Inpaint(side=24, detail=detail)([picture], [mask])[0]
    monkeypatch.setattr(inpaint.cv2, "getNumThreads", lambda: threads)
    other = Inpaint(side=24, detail=detail)([picture], [mask])[0]
    for left, right in zip(one, other, strict=True):
        assert left.xyxy == right.xyxy
        assert np.array_equal(left.pixels, right.pixels)


def test_where_memory_is_short_crops_go_one_by_one(painter: Painter, monkeypatch: pytest.MonkeyPatch) -> None:
    def pool(*_: object) -> None:
        raise AssertionError("several at once")

    monkeypatch.setattr(inpaint, "ThreadPoolExecutor", pool)
    monkeypatch.setattr(inpaint.cv2, "getNumThreads", lambda: 8)
    monkeypatch.setattr(memory, "free_bytes", lambda _: 1 << 20)
    picture, mask = crowd()
    assert len(Inpaint(model="patchmatch", side=24)([picture], [mask])[0]) == 4


def test_crops_of_unlike_shapes_are_told_apart(painter: Painter) -> None:
    picture = builders.scene((300, 420))
    grown = np.zeros((300, 420), bool)
    grown[10:20, 10:20] = grown[100:290, 150:400] = True
    (patches,) = Inpaint(side=64, detail="none")([picture], [ObjectMask(grown, grown.astype(np.uint16))])
    assert len({pixels.shape for pixels, _ in painter.seen}) == 2
    assert [patch.xyxy[0] < 100 for patch in patches] == [
        crop.hole[0] < 100 for crop in plan(grown, context=0.5, least=PATCH_SIDE)
    ]


@pytest.mark.parametrize("model", ["deepfillv2", "patchmatch", "telea"])
def test_a_long_hole_is_filled_in_parts_without_a_gap(painter: Painter, model: str) -> None:
    picture = np.full((60, 400, 3), 140, np.uint8)
    grown = np.zeros((60, 400), bool)
    grown[30:34, 20:380] = True
    picture[grown] = builders.RED
    (patches,) = Inpaint(model=model, side=24)([picture], [ObjectMask(grown, grown.astype(np.uint16))])
    assert len(patches) > 4
    filled = np.zeros(grown.shape, int)
    for patch in patches:
        x1, y1, x2, y2 = patch.xyxy
        filled[y1:y2, x1:x2] += patch.alpha > 0
        if model != "deepfillv2":
            assert np.abs(patch.pixels[patch.alpha > 0].astype(int) - 140).max() <= 3
    assert np.array_equal(filled, grown.astype(int))


def test_a_sketch_reaches_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    net = Generator(GeneratorConfig(cnum=8, in_channels=6)).eval()
    monkeypatch.setattr(cache, "load", lambda *_: net)
    picture, mask = crowd()
    stage = Inpaint(detail="none")
    lines = np.zeros(mask.grown.shape, bool)
    lines[40:80:3] = True
    without, drawn = stage([picture], [mask]), stage(image=[picture], mask=[mask], sketch=[lines])
    assert stage.uses == ("sketch",)
    for one, other in zip(without[0], drawn[0], strict=True):
        assert not np.array_equal(one.pixels, other.pixels)


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
    with pytest.raises(RecipeError, match="bfloat16"):
        Inpaint(precision="half")


def test_only_networks_have_weights_in_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "digest", lambda name, kind: f"{kind} {name}")
    for model in MODELS:
        expected = f"{INPAINTERS[model].kind} embedded" if model in INPAINTERS else None
        assert Inpaint(model=model).weights_digest() == expected
