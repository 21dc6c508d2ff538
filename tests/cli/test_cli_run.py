"""`autoremove run` on a small folder: outputs, rows, summary, report, and what is done a second time."""

from __future__ import annotations

import filecmp
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from PIL import Image as PilImage

from autoremove import journal
from autoremove.cli.alone import alone_in
from autoremove.cli.run import chosen_workers
from autoremove.errors import UsageError
from tests import builders

Invoke = Callable[..., Result]


def rows_of(output: Path) -> dict[str, journal.Row]:
    return journal.read(output / journal.NAME)


def test_a_folder_ends_as_it_should(invoke: Invoke, photos: Path, light: list[str], tmp_path: Path) -> None:
    output = tmp_path / "clean"
    result = invoke("run", photos, "-o", output, *light)
    assert result.exit_code == 1  # one picture is cut off
    assert {name: row.status for name, row in rows_of(output).items()} == {
        "a.png": "done",
        "b.jpg": "done",
        "sub/a.png": "done",
        "empty street.png": "unchanged",
        "cut.jpg": "failed",
    }
    assert len((output / journal.NAME).read_text().splitlines()) == 5
    assert filecmp.cmp(photos / "empty street.png", output / "empty street.png", shallow=False)
    after = np.asarray(PilImage.open(output / "sub" / "a.png"))
    x0, y0, x1, y1 = builders.PERSON
    assert after[y0:y1, x0:x1, 0].max() < 180
    kept = np.ones(after.shape[:2], bool)
    kept[y0 - 6 : y1 + 6, x0 - 6 : x1 + 6] = False
    assert (after[kept] == builders.scene()[kept]).all()
    assert not (output / "cut.jpg").exists()


def test_results_can_be_pictures_again(
    invoke: Invoke, photos: Path, light: list[str], tmp_path: Path
) -> None:
    (photos / "cut.jpg").unlink()
    for source, output in ((photos, "first"), (tmp_path / "first", "second")):
        assert invoke("run", source, "-o", tmp_path / output, *light).exit_code == 0
    assert any((tmp_path / "first" / "report_files").iterdir())
    assert set(rows_of(tmp_path / "second")) == {"a.png", "b.jpg", "empty street.png", "sub/a.png"}


def test_what_is_said(invoke: Invoke, photos: Path, light: list[str], tmp_path: Path) -> None:
    result = invoke("run", photos, "-o", tmp_path / "clean", *light)
    recipe, device = result.stderr.splitlines()[:2]
    assert recipe.startswith("5 pictures, recipe people: detect > select > refine > ")
    assert recipe.endswith("; looking for person") and device == "Device: cpu (of the tests)"
    assert "failed: cut.jpg is a damaged or cut-off JPEG" in result.stderr
    assert "failed: cut.jpg is a damaged or cut-off JPEG" in result.stdout
    assert "Removed: 3 person" in result.stdout
    assert "inpaint" in result.stdout and "report.html" in result.stdout
    assert str(photos) not in result.stdout  # each path is said once, and short
    quiet = invoke("run", photos, "-o", tmp_path / "quiet", "--quiet", *light)
    assert quiet.stdout == ""
    assert len(quiet.stderr.splitlines()) == 1


def test_the_second_time_everything_is_cached(
    invoke: Invoke, photos: Path, light: list[str], tmp_path: Path
) -> None:
    output = tmp_path / "clean"
    (photos / "cut.jpg").unlink()
    assert invoke("run", photos, "-o", output, *light).exit_code == 0
    before = {path: path.stat().st_mtime_ns for path in output.rglob("*.png")}
    assert invoke("run", photos, "-o", output, *light).exit_code == 0
    assert {path: path.stat().st_mtime_ns for path in output.rglob("*.png")} == before
    assert all(step["cached"] for row in rows_of(output).values() for step in row.steps)
    invoke("run", photos, "-o", output, *light, "--set", "refine.grow=0.2")
    steps = {s["stage"]: s["cached"] for s in rows_of(output)["b.jpg"].steps}
    assert steps["detect"] and steps["select"]
    assert not any(steps[stage] for stage in ("refine", "inpaint", "composite"))


def test_shortcuts_are_settings(invoke: Invoke, photos: Path, light: list[str], tmp_path: Path) -> None:
    output = tmp_path / "clean"
    result = invoke("run", photos / "a.png", "-o", output, *light, "--remove", "car", "--confidence", "0.5")
    assert result.exit_code == 0
    assert rows_of(output)["a.png"].status == "unchanged"
    saved = (output / "recipe.yaml").read_text()
    assert "- car" in saved and "confidence: 0.5" in saved


