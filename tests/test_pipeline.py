"""The runner: only what is missing runs, a bad picture spoils nothing, broken artefacts are made anew."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from autoremove import images
from autoremove.codecs import load
from autoremove.errors import (
    DeviceError,
    OutputError,
    PictureError,
    RecipeError,
    ReviewNeeded,
    UsageError,
    WeightsError,
)
from autoremove.pipeline import (
    MAX_PIXELS,
    describe,
    run_in_memory,
    run_stage,
    run_stages,
    sample_of,
    without_pixels,
)
from autoremove.stages.base import Stage, StageFields
from autoremove.stages.refine import Refine
from autoremove.store import Store
from autoremove.types import Detections, Image, Sample
from tests.cases import chain, photos
from tests.cases.chain import CALLS, FindRed


@pytest.fixture(autouse=True)
def no_calls_yet() -> None:
    CALLS.clear()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def samples(tmp_path: Path) -> list[Sample]:
    """Three pictures of different content, the second without people."""
    data = [photos.png(), photos.png(person=False), photos.png(size_hw=(96, 120))]
    return [sample_of(photos.write(tmp_path / f"{i}.png", row)) for i, row in enumerate(data)]


def test_of_a_picture_that_changes_meanwhile_nothing_is_kept(
    store: Store, samples: list[Sample], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not under the key of the old content, for who puts that back would get the finds of the new one."""
    old, read = Path(samples[0].source).read_bytes(), images.read

    def replaced(path: Path, **how: int) -> images.Picture:
        photos.write(path, photos.png(person=False))
        return read(path, **how)

    monkeypatch.setattr(images, "read", replaced)
    (failed,) = run_stage(samples[:1], FindRed(), store, MAX_PIXELS)
    assert failed.error is not None and "0.png was changed while" in failed.error
    monkeypatch.undo()
    Path(samples[0].source).write_bytes(old)
    (done,) = run_stage(fresh(samples[:1]), FindRed(), store, MAX_PIXELS)
    assert [step.cached for step in done.steps] == [False]
    assert len(load("detections", done.slots["detections"], MAX_PIXELS)) == 1


def fresh(samples: Sequence[Sample]) -> list[Sample]:
    """The same files, as a later run would meet them: no digest is remembered."""
    return [without_pixels(sample) for sample in samples]


def ran(samples: Sequence[Sample]) -> set[str]:
    return {step.stage for sample in samples for step in sample.steps if not step.cached}


def with_batch(stages: Sequence[Stage], batch: int) -> list[Stage]:
    return [replace(stage, batch=batch) for stage in stages]  # type: ignore[type-var]


@dataclass(frozen=True)
class Choosy(FindRed):
    """Fails on pictures of some height with an error of some kind."""

    height: int = 96
    kind: type[Exception] = ValueError

    def __call__(self, image: list[Image]) -> list[Detections]:
        found = super().__call__(image)
        if any(pixels.shape[0] == self.height for pixels in image):
            raise self.kind("this one not")
        return found

    def params(self) -> dict[str, object]:
        return {}


def test_a_second_run_computes_nothing(samples: list[Sample], store: Store) -> None:
    first = run_stages(samples, chain.stages(), store)
    assert ran(first) == {"detect", "select", "refine", "inpaint", "composite"}
    again = run_stages(fresh(samples), chain.stages(), store)
    assert ran(again) == set()
    assert [s.slots for s in again] == [s.slots for s in first]
    assert all(step.seconds == 0 for s in again for step in s.steps)


def test_only_the_new_picture_of_a_batch_is_computed(samples: list[Sample], store: Store) -> None:
    run_stages(samples[:2], chain.stages(), store)
    CALLS.clear()
    mixed = run_stages(fresh(samples), with_batch(chain.stages(), 8), store)
    assert CALLS == [("detect", 1)]
    assert [Path(s.source).name for s in mixed] == ["0.png", "1.png", "2.png"]
    assert [s.steps[0].cached for s in mixed] == [True, True, False]


