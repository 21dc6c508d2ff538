"""Previews: small, made once, made again when what they show changes, and deleted when nothing shows them."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PilImage

from autoremove import journal
from autoremove.errors import InputError
from autoremove.images import listing
from autoremove.journal import Row
from autoremove.report import making, previews
from autoremove.report.making import Reporter, write_page, write_report
from autoremove.report.overlay import COLOURS, TINT, encode_overlay
from autoremove.report.views import Views, loader_for
from autoremove.store import Store
from autoremove.types import ObjectMask
from tests import builders


def mask_of(size_hw: tuple[int, int] = builders.SIZE_HW) -> ObjectMask:
    ids = np.zeros(size_hw, np.uint16)
    ids[24:56, 40:64] = 1
    grown = np.zeros(size_hw, bool)
    grown[20:60, 36:68] = True
    return ObjectMask(grown, ids)


@pytest.fixture
def done(tmp_path: Path) -> Row:
    """A finished picture: source, output and mask on disk."""
    source, output = tmp_path / "in" / "a.png", tmp_path / "out" / "a.png"
    for path, person in ((source, True), (output, False)):
        path.parent.mkdir()
        PilImage.fromarray(builders.scene(person=person)).save(path)
    mask = Store(tmp_path / "store").put("refine", "ab" * 32, "mask", mask_of())
    return Row(
        str(source),
        "a.png",
        "done",
        output=str(output),
        artefacts={"mask": str(mask.path)},
        made_from="1",
        output_sha256="2",
    )


def counting(views: Views) -> tuple[Callable[[Row], Views], list[Row]]:
    asked: list[Row] = []

    def load(row: Row) -> Views:
        asked.append(row)
        return views

    return load, asked


def test_three_previews_once(done: Row, tmp_path: Path) -> None:
    output = tmp_path / "out"
    load, asked = counting(loader_for(output, 10**6)(done))
    previews.make(done, output, load)
    previews.make(done, output, load)
    assert len(asked) == 1
    shown = previews.there(done, output)
    assert set(shown) == {"before", "after", "mask"}
    before, after = (np.asarray(PilImage.open(output / shown[kind])) for kind in ("before", "after"))
    assert before[40, 52, 0] > 190 > 160 > after[40, 52, 0]
    changed = dataclasses.replace(done, made_from="other")
    assert previews.there(changed, output) == {}


def test_previews_are_small(done: Row, tmp_path: Path) -> None:
    large = np.zeros((300, 4000, 3), np.uint8)
    load, _ = counting(Views(large, large, mask_of((300, 4000))))
    previews.make(done, tmp_path, load)
    for address in previews.there(done, tmp_path).values():
        assert PilImage.open(tmp_path / address).size == (960, 72)


@pytest.mark.parametrize(
    ("status", "artefacts", "kinds"),
    [
        ("unchanged", {}, {"thumb"}),
        ("review", {"mask": "/store/m.npz"}, {"before", "mask"}),
        ("review, written", {"mask": "/store/m.npz"}, {"before", "after", "mask"}),
        ("failed", {"detections": "/store/d.json"}, {"before"}),
        ("failed", {}, set()),
    ],
)
def test_which_previews(status: str, artefacts: dict[str, str], kinds: set[str], done: Row) -> None:
    status, _, written = status.partition(", ")
    output = done.output if written or status == "unchanged" else None
    names = previews.names(dataclasses.replace(done, status=status, artefacts=artefacts, output=output))
    assert set(names) == kinds


def test_what_is_gone_costs_only_its_preview(done: Row, tmp_path: Path) -> None:
    Path(done.source).unlink()
    Path(done.artefacts["mask"]).write_bytes(b"broken")
    output = tmp_path / "out"
    previews.make(done, output, loader_for(output, 10**6))
    assert set(previews.there(done, output)) == {"after"}


def test_overlay_tints_and_outlines() -> None:
    picture = PilImage.open(io.BytesIO(encode_overlay(mask_of(), 960))).convert("RGBA")
    assert picture.size == (112, 80)
    values = np.asarray(picture)
    assert tuple(values[0, 0])[3] == 0
    assert tuple(values[21, 37]) == TINT
    assert tuple(values[24, 40]) == (*COLOURS[0], 255)
    empty = ObjectMask(np.zeros((4, 4), bool), np.zeros((4, 4), np.uint16))
    assert not np.asarray(PilImage.open(io.BytesIO(encode_overlay(empty, 960))).convert("RGBA"))[..., 3].any()


def test_a_page_again_from_the_journal_of_a_moved_folder(done: Row, tmp_path: Path) -> None:
    output = tmp_path / "out"
    journal.append(output / journal.NAME, done)
    moved = output.rename(tmp_path / "elsewhere")
    steps: list[tuple[int, int]] = []
    page = write_report(moved, 10**6, lambda *step: steps.append(step))
    assert page == moved / "report.html" and steps == [(1, 1)]
    assert "-after.jpg" in page.read_text()
    stale = moved / "report_files" / f"{'0' * 20}-after.jpg"
    mine = moved / "report_files" / "holiday-after.jpg"
    for path in (stale, mine):
        path.write_bytes(b"")
    write_report(moved, 10**6)
    assert mine.exists() and not stale.exists()
    with pytest.raises(InputError):
        write_report(tmp_path / "in", 10**6)


def test_interrupted_reports_show_what_is_there(done: Row, tmp_path: Path) -> None:
    output = tmp_path / "out"
    journal.append(output / journal.NAME, done)
    with pytest.raises(KeyboardInterrupt), Reporter(output, 10**6) as reporter:
        reporter.row(done)
        raise KeyboardInterrupt
    assert "This run was interrupted" in (output / "report.html").read_text()


def test_a_preview_that_fails_does_not_fail_the_run(
    done: Row, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise MemoryError("too large")

    monkeypatch.setattr(previews, "make", broken)
    with Reporter(tmp_path / "out", 10**6) as reporter:
        reporter.row(done)
        assert reporter.finish([done]).exists()
    assert "no preview of a.png: too large" in caplog.text


def test_thousands_of_rows(tmp_path: Path, done: Row) -> None:
    rows = [dataclasses.replace(done, relative=f"{number:05}.png") for number in range(3000)]
    page = write_page(tmp_path, rows).read_text()
    assert page.count("<article") == 0  # cards are built a page at a time
    assert page.count('"name":') == 3000


def test_a_listing_knows_previews_by_what_lies_beside_them() -> None:
    assert (listing._PREVIEWS, listing._REPORTED) == (previews.FOLDER, (making.NAME, journal.NAME))
