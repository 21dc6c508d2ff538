"""One file an artefact: whole or not there, found by what decided it, pruned by age and size."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path

import pytest

from autoremove import store as room
from autoremove.errors import OutputError, RecipeError
from autoremove.pipeline import key_of, sample_of
from autoremove.stages.inpaint import Inpaint
from autoremove.stages.refine import Refine
from autoremove.store import Store, artefact_key, write_atomically
from autoremove.types import Detections
from tests.cases import photos
from tests.cases.chain import FindRed

ROOT = Path(__file__).resolve().parent.parent


def key(**changed: object) -> str:
    decided = {"stage": "s", "version": 1, "params": {"a": 1}, "weights": "w", "inputs": {"image": "d"}}
    return artefact_key(**{**decided, **changed})


@pytest.mark.parametrize(
    "changed",
    [
        {"stage": "t"},
        {"version": 2},
        {"params": {"a": 2}},
        {"params": {"b": 1}},
        {"weights": None},
        {"weights": "v"},
        {"inputs": {"image": "e"}},
        {"inputs": {"mask": "d"}},
    ],
)
def test_everything_that_decides_is_in_the_key(changed: dict[str, object]) -> None:
    assert key(**changed) != key()


def test_the_format_of_artefacts_is_in_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    before = key()
    monkeypatch.setattr(room, "FORMAT", room.FORMAT + 1)
    assert key() != before


def test_the_order_of_fields_is_not_in_the_key() -> None:
    assert key(params={"a": 1, "b": (1, 2)}) == key(params={"b": [1, 2], "a": 1})


def other(value: object) -> object:
    """A value of the same kind that is not the same."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if isinstance(value, float):
        return value / 2 + 0.01  # a share stays one
    if isinstance(value, dict):
        return {**value, "person": 0.5}
    return (*value, "x") if isinstance(value, tuple) else f"{value}x"


@pytest.mark.parametrize("stage", [FindRed(), Refine(method="box"), Inpaint(model="telea")])
def test_each_field_is_in_the_key_unless_it_only_changes_the_speed(tmp_path: Path, stage) -> None:
    image = photos.write(tmp_path / "a.png", photos.png())
    sample = sample_of(image)
    for slot in stage.needs:
        sample.slots[slot] = sample.slots["image"]
    speed_only, tried = set(), {field.name for field in fields(stage)}
    for field in fields(stage):
        try:
            changed = replace(stage, **{field.name: other(getattr(stage, field.name))})
        except RecipeError:
            tried.discard(field.name)  # a word out of a short list
            continue
        if key_of(changed, sample) == key_of(stage, sample):
            speed_only.add(field.name)
    assert speed_only == {f.name for f in fields(stage) if f.metadata.get("speed_only")} & tried
    assert {"batch", "device"} <= speed_only