@pytest.mark.parametrize(("batch", "calls"), [(1, [1, 1, 1]), (2, [2, 1]), (16, [3]), (0, [1, 1, 1])])
def test_pictures_go_in_batches_of_the_stages_size(samples, store, batch: int, calls: list[int]) -> None:
    run_stage(samples, FindRed(batch=batch), store, MAX_PIXELS)
    assert [size for _, size in CALLS] == calls


def test_a_changed_growth_runs_nothing_before_it(samples: list[Sample], store: Store) -> None:
    run_stages(samples, chain.stages(), store)
    after = run_stages(fresh(samples), chain.stages(grow=0.2), store)
    assert "detect" not in ran(after)
    assert "select" not in ran(after)
    assert {"refine", "inpaint"} <= ran(after)


def test_a_changed_threshold_that_finds_the_same_runs_nothing_behind_it(samples, store: Store) -> None:
    run_stages(samples, chain.stages(), store)
    detect, *rest = chain.stages()
    after = run_stages(fresh(samples), [replace(detect, confidence=0.3), *rest], store)
    assert ran(after) == {"detect"}


def test_one_bad_picture_does_not_spoil_its_batch(samples: list[Sample], store: Store) -> None:
    stages = [Choosy(batch=8), *chain.stages()[1:]]
    good, empty, bad = run_stages(samples, stages, store)
    assert bad.error == "detect: ValueError: this one not"
    assert set(bad.slots) == {"image"}
    assert good.error is empty.error is None
    assert len(load("patches", good.slots["patches"], MAX_PIXELS)) == 1
    assert load("patches", empty.slots["patches"], MAX_PIXELS) == []


def test_a_failed_picture_is_not_touched_by_later_stages(samples: list[Sample], store: Store) -> None:
    failed = samples[0].failed("before")
    (after,) = run_stages([failed], chain.stages(), store)
    assert after == failed
    assert CALLS == []


@pytest.mark.parametrize("kind", [OutputError, WeightsError, RecipeError, UsageError, DeviceError])
def test_what_every_picture_would_meet_ends_the_run(samples, store: Store, kind: type[Exception]) -> None:
    with pytest.raises(kind, match="this one not"):
        run_stages(samples, [Choosy(kind=kind)], store)


def test_pictures_for_review_are_marked(samples: list[Sample], store: Store) -> None:
    *_, third = run_stages(samples, [Choosy(batch=4, kind=ReviewNeeded)], store)
    assert (third.error, third.review) == ("this one not", True)
    *_, third = run_stages(samples, [Choosy(batch=4, kind=PictureError)], store)
    assert (third.error, third.review) == ("this one not", False)


def test_pictures_that_cannot_be_read_are_marked(tmp_path: Path, samples, store: Store) -> None:
    truncated = sample_of(photos.write(tmp_path / "x.png", photos.png()[:500]))
    absent = sample_of(tmp_path / "gone.png")
    rows = run_stages([absent, samples[0], truncated], with_batch(chain.stages(), 3), store)
    assert [row.error is None for row in rows] == [False, True, False]
    assert "gone.png cannot be opened" in str(rows[0].error)
    assert "x.png" in str(rows[2].error)


