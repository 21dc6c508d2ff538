"""The data of an inpainter's run: what is held out is not learnt from, and the record knows both again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PillowImage

from autoremove.errors import UsageError
from autoremove.training.inpainter_config import InpainterConfig
from autoremove.training.inpainter_data import Pictures, hole_mixes, split, training_batches
from autoremove.training.scenes import Source


def folder_of(place: Path, count: int) -> Path:
    place.mkdir()
    for i in range(count):
        PillowImage.fromarray(np.full((8, 8, 3), i, np.uint8)).save(place / f"{i:03}.png")
    return place


@pytest.mark.parametrize(
    ("count", "every", "held"), [(1, 20, 1), (2, 20, 1), (4, 20, 1), (12, 20, 3), (40, 20, 4), (400, 20, 20)]
)
def test_some_are_held_out_of_few_and_of_many(count: int, every: int, held: int) -> None:
    sources = [Source(Path(f"{i}.png")) for i in range(count)]
    out, rest = split(sources, every)
    assert len(out) == held
    assert sorted([*out, *rest], key=lambda s: int(s.picture.stem)) == sources
    assert len(split(sources, 3)[0]) >= held


def test_what_is_held_out_is_not_learnt_from(tmp_path: Path) -> None:
    config = InpainterConfig(data=(str(folder_of(tmp_path / "a", 12)),))
    pictures = Pictures.of(config)
    learnt = {source.picture for source in pictures.plain}
    assert len(pictures.held_out) == 3 and len(learnt) == 9
    assert not learnt & set(pictures.held_out)


def test_a_folder_to_validate_on_leaves_all_to_learn_from(tmp_path: Path) -> None:
    held = folder_of(tmp_path / "held", 2)
    config = InpainterConfig(data=(str(folder_of(tmp_path / "a", 12)),), validation=str(held))
    pictures = Pictures.of(config)
    assert len(pictures.plain) == 12
    assert {path.parent for path in pictures.held_out} == {held}


def test_one_picture_alone_is_learnt_and_measured(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    pictures = Pictures.of(InpainterConfig(data=(str(folder_of(tmp_path / "a", 1)),)))
    assert [source.picture for source in pictures.plain] == pictures.held_out
    assert "says little" in caplog.text


def test_the_record_tells_other_data_and_other_holes_apart(tmp_path: Path) -> None:
    place = folder_of(tmp_path / "a", 12)
    shapes = tmp_path / "shapes.npz"
    np.savez(shapes, packed=np.packbits(np.ones((1, 64), bool), axis=1), shape=np.array([8, 8]))
    config = InpainterConfig(data=(str(place),))
    with_shapes = InpainterConfig(data=(str(place),), silhouettes=str(shapes))
    first = Pictures.of(config).record(config)
    assert (first["pictures"], first["held_out"]) == (9, 3)
    assert Pictures.of(config).record(config) == first
    assert Pictures.of(config).record(with_shapes)["data_digest"] != first["data_digest"]
    PillowImage.fromarray(np.random.default_rng(0).integers(0, 255, (9, 9, 3), np.uint8)).save(
        place / "001.png"
    )
    other = Pictures.of(config).record(config)
    assert other["data_digest"] != first["data_digest"]
    assert other["held_out_digest"] == first["held_out_digest"]


def test_the_holes_to_measure_on_do_not_depend_on_those_to_learn_on(tmp_path: Path) -> None:
    shapes = tmp_path / "shapes.npz"
    np.savez(shapes, packed=np.packbits(np.ones((1, 64), bool), axis=1), shape=np.array([8, 8]))
    mixes = [hole_mixes(InpainterConfig(silhouettes=str(shapes), standing_share=s)) for s in (0.0, 1.0)]
    assert mixes[0][1].draw(32, np.random.default_rng(0)).any()
    for seed in range(10):
        a, b = (fixed.draw(32, np.random.default_rng(seed)) for _, fixed in mixes)
        assert np.array_equal(a, b)
    learnt = [mix.draw(32, np.random.default_rng(1)) for mix, _ in mixes]
    assert not np.array_equal(*learnt)


def test_shares_are_those_asked_for_and_must_leave_some_for_the_scenes(tmp_path: Path) -> None:
    boxed = tmp_path / "boxed"
    folder_of_boxes = boxed / "labels"
    folder_of_boxes.mkdir(parents=True)
    for i in range(3):
        (folder_of_boxes / f"{i:03}.txt").write_text("0 0.5 0.5 0.1 0.1\n")
    folder_of(boxed / "images", 3)
    config = InpainterConfig(data=(str(folder_of(tmp_path / "a", 12)),), boxed=str(boxed), boxed_share=0.25)
    pictures = Pictures.of(config)
    assert pictures.record(config)["pictures"] == 9 + 3
    weights = training_batches(pictures, config, hole_mixes(config)[0], tmp_path / "cache").weights
    assert weights is not None and weights[:9].sum() == pytest.approx(0.75)
    assert weights[9:].sum() == pytest.approx(0.25)
    greedy = replace(config, boxed_share=1.0)
    with pytest.raises(UsageError, match="boxed_share"):
        training_batches(pictures, greedy, hole_mixes(greedy)[0], tmp_path / "cache")
