"""The main job when things go wrong: full disks, kills, vanished files, and folders that cannot be right."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from autoremove import folder as room
from autoremove import images, journal
from autoremove.errors import InputError, OutputError, PictureError, UsageError
from autoremove.folder import Plan, clean
from autoremove.journal import DONE, FAILED, UNCHANGED, Row
from autoremove.store import Store
from autoremove.types import Detections
from tests.cases import chain, photos
from tests.cases.runs import ENDS, ends, files, pictures, plan, stamps


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return photos.folder(tmp_path / "photos")


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "clean"


def test_a_picture_that_fails_now_loses_its_old_output(tmp_path: Path, source: Path, output: Path) -> None:
    clean([source], output, plan(tmp_path))
    whole = (source / "a.jpg").read_bytes()
    photos.write(source / "a.jpg", whole[:800])
    assert ends(clean([source], output, plan(tmp_path)))["a.jpg"] == FAILED
    assert not (output / "a.jpg").exists()
    photos.write(source / "a.jpg", whole)
    assert ends(clean([source], output, plan(tmp_path)))["a.jpg"] == DONE
    assert photos.people_in(output / "a.jpg") == 0


def test_it_loses_it_too_when_only_the_writing_fails(tmp_path, source, output, monkeypatch) -> None:
    clean([source], output, plan(tmp_path))

    def cannot(*_: object) -> None:
        raise PictureError("This format cannot be written.")

    monkeypatch.setattr(images, "write", cannot, raising=False)
    rows = clean([source], output, plan(tmp_path, chain.recipe(grow=0.3)))
    assert ends(rows) == {name: FAILED if end == DONE else end for name, end in ENDS.items()}
    assert not (output / "a.jpg").exists()
    assert (output / "landscape.jpg").exists()


def test_a_picture_that_changes_meanwhile_gets_no_patches_of_another(
    tmp_path, source, output, monkeypatch
) -> None:
    other, look = (source / "landscape.jpg").read_bytes(), chain.FindRed._one

    def replaced(stage: chain.FindRed, image: np.ndarray) -> Detections:
        photos.write(source / "a.jpg", other)
        return look(stage, image)

    monkeypatch.setattr(chain.FindRed, "_one", replaced)
    (row,) = clean([source / "a.jpg"], output, plan(tmp_path))
    assert row.status == FAILED and "a.jpg was changed while" in str(row.reason)
    assert not (output / "a.jpg").exists()
    assert ends(clean([source / "a.jpg"], output, plan(tmp_path))) == {"a.jpg": UNCHANGED}
    assert (output / "a.jpg").read_bytes() == other


def test_an_output_that_somebody_else_changed_is_not_taken_away(tmp_path, source, output) -> None:
    clean([source], output, plan(tmp_path))
    photos.write(output / "a.jpg", b"my own work")
    photos.write(source / "a.jpg", b"\xff\xd8\xff broken")
    clean([source], output, plan(tmp_path))
    assert (output / "a.jpg").read_bytes() == b"my own work"


def test_the_input_may_not_lie_inside_the_output(tmp_path: Path, source: Path) -> None:
    before = files(tmp_path)
    for output in (source, tmp_path):
        with pytest.raises(InputError, match="output folder"):
            clean([source], output, plan(tmp_path))
    assert files(tmp_path) == before


def test_names_that_would_meet_are_refused_before_the_start(
    tmp_path: Path, source: Path, output: Path
) -> None:
    other = photos.write(tmp_path / "other/a.jpg", photos.png()).parent
    with pytest.raises(InputError, match=r"a\.jpg"):
        clean([source, other], output, plan(tmp_path))
    assert not output.exists()
    assert not (tmp_path / "store").exists()


def test_a_folder_without_pictures_is_refused_before_the_start(tmp_path: Path, output: Path) -> None:
    photos.write(tmp_path / "texts/notes.txt", b"no picture")
    with pytest.raises(InputError, match="No pictures"):
        clean([tmp_path / "texts"], output, plan(tmp_path))
    with pytest.raises(InputError):
        clean([tmp_path / "nowhere"], output, plan(tmp_path))
    assert not output.exists()


def test_a_folder_that_is_the_store_is_named(tmp_path: Path, source: Path, output: Path) -> None:
    with pytest.raises(InputError, match="which is no folder of inputs") as caught:
        clean([source], output, Plan(chain.recipe(), Store(source.parent)))
    assert caught.value.hint == "Keep pictures, masks and the cache in folders of their own."
    alone = clean([source / "sub/b.png"], output, Plan(chain.recipe(), Store(source / "sub")))
    assert [row.status for row in alone] == [DONE], "a picture named outright is read wherever it lies"


def test_a_full_disk_ends_the_run_and_keeps_what_is_finished(tmp_path, source, output, monkeypatch) -> None:
    written = images.write

    def full(source: Path, target: Path, patches: object) -> None:
        if target.name == "c.png":
            raise OutputError(f"Cannot write {target}: No space left on device.", hint="Free some space.")
        written(source, target, patches)

    monkeypatch.setattr(images, "write", full, raising=False)
    with pytest.raises(OutputError, match="No space left"):
        clean([source], output, plan(tmp_path))
    rows = journal.read(output / journal.NAME)
    assert rows["a.jpg"].status == DONE
    assert "sub/deep/c.png" not in rows
    monkeypatch.setattr(images, "write", written, raising=False)
    kept = (output / "a.jpg").stat().st_mtime_ns
    assert ends(clean([source], output, plan(tmp_path))) == ENDS
    assert (output / "a.jpg").stat().st_mtime_ns == kept


def test_a_journal_that_cannot_be_written_ends_the_run(tmp_path, source, output, monkeypatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(journal, "append", full)
    with pytest.raises(OutputError, match="No space left"):
        clean([source], output, plan(tmp_path))


def test_interrupted_it_goes_on_where_it_was(tmp_path: Path, source: Path, output: Path) -> None:
    def stop(row: Row) -> None:
        if row.status == DONE:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        clean([source], output, plan(tmp_path), on_row=stop)
    done = [row for row in journal.read(output / journal.NAME).values() if row.status == DONE]
    assert len(done) == 1
    stamp = Path(str(done[0].output)).stat().st_mtime_ns
    assert ends(clean([source], output, plan(tmp_path))) == ENDS
    assert Path(str(done[0].output)).stat().st_mtime_ns == stamp


def test_a_journal_line_cut_by_a_kill_is_only_one_picture_done_again(tmp_path, source, output) -> None:
    clean([source], output, plan(tmp_path))
    path = output / journal.NAME
    path.write_bytes(path.read_bytes()[:-40])
    rows = clean([source], output, plan(tmp_path))
    assert ends(rows) == ENDS
    assert list(journal.read(path).values()) == rows


def test_the_row_after_a_cut_line_is_not_lost_with_it(tmp_path, source, output) -> None:
    """Killed twice: in the middle of a line, and again right after the first row of the next run."""
    clean([source], output, plan(tmp_path))
    path = output / journal.NAME
    path.write_bytes(path.read_bytes()[:-40])

    def stop(row: Row) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        clean([source], output, plan(tmp_path), on_row=stop)
    assert json.loads(path.read_text().splitlines()[-1])["relative"] == "a.jpg"


def test_broken_artefacts_are_made_anew(tmp_path: Path, source: Path, output: Path) -> None:
    clean([source], output, plan(tmp_path))
    before = pictures(output)
    for path in (tmp_path / "store").rglob("*.*"):
        path.write_bytes(b"rot")
    assert ends(clean([source], output, plan(tmp_path))) == ENDS
    assert pictures(output) == before


def test_a_pruned_store_costs_only_time(tmp_path: Path, source: Path, output: Path) -> None:
    clean([source], output, plan(tmp_path))
    before, times = pictures(output), stamps(output)
    shutil.rmtree(tmp_path / "store")
    assert ends(clean([source], output, plan(tmp_path))) == ENDS
    assert (pictures(output), stamps(output)) == (before, times)


def test_what_every_picture_would_meet_is_said_once(tmp_path, source, output, monkeypatch) -> None:
    def wrong(*_: object, **__: object) -> None:
        raise UsageError("This detector knows no 'persn'.")

    monkeypatch.setattr(chain.FindRed, "__call__", wrong)
    with pytest.raises(UsageError, match="persn"):
        clean([source], output, plan(tmp_path))


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="needs a user who can be refused")
def test_a_picture_that_may_not_be_read_is_one_row(tmp_path: Path, source: Path, output: Path) -> None:
    (source / "a.jpg").chmod(0)
    assert ends(clean([source], output, plan(tmp_path)))["a.jpg"] == FAILED


def test_a_picture_that_vanishes_during_the_run_is_one_row(tmp_path, source, output, monkeypatch) -> None:
    jobs = room.plan_jobs

    def listed(*args: object) -> list[room.Job]:
        found = jobs(*args)  # type: ignore[arg-type]
        (source / "a.jpg").unlink()
        return found

    monkeypatch.setattr(room, "plan_jobs", listed)
    rows = clean([source], output, plan(tmp_path))
    assert ends(rows) == {**ENDS, "a.jpg": FAILED}
    (reason,) = (row.reason for row in rows if row.relative == "a.jpg")
    assert "cannot be opened" in str(reason)