def test_a_picture_over_the_limit_is_marked(samples: list[Sample], store: Store) -> None:
    (row,) = run_stages(samples[:1], chain.stages(), store, max_pixels=100)
    assert "limit" in str(row.error)


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 no zip", b"{"])
@pytest.mark.parametrize("slot", ["detections", "mask"])
def test_a_broken_artefact_is_made_anew(samples, store: Store, slot: str, damage: bytes) -> None:
    first = run_stages(samples, chain.stages(), store)
    whole = {sample.slots[slot].path: sample.slots[slot].path.read_bytes() for sample in first}
    for path in whole:
        path.write_bytes(damage)
    after = run_stages(fresh(samples), with_batch(chain.stages(), 2), store)
    assert all(sample.error is None for sample in after)
    assert {path: path.read_bytes() for path in whole} == whole


def test_more_broken_artefacts_than_stages_are_no_reason_to_give_up(tmp_path: Path, store: Store) -> None:
    from PIL import Image as PilImage

    shades = [np.full((8, 8, 3), shade, np.uint8) for shade in range(12)]
    many = []
    for number, pixels in enumerate(shades):
        PilImage.fromarray(pixels).save(tmp_path / f"{number}.png")
        many.append(sample_of(tmp_path / f"{number}.png"))
    (detect, select) = chain.stages()[:2]
    # Each detector's artefact is its own, though all are empty: the key has the picture in it.
    for sample in run_stage(many, detect, store, MAX_PIXELS):
        sample.slots["detections"].path.write_bytes(b"{" + sample.source.encode())
    after = run_stages(fresh(many), [detect, select], store)
    assert [sample.error for sample in after] == [None] * 12


def test_a_store_that_keeps_nothing_whole_is_told(samples: list[Sample], tmp_path: Path) -> None:
    class Rotten(Store):
        def put(self, *args: object):
            ref = super().put(*args)  # type: ignore[arg-type]
            ref.path.write_bytes(b"rot")
            return ref

    with pytest.raises(OutputError, match="does not keep"):
        run_stages(samples[:1], chain.stages(), Rotten(tmp_path / "rotten"))


def test_in_memory_is_the_same_as_through_the_store(samples: list[Sample], store: Store) -> None:
    stages = [FindRed(), *chain.stages()[1:]]
    for sample in run_stages(samples, stages, store):
        rgb = images.read(Path(sample.source)).rgb
        values = run_in_memory(rgb, stages)
        stored = load("patches", sample.slots["patches"], MAX_PIXELS)
        assert len(stored) == len(values["patches"])
        for one, other in zip(stored, values["patches"], strict=True):
            assert one.xyxy == other.xyxy
            assert np.array_equal(one.pixels, other.pixels)
            assert np.array_equal(one.alpha, other.alpha)


def test_values_can_be_given_in_memory() -> None:
    found = Detections(np.array([[2, 2, 6, 6]], np.float32), np.ones(1, np.float32), ("person",))
    stage = Refine(method="box", grow_min=0, grow=0)
    values = run_in_memory(np.zeros((9, 9, 3), np.uint8), [stage], detections=found)
    assert values["mask"].grown.sum() == 16


def test_a_stage_may_give_what_it_takes(samples: list[Sample], store: Store) -> None:
    """select takes detections and gives detections: both artefacts stay."""
    (row,) = run_stages(samples[:1], chain.stages()[:2], store)
    assert row.slots["detections"].path.is_relative_to(store.root / "select")
    assert {path.relative_to(store.root).parts[0] for path in store.files()} == {"detect", "select"}


@dataclass(frozen=True)
class Forgetful(StageFields):
    """Gives fewer values than it was given pictures."""

    name: ClassVar[str] = "detect"
    version: ClassVar[int] = 1
    needs: ClassVar[tuple[str, ...]] = ("image",)
    gives: ClassVar[str] = "detections"

    def __call__(self, image: list[Image]) -> list[Detections]:
        return []


def test_a_stage_that_gives_too_little_is_not_believed(samples: list[Sample], store: Store) -> None:
    with pytest.raises(ValueError, match="shorter"):
        run_stages(samples, [Forgetful(batch=2)], store)


def test_our_own_errors_are_told_as_they_are() -> None:
    assert describe(PictureError("What.", hint="Do."), "refine") == "What. Do."
    assert describe(KeyError("x"), "refine") == "refine: KeyError: 'x'"


def test_what_a_worker_sends_back_is_small(samples: list[Sample], store: Store) -> None:
    (row,) = run_stages(samples[:1], chain.stages()[:2], store)
    assert "digest" in vars(row.slots["image"])
    assert "digest" not in vars(without_pixels(row).slots["image"])
