"""The main job on folders as people have them: every input one row, nothing lost, nothing done twice."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from autoremove import journal
from autoremove.folder import Plan, clean, tally
from autoremove.journal import DONE, FAILED, REVIEW, UNCHANGED, Row
from autoremove.recipe import Recipe
from autoremove.store import Store
from autoremove.types import Detections
from tests import builders
from tests.cases import chain, photos
from tests.cases.chain import CALLS
from tests.cases.runs import ENDS, ends, files, pictures, plan, stamps


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return photos.folder(tmp_path / "photos")


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "clean"


def test_every_input_ends_in_exactly_one_row(tmp_path: Path, source: Path, output: Path) -> None:
    before = files(source)
    seen: list[Row] = []
    totals: list[int] = []
    rows = clean([source], output, plan(tmp_path), on_row=seen.append, on_start=totals.append)
    assert ends(rows) == ENDS
    assert list(journal.read(output / journal.NAME).values()) == rows
    assert sorted(row.relative for row in seen) == sorted(ENDS)
    assert totals == [len(ENDS)]
    assert tally(rows) == {DONE: 3, UNCHANGED: 3, REVIEW: 0, FAILED: 3}
    assert files(source) == before


def test_the_tree_is_mirrored_and_the_people_are_gone(tmp_path: Path, source: Path, output: Path) -> None:
    rows = {row.relative: row for row in clean([source], output, plan(tmp_path))}
    assert set(pictures(output)) == {name for name, end in ENDS.items() if end in (DONE, UNCHANGED)}
    for name, end in ENDS.items():
        if end == DONE:
            assert photos.people_in(source / name) > 500
            assert photos.people_in(output / name) == 0
            assert [found["label"] for found in rows[name].objects] == ["person"]
            assert 0 < rows[name].share < 0.5
        if end == UNCHANGED:
            assert (output / name).read_bytes() == (source / name).read_bytes()
        if end == FAILED:
            assert name.rpartition("/")[2] in str(rows[name].reason)
            assert rows[name].output is None


def test_the_recipe_is_saved_with_every_field(tmp_path: Path, source: Path, output: Path) -> None:
    clean([source], output, plan(tmp_path))
    saved = (output / "recipe.yaml").read_text()
    assert "grow_max: 80" in saved
    assert "model: telea" in saved


def test_a_second_run_does_nothing(tmp_path: Path, source: Path, output: Path) -> None:
    first = clean([source], output, plan(tmp_path))
    before, times = pictures(output), stamps(output)
    CALLS.clear()
    second = clean([source], output, plan(tmp_path))
    assert CALLS == []
    assert (pictures(output), stamps(output)) == (before, times)
    assert ends(second) == ends(first)
    assert all(step["cached"] for row in second if row.status != FAILED for step in row.steps)
    assert len((output / journal.NAME).read_text().splitlines()) == len(ENDS)


@pytest.mark.parametrize("harm", ["deleted", "tampered", "copy tampered"])
def test_an_output_that_is_no_longer_ours_is_written_again(tmp_path, source, output, harm: str) -> None:
    clean([source], output, plan(tmp_path))
    before = pictures(output)
    victim = output / ("landscape.jpg" if harm.startswith("copy") else "sub/b.png")
    victim.unlink() if harm == "deleted" else victim.write_bytes(b"scribbled over")
    rows = clean([source], output, plan(tmp_path))
    assert pictures(output) == before
    assert ends(rows) == ENDS


def test_a_changed_setting_writes_only_what_it_changes(tmp_path: Path, source: Path, output: Path) -> None:
    clean([source], output, plan(tmp_path))
    before, times = pictures(output), stamps(output)
    rows = clean([source], output, plan(tmp_path, chain.recipe(grow=0.3)))
    changed = {name for name, data in pictures(output).items() if data != before[name]}
    assert changed == {"a.jpg", "sub/b.png", "sub/deep/c.png"}
    assert {name for name, time in stamps(output).items() if time != times[name]} == changed
    steps = {step["stage"]: step["cached"] for row in rows if row.relative == "a.jpg" for step in row.steps}
    assert steps == {"detect": True, "select": True, "refine": False, "inpaint": False, "composite": False}


def test_a_changed_input_is_done_again(tmp_path: Path, source: Path, output: Path) -> None:
    clean([source], output, plan(tmp_path))
    photos.write(source / "sub/b.png", photos.png(person=False))
    rows = clean([source], output, plan(tmp_path))
    assert ends(rows)["sub/b.png"] == UNCHANGED
    assert (output / "sub/b.png").read_bytes() == (source / "sub/b.png").read_bytes()


def test_too_much_to_fill_is_put_up_for_review(tmp_path: Path, source: Path, output: Path) -> None:
    clean([source], output, plan(tmp_path))
    everything = chain.recipe(grow=9.0, grow_max=500)
    rows = clean([source], output, plan(tmp_path, everything))
    assert ends(rows) == {name: REVIEW if end == DONE else end for name, end in ENDS.items()}
    assert set(pictures(output)) == {name for name, end in ENDS.items() if end == UNCHANGED}
    (row,) = (row for row in rows if row.relative == "sub/b.png")
    assert row.share == 1.0
    assert "max_share" in str(row.reason)


def test_the_output_may_lie_inside_the_input(tmp_path: Path, source: Path) -> None:
    inside = source / "clean"
    assert ends(clean([source], inside, plan(tmp_path))) == ENDS
    assert ends(clean([source], inside, plan(tmp_path))) == ENDS
    assert not (inside / "clean").exists()


def test_the_store_inside_the_input_is_not_taken_for_photos(
    tmp_path: Path, source: Path, output: Path
) -> None:
    inside = Plan(chain.recipe(), Store(source / "store"))
    photos.write(source / "store/x.png", photos.png())
    assert ends(clean([source], output, inside)) == ENDS


def test_single_files_go_by_their_own_name(tmp_path: Path, source: Path, output: Path) -> None:
    rows = clean([source / "sub/b.png", source / "letter.jpg"], output, plan(tmp_path))
    assert ends(rows) == {"b.png": DONE, "letter.jpg": FAILED}
    assert set(pictures(output)) == {"b.png"}


def test_rows_of_pictures_that_are_gone_go(tmp_path: Path, source: Path, output: Path) -> None:
    clean([source], output, plan(tmp_path))
    (source / "sub/b.png").unlink()
    assert "sub/b.png" not in ends(clean([source], output, plan(tmp_path)))
    assert "sub/b.png" not in journal.read(output / journal.NAME)


def test_masks_alone_change_no_picture(tmp_path: Path, source: Path, output: Path) -> None:
    only = Recipe("masks", "", chain.stages()[:3])
    rows = {row.relative: row for row in clean([source], output, plan(tmp_path, only))}
    assert rows["a.jpg"].status == UNCHANGED
    assert Path(rows["a.jpg"].artefacts["mask"]).is_file()
    assert rows["a.jpg"].size_hw == [80, 112]
    assert (output / "a.jpg").read_bytes() == (source / "a.jpg").read_bytes()


def test_what_goes_with_another_says_so(tmp_path: Path, source: Path, output: Path, monkeypatch) -> None:
    boxes = np.array([builders.PERSON, (60, 40, 70, 50)], np.float32)
    found = Detections(
        boxes, np.array([0.9, 0.3], np.float32), ("person", "handbag"), owner=np.array([-1, 0])
    )
    monkeypatch.setattr(chain.FindRed, "__call__", lambda self, image: [found] * len(image))
    (row,) = clean([source / "sub/b.png"], output, plan(tmp_path))
    assert [(one["label"], one.get("with")) for one in row.objects] == [
        ("person", None),
        ("handbag", "person"),
    ]
