"""The second look in a run: a rest is filled once more, what stays is put up for review and written."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from PIL import Image as PilImage

from autoremove import journal
from autoremove.codecs import load
from autoremove.errors import ReviewNeeded
from autoremove.folder import Plan, clean
from autoremove.journal import DONE, FAILED, REVIEW, UNCHANGED
from autoremove.pipeline import MAX_PIXELS, behind_the_mask, run_in_memory, run_stages, sample_of
from autoremove.recipe import Recipe
from autoremove.stages.audit import Audit
from autoremove.stages.base import Stage, StageFields
from autoremove.stages.composite import Composite
from autoremove.stages.inpaint import Inpaint
from autoremove.store import Store
from autoremove.types import Detections, Image, ObjectMask, Patch, Sample
from tests import builders
from tests.cases import photos
from tests.cases.chain import FindRed
from tests.cases.eyes import opened
from tests.cases.runs import ends, pictures, stamps

FILLED: list[int] = []
"""Pixels asked for at each filling in this process; a test clears it first."""


@dataclass(frozen=True)
class Blinkered(StageFields):
    """A mask that leaves out the lower part of every object."""

    share: float = 0.5

    name: ClassVar[str] = "refine"
    version: ClassVar[int] = 1
    needs: ClassVar[tuple[str, ...]] = ("image", "detections")
    gives: ClassVar[str] = "mask"

    def __call__(self, image: list[Image], detections: list[Detections]) -> list[ObjectMask]:
        return [self._one(*row) for row in zip(image, detections, strict=True)]

    def _one(self, image: Image, found: Detections) -> ObjectMask:
        ids = np.zeros(image.shape[:2], np.uint16)
        for row, (x1, y1, x2, y2) in enumerate(found.xyxy.astype(int).tolist()):
            ids[y1 : y1 + int(self.share * (y2 - y1)), x1:x2] = row + 1
        return ObjectMask(ids > 0, ids)


@dataclass(frozen=True)
class Counting(Inpaint):
    """Telea that remembers what it was asked for, and refuses what is too much for it."""

    model: str = "telea"
    most: int = 100_000

    def __call__(self, image: list[Image], mask: list[ObjectMask]) -> list[list[Patch]]:
        FILLED.extend(int(one.grown.sum()) for one in mask)
        if any(one.grown.sum() > self.most for one in mask):
            raise ReviewNeeded("too much")
        return super().__call__(image, mask)


def stages(share: float = 0.5, most: int = 100_000, batch: int = 1) -> tuple[Stage, ...]:
    audit = Audit(method="box", blur=0, seam=0, batch=batch)
    fill = Counting(most=most, batch=batch)
    return FindRed(batch=batch), Blinkered(share, batch=batch), fill, Composite(batch=batch), audit


def plan(folder: Path, **fields: Any) -> Plan:
    return Plan(Recipe("cases", "", stages(**fields)), Store(folder / "store"))


@pytest.fixture(autouse=True)
def nothing_filled_yet() -> None:
    FILLED.clear()


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    return photos.write(tmp_path / "in/a.png", photos.png())


def walked(sample: Sample) -> list[str]:
    return [step.stage for step in sample.steps]


TWICE = ["detect", "refine", "inpaint", "composite", "audit", "amend", "inpaint", "composite", "audit"]


def test_a_rest_is_filled_once_more(photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened(monkeypatch)
    (row,) = run_stages([sample_of(photo)], stages(), Store(tmp_path / "store"))
    assert walked(row) == TWICE
    first, second = FILLED
    assert second > 1.9 * first
    x1, y1, x2, y2 = builders.PERSON
    assert load("mask", row.slots["mask"], MAX_PIXELS).grown[y1:y2, x1:x2].all()
    assert load("verdict", row.slots["verdict"], MAX_PIXELS).findings == ()


def test_a_clean_removal_is_filled_once(photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened(monkeypatch)
    (row,) = run_stages([sample_of(photo)], stages(share=1), Store(tmp_path / "store"))
    assert walked(row) == TWICE[:5]
    assert len(FILLED) == 1


def test_what_stays_is_not_filled_a_third_time(photo, tmp_path: Path, monkeypatch) -> None:
    opened(monkeypatch, stubborn=True)
    (row,) = run_stages([sample_of(photo)], stages(share=1), Store(tmp_path / "store"))
    assert walked(row) == TWICE
    verdict = load("verdict", row.slots["verdict"], MAX_PIXELS)
    assert {one.kind for one in verdict.findings} == {"again"}
    assert row.error is None


def test_a_second_run_computes_nothing(photo: Path, tmp_path: Path, monkeypatch) -> None:
    eyes, store = opened(monkeypatch), Store(tmp_path / "store")
    (first,) = run_stages([sample_of(photo)], stages(), store)
    looks = len(eyes.looks)
    (second,) = run_stages([sample_of(photo)], stages(), store)
    assert walked(second) == TWICE and all(step.cached for step in second.steps)
    assert (len(FILLED), len(eyes.looks)) == (2, looks)
    assert {slot: ref.path for slot, ref in second.slots.items()} == {
        slot: ref.path for slot, ref in first.slots.items()
    }


def test_a_run_that_was_stopped_between_the_fillings_goes_on(photo, tmp_path: Path, monkeypatch) -> None:
    opened(monkeypatch)
    store = Store(tmp_path / "store")
    run_stages([sample_of(photo)], stages(), store)
    for path in (store.root / "amend").rglob("*.npz"):
        path.unlink()
    (row,) = run_stages([sample_of(photo)], stages(), store)
    assert [step.stage for step in row.steps if not step.cached] == ["amend"]


@pytest.mark.parametrize("stage", ["audit", "amend", "inpaint"])
def test_broken_artefacts_of_both_fillings_are_made_anew(
    photo, tmp_path: Path, monkeypatch, stage: str
) -> None:
    opened(monkeypatch)
    (before,) = clean([photo], tmp_path / "out", plan(tmp_path))
    for path in (tmp_path / "store" / stage).rglob("*.npz"):
        path.write_bytes(b"PK rotten")
    (tmp_path / "out/a.png").unlink()
    (row,) = clean([photo], tmp_path / "out", plan(tmp_path))
    assert (row.status, row.findings, row.fills) == (DONE, [], before.fills)
    assert row.output_sha256 == before.output_sha256


def test_a_second_filling_that_fails_leaves_the_first(photo, tmp_path: Path, monkeypatch, caplog) -> None:
    opened(monkeypatch)
    chain = stages(most=500)
    (row,) = run_stages([sample_of(photo)], chain, Store(tmp_path / "store"))
    assert row.error is None
    assert walked(row) == TWICE[:5]
    assert [one.kind for one in load("verdict", row.slots["verdict"], MAX_PIXELS).findings] == ["again"]
    assert "too much" in caplog.text
    values = run_in_memory(builders.scene(), chain)
    assert [one.kind for one in values["verdict"].findings] == ["again"]


def test_one_bad_picture_does_not_spoil_the_others(tmp_path: Path, monkeypatch) -> None:
    opened(monkeypatch)
    good = photos.write(tmp_path / "good.png", photos.png())
    large = photos.write(tmp_path / "large.png", photos.png(size_hw=(90, 120)))
    cut = photos.write(tmp_path / "cut.png", photos.png()[:300])
    empty = photos.write(tmp_path / "empty.png", photos.png(person=False))

    @dataclass(frozen=True)
    class Choosy(Audit):
        """Fails on pictures of some height."""

        def __call__(self, image: list[Image], **slots: Any) -> list[Any]:  # type: ignore[override]
            if any(pixels.shape[0] == 90 for pixels in image):
                raise ValueError("not this one")
            return super().__call__(image, **slots)

    chain = [*stages(batch=4)[:-1], Choosy(method="box", blur=0, seam=0, batch=4)]
    samples = [sample_of(path) for path in (good, large, cut, empty)]
    rows = run_stages(samples, chain, Store(tmp_path / "store"))
    assert walked(rows[0]) == TWICE
    assert rows[1].error == "audit: ValueError: not this one"
    assert "cut.png" in str(rows[2].error)
    assert rows[3].error is None and walked(rows[3]) == TWICE[:5]


def test_in_memory_is_the_same(photo: Path, tmp_path: Path, monkeypatch) -> None:
    opened(monkeypatch)
    (row,) = run_stages([sample_of(photo)], stages(), Store(tmp_path / "store"))
    values = run_in_memory(builders.scene(), stages())
    stored = load("patches", row.slots["patches"], MAX_PIXELS)
    assert [p.xyxy for p in stored] == [p.xyxy for p in values["patches"]]
    assert all(np.array_equal(a.pixels, b.pixels) for a, b in zip(stored, values["patches"], strict=True))
    assert values["verdict"].findings == ()


def test_what_follows_a_mask() -> None:
    chain = stages()
    assert [stage.name for stage in behind_the_mask(chain)] == ["inpaint", "composite", "audit"]
    assert [stage.name for stage in behind_the_mask(chain[2:])] == ["inpaint", "composite", "audit"]
    assert behind_the_mask(chain[:2]) == ()


def test_what_stays_is_written_and_put_up_for_review(tmp_path: Path, photo: Path, monkeypatch) -> None:
    opened(monkeypatch, stubborn=True)
    photos.write(tmp_path / "in/empty.png", photos.png(person=False))
    photos.write(tmp_path / "in/cut.png", photos.png()[:300])
    output = tmp_path / "out"
    rows = {row.relative: row for row in clean([tmp_path / "in"], output, plan(tmp_path, share=1))}
    assert ends(list(rows.values())) == {"a.png": REVIEW, "empty.png": UNCHANGED, "cut.png": FAILED}
    row = rows["a.png"]
    assert str(row.reason).startswith("a person is still found at ")
    assert [one["kind"] for one in row.findings] == ["again"] and row.fills
    assert row.cleaned and photos.people_in(output / "a.png") == 0
    assert journal.read(output / journal.NAME)["a.png"] == row
    assert rows["empty.png"].findings == rows["empty.png"].fills == []


def test_a_picture_that_passes_is_done(tmp_path: Path, photo: Path, monkeypatch) -> None:
    opened(monkeypatch)
    (row,) = clean([photo], tmp_path / "out", plan(tmp_path))
    assert (row.status, row.reason, row.findings) == (DONE, None, [])
    assert photos.people_in(tmp_path / "out/a.png") == 0
    assert [step["stage"] for step in row.steps] == TWICE


def test_run_again_nothing_is_done_or_written(tmp_path: Path, photo: Path, monkeypatch) -> None:
    eyes, output = opened(monkeypatch, stubborn=True), tmp_path / "out"
    (first,) = clean([photo], output, plan(tmp_path, share=1))
    before, times, looks = pictures(output), stamps(output), len(eyes.looks)
    FILLED.clear()
    (second,) = clean([photo], output, plan(tmp_path, share=1))
    assert (pictures(output), stamps(output)) == (before, times)
    assert (FILLED, len(eyes.looks)) == ([], looks)
    same = {"seconds": 0.0, "steps": []}
    assert dataclasses.replace(second, **same) == dataclasses.replace(first, **same)
    assert all(step["cached"] for step in second.steps)


def test_a_review_that_was_settled_is_done(tmp_path: Path, photo: Path, monkeypatch) -> None:
    """The same pixels, but a person or a setting says that they are fine now."""
    opened(monkeypatch, stubborn=True)
    output = tmp_path / "out"
    clean([photo], output, plan(tmp_path, share=1))
    audited = stages(share=1)
    lenient = (*audited[:-1], dataclasses.replace(audited[-1], confidence=0.9))  # type: ignore[type-var]
    (row,) = clean([photo], output, Plan(Recipe("cases", "", lenient), Store(tmp_path / "store")))
    assert (row.status, row.reason) == (DONE, None)


def test_a_flat_fill_in_a_picture_of_texture_is_put_up_for_review(tmp_path: Path, monkeypatch) -> None:
    opened(monkeypatch)
    pixels = np.random.default_rng(2).normal(110, 30, (120, 160, 3)).clip(0, 140).astype(np.uint8)
    pixels[30:90, 60:100] = builders.RED
    (tmp_path / "in").mkdir()
    PilImage.fromarray(pixels).save(tmp_path / "in/a.png")
    chain = (
        *stages(share=1)[:-2],
        Composite(grain=0),
        Audit(method="box", seam=0),
    )  # grain hides what is flat
    (row,) = clean([tmp_path / "in"], tmp_path / "out", Plan(Recipe("c", "", chain), Store(tmp_path / "s")))
    assert row.status == REVIEW
    assert "much blurrier than its surroundings (0." in str(row.reason)
    assert [step["stage"] for step in row.steps] == TWICE[:5]
