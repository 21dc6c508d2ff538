"""What takes Segment Anything its time is done once a picture, and kept for runs with other boxes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from autoremove.codecs import CODECS, load
from autoremove.errors import RecipeError
from autoremove.models import cache, sam
from autoremove.pipeline import MAX_PIXELS, run_in_memory, run_stages, sample_of
from autoremove.recipe import load_recipe
from autoremove.stages.base import Stage
from autoremove.stages.embed import Embed
from autoremove.stages.refine import Refine
from autoremove.store import Store
from autoremove.types import Embedding, ObjectMask
from tests.cases import photos
from tests.cases.chain import FindRed, red
from tests.models.test_sam import tiny_sam


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("sam") / "sam_tiny.pth"
    torch.save(tiny_sam().state_dict(), path)
    return str(path)


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[object]]:
    """One entry for each time that a picture goes through the image encoder."""
    calls: list[object] = []
    make = sam._build

    def counting(state: dict[str, torch.Tensor]) -> torch.nn.Module:
        network = make(state)
        network.image_encoder.register_forward_hook(lambda *_: calls.append(1))
        return network

    monkeypatch.setattr(sam, "_build", counting)
    cache.clear()
    yield calls
    cache.clear()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return photos.write(tmp_path / "photo.png", photos.png())


def masked(source: Path, store: Path, *stages: Stage) -> ObjectMask:
    """The mask of a run in a process that has not embedded anything yet."""
    cache.clear()
    (sample,) = run_stages([sample_of(source)], stages, Store(store))
    assert sample.error is None
    mask: ObjectMask = load("mask", sample.slots["mask"], MAX_PIXELS)
    return mask


def test_one_embedding_serves_runs_with_other_boxes_and_settings(
    checkpoint: str, encoded: list[object], source: Path, tmp_path: Path
) -> None:
    embed, refine = Embed(weights=checkpoint), Refine(method="sam", weights=checkpoint)
    first = masked(source, tmp_path / "store", FindRed(), embed, refine)
    assert len(encoded) == 1
    assert first.ids.any()
    other = Refine(method="sam", weights=checkpoint, grow=0.2, grow_min=9)
    second = masked(source, tmp_path / "store", FindRed(least=21, confidence=0.1), embed, other)
    assert len(encoded) == 1, "another run embeds the same picture again"
    assert second.grown.sum() > first.grown.sum()
    assert np.array_equal(first.ids, second.ids)


def test_without_the_stage_the_masks_are_the_same(
    checkpoint: str, encoded: list[object], source: Path, tmp_path: Path
) -> None:
    refine = Refine(method="sam", weights=checkpoint)
    kept = masked(source, tmp_path / "with", FindRed(), Embed(weights=checkpoint), refine)
    bare = masked(source, tmp_path / "without", FindRed(), refine)
    assert len(encoded) == 2
    assert np.array_equal(kept.ids, bare.ids)
    assert np.array_equal(kept.grown, bare.grown)


def test_the_embedding_is_in_no_key_of_refine(checkpoint: str, source: Path, tmp_path: Path) -> None:
    """It follows from the picture and the weights, which are in it: a cached mask serves both chains."""
    refine, store = Refine(method="sam", weights=checkpoint), Store(tmp_path / "store")
    run_stages([sample_of(source)], (FindRed(), refine), store)
    (sample,) = run_stages([sample_of(source)], (FindRed(), Embed(weights=checkpoint), refine), store)
    assert [(step.stage, step.cached) for step in sample.steps][-2:] == [("embed", False), ("refine", True)]


def test_other_methods_do_not_load_it(checkpoint: str, source: Path, tmp_path: Path) -> None:
    assert Refine(method="box").uses == ()
    plain = masked(source, tmp_path / "store", FindRed(), Embed(weights=checkpoint), Refine(method="box"))
    assert plain.ids.any()


def test_an_embedding_of_other_weights_is_refused(checkpoint: str, source: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.pth"
    state = {name: value * 0.9 for name, value in tiny_sam().state_dict().items()}
    torch.save(state, other)
    stages = FindRed(), Embed(weights=str(other)), Refine(method="sam", weights=checkpoint)
    with pytest.raises(RecipeError, match="different weights") as told:
        run_stages([sample_of(source)], stages, Store(tmp_path / "store"))
    assert "embed.weights" in str(told.value.hint)


def test_in_memory_it_is_used_too(checkpoint: str, encoded: list[object]) -> None:
    picture = np.zeros((60, 90, 3), np.uint8)
    picture[10:50, 30:60] = (200, 10, 10)
    assert red(picture).any()
    stages = FindRed(), Embed(weights=checkpoint), Refine(method="sam", weights=checkpoint)
    values = run_in_memory(picture, stages)
    assert len(encoded) == 1
    assert values["embedding"].features.dtype == np.float16
    assert values["mask"].ids.any()


def test_a_recipe_may_name_the_stage(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(
        "stages: [detect, select, embed: {weights: sam-vit-l}, refine: {method: sam, weights: sam-vit-l}]"
    )
    stages = load_recipe(str(path)).stages
    assert [stage.name for stage in stages] == ["detect", "select", "embed", "refine"]
    assert stages[2].params() == {"weights": "sam-vit-l"}


def test_what_is_kept_comes_back_to_the_bit() -> None:
    features = np.random.default_rng(0).normal(0, 1, (8, 4, 4)).astype(np.float16)
    codec = CODECS["embedding"]
    again = codec.decode(codec.encode(Embedding(features, "ab" * 32)))
    assert again.features.dtype == np.float16
    assert np.array_equal(again.features, features)
    assert again.weights == "ab" * 32