def test_refused_before_the_first_picture(
    invoke: Invoke, photos: Path, light: list[str], tmp_path: Path
) -> None:
    output = tmp_path / "clean"
    cases = [
        (("--set", "refine.grwo=1"), 2, "Did you mean grow?"),
        (("--recipe", "peple"), 2, "Did you mean people?"),
        (("--remove", "cat"), 2, "know no 'cat'"),
        (("--device", "cuda"), 2, "There is no cuda"),
        (("--set", "detect.weights=nowhere.pt"), 3, "No detector weights"),
        (("--executor", "local", "--workers", "2"), 2, "works in one process"),
    ]
    for extra, code, words in cases:
        result = invoke("run", photos, "-o", output, *light, *extra)
        assert (result.exit_code, words in result.stderr) == (code, True), (extra, result.stderr)
    assert not output.exists()
    assert invoke("run", tmp_path / "nowhere", "-o", output, *light).exit_code == 4
    assert invoke("run", photos, "-o", photos, *light).exit_code == 4
    assert not (photos / journal.NAME).exists()


def test_large_pictures_and_large_masks(
    invoke: Invoke, photos: Path, light: list[str], tmp_path: Path
) -> None:
    result = invoke("run", photos / "a.png", "-o", tmp_path / "1", *light, "--max-pixels", "1k")
    assert result.exit_code == 1
    assert "--max-pixels" in (rows_of(tmp_path / "1")["a.png"].reason or "")
    result = invoke("run", photos / "a.png", "-o", tmp_path / "2", *light, "--set", "inpaint.max_share=0.01")
    assert result.exit_code == 0  # put up for review is no failure
    assert "review: a.png" in result.stdout
    assert not (tmp_path / "2" / "a.png").exists()


def test_no_report(invoke: Invoke, photos: Path, light: list[str], tmp_path: Path) -> None:
    output = tmp_path / "clean"
    result = invoke("run", photos, "-o", output, *light, "--no-report")
    assert not (output / "report.html").exists() and not (output / "report_files").exists()
    assert "report.html" not in result.output
    invoke("run", photos, "-o", output, *light)
    assert (output / "report.html").exists()
    result = invoke("run", photos, "-o", output, *light, "--no-report")
    assert "shows who was removed" in result.stderr


def test_report_again(invoke: Invoke, photos: Path, light: list[str], tmp_path: Path) -> None:
    output = tmp_path / "clean"
    invoke("run", photos, "-o", output, *light, "--no-report")
    assert invoke("report", output).exit_code == 0
    assert "a.png" in (output / "report.html").read_text()
    assert len(list((output / "report_files").iterdir())) == 3 * 3 + 1
    assert invoke("report", photos).exit_code == 4


def test_odd_names(invoke: Invoke, light: list[str], tmp_path: Path) -> None:
    photos, output = tmp_path / "photos", tmp_path / "clean"
    photos.mkdir()
    names = ['<b>"quoted"&\'.png', "line\nbreak.png", "漢字 ü.png", os.fsdecode(b"latin\xe4.png")]
    for name in names:
        PilImage.fromarray(builders.scene()).save(photos / "plain.png")
        (photos / "plain.png").rename(photos / name)
    (photos / "bad\x1b[31m.png").write_bytes(b"")
    result = invoke("run", photos, "-o", output, *light)
    assert result.exit_code == 1, result.output
    assert all((output / name).is_file() for name in names)
    assert "\x1b" not in result.output
    page = (output / "report.html").read_text(encoding="utf-8")
    assert "<b>" not in page.split("</style>")[1].replace("<b>Removed</b>", "").replace("<b>This page", "")


def test_one_run_at_a_time(invoke: Invoke, photos: Path, light: list[str], tmp_path: Path) -> None:
    output = tmp_path / "clean"
    with alone_in(output):
        result = invoke("run", photos, "-o", output, *light)
    assert result.exit_code == 4
    assert "Another run" in result.stderr


def test_leftovers_of_a_killed_run_go(invoke: Invoke, photos: Path, light: list[str], tmp_path: Path) -> None:
    output = tmp_path / "clean"
    (output / "sub").mkdir(parents=True)
    left = [output / "sub" / ".0123456789abcdef.part", output / ".part-0123456789abcdef"]
    mine = output / ".party"
    for path in [*left, mine]:
        path.write_bytes(b"half")
    invoke("run", photos, "-o", output, *light)
    assert not any(path.exists() for path in left)
    assert mine.exists()


def test_how_many_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    assert chosen_workers(None, None) == 1
    assert chosen_workers(None, 3) == 3
    assert chosen_workers("processes", None) == 4
    assert chosen_workers("local", 1) == 1
    with pytest.raises(UsageError):
        chosen_workers("local", 2)