def test_an_artefact_lies_under_its_stage_and_key(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert store.find("detect", key(), "detections") is None
    ref = store.put("detect", key(), "detections", Detections.empty())
    assert ref.path == tmp_path / "detect" / key()[:2] / f"{key()}.json"
    assert store.find("detect", key(), "detections") == ref
    assert list(store.files()) == [ref.path]


def test_artefacts_can_be_read_by_others(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        ref = Store(tmp_path).put("detect", key(), "detections", Detections.empty())
    finally:
        os.umask(before)
    assert ref.path.stat().st_mode & 0o777 == 0o644


KILLED = """
import os, sys
from pathlib import Path
from autoremove import store
store.os.replace = lambda *_: os._exit(9)
store.Store(Path(sys.argv[1])).put("detect", "c" * 64, "detections", __import__(
    "autoremove.types", fromlist=["x"]).Detections.empty())
"""


def test_killed_between_writing_and_renaming_leaves_no_artefact(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], env=environment)
    assert done.returncode == 9
    store = Store(tmp_path)
    assert store.find("detect", "c" * 64, "detections") is None
    assert list(store.files()) == [], "another process may still be writing it"
    (left,) = (path for path in tmp_path.rglob("*") if path.is_file())
    assert left.name.startswith(".part-")
    os.utime(left, (0, 0))
    assert store.put("detect", "c" * 64, "detections", Detections.empty()).path.exists()
    assert store.prune(max_bytes=0)[0] == 2
    assert list(store.files()) == []


def test_a_failed_write_leaves_nothing_and_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = photos.write(tmp_path / "journal", b"old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(room.os, "replace", full)
    with pytest.raises(OutputError, match="No space left") as told:
        write_atomically(old, b"new")
    assert told.value.hint
    assert [path.name for path in tmp_path.iterdir()] == ["journal"]
    assert old.read_bytes() == b"old"


def test_only_what_lies_in_the_store_is_discarded(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    ref = store.put("detect", key(), "detections", Detections.empty())
    photo = photos.write(tmp_path / "photo.png", photos.png())
    store.discard(ref.path)
    store.discard(ref.path)
    store.discard(photo)
    assert not ref.path.exists()
    assert photo.exists()


@pytest.fixture
def aged(tmp_path: Path) -> Store:
    """Three artefacts of ten bytes, 30, 20 and 10 days old."""
    import time

    for days in (30, 20, 10):
        path = photos.write(tmp_path / f"stage{days}" / "ab" / f"{'ab' * 32}.json", b"0123456789")
        os.utime(path, (time.time() - days * 86400,) * 2)
    return Store(tmp_path)


@pytest.mark.parametrize(
    ("limits", "kept"),
    [
        ({}, [10, 20, 30]),
        ({"max_bytes": 25}, [10, 20]),
        ({"max_bytes": 30}, [10, 20, 30]),
        ({"max_bytes": 0}, []),
        ({"older_than_days": 15}, [10]),
        ({"older_than_days": 25, "max_bytes": 15}, [10]),
        ({"older_than_days": 5, "max_bytes": 1000}, []),
    ],
)
def test_pruning_takes_the_oldest_until_both_limits_hold(aged: Store, limits: dict, kept: list[int]) -> None:
    count, freed = aged.prune(**limits)
    assert [path.parts[-3] for path in aged.files()] == [f"stage{days}" for days in kept]
    assert (count, freed) == (3 - len(kept), 10 * (3 - len(kept)))
    assert aged.sizes() == {f"stage{days}": (1, 10) for days in kept}


@pytest.mark.parametrize("stage", ["amend", "detect", "own-mask", "own-objects"])
def test_only_artefacts_are_counted_and_pruned(tmp_path: Path, stage: str) -> None:
    store, name = Store(tmp_path), f"{'ab' * 32}.json"
    ours = [store.put(stage, f"{number}{'b' * 63}", "detections", Detections.empty()).path for number in "12"]
    ours.append(store.put(stage, "ab" * 32, "patches", []).path)
    left = photos.write(tmp_path / stage / "ab" / ".part-0123456789abcdef", b"half a")
    os.utime(left, (0, 0))
    foreign = [
        photos.write(tmp_path / path, b"mine")
        for path in (
            "thesis.txt",
            name,
            f"ab/{name}",
            f"{stage}/{name}",
            f"{stage}/cd/{name}",
            f"{stage}/ab/more/{name}",
            f"{stage}/ab/{'ab' * 32}.txt",
            f"{stage}/ab/{'ab' * 31}.json",
            f"{stage}/ab/notes.json",
            f"{stage}/ab/.part-two",
            ".part-0123456789abcdef",
        )
    ]
    for path in foreign:
        os.utime(path, (0, 0))
    assert set(store.files()) == {*ours, left}
    assert {name: count for name, (count, _) in store.sizes().items()} == {stage: 4}
    assert store.prune(max_bytes=0)[0] == 4
    assert [path.exists() for path in foreign] == [True] * 11
    assert not any(path.exists() for path in (*ours, left))


def test_a_store_that_is_not_there_is_empty(tmp_path: Path) -> None:
    store = Store(tmp_path / "none")
    assert list(store.files()) == []
    assert store.sizes() == {}
    assert store.prune(max_bytes=0) == (0, 0)
    assert not store.root.exists()


def test_the_place_of_the_store_can_be_chosen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AUTOREMOVE_CACHE", str(tmp_path / "mine"))
    assert room.default_root() == tmp_path / "mine"
    monkeypatch.delenv("AUTOREMOVE_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert room.default_root().name == "store"
    assert not (tmp_path / "cache").exists()
